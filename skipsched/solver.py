"""The solver: phases under one clock, the best schedule so far always at hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from skipsched.bounds import Bound, best_bound, model_bound
from skipsched.check import check_schedule
from skipsched.clock import Clock, OutOfTime, TooLarge
from skipsched.conflict import Cause, explain
from skipsched.construct import construct, constructed
from skipsched.exact.hint import in_emission_order
from skipsched.instance import Instance
from skipsched.machine import cores
from skipsched.plan import Actions, Plan
from skipsched.rings import Ring, better_rings, rings_of
from skipsched.robust import SHARE, Choice, Effort, Pool, choose
from skipsched.routes.allocate import allocations
from skipsched.routes.blocks import allocations_in_blocks
from skipsched.routes.find import Infeasible, find_routes
from skipsched.schedule import Schedule
from skipsched.schedule.document import Provenance, document_of, gap
from skipsched.schedule.plan import NoPlan, allocation_from, plan_from, rings_from
from skipsched.scheduled import Scheduled
from skipsched.statistics import Phase, Statistics
from skipsched.text.diagnostics import Diagnostic, InputError
from skipsched.timing import Deadlock
from skipsched.topology.model import Topology
from skipsched.version import __version__

if TYPE_CHECKING:
    from skipsched.exact.prove import Proof
    from skipsched.search.improve import Improver

OPTIMAL = "OPTIMAL"
FEASIBLE = "FEASIBLE"
INFEASIBLE = "INFEASIBLE"
UNKNOWN = "UNKNOWN"

#: Seconds, unless something else is asked for.
DEFAULT_TIME_LIMIT = 60.0
#: Search workers where the result must not depend on the machine.
DETERMINISTIC_WORKERS = 2
#: The part of the time that goes into the first schedules at most: in large plans, those with more actions
#: than this, moves change too little in the time there is, and other allocations much.
_CONSTRUCTION, _LARGE_CONSTRUCTION = 0.25, 0.75
_LARGE = 20_000
#: The part of the time that goes into bounds at most, before the search begins.
_BOUNDS = 0.2
#: Seconds that writing, checking and printing one action takes at the end, and a part of the limit kept free.
_FINISH_PER_ACTION = 25e-6
_FINISH_SHARE = 0.01
_FINISH_AT_MOST = 0.1


@dataclass(frozen=True, slots=True)
class Options:
    """What a solve may be told.

    Parameters
    ----------
    gap
        Stop once the proven gap is at most this.
    seed
        Of all random choices.
    workers
        Search workers; None for one per core.
    hint
        A schedule to start from: the result is never worse.
    allocation_from
        A schedule whose allocation is kept.
    windows
        Whether parts of the schedule are also bettered by the exact model.
    robust
        The quantile of simulated iteration times by which to choose among the best schedules; None to take
        the one that promises the shortest.
    """

    gap: float = 0.0
    seed: int = 0
    workers: int | None = None
    hint: Schedule | None = None
    allocation_from: Schedule | None = None
    windows: bool = True
    robust: float | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """What a solve has reached, handed out whenever that changes.

    Times in microseconds, as everywhere; None where there is nothing yet.
    """

    phase: str
    iteration_time: int | None
    lower_bound: int | None

    @property
    def gap(self) -> float | None:
        """The proven gap."""
        if self.iteration_time is None or self.lower_bound is None:
            return None
        return gap(self.iteration_time, self.lower_bound)


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a solve.

    Parameters
    ----------
    status
        ``OPTIMAL``, ``FEASIBLE``, ``INFEASIBLE`` or ``UNKNOWN``.
    stop_reason
        ``optimal``, ``gap``, ``completed``, ``time_limit``, ``size_limit`` (deciding feasibility would not
        fit into memory), ``interrupted`` or ``infeasible``.
    schedule
        The best schedule found; None if there is none.
    lower_bound, bound_kind
        The best bound on the iteration time in microseconds, and which it is.
    cause
        Why there is no schedule, if that is proved.
    statistics
        What was done.
    """

    status: str
    stop_reason: str
    schedule: Schedule | None
    lower_bound: int | None
    bound_kind: str | None
    cause: Cause | None
    statistics: Statistics


class CheckFailed(RuntimeError):
    """A schedule of ours failed our own checker: a bug of the program, never emitted as a result."""


class _Enough(Exception):
    """The schedule at hand is good enough; the argument is the stop reason."""


def run_solver(
    topology: Topology,
    options: Options,
    clock: Clock,
    on_progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Solve a topology within a clock; see `skipsched.solve`."""
    return _Solve(topology, options, clock, on_progress).run()


@dataclass(slots=True)
class _Turn:
    """One of those that share the time of the search phase.

    Parameters
    ----------
    step
        What it does in its turn.
    price
        What a second costs it, as things stand.
    paid
        For all seconds so far.
    """

    step: Callable[[], None]
    price: Callable[[], int]
    paid: float = 0.0


class _Solve:
    """One solve: its incumbent, its bound, and its phases in order."""

    def __init__(
        self,
        topology: Topology,
        options: Options,
        clock: Clock,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._topology = topology
        self._instance = Instance.of(topology)
        self._options = options
        self._clock = clock
        self._on_progress = on_progress
        self._statistics = Statistics()
        self._best: Scheduled | None = None
        self._bound: Bound | None = None
        self._phase = ""
        self._workers = DETERMINISTIC_WORKERS if clock.deterministic else options.workers or cores()
        self._allocation = self._fixed_allocation()
        # The problem as it is restricted: with an allocation to keep, each node may hold its stage alone.
        kept = self._allocation
        self._problem = self._instance if kept is None else self._instance.restricted_to(kept)
        # One source of allocations for all phases: each goes on where the one before it stopped.
        self._candidates: Iterator[Sequence[int]] = (
            allocations(self._problem, clock, options.seed) if kept is None else iter([kept])
        )
        self._effort = Effort.of(SHARE * clock.limit, self._actions())
        self._pool: Pool | None = None
        if options.robust is not None and self._effort.candidates:
            self._pool = Pool(self._effort.candidates)
        self._choice: Choice | None = None
        # Counted work is that of the search alone.
        self._choosing = 0.0 if self._pool is None or clock.deterministic else SHARE * clock.limit
        if not clock.deterministic:
            clock.reserve = reserve(self._actions(), clock.limit) + self._choosing

    def _actions(self) -> float:
        """How many actions a schedule has, about: which nodes emit how much is still open."""
        instance = self._instance
        emitted = sum(instance.microbatches) * instance.data_nodes / instance.nodes
        return emitted * (2 * instance.path_length + 1)

    def run(self) -> Result:
        cause = None
        try:
            self._hint_phase()
            self._construction_phase()
            self._bounds_phase()
            self._search_phase()
            reason = "completed"
        except Infeasible:
            reason = "infeasible"
            cause = explain(self._topology, self._clock, self._workers, self._allocation)
        except _Enough as enough:
            reason = str(enough)
        except TooLarge:
            reason = "size_limit"
        except OutOfTime:
            reason = "interrupted" if self._clock.stopped else "time_limit"
        self._choose()
        return self._result(reason, cause)

    def _hint_phase(self) -> None:
        """Start from the schedule given."""
        if self._options.hint is None:
            return
        document = self._options.hint.document
        try:
            plan = plan_from(document, self._instance)
            rings = self._rings(plan, document)
            actions = Actions.of(self._instance, plan.routes)
            scheduled = Scheduled.of(self._instance, plan, actions, rings)
        except NoPlan as error:
            _refuse("hint", str(error))
        except Deadlock as error:
            _refuse("hint", f"its order deadlocks: {error}")
        violations = check_schedule(self._document(scheduled, FEASIBLE, ""), self._topology, self._instance)
        if violations:
            _refuse("hint", f"it breaks a rule on this topology: {violations[0].format()}")
        if self._allocation not in (None, plan.routes.allocation):
            _refuse("hint", "its allocation is not the one that is to be kept")
        with self._enter("hint"):
            self._keep(scheduled)

    def _rings(self, plan: Plan, document: Mapping[str, Any]) -> list[Ring]:
        """For each stage the better of the hint's own ring and the one found here."""
        members = plan.routes.members(self._instance.stages)
        found = rings_of(self._instance, members, self._clock)
        given = rings_from(document, self._instance, members)
        if found is not None and given is not None:
            return better_rings(found, given)
        rings = found if found is not None else given
        if rings is None:
            raise NoPlan("the links admit no ring in one of its stages")
        return rings

    def _construction_phase(self) -> None:
        """Routes, a first schedule, the quick bounds, and better schedules."""
        instance, clock, seed = self._problem, self._clock, self._options.seed
        candidates = self._candidates
        with self._enter("routes"):
            routes = find_routes(instance, clock, self._workers, candidates)
        with self._enter("construction"):
            share = _LARGE_CONSTRUCTION if self._actions() > _LARGE else _CONSTRUCTION
            until = latest = clock.spent() + share * clock.remaining()
            for scheduled in construct(instance, routes, candidates, clock, seed):
                if self._best is None or scheduled.objective < self._best.objective:
                    self._keep(scheduled)
                    # Nothing better in twice the time: the search does better than more of the same.
                    latest = min(until, 2 * clock.spent())
                if clock.spent() > latest:
                    break

    def _bounds_phase(self) -> None:
        """Look closer for what no schedule can do without."""
        assert self._best is not None, "construction ends with a schedule"
        assert self._bound is not None, "there is a bound as soon as there is a schedule"
        with self._enter("bounds"):
            time = self._best.objective.iteration_time
            part = self._clock.part(_BOUNDS)
            self._raise_bound(model_bound(self._problem, self._bound, time, part))

    def _search_phase(self) -> None:
        """The search that betters the schedule, and a proof where the problem is small."""
        from skipsched.exact.prove import Proof
        from skipsched.search.improve import Improver

        assert self._best is not None, "construction ends with a schedule"
        instance, clock = self._problem, self._clock
        turns: dict[str, _Turn] = {}
        with self._enter("proof"), suppress(TooLarge):
            proof = Proof(instance, clock, self._workers)
            # The more rounds have not ended it, the less of the time it gets.
            turns["proof"] = _Turn(partial(self._prove, proof), price=lambda: max(1, proof.rounds))
        others = constructed(instance, self._candidates, clock)
        options = self._options
        blocks: Iterator[Sequence[int]] = iter(())
        if self._allocation is None and instance.allreduce.present:
            blocks = allocations_in_blocks(instance, clock, options.seed)
        apart = constructed(instance, blocks, clock)
        improver = Improver(
            instance, clock, self._workers, options.seed, others, apart, windows=options.windows
        )
        turns["search"] = _Turn(partial(self._improve, improver), price=lambda: 1)
        try:
            self._take_turns(turns)
        finally:
            self._statistics.neighbourhoods = dict(improver.neighbourhoods())
            self._statistics.has_waited = improver.has_waited

    def _take_turns(self, turns: dict[str, _Turn]) -> None:
        while turns:
            # Whoever has paid least goes next, the proof first: where it ends, all is done.
            name, turn = min(turns.items(), key=lambda item: item[1].paid)
            began = self._clock.spent()
            try:
                with self._enter(name):
                    turn.step()
            except TooLarge:
                del turns[name]
            turn.paid += (self._clock.spent() - began) * turn.price()

    def _prove(self, proof: Proof) -> None:
        """Let the proof ask its next questions."""
        assert self._best is not None
        enough = self._enough()
        better = proof.step(self._best, enough)
        if better is not None:
            self._keep(better)
        self._raise_bound(Bound(proof.bound(self._best), "model"))

    def _improve(self, improver: Improver) -> None:
        """Search for a moment."""
        assert self._best is not None
        better = improver.step(self._best)
        if self._pool is not None:
            for found in improver.plans():
                if self._pool.wants(*found.objective):
                    self._pool.add(in_emission_order(self._instance, found.scheduled(self._problem)))
        if better is not None:
            self._keep(better)

    def _keep(self, scheduled: Scheduled) -> None:
        """Take a new best schedule; end if it is good enough. Bounds wait until the first one stands."""
        self._best = scheduled = in_emission_order(self._instance, scheduled)
        if self._pool is not None:
            self._pool.add(scheduled)
        time = scheduled.objective.iteration_time
        self._statistics.incumbents.append((self._clock.elapsed(), time))
        self._tell()
        if self._bound is None:
            self._bound = best_bound(self._problem, self._clock)
            self._tell()
        self._end_if_enough()

    def _choose(self) -> None:
        """Take the schedule that is best when durations vary, if that is asked for."""
        if self._options.robust is None or self._pool is None or self._best is None:
            return
        self._clock.reserve -= self._choosing
        with self._enter("choice"):
            self._choice = choose(
                self._topology,
                self._instance,
                self._pool.best(),
                self._options.robust,
                self._effort.runs,
                self._options.seed,
                self._clock,
            )
        self._best = self._choice.scheduled

    def _raise_bound(self, bound: Bound) -> None:
        """Take a new bound if it is better; end if the schedule is good enough by it."""
        if self._bound is None or bound.value > self._bound.value:
            self._bound = bound
            self._tell()
            self._end_if_enough()

    def _enough(self) -> int:
        """The smallest bound, in microseconds, that makes the best schedule good enough."""
        assert self._best is not None
        return math.ceil(self._best.objective.iteration_time * (1 - Fraction(str(self._options.gap))))

    def _end_if_enough(self) -> None:
        assert self._best is not None
        assert self._bound is not None
        if self._bound.value == self._best.objective.iteration_time:
            raise _Enough("optimal")
        if self._bound.value >= self._enough():
            raise _Enough("gap")

    @contextmanager
    def _enter(self, phase: str) -> Iterator[None]:
        """Run a phase, and note its time and how often it found something better."""
        self._phase = phase
        began, better = self._clock.elapsed(), len(self._statistics.incumbents)
        self._tell()
        try:
            yield
        finally:
            done = self._statistics.phases.setdefault(phase, Phase())
            done.seconds += self._clock.elapsed() - began
            done.better += len(self._statistics.incumbents) - better

    def _tell(self) -> None:
        if self._on_progress is not None:
            time = self._best.objective.iteration_time if self._best else None
            self._on_progress(Progress(self._phase, time, self._bound.value if self._bound else None))

    def _fixed_allocation(self) -> tuple[int, ...] | None:
        given = self._options.allocation_from
        if given is None:
            return None
        try:
            return allocation_from(given.document, self._instance)
        except NoPlan as error:
            _refuse("allocation_from", str(error))

    def _result(self, reason: str, cause: Cause | None) -> Result:
        if self._best is None:
            status, schedule = INFEASIBLE if cause is not None else UNKNOWN, None
        else:
            proved = self._bound is not None and self._bound.value == self._best.objective.iteration_time
            status = OPTIMAL if proved else FEASIBLE
            document = self._document(self._best, status, reason)
            violations = check_schedule(document, self._topology, self._instance)
            if violations:
                raise CheckFailed("\n".join(violation.format() for violation in violations))
            schedule = Schedule(document)
        return Result(
            status=status,
            stop_reason=reason,
            schedule=schedule,
            lower_bound=self._bound.value if self._bound else None,
            bound_kind=self._bound.kind if self._bound else None,
            cause=cause,
            statistics=self._statistics,
        )

    def _document(self, scheduled: Scheduled, status: str, reason: str) -> dict[str, object]:
        provenance = Provenance(
            version=__version__,
            status=status,
            stop_reason=reason,
            seed=self._options.seed,
            workers=self._workers,
            wall_time=None if self._clock.deterministic else round(self._clock.elapsed(), 2),
            restricted_to=() if self._allocation is None else ("allocation",),
            lower_bound=self._bound.value if self._bound else None,
            bound_kind=self._bound.kind if self._bound else None,
            robust=None if self._choice is None else self._choice.document(),
        )
        return document_of(self._topology, self._instance, scheduled, provenance)


def reserve(actions: float, limit: float) -> float:
    """Seconds to keep free, of a limit, for checking and writing a schedule of so many actions."""
    return min(_FINISH_PER_ACTION * actions, _FINISH_AT_MOST * limit) + _FINISH_SHARE * limit


def _refuse(option: str, why: str) -> NoReturn:
    raise InputError([Diagnostic("error", option, option, f"the schedule cannot be used: {why}")])
