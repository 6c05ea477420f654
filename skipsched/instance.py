"""The instance: a topology as integer tables. Everything below this line of the program sees nothing else.

Times are integers in microseconds. Each duration, transfer and all-reduce hop is computed exactly and rounded
once, half up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

from skipsched.orders import StageOrders, stage_orders
from skipsched.topology import derive, limits
from skipsched.topology.model import Link, Network, Node, Rules, Topology

if TYPE_CHECKING:
    import networkx

#: In tables of transfers and hops: there is no link.
NO_LINK = -1

MICROSECONDS = 10**6


def rounded(seconds: Fraction) -> int:
    """Microseconds, rounded half up: ``floor(x * 10**6 + 1/2)``."""
    return (2 * seconds.numerator * MICROSECONDS + seconds.denominator) // (2 * seconds.denominator)


@dataclass(frozen=True)
class Instance:
    """Integer tables of a topology. Nodes and stages are indices from 0.

    Parameters
    ----------
    name
        The topology's name.
    node_ids
        Names of the nodes by index.
    stages
        Number of stages.
    forward, backward
        Microseconds of one action of one microbatch, ``[node][stage]``.
    loss
        Microseconds of one loss on each node as a data node.
    overhead
        Microseconds a node stays unavailable after every action.
    slots
        Memory slots, ``[node][stage]``; 0 if the memory does not hold the stage.
    allowed
        Stages each node may hold, ascending: those on which it has a slot; only its pin if it has one.
    transfer
        Microseconds to move one activation, ``[source][target]``; `NO_LINK` where there is no link.
    microbatches
        Microbatches each node emits per iteration as a data node.
    min_sizes, max_sizes
        Fewest and most nodes of each stage.
    rules
        The rules' numbers.
    allreduce
        All-reduce hops.
    """

    name: str
    node_ids: tuple[str, ...]
    stages: int
    forward: tuple[tuple[int, ...], ...] = field(repr=False)
    backward: tuple[tuple[int, ...], ...] = field(repr=False)
    loss: tuple[int, ...] = field(repr=False)
    overhead: int
    slots: tuple[tuple[int, ...], ...] = field(repr=False)
    allowed: tuple[tuple[int, ...], ...] = field(repr=False)
    transfer: tuple[tuple[int, ...], ...] = field(repr=False)
    microbatches: tuple[int, ...] = field(repr=False)
    min_sizes: tuple[int, ...]
    max_sizes: tuple[int, ...]
    rules: Rules
    allreduce: AllReduce = field(repr=False)

    @classmethod
    def of(cls, topology: Topology) -> Instance:
        """Compute the tables of a topology."""
        nodes, workload = topology.nodes, topology.workload
        memories = derive.stage_memories(workload)
        stages = range(workload.stages)
        seconds = [[derive.forward_time(node, stage, workload) for stage in stages] for node in nodes]
        slots = tuple(tuple(derive.slots(node, stage, memories) for stage in stages) for node in nodes)
        network = _Links(topology.network, nodes)
        sizes = workload.stage_sizes
        most = len(nodes) - workload.data_nodes - (workload.stages - 2)
        return cls(
            name=topology.name,
            node_ids=tuple(node.id for node in nodes),
            stages=workload.stages,
            forward=_table(seconds, Fraction(1)),
            backward=_table(seconds, workload.backward_ratio),
            loss=tuple(rounded(row[0] * workload.loss_ratio) for row in seconds),
            overhead=rounded(workload.action_overhead),
            slots=slots,
            allowed=tuple(
                tuple(k for k in stages if row[k] > 0 and node.stage in (None, k))
                for node, row in zip(nodes, slots, strict=True)
            ),
            transfer=network.transfers(topology.network.overhead, workload.activation),
            microbatches=tuple(node.microbatches for node in nodes),
            min_sizes=sizes or (workload.data_nodes,) + (1,) * (workload.stages - 1),
            max_sizes=sizes or (workload.data_nodes,) + (most,) * (workload.stages - 1),
            rules=topology.rules,
            allreduce=AllReduce(network, workload.gradient),
        )

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return len(self.node_ids)

    @property
    def data_nodes(self) -> int:
        """Number of data nodes."""
        return self.min_sizes[0]

    @property
    def path_length(self) -> int:
        """Stages a path executes."""
        return self.rules.path_length

    @cached_property
    def orders(self) -> StageOrders:
        """The stage orders that `path-length`, `swap` and `jump` allow."""
        rules = self.rules
        return stage_orders(
            self.stages,
            rules.path_length,
            rules.max_swaps,
            rules.max_swap_distance,
            rules.max_jump,
            most_states=limits.MAX_ORDER_STATES,
        )

    def restricted_to(self, allocation: Sequence[int], free: Collection[int] = ()) -> Instance:
        """The problem with an allocation given: each node, unless it is free, may hold its stage alone."""
        allowed = tuple(self.allowed[n] if n in free else (k,) for n, k in enumerate(allocation))
        restricted = replace(self, allowed=allowed)
        # What has been computed so far does not depend on who may hold what.
        for name in ("orders", "round_trip", "complete"):
            if name in self.__dict__:
                restricted.__dict__[name] = self.__dict__[name]
        return restricted

    def has_fixed_size(self, stage: int) -> bool:
        """Whether the number of a stage's nodes is given."""
        return self.min_sizes[stage] == self.max_sizes[stage]

    def linked(self, a: int, b: int) -> bool:
        """Whether a path may pass between two nodes: forward one way, back the other, so both must exist."""
        return self.transfer[a][b] != NO_LINK and self.transfer[b][a] != NO_LINK

    @cached_property
    def round_trip(self) -> tuple[tuple[int, ...], ...]:
        """Microseconds of a transfer there and back, ``[node][node]``; `NO_LINK` where no path may pass."""
        return tuple(
            tuple(
                NO_LINK if NO_LINK in (there, back) else there + back
                for there, back in zip(row, column, strict=True)
            )
            for row, column in zip(self.transfer, zip(*self.transfer, strict=True), strict=True)
        )

    @cached_property
    def complete(self) -> bool:
        """Whether every pair of nodes is linked in both directions."""
        return all(
            cost != NO_LINK or a == b for a, row in enumerate(self.transfer) for b, cost in enumerate(row)
        )

    def graph(self) -> networkx.Graph[int]:
        """The nodes and the pairs between which a path may pass, with ``round_trip`` as weight."""
        import networkx

        graph: networkx.Graph[int] = networkx.Graph()
        graph.add_nodes_from(range(self.nodes))
        graph.add_weighted_edges_from(
            (a, b, cost)
            for a, row in enumerate(self.round_trip)
            for b, cost in enumerate(row)
            if a < b and cost != NO_LINK
        )
        return graph


def has_instant_actions(instance: Instance) -> bool:
    """Whether some forward or backward takes no time at all, nor its node afterwards.

    Such actions could wait for each other in a circle, and no time would say so.
    """
    return instance.overhead == 0 and any(
        0 in (instance.forward[node][stage], instance.backward[node][stage])
        for node, able in enumerate(instance.allowed)
        for stage in able
    )


def _table(seconds: Sequence[Sequence[Fraction]], ratio: Fraction) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(rounded(value * ratio) for value in row) for row in seconds)


def _rounded_transfer(fixed: Fraction, size: Fraction, bandwidth: Fraction) -> int:
    """``rounded(fixed + size / bandwidth)``, without the cost of fractions on the way."""
    below = fixed.denominator * size.denominator * bandwidth.numerator
    above = fixed.numerator * size.denominator * bandwidth.numerator
    above += size.numerator * bandwidth.denominator * fixed.denominator
    return (2 * above * MICROSECONDS + below) // (2 * below)


class _Links:
    """Figures of all directed pairs of nodes, shared among pairs with equal ones.

    Nodes that no row names by their id and that share a location are alike: they are of one *kind*. Figures
    are laid out for pairs of kinds, rows of locations first and the more specific ones over them, which gives
    what `Network.link` says of each pair without asking for each.
    """

    def __init__(self, network: Network, nodes: Sequence[Node]) -> None:
        named = {end for row in network.rows for end in row}
        numbers: dict[tuple[bool, str | None], int] = {}
        #: The kind of each node.
        self.kind = [
            numbers.setdefault((True, node.id) if node.id in named else (False, node.location), len(numbers))
            for node in nodes
        ]
        self.figures: list[Link | None] = [None, network.default]
        #: The index in `figures` of each directed pair of kinds.
        self.by_kind = self._laid_out(network, nodes)
        self._drop_unused()

    @cached_property
    def best(self) -> list[Link]:
        """Links than which no other has at most the latency and at least the bandwidth."""
        best: list[Link] = []
        links = (link for link in self.figures if link is not None)
        for link in sorted(links, key=lambda link: (link.latency, -link.bandwidth)):
            if not best or link.bandwidth > best[-1].bandwidth:
                best.append(link)
        return best

    def _laid_out(self, network: Network, nodes: Sequence[Node]) -> list[list[int]]:
        ends, specific = self._kinds_of_ends(nodes)
        kinds = max(self.kind) + 1
        table = [[1] * kinds for _ in range(kinds)]
        # By identity: exact figures are slow to hash, and tables share the links of equal rows.
        index: dict[int, int] = {}
        # `Network.link`: both nodes, else the source node, else the target node, else both locations.
        rows = sorted(network.rows.items(), key=lambda row: (row[0][0] in specific, row[0][1] in specific))
        for (source, target), link in rows:
            number = index.setdefault(id(link), len(self.figures))
            if number == len(self.figures):
                self.figures.append(link)
            for a in ends.get(source, ()):
                figures = table[a]
                for b in ends.get(target, ()):
                    figures[b] = number
        return table

    def _kinds_of_ends(self, nodes: Sequence[Node]) -> tuple[dict[str, list[int]], set[str]]:
        """The kinds that each id and each location stands for, and which of these names are ids."""
        ends: dict[str, dict[int, None]] = {}
        for node, kind in zip(nodes, self.kind, strict=True):
            ends.setdefault(node.id, {})[kind] = None
            if node.location is not None:
                ends.setdefault(node.location, {})[kind] = None
        return {name: list(kinds) for name, kinds in ends.items()}, {node.id for node in nodes}

    def _drop_unused(self) -> None:
        """Forget figures that hold between no two nodes."""
        for kind, members in Counter(self.kind).items():
            if members == 1:
                self.by_kind[kind][kind] = 0
        used = sorted({0}.union(*self.by_kind))
        position = {number: place for place, number in enumerate(used)}
        self.by_kind = [[position[number] for number in row] for row in self.by_kind]
        self.figures = [self.figures[number] for number in used]

    def transfers(self, overhead: Fraction, activation: Fraction) -> tuple[tuple[int, ...], ...]:
        """Microseconds to move one activation between each pair of nodes; 0 from a node to itself."""

        def cost(link: Link | None) -> int:
            if link is None:
                return NO_LINK
            return _rounded_transfer(overhead + link.latency, activation, link.bandwidth)

        costs = [cost(link) for link in self.figures]
        by_kind = [[costs[number] for number in row] for row in self.by_kind]
        rows: list[tuple[int, ...]] = []
        for node, kind in enumerate(self.kind):
            row = by_kind[kind]
            full = [row[other] for other in self.kind]
            full[node] = 0
            rows.append(tuple(full))
        return tuple(rows)


class AllReduce:
    """What each hop of a ring contributes to a stage's all-reduce, in microseconds.

    The all-reduce is ``2*(q-1) * max over the ring's directed links of (latency + g/q/bandwidth)``, rounded
    once. Rounding keeps the order of values, so the all-reduce of a ring is the largest rounded hop in it.
    """

    def __init__(self, links: _Links, gradient: tuple[Fraction, ...]) -> None:
        self._links = links
        self._gradient = gradient
        self._hops: dict[tuple[Fraction, int], list[int]] = {}

    @property
    def present(self) -> bool:
        """Whether any stage has gradients to average."""
        return any(self._gradient)

    def without_gradients(self) -> AllReduce:
        """The same network with nothing to average: no stage needs a ring."""
        return AllReduce(self._links, (Fraction(0),) * len(self._gradient))

    def needs_ring(self, stage: int, size: int) -> bool:
        """Whether a stage of `size` nodes pays an all-reduce, and so needs a ring of links."""
        return size > 1 and self._gradient[stage] > 0

    def gradient(self, stage: int) -> Fraction:
        """How much a stage averages, in the unit of bandwidths."""
        return self._gradient[stage]

    def link_figures(self) -> list[tuple[float, float]]:
        """Latency, and time for each unit of gradients, in microseconds, by the numbers that `link` gives.

        To the precision of floats; a latency of `NO_LINK` stands for no link.
        """
        return [
            (float(NO_LINK), 0.0)
            if figures is None
            else (float(figures.latency * MICROSECONDS), float(MICROSECONDS / figures.bandwidth))
            for figures in self._links.figures
        ]

    def link(self, source: int, target: int) -> int:
        """The number of a directed pair's figures: equal numbers mean equal hops, whatever stage and size."""
        kind = self._links.kind
        return self._links.by_kind[kind[source]][kind[target]]

    def links(self) -> list[list[int]]:
        """`link` of all directed pairs, ``[source][target]``."""
        kind = self._links.kind
        rows = [[row[other] for other in kind] for row in self._links.by_kind]
        return [rows[own] for own in kind]

    def hop(self, stage: int, size: int, source: int, target: int) -> int:
        """Microseconds of the all-reduce of a stage of `size` nodes if this link were its ring's worst.

        `NO_LINK` if there is no such link; 0 if the stage needs no ring.
        """
        if not self.needs_ring(stage, size):
            return 0
        return self._costs(stage, size)[self.link(source, target)]

    def cheapest(self, stage: int, size: int) -> int:
        """The cheapest hop that any link offers, a lower bound of the all-reduce of any ring of that size.

        0 if the stage needs no ring, or if there is no link at all.
        """
        if not self.needs_ring(stage, size):
            return 0
        return min((self._cost(stage, size, link) for link in self._links.best), default=0)

    def _costs(self, stage: int, size: int) -> list[int]:
        """The hop of each of the links' figures."""
        key = (self._gradient[stage], size)
        costs = self._hops.get(key)
        if costs is None:
            costs = self._hops[key] = [self._cost(stage, size, link) for link in self._links.figures]
        return costs

    def _cost(self, stage: int, size: int, link: Link | None) -> int:
        if link is None:
            return NO_LINK
        hops = 2 * (size - 1)
        return _rounded_transfer(hops * link.latency, self._gradient[stage] * hops / size, link.bandwidth)
