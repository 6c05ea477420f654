"""Questions to the exact model for its tests: times fixed by hand, and what it says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from random import Random

from ortools.sat.python import cp_model
from solver_cases import broken_rules, no_limit, order_of, random_order, random_routes, scheduled, slots_kept

from skipsched.construct import construct
from skipsched.dispatch import dispatch
from skipsched.exact.frozen import Frozen
from skipsched.exact.model import ExactModel, Goal
from skipsched.exact.paths import Path, cheapest_paths
from skipsched.instance import Instance
from skipsched.plan import Actions, Plan, Routes, members_of
from skipsched.rings import Ring
from skipsched.routes.allocate import allocations
from skipsched.routes.find import find_routes, routes_for
from skipsched.scheduled import Scheduled
from skipsched.timing import replay
from skipsched.topology.load import load_topology

#: An iteration time that forbids nothing.
AMPLE = 10**9
#: Deterministic seconds that no question of the tests needs.
_EFFORT = 30.0

#: Microseconds of the start of each action of each microbatch.
Starts = Sequence[Sequence[int]]


def pinned(tables: Instance) -> tuple[int, ...]:
    """The allocation of tables all of whose nodes are pinned."""
    assert all(len(stages) == 1 for stages in tables.allowed)
    return tuple(stage for (stage,) in tables.allowed)


def rings_with(tables: Instance, allocation: Sequence[int], allreduce: Mapping[int, int]) -> list[Ring]:
    """Rings that take the microseconds given, by stage; 0 elsewhere."""
    members = members_of(allocation, tables.stages)
    return [Ring(tuple(nodes), allreduce.get(stage, 0)) for stage, nodes in enumerate(members)]


def starts_of(tables: Instance, paths: Sequence[Path], *rows: str) -> Starts:
    """When the actions of an order in its short form start, a row per node: ``F0 F1 L0``."""
    actions = Actions.of(tables, Routes(pinned(tables), tuple(paths)))
    end = replay(actions, order_of(actions, *rows), tables.overhead)
    return _by_microbatch(actions, end)


def starts_in(candidate: Scheduled) -> Starts:
    """When the actions of a schedule start."""
    return _by_microbatch(candidate.actions, candidate.end)


def _by_microbatch(actions: Actions, end: Sequence[int]) -> Starts:
    per = actions.per_microbatch
    begin = [after - duration for after, duration in zip(end, actions.duration, strict=True)]
    return [begin[first : first + per] for first in range(0, len(begin), per)]


def judged(
    tables: Instance,
    paths: Sequence[Path],
    starts: Starts | None = None,
    *,
    choices: Sequence[Sequence[Path]] | None = None,
    within: int = AMPLE,
    rings: Sequence[Ring] | None = None,
    allocation: tuple[int, ...] | None = None,
    precedences: Sequence[tuple[int, int]] = (),
    executed: Mapping[int, tuple[int, int]] | None = None,
    carried: Mapping[int, tuple[int, int]] | None = None,
) -> str:
    """What the model says of paths, and of the times of their actions if they are given.

    Parameters
    ----------
    tables
        With every node pinned, unless the allocation is given.
    paths
        The path that each microbatch takes.
    starts
        When it starts each action; anywhen if None.
    choices
        The paths from which each may choose; each its own alone if None, no two with the same list.
    within, precedences, executed, carried
        As in `Frozen`.
    rings
        Without all-reduce if None.
    """
    held = pinned(tables) if allocation is None else allocation
    frozen = Frozen(
        allocation=held,
        paths=[[path] for path in paths] if choices is None else choices,
        within=within,
        precedences=precedences,
        executed=executed or {},
        carried=carried or {},
    )
    model = ExactModel(tables, frozen, rings_with(tables, held, {}) if rings is None else rings, Goal.DECIDE)
    fix(model, paths, starts)
    return status_of(model)


def fix(model: ExactModel, paths: Sequence[Path], starts: Starts | None = None) -> None:
    """Let every microbatch take its path and start its actions when it is told to."""
    for m, (walk, path) in enumerate(zip(model.walks, paths, strict=True)):
        options = zip(walk.taken, walk.itineraries, strict=True)
        model.model.add_bool_or([literal for literal, each in options if each.path == path])
        for variable, start in zip(walk.start, starts[m] if starts is not None else (), strict=False):
            model.model.add(variable == start)


def status_of(model: ExactModel) -> str:
    """``FEASIBLE`` or ``INFEASIBLE``."""
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_deterministic_time = _EFFORT
    status = solver.status_name(solver.solve(model.model))
    return {"OPTIMAL": "FEASIBLE"}.get(status, status)


def all_choices(tables: Instance, allocation: Sequence[int]) -> list[Sequence[Path]]:
    """For each microbatch all paths that there are, the same list for those of one data node."""
    members = members_of(allocation, tables.stages)
    found: list[Sequence[Path]] = []
    for data_node in members[0]:
        choices = cheapest_paths(tables, members, data_node, 10_000)
        assert choices.complete
        found += [choices.paths] * tables.microbatches[data_node]
    return found


def random_schedule(rng: Random, tables: Instance) -> Scheduled | None:
    """A random schedule that keeps all rules; None if chance finds none.

    Half of them by chance alone, with much waiting; half dispatched, with little.
    """
    routes = random_valid_routes(rng, tables)
    if routes is None:
        return None
    actions = Actions.of(tables, routes)
    if rng.random() < 0.5:
        for _ in range(20):
            order = random_order(rng, actions, tables.nodes)
            if slots_kept(tables, routes, actions, order):
                return scheduled(tables, Plan(routes, tuple(map(tuple, order))))
    return dispatched(rng, tables, routes)


def random_valid_routes(rng: Random, tables: Instance) -> Routes | None:
    """Random routes that keep all rules, or those that the solver finds for their allocation, or None."""
    for _ in range(20):
        routes = random_routes(rng, tables)
        if routes is None:
            continue
        if not any(broken_rules(tables, routes)):
            return routes
        found = routes_for(tables, routes.allocation, rng.choice((0.0, 1.0)), no_limit())
        if found is not None:
            return found
    return None


def dispatched(rng: Random, tables: Instance, routes: Routes) -> Scheduled:
    """A schedule of some routes, with urgencies by chance."""
    actions = Actions.of(tables, routes)
    shape = rng.choice((1, -1, 0))
    urgency = [shape * (a % actions.per_microbatch) + rng.random() for a in range(len(actions.node))]
    return scheduled(tables, dispatch(tables, routes, actions, urgency))


def constructed(tables: Instance) -> Scheduled:
    """The first schedule of the construction."""
    clock = no_limit()
    candidates = allocations(tables, clock, 0)
    routes = find_routes(tables, clock, 1, candidates)
    return next(construct(tables, routes, candidates, clock, 0))


@cache
def bundled(name: str) -> Instance:
    """The tables of a bundled topology."""
    return Instance.of(load_topology(name))
