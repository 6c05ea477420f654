"""What an allocation may be worth, before there are paths: an estimate of the iteration time."""

from __future__ import annotations

from collections.abc import Sequence

from skipsched.instance import NO_LINK, Instance
from skipsched.orders import StageOrders
from skipsched.plan import members_of

#: Microseconds of a hop that does not exist.
_FAR = 10**17


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
