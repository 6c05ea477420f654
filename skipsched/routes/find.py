"""Find routes, or prove that there are none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from skipsched.clock import Clock
from skipsched.instance import Instance
from skipsched.plan import Routes
from skipsched.rings import rings_of
from skipsched.routes.allocate import allocations
from skipsched.routes.choose import choose_paths
from skipsched.routes.holders import TooFew, assign

#: Constructions to try before asking the exact model.
_TRIES = 3


class Infeasible(Exception):
    """The tables admit no routes. Why is a question of its own: `skipsched.conflict`."""


def find_routes(
    instance: Instance,
    clock: Clock,
    workers: int,
    candidates: Iterator[Sequence[int]] | None = None,
) -> Routes:
    """Find an allocation with a ring in every stage, and paths that keep the rules.

    Parameters
    ----------
    instance
        The tables.
    clock, workers
        Limits of the search.
    candidates
        Allocations to try first; as many as are needed are taken from it.

    Returns
    -------
    Routes
        Constructed ones where that succeeds, otherwise what the exact model finds.

    Raises
    ------
    Infeasible
        If it is proved that there are none.
    OutOfTime
        If the clock ran out first.
    """
    if isinstance(assign(instance, instance.allowed, range(instance.nodes)), TooFew):
        raise Infeasible
    for candidate in islice(candidates or allocations(instance, clock), _TRIES):
        routes = routes_for(instance, candidate, 1.0, clock)
        if routes is not None:
            return routes
    from skipsched.routes.model import RoutesModel

    found = RoutesModel(instance, clock).solve(workers)
    if found is None:
        raise Infeasible
    return found


def routes_for(
    instance: Instance, allocation: Sequence[int], load_price: float, clock: Clock
) -> Routes | None:
    """Constructed routes under an allocation; None if it emits nothing, lacks a ring, or none are found."""
    emitted = sum(w for w, stage in zip(instance.microbatches, allocation, strict=True) if stage == 0)
    if not emitted:
        return None
    routes = choose_paths(instance, allocation, load_price, clock)
    if routes is None or rings_of(instance, routes.members(instance.stages), clock) is None:
        return None
    return routes
