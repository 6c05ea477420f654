"""The cheapest path of every data node where visits have prices by node and stage."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skipsched.bounds.alike import Classes
from skipsched.bounds.tables import ELEMENTS_PER_STEP, INFINITE, Integers, capped
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
    visits
        Class and stage of the nodes after the data node.
    """

    price: int
    trip: int
    visits: tuple[tuple[int, int], ...]


class _Ways(NamedTuple):
    """For each data node the cheapest way into a state on each class, ``[data node][class]``.

    Parameters
    ----------
    price
        Up to there.
    before
        The class before; -1 if that is the data node.
    state
        The state before.
    rank
        Whether it was come to there by its cheapest way, 0, or by the other one, 1.
    """

    price: Integers
    before: Integers
    state: Integers
    rank: Integers


#: The cheapest ways, and the cheapest from another class than those.
_Both = tuple[_Ways, _Ways]


class PricedPaths:
    """Cheapest paths along the stage orders that the rules allow, over classes of nodes.

    A path begins and ends on one data node and does not pass through it in between; its other nodes differ
    from the two before them. That they differ from all others is forgotten.
    """

    def __init__(self, instance: Instance, classes: Classes, clock: Clock) -> None:
        self._clock = clock
        self._orders = instance.orders
        self._hops = classes.hops
        work = np.array(instance.forward, dtype=np.int64) + np.array(instance.backward, dtype=np.int64)
        able = np.stack([classes.able(k) for k in range(instance.stages)], axis=1)
        #: F and B by class and stage.
        self._work = np.where(able, work[classes.first], INFINITE)
        self._own = capped(self._work[:, 0] + np.array(instance.loss, dtype=np.int64)[classes.first])
        #: Nodes besides the data node, ``[data node][class]``.
        self._others = classes.counts - np.eye(len(classes), dtype=np.int64)
        self._numbers = np.arange(len(classes))
        self._before: list[list[int]] = [[] for _ in self._orders.stage]
        for state, following in enumerate(self._orders.successors):
            for after in following:
                self._before[after].append(state)

    @property
    def longest(self) -> int:
        """Microseconds that no path of finite legs exceeds."""
        hop, work, own = (int(_finite(table).max()) for table in (self._hops, self._work, self._own))
        return len(self._orders.layers) * (hop + work) + own

    def cheapest(self, rates: Integers, prices: Integers) -> list[PricedPath | None]:
        """For each class as a data node its cheapest path; None where there is none.

        Parameters
        ----------
        rates
            Price of a microsecond, by class of the data node; not negative.
        prices
            Price of a visit, ``[class][stage]``. Sums along a path must stay well below `INFINITE` in size.
        """
        leaving = _rated(rates[:, np.newaxis, np.newaxis], self._hops)
        onward = leaving.copy()
        # From one node to another of its class, neither of which is the data node.
        within = onward[:, self._numbers, self._numbers]
        onward[:, self._numbers, self._numbers] = np.where(self._others < 2, INFINITE, within)
        start = self._none()
        np.fill_diagonal(start.price, np.where(self._own < INFINITE, 0, INFINITE))
        ways = [(start, self._none())]
        for state in range(1, len(self._before)):
            self._clock.spend(4 * leaving.size // ELEMENTS_PER_STEP)
            before = self._before[state]
            work = self._work[:, self._orders.stage[state]]
            entry = _rated(rates[:, np.newaxis], work) + prices[:, self._orders.stage[state]]
            entry = np.where((self._others > 0) & (work < INFINITE), entry, INFINITE)
            if before == [0]:
                first, other = self._next(ways[0], leaving, entry)
                ways.append((first._replace(before=start.before), other))
            else:
                ways.append(self._next(_merged(before, ways), onward, entry))
        return [self._closed(d, rates, ways) for d in range(len(rates))]

    def _none(self) -> _Ways:
        shape = (len(self._numbers), len(self._numbers))
        return _Ways(np.full(shape, INFINITE), np.full(shape, -1), *(np.zeros(shape, int) for _ in range(2)))

    def _next(self, ways: _Both, legs: Integers, entry: Integers) -> _Both:
        """One leg further, and the visit there."""
        data, numbers = self._numbers[:, np.newaxis], self._numbers[np.newaxis, :]
        nearest, other = ways
        step = _sum(nearest.price[:, :, np.newaxis], legs)
        rank = np.zeros(step.shape, dtype=np.int64)
        # Back to the class before takes another node of it, or else another way: a node more than that
        # before, and one more if this is a third in a row.
        back = nearest.before
        needed = np.where(back == numbers, 3, 2)
        alone = np.nonzero((back >= 0) & (self._others[data, back] < needed))
        there = (*alone, back[alone])
        step[there] = _sum(other.price[alone], legs[there])
        rank[there] = 1
        found = []
        for _ in range(2):
            before = step.argmin(axis=1)
            price, which = step[data, before, numbers], rank[data, before, numbers]
            found.append(_Ways(_sum(price, entry), before, *_choice(ways, which, data, before)))
            step[data, before, numbers] = INFINITE
        return found[0], found[1]

    def _closed(self, d: int, rates: Integers, ways: list[_Both]) -> PricedPath | None:
        """The cheapest way home, followed back."""
        last = self._orders.layers[-1]
        home = _rated(rates[d], self._hops[:, d])
        ends = _sum(np.stack([ways[state][0].price[d] for state in last]), home)
        at, node = (int(index) for index in np.unravel_index(ends.argmin(), ends.shape))
        if ends[at, node] >= INFINITE:
            return None
        price = int(ends[at, node]) + int(rates[d]) * int(self._own[d])
        trip = int(self._hops[node, d] + self._own[d])
        visits: list[tuple[int, int]] = []
        state, rank = last[at], 0
        while state:
            stage, way = self._orders.stage[state], ways[state][rank]
            visits.append((node, stage))
            before = int(way.before[d, node]) if way.state[d, node] else d
            trip += int(self._work[node, stage] + self._hops[before, node])
            state, rank, node = int(way.state[d, node]), int(way.rank[d, node]), before
        return PricedPath(price, trip, tuple(reversed(visits)))


def _merged(states: list[int], ways: list[_Both]) -> _Both:
    """The cheapest of the ways into several states; `state` and `rank` say which of them it is."""
    price = np.stack([way.price for state in states for way in ways[state]])
    before = np.stack([way.before for state in states for way in ways[state]])
    found = []
    for _ in range(2):
        at = price.argmin(axis=0)[np.newaxis]
        chosen = np.take_along_axis(before, at, 0)[0]
        state = np.array(states)[at[0] // 2]
        found.append(_Ways(np.take_along_axis(price, at, 0)[0], chosen, state, at[0] % 2))
        price = np.where(before == chosen, INFINITE, price)
    return found[0], found[1]


def _choice(ways: _Both, which: Integers, data: Integers, before: Integers) -> tuple[Integers, Integers]:
    """State and rank of the one way or the other."""
    nearest, other = ways
    return (
        np.where(which == 0, nearest.state[data, before], other.state[data, before]),
        np.where(which == 0, nearest.rank[data, before], other.rank[data, before]),
    )


def _sum(left: Integers, right: Integers) -> Integers:
    """Sums of prices, which may be negative, infinite where one of the two is."""
    return np.where((left < INFINITE) & (right < INFINITE), left + right, INFINITE)


def _finite(times: Integers) -> Integers:
    """Times, 0 where infinite."""
    return np.where(times < INFINITE, times, 0)


def _rated(rates: Integers, times: Integers) -> Integers:
    """Times at a rate, those that are infinite left so."""
    return np.where(times < INFINITE, rates * _finite(times), INFINITE)
