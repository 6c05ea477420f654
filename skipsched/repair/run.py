"""Repairing a schedule: the nearest routes, a first order, and what a search betters in the time left."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

from skipsched.bounds import Bound, best_bound
from skipsched.check import check_schedule
from skipsched.clock import Clock, OutOfTime, TooLarge
from skipsched.conflict import Cause, explain
from skipsched.exact.hint import in_emission_order
from skipsched.instance import Instance
from skipsched.machine import cores
from skipsched.opened import Opened
from skipsched.plan import Routes
from skipsched.repair.former import Former
from skipsched.repair.left import NothingLeft, left_without, with_sizes
from skipsched.repair.nearest import nearest_routes
from skipsched.repair.order import first_schedules
from skipsched.repair.report import RepairReport, report_of
from skipsched.routes.find import Infeasible
from skipsched.schedule import Schedule
from skipsched.schedule.document import Provenance, document_of
from skipsched.scheduled import Scheduled
from skipsched.solver import DETERMINISTIC_WORKERS, FEASIBLE, OPTIMAL, CheckFailed, Progress, reserve
from skipsched.text.diagnostics import Diagnostic, InputError
from skipsched.topology.model import Topology
from skipsched.version import __version__

#: Seconds, unless something else is asked for.
DEFAULT_TIME_LIMIT = 5.0
#: What leaving all paths that could be kept has to gain, in parts of the iteration time; each its share.
_WORTH_OF_PATHS = 0.05
#: The part of the time left that goes into first schedules at most, and into bounds.
_FIRST, _BOUNDS = 0.25, 0.1
#: Steps of one action of a first schedule, for the clock.
_STEPS_PER_ACTION = 30


@dataclass(frozen=True, slots=True)
class Repaired:
    """The outcome of a repair.

    Parameters
    ----------
    stop_reason
        ``optimal`` (on the allocation that is kept), ``completed``, ``time_limit``, ``interrupted`` or
        ``infeasible``.
    schedule
        The repaired schedule; None if there is none.
    report
        What was kept and what was not; None if there is no schedule.
    cause
        Why there is no schedule, if that is proved.
    has_waited
        Whether a part of the search had to be compiled first, which happens once after installation.
    """

    stop_reason: str
    schedule: Schedule | None = None
    report: RepairReport | None = None
    cause: Cause | None = None
    has_waited: bool = False


def without_nodes(
    opened: Opened,
    gone: Collection[str],
    clock: Clock,
    seed: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
) -> Repaired:
    """Repair a schedule after nodes have left.

    Raises
    ------
    InputError
        If there are no such nodes.
    """
    ids, allocation = opened.instance.node_ids, opened.scheduled.plan.routes.allocation
    try:
        topology = left_without(opened.topology, dict(zip(ids, allocation, strict=True)), gone)
    except NothingLeft as error:
        rules = tuple(dict.fromkeys(found.rule for found in error.diagnostics))
        return Repaired("infeasible", cause=Cause(rules, str(error), (), True, (), True))
    freed = topology.workload.stage_sizes is None and opened.topology.workload.stage_sizes is not None
    return _Repairing(opened, topology, clock, seed, on_progress).run(fix_sizes=freed)


def on_topology(
    opened: Opened,
    topology: Topology,
    clock: Clock,
    seed: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
) -> Repaired:
    """Repair a schedule for another topology, whose nodes are matched by their ids.

    Raises
    ------
    InputError
        If the model is cut into other stages there, so that nothing can be kept.
    """
    before, now = opened.topology.workload, topology.workload
    if (before.stages, before.stage_layers) != (now.stages, now.stage_layers):
        message = "the model is cut into other stages there than in the schedule: nothing can be kept"
        hint = "`skipsched solve` makes a new schedule"
        raise InputError([Diagnostic("error", "stages", "workload", message, hint=hint)])
    return _Repairing(opened, topology, clock, seed, on_progress).run()


class _Repairing:
    """One repair: its best schedule so far, and its phases in order."""

    def __init__(
        self,
        opened: Opened,
        topology: Topology,
        clock: Clock,
        seed: int,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._opened = opened
        self._topology = topology
        self._instance = Instance.of(topology)
        self._former = Former.of(opened, self._instance)
        self._clock = clock
        self._seed = seed
        self._on_progress = on_progress
        self._workers = DETERMINISTIC_WORKERS if clock.deterministic else cores()
        self._best: Scheduled | None = None
        self._bound: Bound | None = None
        self._has_waited = False
        if not clock.deterministic:
            clock.reserve = reserve(len(opened.scheduled.end), clock.limit)

    def run(self, *, fix_sizes: bool = False) -> Repaired:
        """Repair the schedule.

        Parameters
        ----------
        fix_sizes
            Whether the stage sizes, now free, are to be those that the nearest allocation has.
        """
        try:
            routes = nearest_routes(self._instance, self._former, self._clock, self._workers, self._seed)
            if fix_sizes:
                self._topology = with_sizes(self._topology, routes.allocation)
                self._instance = Instance.of(self._topology)
            self._order(routes)
            reason = self._search(routes)
        except Infeasible:
            cause = explain(self._topology, self._clock, self._workers)
            return Repaired("infeasible", cause=cause)
        except OutOfTime:
            reason = "interrupted" if self._clock.stopped else "time_limit"
        return self._outcome(reason)

    def _order(self, routes: Routes) -> None:
        """First schedules; the one at hand when part of the time has gone by is good enough."""
        until = self._clock.spent() + _FIRST * self._clock.remaining()
        for scheduled in first_schedules(self._instance, self._former, routes, self._clock):
            if self._best is None or scheduled.objective < self._best.objective:
                self._keep("order", scheduled)
            self._clock.spend(len(scheduled.end) * _STEPS_PER_ACTION)
            if self._clock.spent() > until:
                break

    def _search(self, routes: Routes) -> str:
        """Better the schedule until it is proved to be optimal or nothing can better it; returns which."""
        from skipsched.search.improve import Improver

        assert self._best is not None, "there is a first schedule"
        instance, allocation = self._instance, routes.allocation
        before = self._former.stages
        free = {node for node, stage in enumerate(allocation) if stage != before[node]}
        problem = instance.restricted_to(allocation, free)
        self._bound = best_bound(problem, self._clock.part(_BOUNDS))
        # A first schedule may be far from what the search makes of it.
        time = min(self._best.objective.iteration_time, self._opened.scheduled.objective.iteration_time)
        price = int(_WORTH_OF_PATHS * time) // len(routes.paths)
        keeping = self._former.keeping(instance, allocation, price)
        improver = Improver(
            problem, self._clock, self._workers, self._seed, iter(()), iter(()), keeping=keeping
        )
        self._has_waited = improver.has_waited
        with suppress(TooLarge):
            while self._bound.value < self._best.objective.iteration_time:
                better = improver.step(self._best)
                if better is not None:
                    self._keep("search", better)
            return "optimal"
        return "completed"

    def _keep(self, phase: str, scheduled: Scheduled) -> None:
        """Take a new best schedule."""
        self._best = in_emission_order(self._instance, scheduled)
        if self._on_progress is not None:
            time = scheduled.objective.iteration_time
            self._on_progress(Progress(phase, time, self._bound.value if self._bound else None))

    def _outcome(self, reason: str) -> Repaired:
        if self._best is None:
            return Repaired(reason, has_waited=self._has_waited)
        document = document_of(self._topology, self._instance, self._best, self._provenance(reason))
        violations = check_schedule(document, self._topology, self._instance)
        if violations:
            raise CheckFailed("\n".join(violation.format() for violation in violations))
        report = report_of(self._opened, self._topology, self._instance, self._former, self._best)
        return Repaired(reason, Schedule(document), report, has_waited=self._has_waited)

    def _provenance(self, reason: str) -> Provenance:
        assert self._best is not None
        bound = self._bound
        return Provenance(
            version=__version__,
            status=OPTIMAL if bound and bound.value == self._best.objective.iteration_time else FEASIBLE,
            stop_reason=reason,
            seed=self._seed,
            workers=self._workers,
            wall_time=None if self._clock.deterministic else round(self._clock.elapsed(), 2),
            restricted_to=("allocation",),
            lower_bound=bound.value if bound else None,
            bound_kind=bound.kind if bound else None,
        )
