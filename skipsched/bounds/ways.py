"""What surrounds the work of a node: how long a microbatch is under way before, between and after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skipsched.bounds.tables import ELEMENTS_PER_STEP, INFINITE, Integers, capped, holds, hops
from skipsched.clock import Clock
from skipsched.instance import Instance


@dataclass(frozen=True)
class Ways:
    """The cheapest ways of a microbatch around its F and B on a node, by node and stage but the first.

    Any path that the rules allow, over nodes that may hold its stages, takes at least as long. That its nodes
    hold one stage each and that it ends on the data node where it began is forgotten; that two nodes in a row
    differ is not.

    Parameters
    ----------
    ahead
        From the start of the iteration to the start of the F: the F and transfers before it.
    onward
        From the end of the F to the start of the B: on to the loss and back.
    behind
        From the end of the B to the end of the first stage's B: transfers and B.

    All microseconds, ``[node][stage]``; `INFINITE` where no path leads through.
    """

    ahead: tuple[tuple[int, ...], ...]
    onward: tuple[tuple[int, ...], ...]
    behind: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, instance: Instance, clock: Clock) -> Ways:
        """Walk the automaton of stage orders once forwards and once backwards, over all nodes at a time.

        Raises
        ------
        OutOfTime
            If the clock runs out.
        """
        return _Walk(instance, clock).ways()


class _Walk:
    """The tables as arrays, and one shortest-way recursion for each direction."""

    def __init__(self, instance: Instance, clock: Clock) -> None:
        self._instance = instance
        self._clock = clock
        self._hops = hops(instance)
        one_way = np.array(instance.transfer, dtype=np.int64)
        self._transfer = np.where(self._hops < INFINITE, one_way, INFINITE)
        able = holds(instance)
        self._forward = np.where(able, np.array(instance.forward, dtype=np.int64), INFINITE)
        self._backward = np.where(able, np.array(instance.backward, dtype=np.int64), INFINITE)
        self._loss = np.where(able[:, 0], np.array(instance.loss, dtype=np.int64), INFINITE)
        self._emits = np.where(able[:, 0] & (np.array(instance.microbatches) > 0), 0, INFINITE)

    def ways(self) -> Ways:
        orders = self._instance.orders
        ahead = self._blank()
        behind = self._blank()
        ahead[0] = behind[0] = self._emits
        for state, following in enumerate(orders.successors):
            stage = orders.stage[state]
            there = self._over(self._transfer.T, _sum(ahead[state], self._forward[:, stage]))
            back = self._over(self._transfer, _sum(behind[state], self._backward[:, stage]))
            for after in following:
                np.minimum(ahead[after], there, out=ahead[after])
                np.minimum(behind[after], back, out=behind[after])
        return Ways(
            self._by_stage(ahead, self._forward),
            self._by_stage(self._onward(), self._forward),
            self._by_stage(behind, self._forward),
        )

    def _onward(self) -> list[Integers]:
        orders = self._instance.orders
        predecessors: list[list[int]] = [[] for _ in orders.stage]
        for state, following in enumerate(orders.successors):
            for after in following:
                predecessors[after].append(state)
        onward = self._blank()
        home = self._over(self._hops, _sum(self._emits, self._loss))
        for state in reversed(range(len(orders.stage))):
            stage = orders.stage[state]
            if not orders.successors[state]:
                onward[state] = home
            work = _sum(self._forward[:, stage], self._backward[:, stage])
            entered = self._over(self._hops, _sum(onward[state], work))
            for before in predecessors[state]:
                np.minimum(onward[before], entered, out=onward[before])
        return onward

    def _blank(self) -> list[Integers]:
        size = self._instance.nodes
        return [np.full(size, INFINITE, dtype=np.int64) for _ in self._instance.orders.stage]

    def _over(self, legs: Integers, times: Integers) -> Integers:
        """For each node the cheapest leg to another node and that node's time."""
        self._clock.spend(legs.size // ELEMENTS_PER_STEP)
        return capped((legs + times[np.newaxis, :]).min(axis=1))

    def _by_stage(self, states: list[Integers], able: Integers) -> tuple[tuple[int, ...], ...]:
        """For each node and stage the cheapest of the states with that stage."""
        best = np.full(able.shape, INFINITE, dtype=np.int64)
        for state, stage in enumerate(self._instance.orders.stage):
            np.minimum(best[:, stage], states[state], out=best[:, stage])
        best[able >= INFINITE] = INFINITE
        return tuple(tuple(int(time) for time in row) for row in best)


def _sum(left: Integers, right: Integers) -> Integers:
    return capped(left + right)
