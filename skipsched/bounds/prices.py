"""The prices bound: who takes a good node's time takes it from others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from skipsched.bounds.able import Able
from skipsched.bounds.priced_paths import PricedPath, PricedPaths
from skipsched.bounds.ring_links import RingLinks
from skipsched.bounds.tables import INFINITE
from skipsched.clock import Clock, OutOfTime
from skipsched.instance import Instance

#: Nodes to the power of three times positions beyond which paths are not priced.
_MOST_LEGS = 2_000_000
#: Rounds of new prices at most.
_MOST_ROUNDS = 200
#: Gains below this share of the bound are not worth another round.
_SMALL = 1e-4
#: Prices of paths stay below this.
_MOST_PRICE = INFINITE // 4


def prices_bound(instance: Instance, known: int, most: int, clock: Clock) -> int:
    """Microseconds within which data nodes and the nodes they need cannot all be found, from `known` on.

    Within a time T, a data node's M slots leave its W microbatches ``budget`` microseconds of round trips
    (`in_flight_bound`), and a node of another stage executes at most ``capacity`` microbatches
    (`Able.within`). Give every data node d a rate r(d) for a microsecond of its round trips and every other
    node n a price p(n) for a visit, none negative. If w(d) is the price of the cheapest path of d, the
    microbatches of the data nodes chosen pay in any schedule

        sum of W(d) * w(d)  <=  sum over d of r(d) * budget(d) + sum over the others n of p(n) * capacity(n).

    If even for the cheapest choice of data nodes the left side is larger, no schedule ends within T. Whatever
    the prices, that is a proof, and it is carried out in integers; where the prices come from does not
    matter. They are those of a linear programme (the Lagrangian dual of choosing data nodes and paths) to
    which cheapest paths are added until it says nothing new.

    Parameters
    ----------
    known
        A bound that is proved already.
    most
        The iteration time of a schedule.
    clock
        The limit; what is proved until it is reached counts.
    """
    if instance.orders.empty or instance.nodes**3 * instance.path_length > _MOST_LEGS:
        return known
    bound = known
    try:
        market = Market(instance, clock)
        programme = _Programme(market, known)
        for _ in range(_MOST_ROUNDS):
            offer = programme.offer(bound) if bound < most else None
            if offer is None:
                break
            paths = market.cheapest(offer)
            before, bound = bound, market.proved(offer, paths, bound, most)
            if not programme.add(paths) and bound == before:
                break
    except OutOfTime:
        pass  # whoever asked will see that for himself
    return bound


class Offer(NamedTuple):
    """Rates by data node and prices by node, as integers in a common unit."""

    rates: Sequence[int]
    prices: Sequence[int]


class Market:
    """Data nodes, what they and others can afford within a time, and the exact test of prices.

    Attributes
    ----------
    forced
        Nodes that are data nodes in every allocation.
    free
        Nodes that may be data nodes or not.
    chosen
        How many of the free ones are chosen.
    """

    def __init__(self, instance: Instance, clock: Clock) -> None:
        self.instance = instance
        self._clock = clock
        self._rings = RingLinks(instance, clock)
        self._able = Able(instance, self._rings, clock)
        self._paths = PricedPaths(instance, clock)
        #: The cheapest paths where nothing but time has a price.
        self.quickest = self.cheapest(Offer([1] * instance.nodes, [0] * instance.nodes))
        able = [
            n
            for n in range(instance.nodes)
            if self._able.done[n] < INFINITE and (n in self.quickest or instance.microbatches[n] == 0)
        ]
        self.forced = [n for n in able if instance.allowed[n] == (0,)]
        self.free = [n for n in able if instance.allowed[n] != (0,)]
        self.chosen = instance.data_nodes - len(self.forced)

    def offer(self, rates: Sequence[float], prices: Sequence[float]) -> Offer:
        """Rates and prices as large integers that no sum along a path makes too large."""
        longest = max(1, self._paths.longest)
        scale = _MOST_PRICE / max(max(rates) * longest, max(prices) * self.instance.path_length)
        return Offer([int(rate * scale) for rate in rates], [int(price * scale) for price in prices])

    def cheapest(self, offer: Offer) -> Mapping[int, PricedPath]:
        """The cheapest path of each data node that has one."""
        rates, prices = (np.array(values, dtype=np.int64) for values in offer)
        paths = self._paths.cheapest(rates, prices)
        return {d: path for d, path in enumerate(paths) if path is not None}

    def budget(self, node: int, time: int) -> int:
        """Microseconds of round trips that a data node's slots leave room for."""
        instance = self.instance
        count = instance.microbatches[node]
        slots = min(instance.slots[node][0], count)
        step = instance.forward[node][0] + instance.backward[node][0] + 2 * instance.overhead
        rows = slots * (time - self._able.first_allreduce)
        return rows - (count - slots) * instance.overhead - slots * (slots - 1) // 2 * step

    def capacity(self, node: int, time: int) -> int:
        """The most microbatches that a node can execute on any stage but the first."""
        instance, rings = self.instance, self._rings
        return max(
            (
                self._able.within(node, k, time, time - rings.least(k, instance.min_sizes[k]))
                for k in instance.allowed[node]
                if k > 0
            ),
            default=0,
        )

    def proved(self, offer: Offer, paths: Mapping[int, PricedPath], bound: int, most: int) -> int:
        """The best bound that the prices prove, the known one at least; later times are harder to exclude."""
        low, high = bound, most
        while low < high:
            self._clock.spend(self.instance.nodes)
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._unpaid(offer, paths, middle) > 0 else (low, middle)
        return low

    def _unpaid(self, offer: Offer, paths: Mapping[int, PricedPath], time: int) -> int:
        """What the cheapest choice of data nodes pays more than can be paid within a time."""
        instance = self.instance
        earned = [price * self.capacity(n, time) if price else 0 for n, price in enumerate(offer.prices)]

        def excess(d: int) -> int:
            count = instance.microbatches[d]
            if count == 0:
                return earned[d]
            return count * paths[d].price - offer.rates[d] * self.budget(d, time) + earned[d]

        cheapest = sorted(map(excess, self.free))[: self.chosen]
        return sum(map(excess, self.forced)) + sum(cheapest) - sum(earned)


class _Programme:
    """The linear programme that suggests prices, over the paths added so far.

    Its variables are the rates, the prices, the price of the cheapest path of each data node, and the dual of
    choosing data nodes: a threshold, and by how much each lies below it. All that can be paid is worth 1,
    which only fixes the unit.

    Parameters
    ----------
    market
        What it makes prices for.
    unit
        Microseconds that make the numbers small.
    """

    def __init__(self, market: Market, unit: int) -> None:
        from ortools.linear_solver import pywraplp  # type: ignore[import-untyped]

        self._market = market
        self._unit = float(max(1, unit))
        self._solver: Any = pywraplp.Solver.CreateSolver("GLOP")
        nodes = range(market.instance.nodes)
        self._rates = [self._variable(0.0) for _ in nodes]
        self._prices = [self._variable(0.0) for _ in nodes]
        self._cheapest = [self._variable(-self._solver.infinity()) for _ in nodes]
        self._below = [self._variable(0.0) for _ in nodes]
        self._threshold = self._variable(-self._solver.infinity())
        self._worth = self._solver.Constraint(-self._solver.infinity(), 1.0)
        self._choice = {d: self._solver.Constraint(-self._solver.infinity(), 0.0) for d in market.free}
        self._known: set[tuple[int, tuple[int, ...]]] = set()
        self._set_choice()
        # Without a path of its own a data node would be worth whatever is asked for it.
        self.add(market.quickest)

    def add(self, paths: Mapping[int, PricedPath]) -> bool:
        """Tell it of paths; whether any was new."""
        new = [(d, path) for d, path in paths.items() if (d, path.nodes) not in self._known]
        for d, path in new:
            self._known.add((d, path.nodes))
            row = self._solver.Constraint(-self._solver.infinity(), 0.0)
            row.SetCoefficient(self._cheapest[d], 1.0)
            row.SetCoefficient(self._rates[d], -path.trip / self._unit)
            for n, visits in Counter(path.nodes).items():
                row.SetCoefficient(self._prices[n], -float(visits))
        return bool(new)

    def offer(self, time: int) -> Offer | None:
        """The prices by which most remains unpaid within a time; None if that is nothing to speak of."""
        self._set_time(time)
        solved = self._solver.Solve() == self._solver.OPTIMAL
        if not solved or self._solver.Objective().Value() < _SMALL:
            return None
        rates = [max(0.0, rate.solution_value()) / self._unit for rate in self._rates]
        return self._market.offer(rates, [max(0.0, price.solution_value()) for price in self._prices])

    def _variable(self, least: float) -> Any:
        return self._solver.NumVar(least, self._solver.infinity(), "")

    def _set_choice(self) -> None:
        """The sum of the smallest: so many times a threshold less what the smaller ones lie below it."""
        market, goal = self._market, self._solver.Objective()
        goal.SetMaximization()
        goal.SetCoefficient(self._threshold, float(market.chosen))
        for d, row in self._choice.items():
            goal.SetCoefficient(self._below[d], -1.0)
            row.SetCoefficient(self._threshold, 1.0)
            row.SetCoefficient(self._below[d], -1.0)
            row.SetCoefficient(self._cheapest[d], -float(market.instance.microbatches[d]))
        for d in market.forced:
            goal.SetCoefficient(self._cheapest[d], float(market.instance.microbatches[d]))

    def _set_time(self, time: int) -> None:
        """What can be paid within a time."""
        market, goal = self._market, self._solver.Objective()
        for n, (rate, price) in enumerate(zip(self._rates, self._prices, strict=True)):
            capacity = float(market.capacity(n, time))
            goal.SetCoefficient(price, -capacity)
            self._worth.SetCoefficient(price, max(1.0, capacity))
            if n in market.forced or n in market.free:
                budget = market.budget(n, time) / self._unit
                self._worth.SetCoefficient(rate, max(1.0, budget))
                if n in market.forced:
                    goal.SetCoefficient(rate, -budget)
                else:
                    self._choice[n].SetCoefficient(rate, budget)
                    self._choice[n].SetCoefficient(price, -capacity)
