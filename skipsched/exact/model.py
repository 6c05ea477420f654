"""The exact model: CP-SAT over paths and order of one allocation, one method per rule of the problem.

Every microbatch has one start per action, whatever its path; a literal per path says which one it takes, and
through the literals "visits node n at position q" its actions become optional intervals on nodes. Transfers
and durations are sums over those literals, so the relaxation knows the round trip of every mixture of
paths. Measurements of this and other formulations: docs/model.md.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from ortools.sat.python import cp_model

from skipsched.clock import NO_LIMIT, Clock, TooLarge
from skipsched.exact.frozen import Frozen
from skipsched.exact.hint import HintValues
from skipsched.exact.itinerary import Itinerary
from skipsched.exact.path_rules import allowed
from skipsched.exact.paths import Path
from skipsched.instance import Instance
from skipsched.plan import Actions, Plan, Routes, members_of
from skipsched.rings import Ring
from skipsched.scheduled import Scheduled
from skipsched.timing import Deadlock

#: Terms beyond which a model is not built: a hundred megabytes and more.
_MOST_TERMS = 1_000_000
#: Sums must stay well within the 64 bits of CP-SAT.
_LARGEST = 2**61
#: Steps of a loop that adding one term is worth.
_STEPS_PER_TERM = 10
#: How much one microsecond of iteration time weighs against one of a microbatch's mean completion in
#: `SMOOTH`.
_ITERATION_WEIGHT = 4

Variable = Any  # an integer or Boolean variable of CP-SAT
Expression = Any  # a linear expression of CP-SAT


class Goal(enum.Enum):
    """What the model minimises."""

    #: Nothing: is there a schedule within the time allowed?
    DECIDE = enum.auto()
    #: The iteration time.
    ITERATION = enum.auto()
    #: The iteration time and, less, the mean of the microbatches' last B ends: a slope where the former is
    #: flat.
    SMOOTH = enum.auto()


@dataclass(frozen=True, slots=True)
class Walk:
    """The variables of one microbatch.

    Parameters
    ----------
    itineraries
        What it may do, one per path.
    taken
        A literal per itinerary.
    at
        For each position of the path, a literal per node that may be visited there.
    start, end
        Of each action, in microseconds; an end is an expression.
    """

    itineraries: Sequence[Itinerary]
    taken: list[Variable]
    at: list[dict[int, Variable]]
    start: list[Variable]
    end: list[Expression]


@dataclass(frozen=True, slots=True)
class Reach:
    """What the itineraries through one node have in common.

    Parameters
    ----------
    taken, held
        For each itinerary of each microbatch that visits the node, its literal and how long it stays in
        flight.
    around
        The least time before any of these arrives, and after it has left.
    used
        A literal that holds if any of them is taken.
    """

    taken: list[Variable]
    held: list[int]
    around: int
    used: Variable


class ExactModel:
    """Paths and order of one allocation as a CP-SAT model.

    Parameters
    ----------
    instance
        The tables.
    frozen
        What is given.
    rings
        The ring of each stage under the allocation.
    goal
        What to minimise.
    hint
        A schedule to start from. Where microbatches of a data node have the same choices they must be
        emitted in the order of their numbers (`in_emission_order`).
    clock
        The limit of building.

    Raises
    ------
    TooLarge
        If memory would not hold the model.
    OutOfTime
        If the clock runs out.
    """

    def __init__(
        self,
        instance: Instance,
        frozen: Frozen,
        rings: Sequence[Ring],
        goal: Goal,
        hint: Scheduled | None = None,
        clock: Clock = NO_LIMIT,
    ) -> None:
        self.instance = instance
        self.frozen = frozen
        self.goal = goal
        self._rings = rings
        self._allreduce = [ring.allreduce for ring in rings]
        self._members = members_of(frozen.allocation, instance.stages)
        self._per = 2 * instance.path_length + 1
        self._hint = HintValues(hint)
        self.model = cp_model.CpModel()
        itineraries = self._itineraries()
        terms = sum(len(choices) for choices in itineraries) * 3 * self._per
        if terms > _MOST_TERMS or (terms + _ITERATION_WEIGHT * len(itineraries)) * self._horizon > _LARGEST:
            raise TooLarge
        self.iteration_time = self._new_int(self._hint.iteration_time)
        self.walks: list[Walk] = []
        for microbatch, choices in enumerate(itineraries):
            # `first-stage`, `path-length`, `swap`, `jump` and `link` speak of one path: those left obey them.
            self.walks.append(self._new_walk(microbatch, choices))
            clock.spend(len(choices) * self._per * _STEPS_PER_TERM)
        for add in (
            self._add_chains,
            self._add_even_stages,
            self._add_cover,
            self._add_even_nodes,
            self._add_path_period,
            self._add_memory,
            self._add_no_collision,
            self._add_allreduce,
            self._add_frozen,
            self._add_loads,  # implied by those above, as are the rest
            self._add_rows,
            self._order_alike,
            self._minimise,
        ):
            add()
            clock.spend(len(self.walks) * self._per * _STEPS_PER_TERM)

    @property
    def _horizon(self) -> int:
        """More microseconds than any figure of the model has."""
        longest = max(map(max, (*self.instance.forward, *self.instance.backward, *self.instance.transfer)))
        return self.frozen.within + 3 * (longest + self.instance.overhead + max(self._allreduce))

    def _itineraries(self) -> list[Sequence[Itinerary]]:
        """What each microbatch may do: on paths that keep the rules and fit into the time allowed."""
        known: dict[int, Sequence[Itinerary]] = {}
        found = []
        for paths in self.frozen.paths:
            # Most microbatches share their list of paths with others: by identity, lists are long.
            if id(paths) not in known:
                known[id(paths)] = self._admitted(paths)
            found.append(known[id(paths)])
        return found

    def _admitted(self, paths: Sequence[Path]) -> Sequence[Itinerary]:
        allocation = self.frozen.allocation
        itineraries = (
            Itinerary.of(self.instance, allocation, self._allreduce, path)
            for path in paths
            if allowed(self.instance, allocation, path)
        )
        return tuple(each for each in itineraries if each.shortest <= self.frozen.within)

    def _new_int(self, hint: int | None, most: int | None = None) -> Variable:
        variable = self.model.new_int_var(0, self.frozen.within if most is None else most, "")
        if hint is not None:
            self.model.add_hint(variable, hint)
        return variable

    def _new_bool(self, hint: bool | None) -> Variable:
        variable = self.model.new_bool_var("")
        if hint is not None:
            self.model.add_hint(variable, hint)
        return variable

    def _new_walk(self, microbatch: int, itineraries: Sequence[Itinerary]) -> Walk:
        """The variables of a microbatch, and that it takes one of its paths."""
        model, length = self.model, self.instance.path_length
        taken = [self._new_bool(self._hint.takes(microbatch, each.path)) for each in itineraries]
        model.add_exactly_one(taken)
        at: list[dict[int, Variable]] = []
        for position in range(length):
            through: dict[int, list[Variable]] = {}
            for literal, each in zip(taken, itineraries, strict=True):
                through.setdefault(each.path[position], []).append(literal)
            literals = {n: self._new_bool(self._hint.is_at(microbatch, position, n)) for n in through}
            for n, literal in literals.items():
                model.add(cp_model.LinearExpr.sum(through[n]) == literal)
            model.add_exactly_one(literals.values())
            at.append(literals)
        start = [self._new_int(self._hint.start(microbatch, a)) for a in range(self._per)]
        end = [first + self._duration(at, a) for a, first in enumerate(start)]
        return Walk(itineraries, taken, at, start, end)

    def _position(self, action: int) -> int:
        """The position on the path of the node that does a microbatch's n-th action."""
        length = self.instance.path_length
        return action if action < length else 0 if action == length else 2 * length - action

    def _duration_on(self, node: int, action: int) -> int:
        instance, stage = self.instance, self.frozen.allocation[node]
        if action == instance.path_length:
            return instance.loss[node]
        table = instance.forward if action < instance.path_length else instance.backward
        return table[node][stage]

    def _duration(self, at: Sequence[Mapping[int, Variable]], action: int) -> Expression:
        """The duration of an action: a number if all nodes that may do it are equally fast."""
        literals = at[self._position(action)]
        durations = [self._duration_on(n, action) for n in literals]
        if len(set(durations)) == 1:
            return durations[0]
        return cp_model.LinearExpr.weighted_sum(list(literals.values()), durations)

    def _add_chains(self) -> None:
        """F along the path, L, B back: each action begins when the output of the one before has arrived."""
        for walk in self.walks:
            for a in range(1, self._per):
                lag = cp_model.LinearExpr.weighted_sum(walk.taken, [each.lag[a] for each in walk.itineraries])
                self.model.add(walk.start[a] >= walk.end[a - 1] + lag)

    def _add_even_stages(self) -> None:
        """`even-stages`: equally many microbatches on each stage but the first, to within one."""
        if not self.instance.rules.even_stages:
            return
        stages = self.instance.stages - 1
        total = len(self.walks) * (self.instance.path_length - 1)
        for stage in range(1, self.instance.stages):
            executed = self._visits(self._members[stage])
            self.model.add_linear_constraint(_sum(executed), total // stages, -(-total // stages))

    def _add_cover(self) -> None:
        """`cover`: the microbatches of each data node together execute every stage."""
        if not self.instance.rules.cover:
            return
        for walks in self._by_data_node().values():
            for stage in range(1, self.instance.stages):
                self.model.add_bool_or(self._visits(self._members[stage], walks))

    def _add_even_nodes(self) -> None:
        """`even-nodes`: the nodes of each stage but the first execute equally many, to within one."""
        if not self.instance.rules.even_nodes:
            return
        for stage in range(1, self.instance.stages):
            carried = [self._visits([n]) for n in self._members[stage]]
            fewest = self._new_int(self._hint.fewest(self._members[stage]), most=len(self.walks))
            for visits in carried:
                self.model.add_linear_constraint(_sum(visits) - fewest, 0, 1)

    def _add_path_period(self) -> None:
        """`path-period`: microbatch i of a data node takes the path of its microbatch i - P."""
        period = self.instance.rules.path_period
        if period is None:
            return
        for walks in self._by_data_node().values():
            for earlier, later in zip(walks, walks[period:], strict=False):
                same = {each.path: literal for literal, each in _options(later)}
                for literal, each in _options(earlier):
                    self.model.add(literal == same.pop(each.path, 0))
                for literal in same.values():
                    self.model.add(literal == 0)

    def _add_memory(self) -> None:
        """`memory`: in flight on a node from the start of an F to the end of its B, at most M(n) at once."""
        length = self.instance.path_length
        in_flight: dict[int, list[Variable]] = {}
        for m, walk in enumerate(self.walks):
            for q, literals in enumerate(walk.at):
                back = 2 * length - q
                size = self._new_int(self._hint.size(m, q, back))
                end = self._new_int(self._hint.end(m, back))
                self.model.add(end == walk.end[back])
                self.model.add(size == end - walk.start[q])
                for n, literal in literals.items():
                    interval = self.model.new_optional_interval_var(walk.start[q], size, end, literal, "")
                    in_flight.setdefault(n, []).append(interval)
        for n, intervals in in_flight.items():
            slots = min(len(intervals), self.instance.slots[n][self.frozen.allocation[n]])
            self.model.add_cumulative(intervals, [1] * len(intervals), slots)

    def _add_no_collision(self) -> None:
        """`no-collision`: a node runs one action at a time, and rests for the overhead after each."""
        busy: dict[int, list[Variable]] = {}
        for walk in self.walks:
            for a, start in enumerate(walk.start):
                for n, literal in walk.at[self._position(a)].items():
                    occupied = self._duration_on(n, a) + self.instance.overhead
                    interval = self.model.new_optional_fixed_size_interval_var(start, occupied, literal, "")
                    busy.setdefault(n, []).append(interval)
        for intervals in busy.values():
            self.model.add_no_overlap(intervals)

    def _add_allreduce(self) -> None:
        """Each stage's last B is followed by its all-reduce; also a stage without microbatches has one."""
        length = self.instance.path_length
        self.model.add(self.iteration_time >= max(self._allreduce))
        for walk in self.walks:
            for q, literals in enumerate(walk.at):
                after = [self._allreduce[self.frozen.allocation[n]] for n in literals]
                waited = cp_model.LinearExpr.weighted_sum(list(literals.values()), after)
                self.model.add(self.iteration_time >= walk.end[2 * length - q] + waited)

    def _add_frozen(self) -> None:
        """What is given beyond the rules."""
        frozen = self.frozen
        for first, second in frozen.precedences:
            start = self.walks[second // self._per].start[second % self._per]
            end = self.walks[first // self._per].end[first % self._per]
            self.model.add(start >= end + self.instance.overhead)
        for stage, (fewest, most) in frozen.executed.items():
            self.model.add_linear_constraint(_sum(self._visits(self._members[stage])), fewest, most)
        for node, (fewest, most) in frozen.carried.items():
            self.model.add_linear_constraint(_sum(self._visits([node])), fewest, most)

    @cached_property
    def _reaches(self) -> dict[int, Reach]:
        """By node, for those that some itinerary visits."""
        visits: dict[int, list[tuple[Variable, int, Itinerary]]] = {}
        used: dict[int, Variable] = {}
        for walk in self.walks:
            for literal, each in _options(walk):
                for q, n in enumerate(each.path):
                    visits.setdefault(n, []).append((literal, q, each))
            for literals in walk.at:
                for n, literal in literals.items():
                    if n not in used:
                        used[n] = self._new_bool(self._hint.visits(n))
                    self.model.add_implication(literal, used[n])
        return {
            n: Reach(
                taken=[literal for literal, _, _ in through],
                held=[each.held[q] for _, q, each in through],
                around=min(each.ahead[q] for _, q, each in through)
                + min(each.behind[q] for _, q, each in through),
                used=used[n],
            )
            for n, through in visits.items()
        }

    def _add_loads(self) -> None:
        """Implied: a node's work fits between the shortest way to it and the shortest way home from it."""
        overhead, length = self.instance.overhead, self.instance.path_length
        for n, reach in self._reaches.items():
            actions = (0, length, 2 * length) if self.frozen.allocation[n] == 0 else (1, 2 * length - 1)
            work = sum(self._duration_on(n, a) + overhead for a in actions)
            load = cp_model.LinearExpr.sum(reach.taken) * work + reach.around * reach.used
            self.model.add(self.iteration_time + overhead >= load)

    def _add_rows(self) -> None:
        """Implied: microbatches on a node's slots, laid in rows (see `bounds.in_flight`)."""
        overhead = self.instance.overhead
        for n, reach in self._reaches.items():
            stage = self.frozen.allocation[n]
            slots = min(len(self.walks), self.instance.slots[n][stage])
            held = cp_model.LinearExpr.weighted_sum(reach.taken, [each + overhead for each in reach.held])
            around = reach.around * reach.used
            if stage == 0:
                slots = min(slots, self.instance.microbatches[n])
                work = self.instance.forward[n][0] + self.instance.backward[n][0] + 2 * overhead
                held += slots * (slots - 1) // 2 * work
            self.model.add(slots * (self.iteration_time + overhead) >= held + slots * around)

    def _order_alike(self) -> None:
        """Implied up to names: microbatches of a data node with equal choices are emitted in order."""
        if self.instance.rules.path_period is not None or self.frozen.precedences:
            return
        overhead = self.instance.overhead
        for walks in self._by_data_node().values():
            for earlier, later in pairwise(walks):
                if earlier.itineraries is later.itineraries:
                    self.model.add(later.start[0] >= earlier.end[0] + overhead)

    def _minimise(self) -> None:
        if self.goal is Goal.ITERATION:
            self.model.minimize(self.iteration_time)
        elif self.goal is Goal.SMOOTH:
            homes = sum(walk.end[-1] for walk in self.walks)
            self.model.minimize(_ITERATION_WEIGHT * len(self.walks) * self.iteration_time + homes)

    def _by_data_node(self) -> dict[int, list[Walk]]:
        """The microbatches of each data node that emits any, in the order of their numbers."""
        emitters = (d for d in self._members[0] for _ in range(self.instance.microbatches[d]))
        walks: dict[int, list[Walk]] = {}
        for d, walk in zip(emitters, self.walks, strict=True):
            walks.setdefault(d, []).append(walk)
        return walks

    def _visits(self, nodes: Sequence[int], walks: Sequence[Walk] | None = None) -> list[Variable]:
        """Literals of the visits of some microbatches, by default all, to some nodes."""
        return [
            literals[n]
            for walk in (self.walks if walks is None else walks)
            for literals in walk.at
            for n in nodes
            if n in literals
        ]

    def scheduled(self, solver: cp_model.CpSolver) -> Scheduled | None:
        """The schedule of a solution: its paths and orders, replayed, which may end earlier than it does.

        None if there is none. The model speaks of times, a schedule of orders: actions without duration may
        pass through one slot at one moment in a circle, for which there is no order.
        """
        paths = tuple(
            next(each.path for literal, each in _options(walk) if solver.boolean_value(literal))
            for walk in self.walks
        )
        routes = Routes(self.frozen.allocation, paths)
        actions = Actions.of(self.instance, routes)
        begin = [solver.value(start) for walk in self.walks for start in walk.start]
        end = [first + length for first, length in zip(begin, actions.duration, strict=True)]
        order: list[list[int]] = [[] for _ in self.instance.node_ids]
        for action in sorted(range(len(begin)), key=lambda a: (begin[a], end[a], self._turn(a, begin), a)):
            order[actions.node[action]].append(action)
        try:
            plan = Plan(routes, tuple(map(tuple, order)))
            scheduled = Scheduled.of(self.instance, plan, actions, self._rings)
        except Deadlock:
            return None
        return scheduled if scheduled.keeps_slots(self.instance) else None

    def _turn(self, action: int, begin: Sequence[int]) -> tuple[bool, int]:
        """The turn of an action without duration among those of the same moment.

        First what frees a slot that was taken earlier, then along the microbatches' ways.
        """
        position = action % self._per
        forward = action - position + self._per - 1 - position
        frees = position > self.instance.path_length and begin[forward] < begin[action]
        return not frees, position


def _options(walk: Walk) -> Iterator[tuple[Variable, Itinerary]]:
    return zip(walk.taken, walk.itineraries, strict=True)


def _sum(literals: Sequence[Variable]) -> Expression:
    return cp_model.LinearExpr.sum(literals)
