"""Every action that the paths call for, numbered chain by chain."""

from __future__ import annotations

from collections.abc import Sequence

from skipsched.check.allocation import Allocation
from skipsched.check.case import Case
from skipsched.check.microbatches import Microbatch

OPS = ("F", "L", "B")


class Chains:
    """The actions of all microbatches: F along the path, L on the data node, B along the path reversed.

    Actions are numbers from 0; those of a microbatch follow each other in the order of its chain.

    Attributes
    ----------
    op, microbatch, node, duration
        By action.
    source, target
        Nodes that the input of an action comes from and its output goes to; None at the ends of a chain.
    """

    def __init__(self, microbatches: Sequence[Microbatch], allocation: Allocation, case: Case) -> None:
        self._case = case
        self._stage = allocation.stage
        self._first: dict[int, int] = {}
        self._positions: dict[int, dict[int, int]] = {}
        self.op: list[str] = []
        self.microbatch: list[int] = []
        self.node: list[int] = []
        self.duration: list[int] = []
        self.source: list[int | None] = []
        self.target: list[int | None] = []
        for microbatch in microbatches:
            self._append(microbatch)

    def __len__(self) -> int:
        """Number of actions."""
        return len(self.op)

    def _append(self, microbatch: Microbatch) -> None:
        self._first[microbatch.id] = len(self.op)
        self._positions[microbatch.id] = {node: i for i, node in enumerate(microbatch.path)}
        instance, path = self._case.instance, microbatch.path
        nodes = [*path, path[0], *reversed(path)]
        self.op += ["F"] * len(path) + ["L"] + ["B"] * len(path)
        self.microbatch += [microbatch.id] * len(nodes)
        self.node += nodes
        visits = list(zip(path, microbatch.stages, strict=True))
        self.duration += [instance.forward[node][stage] for node, stage in visits]
        self.duration.append(instance.loss[path[0]])
        self.duration += [instance.backward[node][stage] for node, stage in reversed(visits)]
        self.source += [None, *nodes[:-1]]
        self.target += [*nodes[1:], None]

    def number(self, microbatch: int, op: str, node: int) -> int | None:
        """The action that runs `op` of a microbatch on a node; None if its path calls for no such action."""
        positions = self._positions[microbatch]
        position = positions.get(node)
        if position is None or (op == "L" and position > 0):
            return None
        length = len(positions)
        return self._first[microbatch] + {"F": position, "L": length, "B": 2 * length - position}[op]

    def __contains__(self, microbatch: int) -> bool:
        """Whether the chain of a microbatch is among these."""
        return microbatch in self._first

    def stage(self, action: int) -> int:
        """The stage an action runs."""
        stage = self._stage[self.node[action]]
        assert stage is not None  # a microbatch's path is read only where its stages are known
        return stage

    def describe(self, action: int) -> str:
        """An action in a message."""
        node = self._case.name(self.node[action])
        return f"{self.op[action]} of microbatch {self.microbatch[action]} on {node}"
