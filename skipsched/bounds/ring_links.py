"""Which nodes a ring of cheap links can join."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skipsched.bounds.tables import ELEMENTS_PER_STEP, INFINITE, Integers
from skipsched.clock import Clock
from skipsched.instance import NO_LINK, Instance


class Group(NamedTuple):
    """Nodes that reach each other over links of which a ring's all-reduce costs so much at most."""

    nodes: tuple[int, ...]
    allreduce: int


class RingLinks:
    """For each stage and size, which nodes reach each other over links whose hops cost at most so much."""

    def __init__(self, instance: Instance, clock: Clock) -> None:
        self._instance = instance
        self._clock = clock
        self._tables: dict[tuple[int, int], Integers] = {}
        self._groups: dict[tuple[int, int], list[Group]] = {}

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

    def groups(self, stage: int, size: int) -> list[Group]:
        """All sets of nodes that hold a stage of that size and reach each other at some cost and not below.

        The nodes of a stage all lie in one of them that its all-reduce pays for.
        """
        key = (stage, size)
        if key not in self._groups:
            self._groups[key] = self._found(stage, size)
        return self._groups[key]

    def _found(self, stage: int, size: int) -> list[Group]:
        able = [n for n, stages in enumerate(self._instance.allowed) if stage in stages]
        if not self._instance.allreduce.needs_ring(stage, size):
            return [Group(tuple(able), 0)]
        worst = self._worst_hops(stage, size)
        found: dict[tuple[int, ...], int] = {}
        for n in able:
            for cost in np.unique(worst[n]).tolist():
                members = tuple(np.flatnonzero(worst[n] <= cost).tolist())
                if cost < INFINITE and len(members) >= size:
                    found.setdefault(members, cost)
        return [Group(members, cost) for members, cost in found.items()]

    def _worst_hops(self, stage: int, size: int) -> Integers:
        """For each pair of nodes the worst hop, at least, of the best way there and back."""
        key = (stage, size)
        if key not in self._tables:
            self._tables[key] = self._computed(stage, size)
        return self._tables[key]

    def _computed(self, stage: int, size: int) -> Integers:
        nodes, hop = range(self._instance.nodes), self._instance.allreduce.hop
        able = np.array([stage in stages for stages in self._instance.allowed])
        worst = np.array([[hop(stage, size, a, b) for b in nodes] for a in nodes], dtype=np.int64)
        worst[worst == NO_LINK] = INFINITE
        worst[~able, :] = INFINITE
        worst[:, ~able] = INFINITE
        worst[able, able] = 0
        for middle in nodes:
            self._clock.spend(worst.size // ELEMENTS_PER_STEP)
            np.minimum(worst, np.maximum(worst[:, middle, np.newaxis], worst[middle]), out=worst)
        return np.maximum(worst, worst.T)
