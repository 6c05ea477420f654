"""From a conflict to an irreducible one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from skipsched.clock import Clock, OutOfTime
from skipsched.conflict.decide import feasible
from skipsched.conflict.member import Kind, Member
from skipsched.conflict.relax import Relaxations

#: Kinds that leave no allocation by themselves, or none at all: decided without any path.
_ALLOCATION = frozenset({Kind.SIZES, Kind.PIN, Kind.MEMORY})


class Conflicts:
    """Which members of a topology conflict with each other.

    Parameters
    ----------
    relaxations
        The topology.
    members
        All its members, those to be kept in a conflict rather than others first.
    clock, workers
        Limits of every question.
    """

    def __init__(
        self, relaxations: Relaxations, members: Sequence[Member], clock: Clock, workers: int
    ) -> None:
        self._relaxations = relaxations
        self._members = members
        self._clock = clock
        self._workers = workers
        self._answers: dict[frozenset[Member], bool] = {}
        #: Whether every question of the latest `shrink` was answered.
        self.certain = True

    def conflict(self, kept: Iterable[Member]) -> bool:
        """Whether some members conflict, whatever else is left out.

        Raises
        ------
        OutOfTime
            If that cannot be decided within the limits.
        """
        enforced = frozenset(kept)
        if enforced not in self._answers:
            dropped = {member.key for member in self._members if member not in enforced}
            problem = self._relaxations.without(dropped)
            self._answers[enforced] = not feasible(problem, self._clock, self._workers)
        return self._answers[enforced]

    def shrink(self, conflict: Sequence[Member]) -> tuple[Member, ...]:
        """An irreducible conflict within one that is known: without any of its members the others agree.

        If a question stays open for want of time its members are kept, and `certain` is false: what is
        returned is a conflict all the same.
        """
        self.certain = True
        # Who may hold what is decided at once, paths are not: conflicts of allocation alone come first.
        allocation = [member for member in conflict if member.kind in _ALLOCATION]
        if self._conflict_for_sure(allocation):
            conflict = allocation
        return tuple(self._needed([], False, list(conflict)))

    def _needed(self, kept: list[Member], grown: bool, pool: list[Member]) -> list[Member]:
        """The members of a pool that are needed beside those kept to have a conflict (QuickXplain).

        Halves are left out at once where the rest conflicts without them, so that few innocent members cost
        few questions each, and many cost few altogether.
        """
        if grown and self._conflict_for_sure(kept):
            return []
        if len(pool) <= 1:
            return pool
        half = (len(pool) + 1) // 2
        first, second = pool[:half], pool[half:]
        of_second = self._needed(kept + first, True, second)
        of_first = self._needed(kept + of_second, bool(of_second), first)
        return of_first + of_second

    def _conflict_for_sure(self, kept: Collection[Member]) -> bool:
        try:
            return self.conflict(kept)
        except OutOfTime:
            self.certain = False
            return False
