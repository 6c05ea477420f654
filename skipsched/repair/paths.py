"""Paths for an allocation around those that are kept, of which few are given up where rules demand it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skipsched.clock import Clock
from skipsched.instance import Instance
from skipsched.plan import Routes
from skipsched.repair.former import Path
from skipsched.routes.choose import Router
from skipsched.routes.slots import PathSlot, paths_of, slots_of

#: How strongly new paths avoid busy nodes, as in `construct`.
_LOAD_PRICE = 1.0
#: How often new paths are routed again once all others stand, and which part of the time left that may take.
_ROUNDS, _SHARE = 3, 0.05


def routes_around(
    instance: Instance, allocation: Sequence[int], kept: Mapping[PathSlot, Path], clock: Clock
) -> Routes | None:
    """Paths for all microbatches, with few changes to those that are to be kept.

    All others are routed first. As long as that breaks rules about all paths together (`even-stages`,
    `even-nodes`, `cover`), those paths are given up that stand most against them.

    Parameters
    ----------
    kept
        Paths to keep, each possible under the allocation.

    Returns
    -------
    Routes or None
        None if this construction finds none, which is no proof that there are none.

    Raises
    ------
    OutOfTime
        If the clock runs out.
    """
    router = Router(instance, allocation, _LOAD_PRICE, clock, slots_of)
    chosen = dict(kept)
    for slot, path in kept.items():
        router.add(slot, path, 1)
    anew = [slot for slot in router.slots if slot not in kept]
    for slot in anew:
        found = router.cheapest(slot)
        if found is None:
            return None
        chosen[slot] = found
        router.add(slot, found, 1)
    left = set(kept)
    while not _settled(router, chosen, anew, clock):
        given_up = _give_up(router, chosen, [slot for slot in router.slots if slot in left])
        if not given_up:
            return None
        anew += given_up
        left.difference_update(given_up)
    return Routes(tuple(allocation), paths_of(instance, router.members[0], chosen))


def _settled(router: Router, chosen: dict[PathSlot, Path], anew: Sequence[PathSlot], clock: Clock) -> bool:
    """Route some slots again, now that all others stand; whether the rules about all paths hold then."""
    until = clock.spent() + _SHARE * clock.remaining()
    for _ in range(_ROUNDS):
        if not router.reroute(chosen, until, anew):
            break
    return router.rules_hold()


def _give_up(router: Router, chosen: dict[PathSlot, Path], kept: Sequence[PathSlot]) -> list[PathSlot]:
    """Route some of the kept paths anew, those first by which the rules gain most; which they are."""
    given_up: list[PathSlot] = []
    gains = {slot: _rerouted(router, chosen, slot, least=None) for slot in kept}
    for slot in sorted(kept, key=lambda slot: -gains[slot]):
        if router.rules_hold():
            break
        if _rerouted(router, chosen, slot, least=router.rule_price) >= router.rule_price:
            given_up.append(slot)
    return given_up


def _rerouted(router: Router, chosen: dict[PathSlot, Path], slot: PathSlot, least: int | None) -> int:
    """What a slot gains by another path at present prices, which it takes if it gains enough.

    Parameters
    ----------
    least
        What is enough; None to take none.
    """
    before = chosen[slot]
    router.add(slot, before, -1)
    after = router.cheapest(slot) or before
    gain = router.cost(slot, before) - router.cost(slot, after)
    if least is not None and gain >= least:
        chosen[slot] = after
    router.add(slot, chosen[slot], 1)
    return gain
