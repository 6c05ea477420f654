"""Which nodes a ring of cheap links can join."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skipsched.bounds.round_trips import INFINITE
from skipsched.clock import Clock
from skipsched.instance import NO_LINK, Instance

#: Elements of a matrix that one step of a pure Python loop is worth.
_STEPS = 100


class RingLinks:
    """For each stage and size, which nodes reach each other over links whose hops cost at most so much."""

    def __init__(self, instance: Instance, clock: Clock) -> None:
        self._instance = instance
        self._clock = clock
        self._tables: dict[tuple[int, int], NDArray[np.int64]] = {}

    def least(self, stage: int, size: int) -> int:
        """The all-reduce of a stage of that size, at least; `INFINITE` if it can have none."""
        if not self._instance.allreduce.needs_ring(stage, size):
            return 0
        worst = self._worst_hops(stage, size)
        pinned = [n for n, stages in enumerate(self._instance.allowed) if stages == (stage,)]
        # The size - 1 nodes that are nearest to a node, itself apart, and those that must be with it.
        nearest = np.sort(worst, axis=1)[:, size - 1]
        if pinned:
            nearest = np.maximum(nearest, worst[:, pinned].max(axis=1))
        return int(nearest.min())

    def groups(self, stage: int, size: int, most: int) -> list[list[int]]:
        """The sets of nodes that reach each other over hops of at most so much."""
        able = [n for n, stages in enumerate(self._instance.allowed) if stage in stages]
        if not self._instance.allreduce.needs_ring(stage, size):
            return [able]
        near = self._worst_hops(stage, size) <= most
        return [[int(m) for m in np.flatnonzero(near[n])] for n in able if np.argmax(near[n]) == n]

    def _worst_hops(self, stage: int, size: int) -> NDArray[np.int64]:
        """For each pair of nodes the worst hop, at least, of the best way there and back."""
        key = (stage, size)
        if key not in self._tables:
            self._tables[key] = self._computed(stage, size)
        return self._tables[key]

    def _computed(self, stage: int, size: int) -> NDArray[np.int64]:
        nodes, hop = range(self._instance.nodes), self._instance.allreduce.hop
        able = np.array([stage in stages for stages in self._instance.allowed])
        worst = np.array([[hop(stage, size, a, b) for b in nodes] for a in nodes], dtype=np.int64)
        worst[worst == NO_LINK] = INFINITE
        worst[~able, :] = INFINITE
        worst[:, ~able] = INFINITE
        worst[able, able] = 0
        for middle in nodes:
            self._clock.spend(worst.size // _STEPS)
            np.minimum(worst, np.maximum(worst[:, middle, np.newaxis], worst[middle]), out=worst)
        return np.maximum(worst, worst.T)
