"""The prices bound: who takes a good node's time takes it from others, and who holds one stage no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skipsched.bounds.able import Able
from skipsched.bounds.alike import Classes
from skipsched.bounds.chosen import largest_share, smallest_share
from skipsched.bounds.holders import Holders, Options
from skipsched.bounds.priced_paths import PricedPath, PricedPaths
from skipsched.bounds.ring_links import RingLinks
from skipsched.bounds.tables import INFINITE, Integers
from skipsched.clock import Clock, OutOfTime
from skipsched.instance import Instance

Floats = NDArray[np.float64]

#: Classes of nodes to the power of three times states of a stage order beyond which paths are not priced.
_MOST_LEGS = 50_000_000
#: Seconds of counted work at most, and the share of what is left.
_MOST_WORK = 6.0
_MOST_SHARE = 0.75
#: The bound is looked for up to this part of it.
_SMALL = 2e-3
#: A microbatch's share of what the linear programme leaves unserved that counts as none.
_NOTHING = 1e-4
#: How much later the next time to be excluded is.
_STEP = 1.25
#: Sums of prices stay below this.
_MOST_PRICE = INFINITE // 4
#: New ways to hold a stage in one round at most.
_MOST_WAYS = 8
#: Steps that count for an element of the linear programme's basis.
_STEPS_PER_PIVOT = 0.5


def prices_bound(instance: Instance, known: int, most: int, clock: Clock) -> int:
    """Microseconds within which no allocation has paths for all microbatches, from `known` on.

    Within a time T, less what the stage's all-reduce takes, a data node's M slots leave its W microbatches
    ``budget`` microseconds of round trips (`in_flight_bound`), and L of them, which follow one after the
    other, ``in_turn`` microseconds (`succession`); a node of another stage executes at most ``able``
    microbatches (`Able.within`). Every stage but the first executes its ``share`` at least,
    and nodes that are alike together no more than the most that a stage executes.

    Give every data node d a rate r(d) for a microsecond of its round trips, and a rate t(d) more for those of
    the L(d); every other node n a price p(n, k) for a visit on stage k, every stage k a reward g(k) for a
    microbatch that executes it, none of them negative, and every node any worth u(n). Let w(d) be the price
    of the cheapest path of d, less its rewards, over nodes of any stages, and v(d) the same with t(d). In a
    schedule of an allocation all paths of d together cost ``C(d) = (W(d) - L(d)) * w(d) + L(d) * v(d)`` at
    least; at most what the nodes can be paid for, less ``share`` rewards for every stage. So

        sum over stage 0 of (C(d) - r(d) * budget(d) - t(d) * in_turn(d) - u(d))
        + sum over the other stages k and their nodes n of (-p(n, k) * able(n) - u(n))
        + sum of u(n) + sum over k > 0 of share * g(k)  <=  0.

    Every node is in one stage, so that the u add up to nothing. Now let each stage choose the nodes that make
    its sum smallest, as if there were no other stage: over its sizes, and the nodes that a ring can join for
    some all-reduce (`Holders`). If even then the left side is above 0, no schedule ends within T.

    Whatever the prices, that is a proof, and it is carried out in integers; where the prices come from does
    not matter. They are those of a linear programme, the dual of all stages' choices and all paths, to which
    cheapest paths and choices are added until it says nothing new.

    Parameters
    ----------
    known
        A bound that is proved already.
    most
        The iteration time of a schedule.
    clock
        The limit; what is proved until it is reached counts.
    """
    if instance.orders.empty:
        return known
    low, high = known, most
    best: Priced | None = None
    try:
        classes = Classes(instance, clock)
        if len(classes) ** 3 * len(instance.orders.stage) > _MOST_LEGS:
            return known
        market = Market(instance, classes, clock)
        programme = _Programme(market, most)
        while high - low > _SMALL * low:
            time = min(int(low * _STEP), (low + high) // 2)
            offer = programme.against(time)
            if offer is None:
                high = time
            else:
                best = offer
                low = market.excluded(offer, time, high, int(_SMALL * low))
        if best is not None:
            low = market.excluded(best, low - 1, most, 0)
    except OutOfTime:
        pass  # whoever asked will see that for himself
    return low


class Offer(NamedTuple):
    """Prices as integers in a common unit.

    Parameters
    ----------
    rates
        Of a microsecond, by class of data nodes.
    in_turn
        Of a microsecond more where microbatches follow one after the other, by class of data nodes.
    visits
        ``[class][stage]``.
    rewards
        By stage, 0 for the first.
    worths
        By class.
    """

    rates: Integers
    in_turn: Integers
    visits: Integers
    rewards: Integers
    worths: Integers


#: The cheapest path of each class of data nodes, where it has one.
_Paths = Sequence[PricedPath | None]


class Priced(NamedTuple):
    """An offer with the cheapest paths: of any microbatches, and of those that follow one after the other."""

    offer: Offer
    paths: _Paths
    in_turn: _Paths


class Choice(NamedTuple):
    """How one stage may be held, at the prices of an offer: a sum for each option, and the nodes taken."""

    options: Options
    sums: Integers
    taken: Integers


class Market:
    """Nodes, what they can do and afford within a time, and the exact test of prices.

    Parameters
    ----------
    instance
        The tables.
    classes
        Its nodes.
    clock
        The limit.

    Attributes
    ----------
    emitted
        Microbatches of a data node, by class.
    successive
        How many of them follow one after the other.
    share, largest
        Microbatches that each stage but the first executes at least and at most.
    """

    def __init__(self, instance: Instance, classes: Classes, clock: Clock) -> None:
        self.instance = instance
        self.classes = classes
        self.emitted: Integers = np.array(instance.microbatches, dtype=np.int64)[self.classes.first]
        self.share = smallest_share(instance)
        self.largest = largest_share(instance)
        self._clock = clock
        self._paths = PricedPaths(instance, classes, clock)
        able = Able(instance, RingLinks(instance, clock), clock)
        self._holders = Holders(instance, classes, able, self._emits(), clock)
        self.successive = self._holders.successive
        self._end = clock.work + min(_MOST_WORK, _MOST_SHARE * clock.remaining())

    def _emits(self) -> NDArray[np.bool_]:
        """Which classes have a path for what they emit as data nodes."""
        ones = np.ones(len(self.classes), dtype=np.int64)
        paths = self._paths.cheapest(ones, np.zeros((len(ones), self.instance.stages), dtype=np.int64))
        return np.array(
            [path is not None or count == 0 for path, count in zip(paths, self.emitted, strict=True)]
        )

    def spend(self, steps: int) -> None:
        """Count work.

        Raises
        ------
        OutOfTime
            If the clock has run out, or the work that the bound may take is done.
        """
        self._clock.spend(steps)
        if self._clock.work > self._end:
            raise OutOfTime

    def within(self, time: int) -> list[Options]:
        """For each stage how it may be held if the iteration ends by a time."""
        self.spend(self.instance.nodes)
        return [self._holders.within(k, time) for k in range(self.instance.stages)]

    def priced(self, offer: Offer) -> Priced:
        """An offer with the paths that are cheapest then."""
        self.spend(self.instance.nodes)
        paths = self._paths.cheapest(offer.rates, offer.visits - offer.rewards)
        if not offer.in_turn.any():
            return Priced(offer, paths, paths)
        in_turn = self._paths.cheapest(offer.rates + offer.in_turn, offer.visits - offer.rewards)
        return Priced(offer, paths, in_turn)

    def choices(self, priced: Priced, options: Sequence[Options]) -> list[Choice]:
        """What each stage chooses."""
        offer, counts = priced.offer, self.classes.counts
        of_any, of_those_in_turn = (
            np.array([0 if path is None else path.price for path in paths], dtype=np.int64)
            for paths in (priced.paths, priced.in_turn)
        )
        first, *others = options
        paid = (self.emitted - self.successive) * of_any + self.successive * of_those_in_turn
        prices = paid - offer.rates * first.able - offer.in_turn * first.in_turn - offer.worths
        choices = [Choice(first, *first.cheapest(prices, counts))]
        for k, held in enumerate(others, 1):
            shared = held.sharing(offer.visits[:, k], offer.worths, counts, self.largest)
            choices.append(Choice(held, *shared))
        return choices

    def unpaid(self, priced: Priced, choices: Sequence[Choice]) -> int:
        """What remains unpaid at least: a positive number proves that there is no schedule."""
        if any(len(choice.sums) == 0 for choice in choices):
            return 1
        offer = priced.offer
        given = int((offer.worths * self.classes.counts).sum()) + self.share * int(offer.rewards.sum())
        return given + sum(int(choice.sums.min()) for choice in choices)

    def excluded(self, priced: Priced, time: int, most: int, exact: int) -> int:
        """The earliest time that the prices do not exclude, later than one that they do.

        Parameters
        ----------
        time
            A time that is excluded.
        most
            A time that need not be.
        exact
            How many microseconds less than that it may be.
        """
        low, high = time + 1, most
        while high - low > exact:
            middle = (low + high) // 2
            unpaid = self.unpaid(priced, self.choices(priced, self.within(middle)))
            low, high = (middle + 1, high) if unpaid > 0 else (low, middle)
        return low

    def unit(self, prices: Sequence[Floats], most: int) -> float:
        """The integer that stands for 1: the parts of an offer large, yet safe from overflow.

        Parameters
        ----------
        most
            No time is later.
        """
        rates, in_turn, visits, rewards, worths = prices
        instance, counts, longest = self.instance, self.classes.counts, self._paths.longest
        path = (rates + in_turn).max() * longest + (visits.max() + rewards.max()) * instance.path_length
        slots = np.minimum(np.array(instance.slots)[self.classes.first, 0], self.emitted)
        # More microseconds than any budget, above or below 0.
        rows = slots * (most + longest * (slots + 2)) + self.emitted * instance.overhead
        rows = rows + slots * slots * 2 * instance.overhead
        visited = sum(instance.microbatches) * visits.max(axis=1)
        succession = most + self.emitted * (longest + 3 * instance.overhead)
        each = self.emitted * path + rates * rows + in_turn * succession + visited + np.abs(worths)
        return _MOST_PRICE / (1.0 + float((counts * each).sum() + self.share * rewards.sum() + path))


class _Programme:
    """The linear programme that suggests prices: an allocation in parts, and paths for its microbatches.

    Its variables are how much of each way to hold a stage is chosen and how many microbatches take each path,
    in turn or not; what it minimises, the microbatches that find no path and the nodes that find no stage.
    Prices are the duals of its rows: of budgets, visits, shares and nodes.

    Parameters
    ----------
    market
        What it makes prices for.
    most
        No time is later.
    """

    def __init__(self, market: Market, most: int) -> None:
        from ortools.linear_solver import pywraplp  # type: ignore[import-untyped]

        self._market = market
        self._most = most
        self._solver: Any = pywraplp.Solver.CreateSolver("GLOP")
        self._solver.Objective().SetMinimization()
        self._plainly = pywraplp.MPSolverParameters()
        self._plainly.SetIntegerParam(self._plainly.PRESOLVE, self._plainly.PRESOLVE_OFF)
        stages, counts = range(market.instance.stages), market.classes.counts.tolist()
        dear = float(sum(market.instance.microbatches))
        # Of microbatches that do not follow one after the other, and of those that do.
        self._emitted = [[self._row(0, 1.0) for _ in counts] for _ in range(2)]
        # Of all of them, and of those that do.
        self._budgets = [[self._row(0, None) for _ in counts] for _ in range(2)]
        self._visits = [[self._row(0, None) for _ in stages] for _ in counts]
        self._shares = [self._row(market.share if k else 0, 1.0) for k in stages]
        self._nodes = [self._row(count, dear) for count in counts]
        self._held = [self._row(1, 2 * dear) for _ in stages]
        for row in self._nodes + self._held:
            row.SetUb(row.Lb())
        for row in self._nodes:
            self._column({row: -1.0}, dear)
        self._ways: dict[tuple[int, int, tuple[int, ...]], Any] = {}
        self._paths: set[tuple[int, int, tuple[tuple[int, int], ...]]] = set()

    def against(self, time: int) -> Priced | None:
        """Prices that exclude a time; None if there are none to be found."""
        market, options = self._market, self._market.within(time)
        self._set_time(options)
        while True:
            if not self._solved() or self._solver.Objective().Value() < _NOTHING:
                return None
            limits = [row.dual_value() for row in self._held]
            prices = self._prices()
            unit = market.unit(prices, self._most)
            priced = market.priced(Offer(*((each * unit).astype(np.int64) for each in prices)))
            choices = market.choices(priced, options)
            if market.unpaid(priced, choices) > 0:
                return priced
            new = self._add_paths(0, priced.paths) | self._add_paths(1, priced.in_turn)
            for k, choice in enumerate(choices):
                new |= self._add_ways(k, choice, limits[k] * unit)
            if not new:
                return None

    def _solved(self) -> bool:
        """Solve it; without presolve where its way back from there ends in trouble, as it does at times."""
        for parameters in ((), (self._plainly,)):
            solved = self._solver.Solve(*parameters) == self._solver.OPTIMAL
            pivots = self._solver.iterations() * self._solver.NumConstraints()
            self._market.spend(int(pivots * _STEPS_PER_PIVOT))
            if solved:
                return True
        return False

    def _prices(self) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """The parts of an offer as the programme sees them."""
        rates, in_turn = np.array([[row.dual_value() for row in rows] for rows in self._budgets]) / self._most
        visits = np.array([[0.0, *(row.dual_value() for row in rows[1:])] for rows in self._visits])
        rewards = np.array([0.0, *(row.dual_value() for row in self._shares[1:])])
        worths = np.array([row.dual_value() for row in self._nodes])
        rates, in_turn, visits, rewards = (
            np.maximum(0.0, each) for each in (rates, in_turn, visits, rewards)
        )
        return rates, in_turn, visits, rewards, worths

    def _add_paths(self, in_turn: int, paths: _Paths) -> bool:
        """Tell it of paths, of microbatches in turn or not; whether any was new."""
        new = False
        for d, path in enumerate(paths):
            if path is None or (in_turn and not self._market.successive[d]):
                continue
            key = (in_turn, d, path.visits)
            if key in self._paths:
                continue
            new = True
            self._paths.add(key)
            trip = -path.trip / self._most
            column = {self._emitted[in_turn][d]: 1.0}
            column |= {budgets[d]: trip for budgets in self._budgets[: in_turn + 1]}
            column |= {self._visits[c][k]: -float(times) for (c, k), times in Counter(path.visits).items()}
            column |= {self._shares[k]: 1.0 for _, k in path.visits}
            self._column(column, 0.0)
        return new

    def _add_ways(self, stage: int, choice: Choice, limit: float) -> bool:
        """Tell it of the best ways to hold a stage; whether any was new and better than those it knows."""
        new = 0
        for i in np.argsort(choice.sums, kind="stable").tolist():
            if choice.sums[i] >= limit or new == _MOST_WAYS:
                break
            taken = tuple(choice.taken[i].tolist())
            key = (stage, int(choice.options.number[i]), taken)
            if key in self._ways:
                continue
            new += 1
            column = {self._held[stage]: 1.0}
            column |= {self._nodes[c]: float(count) for c, count in enumerate(taken) if count}
            self._ways[key] = self._column(column, 0.0)
            self._set_way(key, choice.options.able[i], choice.options.in_turn[i])
        return new > 0

    def _set_time(self, options: Sequence[Options]) -> None:
        """What can be done within a time."""
        places = [{number: i for i, number in enumerate(held.number.tolist())} for held in options]
        for key, way in self._ways.items():
            stage, number, taken = key
            place, held = places[stage].get(number), options[stage]
            if place is None or (np.array(taken) > 0)[~held.members[place]].any():
                way.SetUb(0.0)
            else:
                way.SetUb(self._solver.infinity())
                self._set_way(key, held.able[place], held.in_turn[place])

    def _set_way(self, key: tuple[int, int, tuple[int, ...]], able: Integers, in_turn: Integers) -> None:
        stage, _, taken = key
        way, market = self._ways[key], self._market
        for c, count in enumerate(taken):
            if count == 0:
                continue
            if stage == 0:
                length = market.successive[c]
                for rows, each in zip(self._emitted, (market.emitted[c] - length, length), strict=True):
                    rows[c].SetCoefficient(way, -float(count * each))
                for rows, each in zip(self._budgets, (able[c], in_turn[c]), strict=True):
                    rows[c].SetCoefficient(way, count * float(each) / self._most)
            else:
                done = min(count * int(able[c]), market.largest)
                self._visits[c][stage].SetCoefficient(way, float(done))

    def _row(self, least: float, price: float | None) -> Any:
        """A sum of at least so much, with what it may lack at a price."""
        row = self._solver.Constraint(least, self._solver.infinity())
        if price is not None:
            self._column({row: 1.0}, price)
        return row

    def _column(self, coefficients: Mapping[Any, float], price: float) -> Any:
        variable = self._solver.NumVar(0.0, self._solver.infinity(), "")
        self._solver.Objective().SetCoefficient(variable, price)
        for row, coefficient in coefficients.items():
            row.SetCoefficient(variable, coefficient)
        return variable
