"""The cheapest round trip of a microbatch from every possible data node."""

from __future__ import annotations

import numpy as np

from skipsched.bounds.tables import ELEMENTS_PER_STEP, INFINITE, Integers, capped, hops
from skipsched.clock import NO_LIMIT, Clock
from skipsched.instance import Instance


def round_trips(instance: Instance, clock: Clock = NO_LIMIT) -> list[int]:
    """Microseconds from the start of the first F to the end of the last B, at least, by data node.

    Any path from d runs over ``path_length - 1`` further nodes and back to d for the loss, each hop being
    taken in both directions, each node doing one F and one B of a stage it may hold. The cheapest closed walk
    through d of that many hops, every node priced at the cheapest stage (but the first) that it may hold,
    costs no more than any path of any allocation: forgetting the stages, the swap and jump rules and that
    nodes differ can only make it cheaper.

    Returns
    -------
    list of int
        Entry d for node d as a data node; `INFINITE` where it cannot be one or no walk exists.
    """
    hop = hops(instance)
    node_cost = np.array([_cheapest_inner(instance, n) for n in range(instance.nodes)], dtype=np.int64)
    entering = capped(hop + node_cost[np.newaxis, :])  # a hop with the node it leads to
    walks = _power(entering, instance.path_length - 1, clock)
    closed = capped((walks + hop.T).min(axis=1))
    trips = []
    for d in range(instance.nodes):
        if 0 not in instance.allowed[d] or closed[d] >= INFINITE:
            trips.append(INFINITE)
        else:
            own = instance.forward[d][0] + instance.loss[d] + instance.backward[d][0]
            trips.append(own + int(closed[d]))
    return trips


def ways_back(instance: Instance) -> list[int]:
    """Microseconds from the end of a node's F to the start of its B at least, by node.

    The microbatch goes to another node and returns from it: to its data node, which does the loss, or to a
    node that does at least an F and a B before the loss.
    """
    there = [
        min(_cheapest_inner(instance, n), instance.loss[n] if 0 in instance.allowed[n] else INFINITE)
        for n in range(instance.nodes)
    ]
    ways = (hops(instance) + np.array(there, dtype=np.int64)[np.newaxis, :]).min(axis=1)
    return [int(way) for way in capped(ways)]


def _cheapest_inner(instance: Instance, node: int) -> int:
    """The cheapest F and B of a node on any stage but the first; `INFINITE` if it may hold none."""
    costs = [instance.forward[node][k] + instance.backward[node][k] for k in instance.allowed[node] if k > 0]
    return min(costs, default=INFINITE)


def _power(entering: Integers, steps: int, clock: Clock) -> Integers:
    """Cheapest ways over a number of hops, at least one, by repeated squaring."""
    power = entering
    for bit in bin(steps)[3:]:
        power = _min_plus(power, power, clock)
        if bit == "1":
            power = _min_plus(power, entering, clock)
    return power


def _min_plus(left: Integers, right: Integers, clock: Clock) -> Integers:
    """The product of two matrices in (min, +): ways over the hops of both."""
    across = np.ascontiguousarray(right.T)
    product = np.empty_like(left)
    for i, row in enumerate(left):
        product[i] = capped((across + row[np.newaxis, :]).min(axis=1))
        clock.spend(right.size // ELEMENTS_PER_STEP)
    return product
