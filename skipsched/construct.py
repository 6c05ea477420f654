"""The constructive solver: allocations, paths and orders tried in turn, the best plan kept."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from skipsched.clock import Clock
from skipsched.dispatch import dispatch
from skipsched.instance import Instance
from skipsched.plan import Actions, Routes
from skipsched.rings import rings_of
from skipsched.routes.find import routes_for
from skipsched.scheduled import Scheduled

#: Allocations to try, and how strongly paths on each avoid busy nodes.
_ALLOCATIONS = 40
_LOAD_PRICES = (1.0, 0.5, 2.0, 0.2)
#: How long nodes wait for what is on its way, each tried in turn.
PATIENCE = (0.0, 0.5)
#: Orders with randomly shaken urgencies, tried on the best routes.
_SHAKEN = 150
_SHAKE = 0.3
#: Steps of one dispatched action, for the clock.
_STEPS_PER_ACTION = 30


def construct(
    instance: Instance, first: Routes, others: Iterable[Sequence[int]], clock: Clock, seed: int
) -> Iterator[Scheduled]:
    """Construct plans; the best so far is yielded after each.

    Parameters
    ----------
    instance
        The tables.
    first
        Routes to begin with: the first plan stands at once.
    others
        Further allocations to try.
    clock
        The limit.
    seed
        Of the random choices.

    Raises
    ------
    OutOfTime
        If the clock runs out.
    """
    rng = random.Random(seed)
    best: Scheduled | None = None

    def kept() -> Scheduled:
        assert best is not None, "the first routes give a plan"
        return best

    def variants() -> Iterator[Iterator[Scheduled]]:
        """Each pass begins where the passes before it have led."""
        yield _plans(instance, [first], clock)
        few = islice(others, _ALLOCATIONS)
        yield _plans(instance, _routes(instance, few, _LOAD_PRICES[:1], clock), clock)
        allocation = kept().plan.routes.allocation
        yield _plans(instance, _routes(instance, [allocation], _LOAD_PRICES[1:], clock), clock)
        yield _plans(instance, [kept().plan.routes], clock, [rng] * _SHAKEN)

    for scheduled in chain.from_iterable(variants()):
        if best is None or scheduled.objective < best.objective:
            best = scheduled
        yield best
        clock.spend(len(scheduled.actions.node) * _STEPS_PER_ACTION)


def constructed(
    instance: Instance, tried: Iterable[Sequence[int]], clock: Clock
) -> Iterator[Scheduled | None]:
    """The best plan of each allocation by every rule of urgency; None where paths are not found at once.

    Raises
    ------
    OutOfTime
        If the clock runs out.
    """
    for allocation in tried:
        plans = list(_plans(instance, _routes(instance, [allocation], _LOAD_PRICES[:1], clock), clock))
        yield min(plans, key=lambda scheduled: scheduled.objective, default=None)
        clock.spend(sum(len(scheduled.actions.node) for scheduled in plans) * _STEPS_PER_ACTION)


def _routes(
    instance: Instance, tried: Iterable[Sequence[int]], load_prices: Sequence[float], clock: Clock
) -> Iterator[Routes]:
    """Routes of some allocations at some prices of load, where there are any."""
    for allocation in tried:
        for price in load_prices:
            routes = routes_for(instance, allocation, price, clock)
            if routes is not None:
                yield routes


def _plans(
    instance: Instance,
    variants: Iterable[Routes],
    clock: Clock,
    passes: Sequence[random.Random | None] = (None,),
) -> Iterator[Scheduled]:
    """Plans of some routes by every rule of urgency, in each pass shaken if it has a source of chance."""
    for routes in variants:
        rings = rings_of(instance, routes.members(instance.stages), clock)
        assert rings is not None, "routes are only handed on with a ring in every stage"
        actions = Actions.of(instance, routes)
        rules = urgencies(actions)
        for rng in passes:
            for urgency in rules:
                shaken = urgency if rng is None else [u * (1 + _SHAKE * rng.random()) for u in urgency]
                for patience in PATIENCE:
                    plan = dispatch(instance, routes, actions, shaken, patience)
                    yield Scheduled.of(instance, plan, actions, rings)


def urgencies(actions: Actions) -> list[list[float]]:
    """Rules of urgency for list scheduling, smallest first: one value per action each.

    The time that still lies before an action's microbatch, least first (what is nearly home frees its slots;
    losses before all, since they are short and send a backward on its way), most first (the longest way sets
    the end), and microbatch by microbatch in the order of emission.
    """
    per = actions.per_microbatch
    total = len(actions.node)
    left = [0.0] * total
    for a in reversed(range(total)):
        left[a] = actions.duration[a]
        if (a + 1) % per:
            left[a] += actions.lag[a + 1] + left[a + 1]
    longest = max(left, default=0.0)
    turn = _turns(actions)
    return [
        [0.0 if actions.operation(a) == "L" else left[a] for a in range(total)],
        [longest - value for value in left],
        [turn[a // per] * longest + left[a] for a in range(total)],
    ]


def _turns(actions: Actions) -> list[int]:
    """Each microbatch's number among those of its data node."""
    count: dict[int, int] = {}
    turns = []
    for first in range(0, len(actions.node), actions.per_microbatch):
        data_node = actions.node[first]
        turns.append(count.get(data_node, 0))
        count[data_node] = turns[-1] + 1
    return turns
