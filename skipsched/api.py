"""The functions that `import skipsched` offers."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from skipsched.check import Violation, check_schedule
from skipsched.clock import Clock
from skipsched.insight.conditions import DEFAULT_CONDITIONS, Conditions
from skipsched.insight.policy import POLICIES, PolicyName
from skipsched.insight.simulation import DEFAULT_RUNS, MOST_RUNS, Simulation
from skipsched.instance import Instance
from skipsched.opened import open_schedule
from skipsched.plan import Actions
from skipsched.repair.run import DEFAULT_TIME_LIMIT as DEFAULT_REPAIR_LIMIT
from skipsched.repair.run import Repaired, on_topology, without_nodes
from skipsched.schedule import Schedule
from skipsched.schedule.plan import NoPlan, plan_from
from skipsched.solver import DEFAULT_TIME_LIMIT, Options, Progress, Result, run_solver
from skipsched.text.diagnostics import Diagnostic, InputError
from skipsched.timing import replay as replay_order
from skipsched.topology.limits import MAX_SEED
from skipsched.topology.load import load_topology
from skipsched.topology.model import Topology


def solve(
    topology: Topology | str | Path,
    *,
    time_limit: float = DEFAULT_TIME_LIMIT,
    gap: float = 0.0,
    seed: int = 0,
    workers: int | None = None,
    deterministic: bool = False,
    hint: Schedule | None = None,
    allocation_from: Schedule | None = None,
    windows: bool = True,
    robust: float | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Find a schedule.

    Parameters
    ----------
    topology
        A topology, or what `load_topology` takes.
    time_limit
        Seconds at most; of deterministic work if `deterministic`.
    gap
        Stop once the proven gap is at most this.
    seed
        Of all random choices.
    workers
        Search workers; one per core by default.
    deterministic
        Whether the result must be the same on every machine.
    hint
        A schedule to start from: the result is never worse.
    allocation_from
        A schedule whose allocation is kept.
    windows
        Whether parts of the schedule are also bettered by the exact model.
    robust
        Choose among the best schedules the one whose simulated iterations are shortest by this quantile.
    on_progress
        Called with a `Progress` whenever something better is known.

    Returns
    -------
    Result
        Its schedule has passed the checker.

    Raises
    ------
    InputError
        If the topology, the hint or the allocation to keep is wrong by itself.
    ValueError
        If the time limit, the gap or the quantile is out of range.
    """
    _refuse_limit(time_limit)
    if not 0 <= gap <= 1:
        raise ValueError(f"gap must be between 0 and 1, not {gap}")
    if robust is not None and not 0 < robust < 1:
        raise ValueError(f"robust must be between 0 and 1, both excluded, not {robust}")
    topology = _loaded(topology)
    options = Options(gap, seed, workers, hint, allocation_from, windows, robust)
    return run_solver(topology, options, Clock(time_limit, deterministic), on_progress)


def repair_schedule(
    schedule: Schedule | str | Path,
    *,
    without: Collection[str] = (),
    topology: Topology | str | Path | None = None,
    time_limit: float = DEFAULT_REPAIR_LIMIT,
    seed: int = 0,
    deterministic: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Repaired:
    """Make a new schedule after nodes left or came, keeping allocation and paths where that can be.

    Parameters
    ----------
    schedule
        A schedule, or the path of one.
    without
        Ids of the nodes that left.
    topology
        What there is now, instead of `without`; nodes are matched by their ids.
    time_limit
        Seconds at most; of deterministic work if `deterministic`.
    seed
        Of all random choices.
    deterministic
        Whether the result must be the same on every machine.
    on_progress
        Called with a `Progress` whenever something better is known.

    Returns
    -------
    Repaired
        Its schedule has passed the checker; its report says what was kept and what was not.

    Raises
    ------
    InputError
        If the schedule is not valid, it has no such nodes, or the topology cuts the model into other stages.
    ValueError
        If not one of `without` and `topology` is given, or the time limit is out of range.
    """
    if bool(without) == (topology is not None):
        raise ValueError("give either without or topology")
    _refuse_limit(time_limit)
    clock = Clock(time_limit, deterministic)
    opened = open_schedule(_read(schedule))
    if topology is None:
        return without_nodes(opened, without, clock, seed, on_progress)
    return on_topology(opened, _loaded(topology), clock, seed, on_progress)


def validate(
    schedule: Schedule | str | Path, topology: Topology | str | Path | None = None
) -> list[Violation]:
    """Replay a schedule and check every rule, every figure and every route.

    Parameters
    ----------
    schedule
        A schedule, or the path of one.
    topology
        What to judge it by; the one that it carries by default.

    Returns
    -------
    list of Violation
        Empty if the schedule is right.

    Raises
    ------
    InputError
        If the file cannot be read, or is no JSON object of the format.
    """
    schedule = _read(schedule)
    if topology is None:
        try:
            topology = schedule.topology()
        except InputError as error:
            return [Violation("topology", found.format()) for found in error.diagnostics]
    topology = _loaded(topology)
    return check_schedule(schedule.document, topology, Instance.of(topology))


def _refuse_limit(time_limit: float) -> None:
    if not 0 < time_limit < math.inf:
        raise ValueError(f"time_limit must be positive and finite, not {time_limit}")


def _read(schedule: Schedule | str | Path) -> Schedule:
    return schedule if isinstance(schedule, Schedule) else Schedule.read(schedule)


def _loaded(topology: Topology | str | Path) -> Topology:
    return topology if isinstance(topology, Topology) else load_topology(topology)


@dataclass(frozen=True, slots=True)
class ReplayedAction:
    """One action with its replayed times in microseconds."""

    op: str
    microbatch: int
    stage: int
    start: int
    end: int


def replay(
    schedule: Schedule | str | Path, topology: Topology | str | Path | None = None
) -> dict[str, list[ReplayedAction]]:
    """Compute the times that follow from a schedule's order, whatever times it claims.

    Parameters
    ----------
    schedule
        A schedule, or the path of one.
    topology
        Whose durations and transfers to use; those of the topology it carries by default.

    Returns
    -------
    dict
        For each node, its actions in the order of execution.

    Raises
    ------
    InputError
        If the schedule holds no plan for the topology.
    Deadlock
        If its order is cyclic.
    """
    schedule = _read(schedule)
    instance = Instance.of(_loaded(topology) if topology is not None else schedule.topology())
    try:
        plan = plan_from(schedule.document, instance)
    except NoPlan as error:
        raise InputError([Diagnostic("error", "schedule", "", str(error))]) from None
    actions = Actions.of(instance, plan.routes)
    end = replay_order(actions, plan.order, instance.overhead)
    return {
        instance.node_ids[n]: [
            ReplayedAction(
                actions.operation(a),
                a // actions.per_microbatch,
                plan.routes.allocation[n],
                end[a] - actions.duration[a],
                end[a],
            )
            for a in sequence
        ]
        for n, sequence in enumerate(plan.order)
    }


def simulate(
    schedule: Schedule | str | Path,
    topology: Topology | str | Path | None = None,
    *,
    conditions: Conditions = DEFAULT_CONDITIONS,
    policy: PolicyName = "order",
    runs: int = DEFAULT_RUNS,
    seed: int = 0,
) -> Simulation:
    """Replay a schedule many times while durations vary, nodes are slow or lost, and links slow.

    Parameters
    ----------
    schedule
        A schedule, or the path of one.
    topology
        What to simulate it on; the one that it carries by default.
    conditions
        What happens to the durations that the schedule expects.
    policy
        ``order``: nodes keep the schedule's order; ``fifo``: they take what arrived first.
    runs
        How many iterations.
    seed
        Of their chances: the same for all schedules and policies.

    Raises
    ------
    InputError
        If the schedule is not valid, or the conditions name nodes or links that are not there.
    ValueError
        If the policy is unknown, or runs or seed are out of range.
    """
    from skipsched.insight.simulate import simulate_schedule

    if policy not in POLICIES:
        raise ValueError(f"policy must be {' or '.join(POLICIES)}, not {policy}")
    if not 1 <= runs <= MOST_RUNS:
        raise ValueError(f"runs must be from 1 to {MOST_RUNS}, not {runs}")
    if not 0 <= seed <= MAX_SEED:
        raise ValueError(f"seed must be from 0 to {MAX_SEED}, not {seed}")
    schedule = _read(schedule)
    opened = open_schedule(schedule, None if topology is None else _loaded(topology))
    return simulate_schedule(
        opened.topology, opened.instance, opened.scheduled, conditions, policy, runs, seed
    )
