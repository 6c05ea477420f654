"""A plan as the search changes it: flat arrays for compiled code, and what is needed to take a move back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skipsched.instance import Instance
from skipsched.scheduled import Scheduled
from skipsched.search.problem import Flags, Ints

#: A node's row holds so many times the longest one there is at first, and a microbatch more.
_SPARE = 2
#: Times of a plan may be noted so many times over before a move is given up.
_NOTES = 8
#: A move changes the stages of so many nodes and the rings of so many stages at most.
_MOVED = 2
#: Successors in rings that a move changes at most.
_TURNED = 8
#: A place behind every row.
NOWHERE = 2**62

#: What `State.figure` holds: the iteration time, the sum of the microbatches' last B ends, the last action of
#: the critical path (-1 for none), how many times were computed, the sum of `State.spread`, the price of the
#: paths that were left; then how many entries the notes of times, rows, paths, moved nodes, rings and
#: successors have, and how many nodes wait for their times.
TIME, TOTAL, LAST, WORK, SPREAD, LEFT, TIMES, ROWS, PATHS, NODES, RINGS, SUCCESSORS, WAITING = range(13)


class State(NamedTuple):
    """The plan, its times, and the notes by which a move is taken back.

    Actions are numbered as in `Actions`. Times in microseconds.

    Parameters
    ----------
    allocation
        Stage of each node.
    size
        Nodes of each stage.
    successor
        The node that comes next in the ring of each node's stage.
    allreduce
        Of each stage.
    spread
        What each stage's all-reduce is on average, were any one link between its nodes its ring's worst.
    path
        ``[microbatch, position]``.
    executed, carried, covering
        Microbatches of each stage, of each node, and of each data node's on each stage.
    node, duration, lag
        Of each action, as in `Actions`.
    row, length
        The actions of each node in the order of execution, ``[node, place]``, and how many there are.
    place
        Where each action stands in its node's row.
    start, because
        When each action starts, and the action that it waits for; -1 if for none.
    figure
        `TIME` and so on.
    dirty_from, dirty_to
        The places of each row whose times are to be computed anew.
    heap, waiting, due
        The nodes that have some, as a heap; where each node stands in it, and the time that orders it.
    noted_action, noted_start, noted_because
        Times as they were.
    kept_node, kept_length, kept_row, is_kept
        Rows as they were.
    kept_microbatch, kept_path, is_path_kept
        Paths as they were.
    moved_node, moved_from
        Nodes whose stage has changed, and what it was.
    ring_stage, ring_allreduce, ring_spread
        Stages whose ring has changed, and their all-reduce and spread as they were.
    turned_node, turned_successor
        Successors in rings as they were.
    stale_row, stale_path
        What has changed since the plan was last copied.
    earliest, guess, guessed
        Of a microbatch that is being fitted in: when its F may start at each position of its path, and the
        places and starts of its actions.
    """

    allocation: Ints
    size: Ints
    successor: Ints
    allreduce: Ints
    spread: Ints
    path: Ints
    executed: Ints
    carried: Ints
    covering: Ints
    node: Ints
    duration: Ints
    lag: Ints
    row: Ints
    length: Ints
    place: Ints
    start: Ints
    because: Ints
    figure: Ints
    dirty_from: Ints
    dirty_to: Ints
    heap: Ints
    waiting: Ints
    due: Ints
    noted_action: Ints
    noted_start: Ints
    noted_because: Ints
    kept_node: Ints
    kept_length: Ints
    kept_row: Ints
    is_kept: Flags
    kept_microbatch: Ints
    kept_path: Ints
    is_path_kept: Flags
    moved_node: Ints
    moved_from: Ints
    ring_stage: Ints
    ring_allreduce: Ints
    ring_spread: Ints
    turned_node: Ints
    turned_successor: Ints
    stale_row: Flags
    stale_path: Flags
    earliest: Ints
    guess: Ints
    guessed: Ints

    @classmethod
    def of(cls, instance: Instance, scheduled: Scheduled) -> State:
        """A plan to begin with; what each action waits for is found by the first `settle`."""
        routes, actions = scheduled.plan.routes, scheduled.actions
        nodes, stages, count, per = instance.nodes, instance.stages, len(actions.node), actions.per_microbatch
        width = _SPARE * max(map(len, scheduled.plan.order)) + per
        row, length, place = np.zeros((nodes, width), np.int64), _zeros(nodes), _zeros(count)
        for n, sequence in enumerate(scheduled.plan.order):
            row[n, : len(sequence)] = sequence
            length[n] = len(sequence)
            place[list(sequence)] = range(len(sequence))
        allocation, path = np.array(routes.allocation, np.int64), np.array(routes.paths, np.int64)
        microbatches, path_length = path.shape
        executed, carried, covering = _zeros(stages), _zeros(nodes), np.zeros((nodes, stages), np.int64)
        np.add.at(executed, allocation[path], 1)
        np.add.at(carried, path, 1)
        np.add.at(covering, (path[:, :1], allocation[path]), 1)
        successor = _zeros(nodes)
        for ring in scheduled.rings:
            successor[list(ring.nodes)] = [*ring.nodes[1:], ring.nodes[0]]
        figure = _zeros(WAITING + 1)
        # Every node waits: the times are known, but not yet what each action waits for.
        figure[LAST], figure[WAITING] = -1, nodes
        figure[TOTAL] = scheduled.objective.total_completion
        duration = np.array(actions.duration, np.int64)
        return cls(
            allocation=allocation,
            size=np.bincount(allocation, minlength=stages).astype(np.int64),
            successor=successor,
            allreduce=np.array([ring.allreduce for ring in scheduled.rings], np.int64),
            spread=_zeros(stages),
            path=path,
            executed=executed,
            carried=carried,
            covering=covering,
            node=np.array(actions.node, np.int64),
            duration=duration,
            lag=np.array(actions.lag, np.int64),
            row=row,
            length=length,
            place=place,
            start=np.array(scheduled.end, np.int64) - duration,
            because=np.full(count, -1, np.int64),
            figure=figure,
            dirty_from=_zeros(nodes),
            dirty_to=length.copy(),
            heap=np.arange(nodes, dtype=np.int64),
            waiting=np.arange(nodes, dtype=np.int64),
            due=_zeros(nodes),
            noted_action=_zeros(_NOTES * count),
            noted_start=_zeros(_NOTES * count),
            noted_because=_zeros(_NOTES * count),
            kept_node=_zeros(nodes),
            kept_length=_zeros(nodes),
            kept_row=np.zeros((nodes, width), np.int64),
            is_kept=np.zeros(nodes, np.bool_),
            kept_microbatch=_zeros(microbatches),
            kept_path=np.zeros((microbatches, path_length), np.int64),
            is_path_kept=np.zeros(microbatches, np.bool_),
            moved_node=_zeros(_MOVED),
            moved_from=_zeros(_MOVED),
            ring_stage=_zeros(_MOVED),
            ring_allreduce=_zeros(_MOVED),
            ring_spread=_zeros(_MOVED),
            turned_node=_zeros(_TURNED),
            turned_successor=_zeros(_TURNED),
            stale_row=np.ones(nodes, np.bool_),
            stale_path=np.ones(microbatches, np.bool_),
            earliest=_zeros(path_length),
            guess=_zeros(per),
            guessed=_zeros(per),
        )


def _zeros(count: int) -> Ints:
    return np.zeros(count, np.int64)
