"""The plan: everything that is decided. Allocation, paths, and the order in which each node works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from skipsched.instance import Instance


@dataclass(frozen=True, slots=True)
class Routes:
    """Allocation and paths: a plan without its order.

    Parameters
    ----------
    allocation
        Stage of each node.
    paths
        Nodes that each microbatch visits, its data node first. Microbatches are numbered data node by data
        node, in the order of the nodes.
    """

    allocation: tuple[int, ...]
    paths: tuple[tuple[int, ...], ...]

    def members(self, stages: int) -> list[list[int]]:
        """Nodes of each stage, ascending."""
        return members_of(self.allocation, stages)


@dataclass(frozen=True, slots=True)
class Plan:
    """Routes and, for each node, its actions in the order of execution (numbered as in `Actions`)."""

    routes: Routes
    order: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Actions:
    """All actions of some routes as flat arrays, the only form in which timing is computed.

    Every microbatch has the same number of actions (`per_microbatch`): F along its path, L, B back. Action
    ``a`` is the ``a % per_microbatch``-th of microbatch ``a // per_microbatch``; unless it is the first, its
    input comes from action ``a - 1``. Arrays of plain integers keep a replay free of objects and of look-ups,
    and go as they are into compiled code.

    Parameters
    ----------
    per_microbatch
        Actions of one microbatch: ``2 * path_length + 1``.
    node
        Node of each action.
    duration
        Its microseconds.
    lag
        Microseconds of the transfer of its input; 0 for a microbatch's first action.
    """

    per_microbatch: int
    node: list[int]
    duration: list[int]
    lag: list[int]

    @classmethod
    def of(cls, instance: Instance, routes: Routes) -> Actions:
        """Lay out the actions of some routes."""
        node: list[int] = []
        duration: list[int] = []
        for path in routes.paths:
            stages = [routes.allocation[n] for n in path]
            data_node = path[0]
            node += [*path, data_node, *reversed(path)]
            duration += [instance.forward[n][k] for n, k in zip(path, stages, strict=True)]
            duration.append(instance.loss[data_node])
            duration += [
                instance.backward[n][k] for n, k in zip(reversed(path), reversed(stages), strict=True)
            ]
        per_microbatch = 2 * instance.path_length + 1
        lag = [
            0 if a % per_microbatch == 0 else instance.transfer[node[a - 1]][node[a]]
            for a in range(len(node))
        ]
        return cls(per_microbatch, node, duration, lag)

    @property
    def path_length(self) -> int:
        """Stages a path executes: the position of the loss in a microbatch's actions."""
        return self.per_microbatch // 2

    def operation(self, action: int) -> Literal["F", "L", "B"]:
        """``F``, ``L`` or ``B``."""
        position = action % self.per_microbatch
        return "F" if position < self.path_length else "L" if position == self.path_length else "B"


def members_of(allocation: Sequence[int], stages: int) -> list[list[int]]:
    """Nodes of each stage, ascending."""
    members: list[list[int]] = [[] for _ in range(stages)]
    for node, stage in enumerate(allocation):
        members[stage].append(node)
    return members
