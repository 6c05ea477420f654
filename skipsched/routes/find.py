"""Find routes, or prove that there are none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice

from skipsched.clock import Clock
from skipsched.instance import Instance
from skipsched.plan import Routes, members_of
from skipsched.rings import rings_of
from skipsched.routes.allocate import allocations
from skipsched.routes.choose import choose_paths, paths_at_hand
from skipsched.routes.holders import TooFew, assign

#: Constructions to try before asking the exact model.
_TRIES = 3


class Infeasible(Exception):
    """The tables admit no routes. Why is a question of its own: `skipsched.conflict`."""


def has_routes(instance: Instance, clock: Clock, workers: int) -> bool:
    """Decide whether there are routes: what `find_routes` says, without looking for good ones.

    Raises
    ------
    OutOfTime
        If the clock ran out first.
    """
    candidates = allocations(instance, clock)
    first = list(islice(candidates, 1))
    if first and _at_hand(instance, first[0], clock):
        return True
    try:
        find_routes(instance, clock, workers, chain(first, candidates))
    except Infeasible:
        return False
    return True


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


def _at_hand(instance: Instance, allocation: Sequence[int], clock: Clock) -> bool:
    """Whether routes under an allocation are found at once."""
    if not _emitted(instance, allocation) or not paths_at_hand(instance, allocation, clock):
        return False
    # Where no link is missing any order of nodes is a ring.
    return instance.complete or rings_of(instance, members_of(allocation, instance.stages), clock) is not None


def _emitted(instance: Instance, allocation: Sequence[int]) -> int:
    """Microbatches of an iteration."""
    return sum(w for w, stage in zip(instance.microbatches, allocation, strict=True) if stage == 0)


def routes_for(
    instance: Instance, allocation: Sequence[int], load_price: float, clock: Clock
) -> Routes | None:
    """Constructed routes under an allocation; None if it emits nothing, lacks a ring, or none are found."""
    if not _emitted(instance, allocation):
        return None
    routes = choose_paths(instance, allocation, load_price, clock)
    if routes is None or rings_of(instance, routes.members(instance.stages), clock) is None:
        return None
    return routes
