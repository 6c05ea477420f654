"""Trying changes: replayed with the order kept, and solved anew beside the unchanged topology."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from skipsched.bounds import Bound, best_bound
from skipsched.clock import Clock
from skipsched.insight.candidates import WhatIf
from skipsched.insight.outcome import Outcome, Reference, Solved
from skipsched.instance import Instance
from skipsched.opened import Opened, open_schedule
from skipsched.schedule import Schedule
from skipsched.solver import INFEASIBLE, Options, Result, run_solver
from skipsched.text.diagnostics import InputError
from skipsched.topology.limits import MAX_SEED
from skipsched.topology.model import Topology

#: How often the unchanged topology is solved from each start, to see how much solves differ.
_SEEDS = 2
#: Before that it is bettered with the work of so many solves, so that all begin with a schedule worth it.
_BETTERING = 2
#: Counted seconds of a quick bound: on some hundred nodes it takes a hundredth.
_BOUND_WORK = 2.0


@dataclass(slots=True)
class Unchanged:
    """What is known of the topology as it is.

    Parameters
    ----------
    best
        The smallest iteration time of its schedules, microseconds.
    bound
        The best bound.
    """

    best: int
    bound: Bound


class Trials:
    """Tries changes of a topology, all re-solved with the same counted work.

    Parameters
    ----------
    opened, schedule
        The schedule at hand.
    bound
        A bound on its topology that is known already.
    budget
        Seconds of counted work of all solves; without any, changes are only bounded and replayed.
    seed
        Of all random choices.
    begin
        Told what is solved next.
    """

    def __init__(
        self,
        opened: Opened,
        schedule: Schedule,
        bound: Bound,
        budget: float,
        seed: int,
        begin: Callable[[str], None],
    ) -> None:
        self._opened = opened
        self._schedule = schedule
        self._budget = budget
        self._seed = seed
        self._begin = begin
        #: Whether a stop was asked for.
        self.stopped = False
        #: The topology as it is.
        self.unchanged = Unchanged(opened.scheduled.objective.iteration_time, bound)
        self._clock = Clock(budget, deterministic=True)

    def stop(self) -> None:
        """Ask what runs to end soon. Safe to call from a signal handler."""
        self.stopped = True
        self._clock.stop()

    def run(self, what_ifs: Sequence[WhatIf], most: int) -> list[Outcome]:
        """Bound and replay changes, and solve the first of those that may gain, or have a price, anew.

        Parameters
        ----------
        what_ifs
            The changes, the most promising first.
        most
            How many are solved anew.
        """
        outcomes = [self._replayed(what_if) for what_if in what_ifs]
        chosen = [place for place, outcome in enumerate(outcomes) if self._worth(outcome)][:most]
        if chosen and self._budget > 0:
            for place, solved in self._solved({place: outcomes[place] for place in chosen}).items():
                outcomes[place] = solved
        return outcomes

    def _replayed(self, what_if: WhatIf) -> Outcome:
        """What is known of a change without solving."""
        bound = best_bound(Instance.of(what_if.topology), Clock(_BOUND_WORK, deterministic=True))
        schedule = self._start(what_if, self._schedule)
        try:
            kept = open_schedule(schedule, what_if.topology).scheduled.objective.iteration_time
        except InputError:
            kept = None
        return Outcome(what_if, bound, kept)

    def _worth(self, outcome: Outcome) -> bool:
        """Whether to solve a change: it may gain, or is only asked for its price."""
        return outcome.may_gain(self.unchanged.best) or outcome.what_if.kind == "stage"

    def _solved(self, outcomes: Mapping[int, Outcome]) -> Mapping[int, Outcome]:
        """Solve changes anew. Those that a stop leaves no time for are left out."""
        found: dict[int, Outcome] = {}
        from_schedule = {outcome.kept is not None for outcome in outcomes.values()}
        shares = _BETTERING + _SEEDS * len(from_schedule) + len(outcomes)
        work = self._budget / shares
        self._begin("unchanged")
        better = self._solve(self._opened.topology, _BETTERING * work, self._schedule)
        if better is None or better.schedule is None:
            return found
        references: dict[bool, Reference | None] = {}
        for hinted in sorted(from_schedule, reverse=True):
            references[hinted] = self._reference(work, better.schedule if hinted else None)
        for place, outcome in outcomes.items():
            reference = references[outcome.kept is not None]
            if not self._worth(outcome) or reference is None:
                continue
            start = self._start(outcome.what_if, better.schedule) if outcome.kept is not None else None
            self._begin(outcome.what_if.says)
            result = self._solve(outcome.what_if.topology, work, start)
            if result is None:
                break
            found[place] = _with(outcome, result, reference)
        return found

    def _reference(self, work: float, start: Schedule | None) -> Reference | None:
        """What the unchanged topology comes to from a start; None after a stop, or where nothing is found."""
        times = [] if start is None else [start.document["iteration_time"]]
        for seed in range(1, 1 + _SEEDS):
            self._begin(f"unchanged, seed {self._seed + seed}{'' if start else ', from nothing'}")
            result = self._solve(self._opened.topology, work, start, seed)
            if result is None or result.schedule is None:
                return None
            times.append(result.schedule.document["iteration_time"])
        return Reference(min(times), max(times) - min(times))

    def _solve(self, topology: Topology, work: float, start: Schedule | None, seed: int = 0) -> Result | None:
        """Solve a topology; None after a stop: what was cut short is compared with nothing."""
        self._clock = clock = Clock(work, deterministic=True)
        if self.stopped:
            clock.stop()
        options = Options(seed=(self._seed + seed) % (MAX_SEED + 1), hint=start)
        result = run_solver(topology, options, clock)
        if self.stopped:
            return None
        if topology is self._opened.topology:
            self._learn(result)
        return result

    def _learn(self, result: Result) -> None:
        """Keep what a solve tells of the unchanged topology."""
        unchanged = self.unchanged
        if result.schedule is not None:
            unchanged.best = min(unchanged.best, result.schedule.document["iteration_time"])
        if result.lower_bound is not None and result.lower_bound > unchanged.bound.value:
            assert result.bound_kind is not None, "a bound has a kind"
            unchanged.bound = Bound(result.lower_bound, result.bound_kind)

    def _start(self, what_if: WhatIf, schedule: Schedule) -> Schedule:
        """The schedule as one of the changed topology, where it can be."""
        return schedule if what_if.removed is None else _without(self._schedule, what_if.removed)


def _with(outcome: Outcome, result: Result, reference: Reference) -> Outcome:
    """An outcome with what solving it came to, the schedule at hand counted as well."""
    times = [outcome.kept] if outcome.kept is not None else []
    if result.schedule is not None:
        times.append(result.schedule.document["iteration_time"])
    solved = Solved(min(times, default=None), result.status == INFEASIBLE, reference)
    bound = outcome.bound
    if result.lower_bound is not None and result.lower_bound > bound.value:
        assert result.bound_kind is not None, "a bound has a kind"
        bound = Bound(result.lower_bound, result.bound_kind)
    return replace(outcome, solved=solved, bound=bound)


def _without(schedule: Schedule, removed: str) -> Schedule:
    """A schedule without one of its nodes: one of the topology without it, if it was idle."""
    document = dict(schedule.document)
    for key in ("stages", "rings"):
        if key in document:
            document[key] = [[node for node in nodes if node != removed] for nodes in document[key]]
    document["actions"] = {node: rows for node, rows in document["actions"].items() if node != removed}
    return Schedule(document)
