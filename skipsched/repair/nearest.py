"""Routes nearest to what was: few nodes change their stage, then few microbatches their path."""

from __future__ import annotations

import math
from contextlib import suppress

from skipsched.clock import Clock, OutOfTime
from skipsched.instance import Instance
from skipsched.plan import Routes
from skipsched.repair.former import Former
from skipsched.repair.paths import routes_around
from skipsched.repair.stages import nearest_allocation
from skipsched.rings import rings_of
from skipsched.routes.find import Infeasible
from skipsched.routes.holders import TooFew

#: Looking for fewer changes than the construction makes takes so many deterministic seconds, and this part of
#: the time left, at most.
_EFFORT, _SHARE = 1.0, 0.2
#: The part of the time left in which the exact model has to find routes where the construction finds none.
_MOST = 0.6


def nearest_routes(instance: Instance, former: Former, clock: Clock, workers: int, seed: int) -> Routes:
    """Routes that keep as much as can be of what was.

    First by construction. Where that gives up paths that could be kept, the exact model is asked to give up
    fewer; where it finds none, for any under the same allocation, and where there are none, for the nearest
    allocation that has some.

    Raises
    ------
    Infeasible
        If it is proved that there are none.
    OutOfTime
        If the clock ran out before any were found.
    """
    allocation = nearest_allocation(instance, former.stages, clock, seed)
    if isinstance(allocation, TooFew):
        raise Infeasible
    fixed = instance.restricted_to(allocation)
    found = _constructed(fixed, former, allocation, clock)
    if found is None:
        for tables in (fixed, instance):
            found = _asked(tables, former, clock.part(_MOST), workers)
            if found is not None:
                return found
        raise Infeasible
    if former.changed(instance, found) > 0:
        try:
            nearer = _asked(fixed, former, clock.part(_SHARE), workers, _EFFORT)
        except OutOfTime:
            nearer = None
        if nearer is not None and former.changed(instance, nearer) < former.changed(instance, found):
            return nearer
    return found


def _constructed(instance: Instance, former: Former, allocation: list[int], clock: Clock) -> Routes | None:
    """Constructed routes under an allocation; None if it has no ring somewhere, or none are found."""
    routes = routes_around(instance, allocation, former.kept(instance, allocation), clock)
    if routes is None or not routes.paths:
        return None
    return routes if rings_of(instance, routes.members(instance.stages), clock) is not None else None


def _asked(
    instance: Instance, former: Former, clock: Clock, workers: int, effort: float = math.inf
) -> Routes | None:
    """The nearest routes that the exact model finds; None if there are none.

    Raises
    ------
    OutOfTime
        If a limit came first, or memory would not hold the model.
    """
    from skipsched.routes.model import RoutesModel

    model = RoutesModel(instance, clock)
    before = [-1 if stage is None else stage for stage in former.stages]
    kept = {
        slot: path
        for slot, path in former.kept(instance, before).items()
        if all((n, before[n]) in model.holds for n in path)
    }
    takes = {slot: model.takes(slot, path, [before[n] for n in path]) for slot, path in kept.items()}
    stays = [model.holds[n, k] for n, k in enumerate(before) if (n, k) in model.holds]
    # One node more that stays is worth more than all paths.
    worth = 1 + sum(slot.weight for slot in kept)
    paths = sum(slot.weight * literal for slot, literal in takes.items())
    model.model.maximize(worth * sum(stays) + paths)
    solver = model.solution(workers, effort)
    if solver is None:
        return None
    taken = {slot: path for slot, path in kept.items() if solver.boolean_value(takes[slot])}
    routes = model.routes(solver, taken)
    # The model knows nothing of times: those it gave up are routed again around those it kept.
    around = None
    with suppress(OutOfTime):
        around = routes_around(instance, routes.allocation, taken, clock)
    if around is None or former.changed(instance, around) > former.changed(instance, routes):
        return routes
    return around
