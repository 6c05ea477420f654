"""Allocations by communication cost and load.

Nodes are dealt out along a tour through the network, so that every stage gets nodes of every neighbourhood
and paths can stay near; then exchanges of two nodes lower an estimate of the iteration time.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from itertools import count

from skipsched.clock import Clock
from skipsched.instance import Instance
from skipsched.routes.estimate import Estimate
from skipsched.routes.holders import TooFew, assign

#: Elementary steps the exchanges may take for one allocation: some tenths of a second.
_STEPS = 500_000


def allocations(instance: Instance, clock: Clock, seed: int = 0) -> Iterator[list[int]]:
    """Allocations worth trying, the first at once, without end; none if there is none at all.

    Raises
    ------
    OutOfTime
        If the clock runs out in between.
    """
    rng = random.Random(seed)
    estimate = Estimate(instance)
    able = frozenset(estimate.ablest_data_nodes())
    start = rng.randrange(instance.nodes) if seed else 0
    for turn in count():
        by_chance = turn % 3 == 2
        tour = _shuffled(instance.nodes, rng) if by_chance else tour_of(estimate.cost, start)
        allocation = _dealt(instance, estimate, tour, able if turn % 3 == 0 else ())
        if isinstance(allocation, TooFew):
            return
        # Every third one stays as chance dealt it: the estimate is not always right.
        if not by_chance:
            exchange(instance, estimate, allocation, rng, clock)
        yield allocation
        start = rng.randrange(instance.nodes)


def _dealt(
    instance: Instance, estimate: Estimate, tour: Sequence[int], data_nodes: Collection[int]
) -> list[int] | TooFew:
    """Deal the nodes in the order of a tour, each to the stage furthest behind its size.

    If data nodes are given they keep to themselves: only the other stages are dealt to the rest.
    """
    sizes = estimate.sizes
    dealt = [0] * instance.stages
    wishes: list[list[int]] = [[] for _ in range(instance.nodes)]
    for node in tour:
        able = sorted(instance.allowed[node], key=lambda k: (dealt[k] / sizes[k], k))
        if data_nodes:
            first, others = [k for k in able if k == 0], [k for k in able if k > 0]
            able = first + others if node in data_nodes else others + first
        wishes[node] = able
        if wishes[node]:
            dealt[wishes[node][0]] += 1
    # Those who may hold little choose first: then nobody has to be shifted.
    return assign(instance, wishes, sorted(tour, key=lambda n: len(instance.allowed[n])))


def _shuffled(nodes: int, rng: random.Random) -> list[int]:
    tour = list(range(nodes))
    rng.shuffle(tour)
    return tour


def tour_of(cost: Sequence[Sequence[int]], start: int) -> list[int]:
    """All nodes: from each to the nearest one not visited yet."""
    tour = [start]
    left = set(range(len(cost))) - {start}
    while left:
        row = cost[tour[-1]]
        nearest = min(left, key=lambda n: (row[n], n))
        tour.append(nearest)
        left.remove(nearest)
    return tour


def exchange(
    instance: Instance, estimate: Estimate, allocation: list[int], rng: random.Random, clock: Clock
) -> None:
    """Exchange two nodes, or move one where sizes are free, as long as the estimate falls."""
    steps = instance.nodes * instance.nodes
    if steps > _STEPS:
        return
    best = estimate.of(allocation)
    moves = [(a, b) for a in range(instance.nodes) for b in range(a)]
    tries = min(_STEPS // steps, 4 * len(moves))
    while tries > 0:
        before = best
        rng.shuffle(moves)
        for a, b in moves[:tries]:
            k, m = allocation[a], allocation[b]
            if k == m or m not in instance.allowed[a]:
                continue
            swap = k in instance.allowed[b] and (rng.random() < 0.8 or not estimate.movable(allocation, k, m))
            if not swap and not estimate.movable(allocation, k, m):
                continue
            allocation[a] = m
            allocation[b] = k if swap else m
            value = estimate.of(allocation)
            clock.spend(steps)
            if value < best:
                best = value
            else:
                allocation[a], allocation[b] = k, m
        tries -= len(moves)
        if best >= before:
            break
