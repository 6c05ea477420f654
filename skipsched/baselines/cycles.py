"""Moves of nodes along cycles of stages: a pass in the manner of Kernighan and Lin.

A cycle takes a node from its stage to another one, a node of that one to a third, and so on back to the
first, so that sizes stay as they are. Every step is the one that gains most, also if that is a loss; of the
closed cycles along the way the best is kept, and of the sequence of cycles the best beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

#: Gain of a move that is not to be made.
_NEVER = np.iinfo(np.int64).min

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


def move_along_cycles(costs: Ints, able: Flags, allocation: Sequence[int]) -> list[int]:
    """Part nodes that are near to each other: in different stages they can follow each other in pipelines.

    The gain of a move is DT-FM's: the mean cost to the nodes of the new stage, which pipelines are spared,
    less the smallest cost to another node of the old stage, which they were denied.

    Parameters
    ----------
    costs
        Cost of each pair of nodes, symmetric.
    able
        Whether a node may hold a stage, ``[node][stage]``.
    allocation
        Stage of each node.

    Returns
    -------
    list of int
        The stage of each node after the pass; every stage keeps its size.
    """
    stages = able.shape[1]
    state = _State(costs, able, np.array(allocation), np.ones(len(allocation), bool))
    best, total, most = state, 0, 0
    for _ in range(stages):
        closed = _cycle(state)
        if closed is None:
            break
        gain, state = closed
        total += gain
        if total > most:
            best, most = state, total
    return [int(stage) for stage in best.stage]


@dataclass(frozen=True)
class _State:
    """Where all nodes are, and which have moved already.

    Parameters
    ----------
    costs, able
        As given.
    stage
        Stage of each node.
    free
        Nodes that have not moved.
    """

    costs: Ints
    able: Flags
    stage: Ints
    free: Flags

    def gains(self) -> Ints:
        """The gain of moving each node to each stage; `_NEVER` where it must not, or is, or has moved."""
        nodes = np.arange(len(self.stage))
        member = self.stage[:, None] == np.arange(self.able.shape[1])
        mean = (self.costs @ member) // np.maximum(member.sum(axis=0), 1)
        others = self.stage[:, None] == self.stage
        others[nodes, nodes] = False
        # A node alone in its stage denies the pipelines nothing.
        nearest = np.where(others, self.costs, np.iinfo(np.int64).max).min(axis=1)
        nearest[~others.any(axis=1)] = 0
        gains: Ints = mean - nearest[:, None]
        gains[~self.able | ~self.free[:, None]] = _NEVER
        gains[nodes, self.stage] = _NEVER
        return gains

    def moved(self, node: int, target: int) -> _State:
        """The state after a move."""
        stage, free = self.stage.copy(), self.free.copy()
        stage[node], free[node] = target, False
        return replace(self, stage=stage, free=free)


def _cycle(state: _State) -> tuple[int, _State] | None:
    """The best closed cycle along the way of the best moves, with its gain; None if none can be closed."""
    best: tuple[int, _State] | None = None
    gains = state.gains()
    node, target = _largest(gains)
    home = int(state.stage[node])
    entered = [home]
    total = 0
    while gains[node, target] != _NEVER:
        total += int(gains[node, target])
        state = state.moved(node, target)
        entered.append(target)
        gains = state.gains()
        gains[state.stage != target] = _NEVER
        closing = int(np.argmax(gains[:, home]))
        gain = int(gains[closing, home])
        if gain != _NEVER and (best is None or total + gain > best[0]):
            best = total + gain, state.moved(closing, home)
        gains[:, entered] = _NEVER
        node, target = _largest(gains)
    return best


def _largest(gains: Ints) -> tuple[int, int]:
    node, target = divmod(int(np.argmax(gains)), gains.shape[1])
    return node, target
