"""Paths for a given allocation: cheapest allowed ones under the load rules.

Path slots are routed one after the other, each by a shortest path through the automaton of stage orders and
the nodes of its stages. Prices do the rest: rules that are not about one path alone (`even-stages`,
`even-nodes`, `cover`) enter as potentials that dominate every cost, busy nodes as a surcharge. Slots are then
taken out and routed again, until no path changes any more or a few rounds are over.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import isqrt

from skipsched.clock import Clock, OutOfTime
from skipsched.instance import NO_LINK, Instance
from skipsched.plan import Routes, members_of
from skipsched.routes.slots import PathSlot, coarse_slots_of, paths_of, slots_of

#: Elementary steps that routing all slots once may take, above which paths look at near nodes only.
_STEPS = 1_000_000
#: How often paths are routed again at most, and which part of the time left that may take if the rules hold.
_ROUNDS = 6
_REROUTE_SHARE = 0.1


def choose_paths(
    instance: Instance, allocation: Sequence[int], load_price: float, clock: Clock
) -> Routes | None:
    """Choose the path of every microbatch.

    Parameters
    ----------
    allocation
        Stage of each node.
    load_price
        How strongly busy nodes are avoided: 0 for the cheapest paths, 1 for a busy node's whole delay.

    Returns
    -------
    Routes or None
        None if this construction finds no paths that keep the rules, which is no proof that there are none.

    Raises
    ------
    OutOfTime
        If the clock runs out.
    """
    router = Router(instance, allocation, load_price, clock, slots_of)
    chosen = router.first_choice()
    if chosen is None:
        return None
    until = clock.spent() + _REROUTE_SHARE * clock.remaining()
    try:
        for _ in range(_ROUNDS):
            if not router.reroute(chosen, until):
                break
    except OutOfTime:
        # Paths that keep the rules are not thrown away because there is no time to better them.
        if not router.rules_hold():
            raise
    if not router.rules_hold():
        return None
    return Routes(tuple(allocation), paths_of(instance, router.members[0], chosen))


def paths_at_hand(instance: Instance, allocation: Sequence[int], clock: Clock) -> bool:
    """Whether paths that keep the rules are found by choosing a few times for many microbatches at once.

    That there are none is not said: `choose_paths` may find some.

    Raises
    ------
    OutOfTime
        If the clock runs out.
    """
    router = Router(instance, allocation, 0.0, clock, coarse_slots_of)
    return router.first_choice() is not None and router.rules_hold()


class Router:
    """Loads so far, and the cheapest path of a slot at the prices they make."""

    def __init__(
        self,
        instance: Instance,
        allocation: Sequence[int],
        load_price: float,
        clock: Clock,
        slots_from: Callable[[Instance, int, int | None], list[PathSlot]],
    ) -> None:
        self.instance = instance
        self.allocation = allocation
        self.members = members_of(allocation, instance.stages)
        self._clock = clock
        per_node = [slots_from(instance, d, instance.rules.path_period) for d in self.members[0]]
        # Data node by data node in turn, so that none is left with what the others did not want.
        self.slots = sorted((slot for slots in per_node for slot in slots), key=lambda s: s.index)
        self._executed = [0] * instance.stages  # microbatches per stage
        self._carried = [0] * instance.nodes  # microbatches per node
        self._covering: dict[int, list[int]] = {d: [0] * instance.stages for d in self.members[0]}
        work = [instance.forward[n][k] + instance.backward[n][k] for n, k in enumerate(allocation)]
        self._work = [w + 2 * instance.overhead for w in work]
        residence = self._typical_trip() // 2
        # What each microbatch that a node carries delays the next one: it keeps the node busy for its work,
        # and holds one of its slots for a good part of a round trip.
        self._delay = [
            max(self._work[n], residence // instance.slots[n][k]) for n, k in enumerate(allocation)
        ]
        #: What a node costs a path: its work, and the delays of what it carries.
        self._price = list(self._work)
        total = sum(slot.weight for slot in self.slots) * (instance.path_length - 1)
        others = max(1, instance.nodes - len(self.members[0]))
        self._load_price = load_price * others / max(1, total)
        # A unit of potential must outweigh any path, so that costs decide only among equals.
        largest = max(max(row) for row in instance.round_trip) + max(self._work) + 1
        self._unit = 4 * largest * instance.path_length**2 * (total + instance.nodes)
        self._arcs = sum(len(following) for following in instance.orders.successors)
        self._width = max(3, isqrt(_STEPS // max(1, len(self.slots) * self._arcs)))

    def add(self, slot: PathSlot, path: Sequence[int], sign: int) -> None:
        """Count a path in, or out again with ``sign = -1``."""
        for node in path[1:]:
            stage = self.allocation[node]
            self._executed[stage] += sign * slot.weight
            self._carried[node] += sign * slot.weight
            self._covering[slot.data_node][stage] += sign
            delay = self._load_price * self._delay[node] * self._carried[node]
            self._price[node] = self._work[node] + int(delay)

    def _typical_trip(self) -> int:
        """A round trip over nodes of mean work by the cheaper half of the hops there are."""
        instance = self.instance
        hops = sorted(
            min((row[n] for n in nodes if row[n] > 0), default=0)
            for row in instance.round_trip
            for nodes in self.members
        )
        work = sum(self._work) // len(self._work)
        return instance.path_length * (work + hops[len(hops) // 2])

    def rules_hold(self) -> bool:
        """Whether the rules about all paths together hold."""
        rules = self.instance.rules
        if rules.even_stages and max(self._executed[1:]) - min(self._executed[1:]) > 1:
            return False
        if rules.even_nodes:
            for nodes in self.members[1:]:
                carried = [self._carried[n] for n in nodes]
                if max(carried) - min(carried) > 1:
                    return False
        if rules.cover:
            emitting = {slot.data_node for slot in self.slots}
            return all(min(self._covering[d][1:]) > 0 for d in emitting)
        return True

    def first_choice(self) -> dict[PathSlot, tuple[int, ...]] | None:
        """Route every slot at the prices that those before it make; None if some slot has no path."""
        chosen: dict[PathSlot, tuple[int, ...]] = {}
        for slot in self.slots:
            path = self.cheapest(slot)
            if path is None:
                return None
            chosen[slot] = path
            self.add(slot, path, 1)
        return chosen

    def reroute(
        self,
        chosen: dict[PathSlot, tuple[int, ...]],
        until: float,
        slots: Sequence[PathSlot] | None = None,
    ) -> bool:
        """Take every slot, or each of some, out and route it again at the prices of the others.

        Returns whether to go on: a path has changed, and the clock has not passed `until` with rules kept.
        """
        changed = False
        for slot in self.slots if slots is None else slots:
            if self._clock.spent() > until and self.rules_hold():
                return False
            before = chosen[slot]
            self.add(slot, before, -1)
            try:
                after = self.cheapest(slot)
                assert after is not None, "the former path is still there"
                chosen[slot] = after
            finally:
                self.add(slot, chosen[slot], 1)
            changed = changed or after != before
        return changed

    def cheapest(self, slot: PathSlot) -> tuple[int, ...] | None:
        """The cheapest allowed path of a slot at present prices; None if links are missing for any."""
        near = [self._candidates(slot.data_node, stage) for stage in range(self.instance.stages)]
        path = self._shortest(slot, near)
        if path is None and any(len(a) < len(b) for a, b in zip(near[1:], self.members[1:], strict=True)):
            path = self._shortest(slot, [[slot.data_node], *self.members[1:]])
        return path

    def cost(self, slot: PathSlot, path: Sequence[int]) -> int:
        """What a path costs a slot at present prices."""
        trips = self.instance.round_trip
        ways = sum(trips[a][b] for a, b in pairwise((*path, path[0])))
        prices = (self._stage_price(slot, self.allocation[n]) + self._node_price(slot, n) for n in path[1:])
        return ways + sum(prices)

    @property
    def rule_price(self) -> int:
        """More than any path costs but for the rules about all paths together."""
        return self._unit // self.instance.nodes

    def _candidates(self, data_node: int, stage: int) -> list[int]:
        """Nodes of a stage that a path from a data node considers: all, or the nearest at present prices."""
        if stage == 0:
            return [data_node]
        nodes = self.members[stage]
        if len(nodes) <= self._width:
            return nodes
        row = self.instance.round_trip[data_node]
        linked = [n for n in nodes if row[n] != NO_LINK] or nodes
        price = self._price
        return heapq.nsmallest(self._width, linked, key=lambda n: (row[n] + price[n], n))

    def _stage_price(self, slot: PathSlot, stage: int) -> int:
        """Rise of the potentials if the slot executes a stage.

        `even-stages` is the sum of squares of the counts, whose smallest value at a given sum is the even
        one; `cover` a drop for every stage that the data node's other paths leave out.
        """
        rules = self.instance.rules
        price = 0
        if rules.even_stages:
            price += 2 * self._executed[stage] + slot.weight
        if rules.cover and self._covering[slot.data_node][stage] == 0:
            price -= 4 * (slot.weight + max(self._executed[1:]) - min(self._executed[1:])) + 4
        return price * slot.weight * self._unit

    def _node_price(self, slot: PathSlot, node: int) -> int:
        price = self._price[node]
        if self.instance.rules.even_nodes:
            price += (
                (2 * self._carried[node] + slot.weight) * slot.weight * (self._unit // self.instance.nodes)
            )
        return price

    def _shortest(self, slot: PathSlot, near: Sequence[Sequence[int]]) -> tuple[int, ...] | None:
        """Shortest path through states and nodes, layer by layer; the hop back to the data node included."""
        instance, orders = self.instance, self.instance.orders
        width = max(len(nodes) for nodes in near)
        self._clock.spend(self._arcs * width * width // 3)
        price = [
            [0] if k == 0 else [self._stage_price(slot, k) + self._node_price(slot, n) for n in nodes]
            for k, nodes in enumerate(near)
        ]
        # hops[k, m][j]: costs from each node of stage k to the j-th of stage m, with the latter's price.
        hops: dict[tuple[int, int], list[list[int | None]]] = {}
        best: list[list[int | None]] = [[None] * len(near[stage]) for stage in orders.stage]
        came: list[list[tuple[int, int] | None]] = [[None] * len(near[stage]) for stage in orders.stage]
        best[0] = [0]
        for s, following in enumerate(orders.successors):
            k = orders.stage[s]
            for t in following:
                m = orders.stage[t]
                if (k, m) not in hops:
                    hops[k, m] = self._hops(near[k], near[m], price[m])
                for j, row in enumerate(hops[k, m]):
                    for i, hop in enumerate(row):
                        here = best[s][i]
                        if hop is None or here is None:
                            continue
                        there = best[t][j]
                        if there is None or here + hop < there:
                            best[t][j] = here + hop
                            came[t][j] = (s, i)
        home = instance.round_trip[slot.data_node]
        ends = [
            (cost + home[near[orders.stage[s]][j]], s, j)
            for s in orders.layers[-1]
            for j, cost in enumerate(best[s])
            if cost is not None and home[near[orders.stage[s]][j]] != NO_LINK
        ]
        if not ends:
            return None
        _, s, j = min(ends)
        path: list[int] = []
        step: tuple[int, int] | None = (s, j)
        while step is not None:
            s, j = step
            path.append(near[orders.stage[s]][j])
            step = came[s][j]
        return tuple(reversed(path))

    def _hops(
        self, sources: Sequence[int], targets: Sequence[int], price: Sequence[int]
    ) -> list[list[int | None]]:
        round_trip = self.instance.round_trip
        return [
            [
                None if round_trip[source][target] == NO_LINK else round_trip[source][target] + price[j]
                for source in sources
            ]
            for j, target in enumerate(targets)
        ]
