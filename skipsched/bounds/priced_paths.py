"""The cheapest path from every data node where nodes have prices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skipsched.bounds.tables import ELEMENTS_PER_STEP, INFINITE, Integers, capped, holds, hops
from skipsched.clock import Clock
from skipsched.instance import Instance


class PricedPath(NamedTuple):
    """A path at its cheapest.

    Parameters
    ----------
    price
        Of the whole path.
    trip
        Microseconds of its round trip.
    nodes
        The nodes after the data node.
    """

    price: int
    trip: int
    nodes: tuple[int, ...]


class PricedPaths:
    """Cheapest paths over nodes that may hold the stages at their positions.

    A path returns to its data node and passes through it no second time, and no node but one lies between
    two visits of a node; that all its nodes differ and hold one stage each is forgotten. Which stages may
    follow each other is looked at one step at a time.
    """

    def __init__(self, instance: Instance, clock: Clock) -> None:
        self._clock = clock
        between, able = hops(instance), holds(instance)
        work = np.array(instance.forward, dtype=np.int64) + np.array(instance.backward, dtype=np.int64)
        #: For each position microseconds of a hop with the F and B of the node it leads to.
        self._legs = [capped(between + entered) for entered in _entered(instance, able, work)]
        own = work[:, 0] + np.array(instance.loss, dtype=np.int64)
        #: From the last node to a data node: the hop, and the F, L and B there.
        self._home = np.where(able[:, 0], capped(between + own), INFINITE)
        self._numbers = np.arange(instance.nodes)

    @property
    def longest(self) -> int:
        """Microseconds that no path of finite legs exceeds."""
        return sum(int(np.where(leg < INFINITE, leg, 0).max()) for leg in [*self._legs, self._home])

    def cheapest(self, rates: Integers, prices: Integers) -> list[PricedPath | None]:
        """For each data node its cheapest path; None where there is none.

        Parameters
        ----------
        rates
            Price of a microsecond, by data node.
        prices
            Price of a visit, by node after the data node. ``rates.max() * longest`` and the prices of a path
            must stay below `INFINITE`.
        """
        data, numbers = self._numbers[:, np.newaxis], self._numbers[np.newaxis, :]
        best = np.full((len(rates), len(rates)), INFINITE, dtype=np.int64)
        np.fill_diagonal(best, 0)
        # The cheapest way to each node, and the cheapest one from another node than that.
        other = np.full_like(best, INFINITE)
        before = np.full_like(best, -1)
        came: list[tuple[Integers, Integers]] = []
        for leg in self._legs:
            self._clock.spend(best.size * len(rates) // ELEMENTS_PER_STEP)
            steps = _rated(rates[:, np.newaxis, np.newaxis], leg)
            ways = capped(best[:, :, np.newaxis] + steps)
            if came:  # back to where it came from only if it came another way
                ways[data, numbers, before] = capped(other + steps[data, numbers, before])
            ways[self._numbers, :, self._numbers] = INFINITE
            before, best = _least(ways)
            ways[data, before, numbers] = INFINITE
            second, other = _least(ways)
            best, other = capped(best + prices), capped(other + prices)
            came.append((before, second))
        closed = capped(best + _rated(rates[:, np.newaxis], self._home.T))
        return [
            self._path(d, int(row.min()), int(row.argmin()), came) if row.min() < INFINITE else None
            for d, row in enumerate(closed)
        ]

    def _path(
        self, data_node: int, price: int, last: int, came: list[tuple[Integers, Integers]]
    ) -> PricedPath:
        nodes = [last]
        for first, second in came[:0:-1]:
            node = int(first[data_node, nodes[-1]])
            if len(nodes) > 1 and node == nodes[-2]:
                node = int(second[data_node, nodes[-1]])
            nodes.append(node)
        nodes.append(data_node)
        nodes.reverse()
        legs = zip(self._legs, nodes, nodes[1:], strict=False)
        trip = sum(int(leg[a, b]) for leg, a, b in legs) + int(self._home[last, data_node])
        return PricedPath(price, trip, tuple(nodes[1:]))


def _entered(instance: Instance, able: NDArray[np.bool_], work: Integers) -> list[Integers]:
    """For each position after the first, ``[node before][node]``: F and B on the cheapest stage that fits."""
    orders = instance.orders
    positions = []
    for layer in orders.layers[:-1]:
        pairs = sorted({(orders.stage[s], orders.stage[t]) for s in layer for t in orders.successors[s]})
        entered = np.full((instance.nodes, instance.nodes), INFINITE, dtype=np.int64)
        for here, there in pairs:
            costs = np.where(able[:, there], work[:, there], INFINITE)
            np.minimum(entered, np.where(able[:, here, np.newaxis], costs, INFINITE), out=entered)
        positions.append(entered)
    return positions


def _rated(rates: Integers, times: Integers) -> Integers:
    """Times at a rate, those that are infinite left so."""
    return np.where(times < INFINITE, rates * np.where(times < INFINITE, times, 0), INFINITE)


def _least(ways: Integers) -> tuple[Integers, Integers]:
    """From where each node is reached most cheaply, and the price."""
    before = ways.argmin(axis=1)
    return before, np.take_along_axis(ways, before[:, np.newaxis, :], 1)[:, 0]
