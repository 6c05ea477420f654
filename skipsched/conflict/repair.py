"""The smallest change that makes a topology feasible."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from skipsched.clock import Clock, OutOfTime, TooLarge
from skipsched.conflict.change import Change, applied
from skipsched.conflict.decide import allocatable, feasible
from skipsched.conflict.member import Key, Kind, Member
from skipsched.conflict.nearest import CHANGEABLE, SWITCHES, Wish, steps
from skipsched.conflict.relax import Relaxations
from skipsched.conflict.shrink import Conflicts
from skipsched.orders import TooManyOrdersError
from skipsched.text.diagnostics import InputError
from skipsched.topology.load import load_document
from skipsched.topology.model import Topology

#: Choices of members that are tried in order of size. Beyond, one that cannot be made smaller has to do.
_CHOICES = 200

#: How small a repair is, the smaller the better: fields to write, rules switched off, distance of new values
#: from old ones, and which kinds of members are changed, in the order of `CHANGEABLE`.
_Size = tuple[int, int, int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Repair:
    """Changes that make a topology feasible, and how small they are together."""

    size: _Size
    changes: tuple[Change, ...]


class Repairs:
    """The search for the smallest repair.

    What has to be changed is a set of members that leaves none of all conflicts whole. Such sets are tried
    from the smallest one, branching over the members of a conflict that a set leaves whole; then each member
    of the set takes the nearest value with which the topology is feasible.

    Parameters
    ----------
    topology
        The topology.
    members
        All its members.
    conflicts
        Which of them conflict.
    clock, workers
        Limits.
    """

    def __init__(
        self,
        topology: Topology,
        members: Sequence[Member],
        conflicts: Conflicts,
        clock: Clock,
        workers: int,
    ) -> None:
        self._topology = topology
        self._members = members
        self._conflicts = conflicts
        self._clock = clock
        self._workers = workers
        self._known: list[tuple[Member, ...]] = []
        self._found: list[Repair] = []
        #: Whether the latest search came to its end: no limit left anything untried.
        self.complete = True

    def smallest(self, conflict: tuple[Member, ...]) -> tuple[Change, ...]:
        """The smallest repair, from a first conflict on.

        Returns
        -------
        tuple of Change
            Fewest fields first, then fewest rules switched off, then new values nearest to the old ones. If
            the limits, or too many choices, end the search first: the smallest found so far, none if there
            is none.
        """
        self._known = [conflict]
        self.complete = True
        try:
            if not self._best_first() and not self._found:
                self._greedy()
        except OutOfTime:
            self.complete = False  # what is found is known to work
        best = min(self._found, key=lambda repair: repair.size, default=None)
        return best.changes if best is not None else ()

    def _best_first(self) -> bool:
        """Try choices of members, the smallest first. Returns whether the smallest repair is found."""
        queue: list[tuple[_Size, int, tuple[Member, ...], Repair | None]] = [(_least(()), 0, (), None)]
        seen: set[frozenset[Member]] = set()
        for turn in range(1, _CHOICES + 1):
            if not queue:
                return False
            _, _, chosen, repair = heapq.heappop(queue)
            if repair is not None:
                return True
            try:
                conflict = self._left_whole(chosen)
            except TooLarge:
                self.complete = False
                continue
            if conflict is None:
                repair = self._valued(chosen)
                if repair is not None:
                    heapq.heappush(queue, (repair.size, turn, chosen, repair))
                continue
            for member in _changeable(conflict):
                more = (*chosen, member)
                if frozenset(more) not in seen:
                    seen.add(frozenset(more))
                    heapq.heappush(queue, (_least(more), len(seen) + _CHOICES, more, None))
        self.complete = False
        return False

    def _greedy(self) -> None:
        """One member of each conflict left, and in the end only those without which some conflict stays."""
        chosen: tuple[Member, ...] = ()
        while (conflict := self._left_whole(chosen)) is not None:
            chosen = (*chosen, min(_changeable(conflict), key=lambda member: _least((member,))))
        for member in chosen:
            fewer = tuple(other for other in chosen if other != member)
            if self._left_whole(fewer) is None:
                chosen = fewer
        self._valued(chosen)

    def _left_whole(self, chosen: Collection[Member]) -> tuple[Member, ...] | None:
        """A conflict without any of the members chosen; None if there is none."""
        for conflict in self._known:
            if not set(conflict).intersection(chosen):
                return conflict
        kept = [member for member in self._members if member not in chosen]
        if not self._conflicts.conflict(kept):
            return None
        self._known.append(self._conflicts.shrink(kept))
        return self._known[-1]

    def _valued(self, chosen: Collection[Member]) -> Repair | None:
        """The nearest values for some members; None if there are none that the program can decide."""
        try:
            # To look for paths only in the end is quicker where many values have to change, and mostly does.
            repair = self._nearest(chosen, False) or (
                self._nearest(chosen, True) if len(chosen) > 1 else None
            )
        except (TooLarge, TooManyOrdersError):
            self.complete = False
            return None
        if repair is not None:
            self._found.append(repair)
        return repair

    def _nearest(self, chosen: Collection[Member], thorough: bool) -> Repair | None:
        """The nearest values for some members, one after the other, those still to come left out.

        Unless it is to be `thorough`, values but the last are only asked for an allocation.
        """
        topology = self._topology
        # Links first: how many of them are needed counts more than how far other values move.
        left = sorted(chosen, key=lambda member: (not _many_fields(member), _rank(member), member.node or 0))
        changes: list[Change] = []
        fields = switched_off = distance = 0
        ranks = tuple(sorted(map(_rank, left)))
        while left:
            member = left.pop(0)
            still_open = tuple(other.key for other in left)
            for step in steps(Wish(member, topology, still_open, self._clock)):
                changed = self._changed(topology, step.changes)
                if changed is not None and self._admits(changed, still_open, thorough or not left):
                    break
            else:
                return None
            self.complete &= step.nearest
            topology = changed
            changes += step.changes
            fields += step.fields
            switched_off += step.switched_off
            distance += step.distance
        return Repair((fields, switched_off, distance, ranks), tuple(changes))

    def _admits(self, topology: Topology, dropped: Collection[Key], paths: bool) -> bool:
        """Whether a topology without some members admits an allocation, and paths if these are asked for."""
        problem = Relaxations(topology).without(dropped)
        try:
            return feasible(problem, self._clock, self._workers) if paths else allocatable(problem)
        except TooLarge:
            self.complete = False
            return False

    def _changed(self, topology: Topology, changes: Sequence[Change]) -> Topology | None:
        """A topology with changes; None if that would be wrong by itself."""
        self._clock.spend(len(topology.nodes))
        try:
            return load_document(applied(topology.document, changes))
        except InputError:
            return None


def _changeable(conflict: Sequence[Member]) -> list[Member]:
    return [member for member in conflict if member.kind in CHANGEABLE]


def _rank(member: Member) -> int:
    return CHANGEABLE.index(member.kind)


def _many_fields(member: Member) -> bool:
    """Whether a change of the member may take several fields: links."""
    return member.kind is Kind.LINK


def _least(chosen: Sequence[Member]) -> _Size:
    """The least size that a repair of some members may have."""
    off = sum(member.kind in SWITCHES for member in chosen)
    return len(chosen), off, len(chosen), tuple(sorted(map(_rank, chosen)))
