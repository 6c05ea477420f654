"""What surrounds the work of a node: how long a microbatch is under way before, between and after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skipsched.bounds.round_trips import INFINITE
from skipsched.clock import Clock
from skipsched.instance import NO_LINK, Instance

#: Elements of a matrix that one step of a pure Python loop is worth.
_STEPS = 100

_Times = NDArray[np.int64]


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
        transfer = np.array(instance.transfer, dtype=np.int64)
        transfer[np.array(instance.round_trip, dtype=np.int64) == NO_LINK] = INFINITE
        np.fill_diagonal(transfer, INFINITE)
        self._transfer = transfer
        holds = np.zeros((instance.nodes, instance.stages), dtype=bool)
        for n, stages in enumerate(instance.allowed):
            holds[n, list(stages)] = True
        self._forward = np.where(holds, np.array(instance.forward, dtype=np.int64), INFINITE)
        self._backward = np.where(holds, np.array(instance.backward, dtype=np.int64), INFINITE)
        self._loss = np.where(holds[:, 0], np.array(instance.loss, dtype=np.int64), INFINITE)
        self._emits = np.where(holds[:, 0] & (np.array(instance.microbatches) > 0), 0, INFINITE)

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

    def _onward(self) -> list[_Times]:
        orders = self._instance.orders
        predecessors: list[list[int]] = [[] for _ in orders.stage]
        for state, following in enumerate(orders.successors):
            for after in following:
                predecessors[after].append(state)
        hops = np.minimum(self._transfer + self._transfer.T, INFINITE)
        onward = self._blank()
        home = self._over(hops, _sum(self._emits, self._loss))
        for state in reversed(range(len(orders.stage))):
            stage = orders.stage[state]
            if not orders.successors[state]:
                onward[state] = home
            work = _sum(self._forward[:, stage], self._backward[:, stage])
            entered = self._over(hops, _sum(onward[state], work))
            for before in predecessors[state]:
                np.minimum(onward[before], entered, out=onward[before])
        return onward

    def _blank(self) -> list[_Times]:
        size = self._instance.nodes
        return [np.full(size, INFINITE, dtype=np.int64) for _ in self._instance.orders.stage]

    def _over(self, legs: _Times, times: _Times) -> _Times:
        """For each node the cheapest leg to another node and that node's time."""
        self._clock.spend(legs.size // _STEPS)
        return _capped((legs + times[np.newaxis, :]).min(axis=1))

    def _by_stage(self, states: list[_Times], able: _Times) -> tuple[tuple[int, ...], ...]:
        """For each node and stage the cheapest of the states with that stage."""
        best = np.full(able.shape, INFINITE, dtype=np.int64)
        for state, stage in enumerate(self._instance.orders.stage):
            np.minimum(best[:, stage], states[state], out=best[:, stage])
        best[able >= INFINITE] = INFINITE
        return tuple(tuple(int(time) for time in row) for row in best)


def _sum(left: _Times, right: _Times) -> _Times:
    return _capped(left + right)


def _capped(times: _Times) -> _Times:
    return np.minimum(times, INFINITE)
