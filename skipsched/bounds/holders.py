"""Who may hold a stage together, and what they can do within a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skipsched.bounds.able import Able
from skipsched.bounds.alike import Classes
from skipsched.bounds.chosen import over_data_nodes, smallest_share
from skipsched.bounds.succession import between, successive
from skipsched.bounds.tables import ELEMENTS_PER_STEP, INFINITE, Integers
from skipsched.clock import Clock
from skipsched.instance import Instance

#: Sizes of a stage that are looked at together: up to so many times the smallest of them.
_SPREAD = 1.25


class Options(NamedTuple):
    """How a stage may be held: the nodes of an allocation's stage obey at least one of its options.

    Parameters
    ----------
    number
        Of each option, among all of its stage.
    fewest, most
        How many nodes, by option.
    allreduce
        Microseconds of the all-reduce, at least, by option.
    members
        Whose nodes may be among them, ``[option][class]``.
    able
        What one node can do in time, ``[option][class]``: microseconds of round trips that a data node's
        slots leave room for; on another stage microbatches.
    in_turn
        Microseconds of round trips that there is time for one after the other, on a data node as many as
        `Holders.successive` says, ``[option][class]``; 0 on another stage.
    """

    number: Integers
    fewest: Integers
    most: Integers
    allreduce: Integers
    members: NDArray[np.bool_]
    able: Integers
    in_turn: Integers

    def only(self, kept: NDArray[np.bool_]) -> Options:
        """Some of the options."""
        return Options(
            self.number[kept],
            self.fewest[kept],
            self.most[kept],
            self.allreduce[kept],
            self.members[kept],
            self.able[kept],
            self.in_turn[kept],
        )

    def cheapest(self, prices: Integers, counts: Integers) -> tuple[Integers, Integers]:
        """For each option the nodes with the smallest sum of prices.

        Parameters
        ----------
        prices
            Of one node, ``[option][class]``.
        counts
            Nodes of each class, the same for all options or ``[option][class]``.

        Returns
        -------
        sums, taken
            By option, and how many nodes of each class, ``[option][class]``.
        """
        priced = np.where(self.members, prices, INFINITE)
        order = np.argsort(priced, axis=1, kind="stable")
        ascending = np.take_along_axis(priced, order, axis=1)
        available = np.take_along_axis(np.broadcast_to(counts, priced.shape), order, axis=1)
        before = np.cumsum(available, axis=1) - available
        # Nodes of a negative price as many as may be, others only as many as must be.
        wanted = np.where(ascending < 0, self.most[:, np.newaxis], self.fewest[:, np.newaxis])
        picked = np.clip(wanted - before, 0, available)
        sums = np.where(picked > 0, ascending * picked, 0).sum(axis=1)
        taken = np.empty_like(picked)
        np.put_along_axis(taken, order, picked, axis=1)
        return sums, taken

    def sharing(
        self, price: Integers, worths: Integers, counts: Integers, most: int
    ) -> tuple[Integers, Integers]:
        """`cheapest` where nodes are paid for what they do, and a class for no more than `most`.

        The first nodes of a class are paid for all that they are able to do, the next one for what is left
        of `most`, others for nothing.

        Parameters
        ----------
        price
            Paid for a microbatch, by class; not negative.
        worths
            Paid for a node, by class.
        """
        whole = np.where(self.able > 0, np.minimum(counts, most // np.maximum(1, self.able)), counts)
        part = np.minimum(self.able, most - whole * self.able)
        parts = np.minimum(1, counts - whole)
        prices = np.concatenate([-price * done - worths for done in (self.able, part, 0 * part)], axis=1)
        nodes = np.concatenate([whole, parts, counts - whole - parts], axis=1)
        thrice = self._replace(members=np.tile(self.members, 3))
        sums, taken = thrice.cheapest(prices, nodes)
        return sums, taken.reshape(len(sums), 3, len(counts)).sum(axis=1)


class Holders:
    """For each stage its options, and what they can do within a time.

    Parameters
    ----------
    instance
        The tables.
    classes
        Its nodes.
    able
        What single nodes can do.
    emits
        Which classes have paths as data nodes.
    clock
        The limit.

    Attributes
    ----------
    successive
        How many microbatches of a data node are known to follow one after the other, by class (`succession`).
    """

    def __init__(
        self, instance: Instance, classes: Classes, able: Able, emits: NDArray[np.bool_], clock: Clock
    ) -> None:
        self._instance = instance
        self._classes = classes
        self._able = able
        self._emits = emits
        self._clock = clock
        self._share = smallest_share(instance)
        # What does not change from one time to the next: six figures of each class, by stage, and two more.
        first, ways = classes.first, able.ways
        tables = (instance.forward, instance.backward, instance.slots, ways.ahead, ways.onward, ways.behind)
        self._figures: Integers = np.array([[table[n] for n in first] for table in tables], dtype=np.int64)
        self._emitted, self._done = (
            np.array([table[n] for n in first], dtype=np.int64)
            for table in (instance.microbatches, able.done)
        )
        self.successive: Integers = np.array([self._successive(n) for n in first], dtype=np.int64)
        self._ready = over_data_nodes(instance, able.done)
        self._options = [self._found(k) for k in range(instance.stages)]

    def within(self, stage: int, time: int) -> Options:
        """The options of a stage that can do its work if the iteration ends by a time."""
        options = self._options[stage]
        self._clock.spend(options.members.size // ELEMENTS_PER_STEP)
        left = (time - options.allreduce)[:, np.newaxis]
        if stage == 0:
            through = self._emits & (self._done <= left)
            able, in_turn = self._budgets(left)
            options = options._replace(members=options.members & through, able=able, in_turn=in_turn)
            enough = left[:, 0] >= self._ready
        else:
            options = options._replace(able=self._visits(stage, time, left))
            full = options._replace(fewest=options.most)
            enough = -full.cheapest(-options.able, self._classes.counts)[0] >= self._share
        there = (options.members * self._classes.counts).sum(axis=1)
        return options.only(enough & (there >= options.fewest))

    def _successive(self, data_node: int) -> int:
        instance, trip = self._instance, self._able.trips[data_node]
        if trip >= INFINITE:
            return 0
        step = instance.forward[data_node][0] + instance.backward[data_node][0] + 2 * instance.overhead
        slots = max(1, instance.slots[data_node][0])
        return successive(instance.microbatches[data_node], slots, trip, step, instance.overhead)

    def _budgets(self, left: Integers) -> tuple[Integers, Integers]:
        """Microseconds of round trips for which `in_flight_bound` leaves room on a data node.

        Returns
        -------
        of_all, in_turn
            Those of all its microbatches, and of those that follow one after the other.
        """
        overhead, count = self._instance.overhead, self._emitted
        forward, backward, slots = self._figures[:3, :, 0]
        step = forward + backward + 2 * overhead
        used = np.minimum(slots, count)
        of_all: Integers = used * left - (count - used) * overhead - used * (used - 1) // 2 * step
        rest = between(count, slots, self.successive, step, overhead)
        in_turn: Integers = np.where(self.successive > 0, left - rest, 0)
        return of_all, in_turn

    def _visits(self, stage: int, time: int, left: Integers) -> Integers:
        """`Able.within`, of all classes and for several ends of the stage's last B."""
        forward, backward, slots, ahead, onward, behind = self._figures[:, :, stage]
        passed = np.maximum(np.maximum(ahead, onward), behind) < INFINITE
        ahead, onward, behind = (np.where(passed, table, 0) for table in (ahead, onward, behind))
        overhead = self._instance.overhead
        window = np.minimum(left, time - self._able.first_allreduce - behind) - ahead
        busy = forward + backward + 2 * overhead
        load = np.where(busy > 0, (window + overhead) // np.maximum(1, busy), INFINITE)
        residence = forward + onward + backward
        # As `rows_within`.
        few = np.where(busy > 0, 1 + 2 * (window - residence) // np.maximum(1, busy), INFINITE)
        held = slots * (window + overhead) - slots * (slots - 1) // 2 * busy
        many = np.minimum(
            held // np.maximum(1, residence + overhead), self._in_succession(window, slots, residence, busy)
        )
        rows = np.where(few < slots, few, np.maximum(slots, many))
        able = np.minimum(np.minimum(load, rows), sum(self._instance.microbatches))
        return np.where(passed & (window >= np.maximum(0, residence)), able, 0)

    def _in_succession(
        self, window: Integers, slots: Integers, residence: Integers, step: Integers
    ) -> Integers:
        """As `successive_within`."""
        overhead = self._instance.overhead
        longest = (window + overhead) // np.maximum(1, residence + overhead)
        divisor = np.maximum(1, step)
        last = 1 + (window - longest * residence - (longest - 1) * overhead) // divisor
        long = (longest - 1) * slots + np.minimum(slots, last)
        short = slots + 1 + (window - 2 * residence - overhead) // divisor
        most = np.where(residence + overhead >= slots * step, long, short)
        return np.where(step > 0, np.where(longest < 2, slots, most), INFINITE)

    def _found(self, stage: int) -> Options:
        """For each range of sizes the groups of classes that a ring of cheap links can join."""
        able, pinned = self._classes.able(stage), self._classes.pinned(stage)
        counts = self._classes.counts
        largest = min(self._instance.max_sizes[stage], int(counts[able].sum()))
        rows = [
            (fewest, min(most, int(counts[members].sum())), allreduce, members)
            for fewest, most in _ranges(self._instance.min_sizes[stage], largest)
            for members, allreduce in self._groups(stage, fewest, able)
            if counts[members].sum() >= fewest and (members >= pinned).all()
        ]
        fewest, most, allreduce = np.array([row[:3] for row in rows], dtype=np.int64).reshape(-1, 3).T
        members = np.array([row[3] for row in rows], dtype=bool).reshape(len(rows), len(counts))
        nothing = np.zeros(members.shape, dtype=np.int64)
        return Options(np.arange(len(rows)), fewest, most, allreduce, members, nothing, nothing)

    def _groups(self, stage: int, size: int, able: NDArray[np.bool_]) -> list[tuple[NDArray[np.bool_], int]]:
        """As `RingLinks.groups`, over classes."""
        if not self._instance.allreduce.needs_ring(stage, size):
            return [(able, 0)]
        worst = self._classes.ring_hops(stage, size)
        worst[~able, :] = INFINITE
        worst[:, ~able] = INFINITE
        for middle in range(len(able)):
            self._clock.spend(worst.size // ELEMENTS_PER_STEP)
            np.minimum(worst, np.maximum(worst[:, middle, np.newaxis], worst[middle]), out=worst)
        worst = np.maximum(worst, worst.T)
        found: dict[bytes, tuple[NDArray[np.bool_], int]] = {}
        for row in worst:
            for cost in np.unique(row[row < INFINITE]).tolist():
                members = row <= cost
                known = found.setdefault(members.tobytes(), (members, cost))
                if cost < known[1]:
                    found[members.tobytes()] = (members, cost)
        return list(found.values())


def _ranges(least: int, largest: int) -> list[tuple[int, int]]:
    """Sizes in ranges of similar ones; one node, which needs no ring, is by itself."""
    ranges = []
    while least <= largest:
        most = min(largest, max(least, int(least * _SPREAD)))
        ranges.append((least, most))
        least = most + 1
    return ranges
