"""Who may hold which stage: allocations within pins, memory and stage sizes."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from skipsched.instance import Instance


@dataclass(frozen=True, slots=True)
class TooFew:
    """Why no allocation exists: stages whose places outnumber, or fall short of, the nodes for them.

    Parameters
    ----------
    stages
        The stages concerned, ascending.
    nodes
        The nodes that can hold one of them (`lacking`), or that can hold nothing else (not `lacking`).
    lacking
        Whether the stages want more nodes than these; otherwise they have too few places for them.
    """

    stages: tuple[int, ...]
    nodes: tuple[int, ...]
    lacking: bool


def assign(instance: Instance, wishes: Sequence[Sequence[int]], nodes: Sequence[int]) -> list[int] | TooFew:
    """Assign every node to a stage it may hold, within the stage sizes, close to the wishes.

    Augmenting paths over the stages: exact, whatever the wishes.

    Parameters
    ----------
    instance
        Gives pins, memory (`allowed`) and sizes.
    wishes
        Stages in order of preference, for each node; a subset of those it may hold is enough.
    nodes
        In which order the nodes choose.

    Returns
    -------
    list of int or TooFew
        The stage of each node, or why there is no such allocation.
    """
    seating = _Seating(instance)
    for node in nodes:
        stuck = seating.seat(node, wishes[node])
        if stuck is not None:
            return stuck
    for stage in range(instance.stages):
        while len(seating.members[stage]) < instance.min_sizes[stage]:
            stuck = seating.fill(stage)
            if stuck is not None:
                return stuck
    allocation = [0] * instance.nodes
    for stage, members in enumerate(seating.members):
        for node in members:
            allocation[node] = stage
    return allocation


class _Seating:
    """Nodes in stages, and shifts of nodes along chains of stages."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.members: list[set[int]] = [set() for _ in range(instance.stages)]

    def seat(self, node: int, wishes: Sequence[int]) -> TooFew | None:
        """Give a node a place, shifting others if all its stages are full."""
        allowed = self.instance.allowed[node]
        for stage in wishes:
            if stage in allowed and self._has_room(stage):
                self.members[stage].add(node)
                return None
        came_from: dict[int, tuple[int, int] | None] = dict.fromkeys(allowed)
        queue = deque(allowed)
        while queue:
            stage = queue.popleft()
            if self._has_room(stage):
                first = self._shift(stage, came_from)
                self.members[first].add(node)
                return None
            for member in sorted(self.members[stage]):
                for other in self.instance.allowed[member]:
                    if other not in came_from:
                        came_from[other] = (stage, member)
                        queue.append(other)
        inside = set(came_from)
        crowd = [n for n in range(self.instance.nodes) if inside.issuperset(self.instance.allowed[n])]
        return TooFew(tuple(sorted(inside)), tuple(crowd), lacking=False)

    def fill(self, stage: int) -> TooFew | None:
        """Bring one more node into a stage, from one that can spare it."""
        came_from: dict[int, tuple[int, int] | None] = {stage: None}
        queue = deque([stage])
        while queue:
            into = queue.popleft()
            for node in range(self.instance.nodes):
                if into not in self.instance.allowed[node]:
                    continue
                holder = next(k for k, members in enumerate(self.members) if node in members)
                if holder in came_from:
                    continue
                came_from[holder] = (into, node)
                if len(self.members[holder]) > self.instance.min_sizes[holder]:
                    self._pull(holder, came_from)
                    return None
                queue.append(holder)
        inside = set(came_from)
        able = [n for n in range(self.instance.nodes) if inside.intersection(self.instance.allowed[n])]
        return TooFew(tuple(sorted(inside)), tuple(able), lacking=True)

    def _has_room(self, stage: int) -> bool:
        return len(self.members[stage]) < self.instance.max_sizes[stage]

    def _shift(self, stage: int, came_from: dict[int, tuple[int, int] | None]) -> int:
        """Move a node along each link of the chain that ends in `stage`; returns the chain's first stage."""
        while (step := came_from[stage]) is not None:
            before, member = step
            self.members[before].remove(member)
            self.members[stage].add(member)
            stage = before
        return stage

    def _pull(self, stage: int, came_from: dict[int, tuple[int, int] | None]) -> None:
        while (step := came_from[stage]) is not None:
            into, node = step
            self.members[stage].remove(node)
            self.members[into].add(node)
            stage = into
