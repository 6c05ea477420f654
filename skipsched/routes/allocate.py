"""Allocations by communication cost and load.

Nodes are dealt out along a tour through the network, so that every stage gets nodes of every neighbourhood
and paths can stay near, or in blocks, so that a stage's all-reduce stays in one; then exchanges of two nodes
lower an estimate of the iteration time.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from itertools import count

from skipsched.clock import Clock
from skipsched.instance import NO_LINK, Instance
from skipsched.orders import StageOrders
from skipsched.plan import members_of
from skipsched.routes.holders import TooFew, assign

#: Elementary steps the exchanges may take for one allocation: some tenths of a second.
_STEPS = 500_000
#: How far, in parts of its size, the end of a block may give way to a border between neighbourhoods.
_ROOM = 0.5
#: Microseconds of a hop that does not exist.
_FAR = 10**17


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
        tour = _shuffled(instance.nodes, rng) if by_chance else _tour(estimate.cost, start)
        allocation = _dealt(instance, estimate, tour, able if turn % 3 == 0 else ())
        if isinstance(allocation, TooFew):
            return
        # Every third one stays as chance dealt it: the estimate is not always right.
        if not by_chance:
            _exchange(instance, estimate, allocation, rng, clock)
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


def allocations_in_blocks(instance: Instance, clock: Clock, seed: int) -> Iterator[list[int]]:
    """Allocations in which every stage keeps to a neighbourhood, without end; none if there is none at all.

    A stage spread over slow links pays for them in its all-reduce, once an iteration; paths that leave a
    neighbourhood pay for each microbatch. Which is dearer is for those to find out who schedule it.

    Raises
    ------
    OutOfTime
        If the clock runs out in between.
    """
    rng = random.Random(seed)
    estimate = Estimate(instance)
    while True:
        allocation = _in_blocks(instance, estimate, _tour(estimate.cost, rng.randrange(instance.nodes)), rng)
        if isinstance(allocation, TooFew):
            return
        _exchange(instance, estimate, allocation, rng, clock)
        yield allocation


def _in_blocks(
    instance: Instance, estimate: Estimate, tour: Sequence[int], rng: random.Random
) -> list[int] | TooFew:
    """Give each stage the next nodes of a tour, in any order of the stages."""
    stages = list(range(instance.stages))
    rng.shuffle(stages)
    blocks: list[tuple[int, int, int]] = []  # begin and end in the tour, and the stage
    begin, due = 0, 0.0
    for stage in stages:
        due += estimate.sizes[stage]
        end = _border(instance, estimate, tour, stage, round(due)) if stage != stages[-1] else len(tour)
        blocks.append((begin, max(begin, end), stage))
        begin = max(begin, end)
    wishes: list[list[int]] = [[] for _ in range(instance.nodes)]
    for place, node in enumerate(tour):
        near = sorted(blocks, key=lambda block: max(block[0] - place, place + 1 - block[1], 0))
        wishes[node] = [stage for _, _, stage in near if stage in instance.allowed[node]]
    return assign(instance, wishes, sorted(tour, key=lambda n: len(instance.allowed[n])))


def _border(instance: Instance, estimate: Estimate, tour: Sequence[int], stage: int, due: int) -> int:
    """Where a stage's block ends: as near to its size as can be where the tour leaves a neighbourhood."""
    if instance.min_sizes[stage] == instance.max_sizes[stage]:
        return due
    room = int(estimate.sizes[stage] * _ROOM)
    places = range(max(1, due - room), min(len(tour), due + room + 1))
    return max(places, key=lambda p: (estimate.cost[tour[p - 1]][tour[p]], -abs(p - due)), default=due)


def _shuffled(nodes: int, rng: random.Random) -> list[int]:
    tour = list(range(nodes))
    rng.shuffle(tour)
    return tour


def _tour(cost: Sequence[Sequence[int]], start: int) -> list[int]:
    """From each node to the nearest one not visited yet."""
    tour = [start]
    left = set(range(len(cost))) - {start}
    while left:
        row = cost[tour[-1]]
        nearest = min(left, key=lambda n: (row[n], n))
        tour.append(nearest)
        left.remove(nearest)
    return tour


def _exchange(
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


class Estimate:
    """An estimate of the iteration time that an allocation allows: only good for comparing allocations.

    A data node keeps as many microbatches in flight as it has slots, each for a round trip over nodes near to
    each other; a stage takes its share of work; the all-reduce comes on top.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        largest = max(max(row) for row in instance.round_trip)
        far = 10 * (largest + 1) + 10**6
        self.cost = [[far if cost == NO_LINK else cost for cost in row] for row in instance.round_trip]
        self.sizes = _likely_sizes(instance)
        self._hops = hop_shares(instance.orders)

    def movable(self, allocation: Sequence[int], source: int, target: int) -> bool:
        """Whether the sizes let a node move from one stage to another."""
        instance = self._instance
        if instance.min_sizes == instance.max_sizes:
            return False
        sizes = [0] * instance.stages
        for stage in allocation:
            sizes[stage] += 1
        return sizes[source] > instance.min_sizes[source] and sizes[target] < instance.max_sizes[target]

    def ablest_data_nodes(self) -> list[int]:
        """The nodes whose own microbatches would be home first, with their nearest nodes to help them."""
        instance = self._instance
        cheapest = [
            min(instance.forward[n][k] + instance.backward[n][k] for n in range(instance.nodes))
            for k in range(1, instance.stages)
        ]
        inner = (instance.path_length - 1) * sum(cheapest) / len(cheapest)

        def flight(node: int) -> float:
            near = sorted(self.cost[node])[1 : instance.path_length]
            return self._flight(node, inner + instance.path_length * sum(near) / len(near))

        able = [n for n in range(instance.nodes) if 0 in instance.allowed[n] and instance.microbatches[n]]
        return sorted(able, key=flight)[: instance.data_nodes]

    def of(self, allocation: Sequence[int]) -> float:
        """Microseconds, roughly."""
        instance = self._instance
        members = members_of(allocation, instance.stages)
        hop_cost = [0.0] * instance.stages
        data_hop = dict.fromkeys(members[0], 0.0)
        for k, other, share in self._hops:
            near = [self._near(node, members[other]) for node in members[k]]
            hop_cost[k] += share * sum(near) / len(near)
            if k == 0:
                for node, cost in zip(members[0], near, strict=True):
                    data_hop[node] += share * cost
        action = [
            sum(instance.forward[n][k] + instance.backward[n][k] for n in nodes) / len(nodes)
            for k, nodes in enumerate(members)
        ]
        executed = (instance.path_length - 1) / (instance.stages - 1)
        inner = sum(hop_cost[1:]) + executed * sum(action[1:])
        emitted = sum(instance.microbatches[d] for d in members[0])
        flights = [self._flight(d, 2 * data_hop[d] + inner - hop_cost[0]) for d in members[0]]
        loads = [
            emitted
            * executed
            / sum(
                1 / (instance.forward[n][k] + instance.backward[n][k] + 2 * instance.overhead + 1)
                for n in nodes
            )
            for k, nodes in enumerate(members)
            if k > 0
        ]
        times = [*flights, *loads]
        return (
            max(times) + sum(flights) / len(flights) + sum(loads) / len(loads) + 2 * self._allreduce(members)
        )

    def _near(self, node: int, others: Sequence[int]) -> float:
        """Mean cost to the nearer half of some nodes."""
        half = (len(others) + 1) // 2
        row = self.cost[node]
        return sum(sorted([row[other] for other in others])[:half]) / half

    def _flight(self, data_node: int, way: float) -> float:
        instance = self._instance
        emitted = instance.microbatches[data_node]
        if not emitted:
            return 0.0
        own = instance.forward[data_node][0] + instance.backward[data_node][0] + instance.loss[data_node]
        return emitted * (own + way) / min(emitted, max(1, instance.slots[data_node][0]))

    def _allreduce(self, members: Sequence[Sequence[int]]) -> int:
        """The worst all-reduce, as far as each node's own two neighbours in a ring decide it."""
        return max(self._ring(stage, nodes) for stage, nodes in enumerate(members))

    def _ring(self, stage: int, nodes: Sequence[int]) -> int:
        """A lower bound on a stage's all-reduce: every node is entered once and left once, by two others."""
        allreduce = self._instance.allreduce
        size = len(nodes)
        if not allreduce.needs_ring(stage, size):
            return 0
        worst = 0
        for a in nodes:
            out = [allreduce.hop(stage, size, a, b) for b in nodes if b != a]
            into = [allreduce.hop(stage, size, b, a) for b in nodes if b != a]
            costs = [[_FAR if hop == NO_LINK else hop for hop in hops] for hops in (out, into)]
            either = sorted(map(min, *costs))
            worst = max(worst, min(costs[0]), min(costs[1]), either[1] if size > 2 else 0)
        return worst


def _likely_sizes(instance: Instance) -> list[float]:
    """Stage sizes to aim at: those given, or free nodes shared out by the stages' work."""
    if instance.min_sizes == instance.max_sizes:
        return [float(size) for size in instance.min_sizes]
    work = [
        min(row[k] for row in instance.forward) + min(row[k] for row in instance.backward)
        for k in range(instance.stages)
    ]
    rest = instance.nodes - instance.data_nodes
    total = sum(work[1:]) or 1
    return [float(instance.data_nodes)] + [max(1.0, rest * w / total) for w in work[1:]]


def hop_shares(orders: StageOrders) -> list[tuple[int, int, float]]:
    """How often a path passes from one stage to another, over all allowed orders alike, both ways counted.

    Entry (k, m, share): the mean number of hops per path that join stages k and m, halved so that (k, m) and
    (m, k) together make it whole; the hop back to the data node is one of them.
    """
    ahead = orders.completions
    behind = [0] * len(orders.stage)
    behind[0] = 1
    shares: dict[tuple[int, int], float] = {}

    def add(k: int, m: int, share: float) -> None:
        for pair in ((k, m), (m, k)):
            shares[pair] = shares.get(pair, 0.0) + share / 2

    for s, following in enumerate(orders.successors):
        for t in following:
            behind[t] += behind[s]
            add(orders.stage[s], orders.stage[t], behind[s] * ahead[t] / ahead[0])
    for s in orders.layers[-1]:
        add(orders.stage[s], 0, behind[s] / ahead[0])
    return sorted((k, m, share) for (k, m), share in shares.items())
