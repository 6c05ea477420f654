"""Times of a changed plan, computed only where they may have changed."""

from __future__ import annotations

import numpy as np

from skipsched.search.compiled import compiled
from skipsched.search.problem import Problem
from skipsched.search.state import (
    LAST,
    NOWHERE,
    PATHS,
    ROWS,
    TIME,
    TIMES,
    TOTAL,
    WAITING,
    WORK,
    State,
)


@compiled
def touch(state: State, node: int, place: int) -> None:
    """Have the time at a place of a node's row computed anew."""
    state.dirty_to[node] = max(state.dirty_to[node], place)
    if place < state.dirty_from[node]:
        if state.dirty_from[node] == NOWHERE:
            state.waiting[node] = state.figure[WAITING]
            state.figure[WAITING] += 1
        state.dirty_from[node] = place
        state.due[node] = state.start[state.row[node, place]]
        _move_up(state, node)


@compiled
def _move_up(state: State, node: int) -> None:
    """Let a node whose turn has come nearer pass others in the heap of those that wait."""
    at = state.waiting[node]
    while at > 0:
        above = state.heap[(at - 1) // 2]
        if state.due[above] <= state.due[node]:
            break
        state.heap[at], state.waiting[above] = above, at
        at = (at - 1) // 2
    state.heap[at], state.waiting[node] = node, at


@compiled
def _take_first(state: State) -> None:
    """Take the node whose turn it is out of the heap, with nothing of its row left to compute."""
    node = state.heap[0]
    state.dirty_from[node], state.dirty_to[node] = NOWHERE, -1
    size = state.figure[WAITING] - 1
    state.figure[WAITING] = size
    moved = state.heap[size]
    at, below = 0, 1
    while below < size:
        if below + 1 < size and state.due[state.heap[below + 1]] < state.due[state.heap[below]]:
            below += 1
        if state.due[moved] <= state.due[state.heap[below]]:
            break
        state.heap[at], state.waiting[state.heap[below]] = state.heap[below], at
        at, below = below, 2 * below + 1
    if size > 0:
        state.heap[at], state.waiting[moved] = moved, at


@compiled
def touch_rows(state: State) -> None:
    """Have computed anew what stands elsewhere, or behind another action, in the rows that were changed."""
    for at in range(state.figure[ROWS]):
        node = state.kept_node[at]
        length = state.kept_length[at]
        ahead = -1
        for place in range(state.length[node]):
            action = state.row[node, place]
            old = state.place[action]
            # What stood in this row already, behind the same action, starts when it did.
            stood = old < length and state.kept_row[at, old] == action
            if not stood or ahead != (state.kept_row[at, old - 1] if old else -1):
                touch(state, node, place)
            state.place[action] = place
            ahead = action


@compiled
def touch_microbatches(problem: Problem, state: State) -> None:
    """Have the times of the microbatches with new paths, and of what comes behind them, computed anew."""
    per = 2 * problem.path_length + 1
    for at in range(state.figure[PATHS]):
        first = state.kept_microbatch[at] * per
        for action in range(first, first + per):
            node, place = state.node[action], state.place[action]
            touch(state, node, place)
            # Its start may have been guessed right: then nothing changes here that would be followed.
            if place + 1 < state.length[node]:
                touch(state, node, place + 1)


@compiled
def set_start(problem: Problem, state: State, action: int, time: int, why: int) -> bool:
    """Note when an action started, and let it start at another time; False if nothing more can be noted."""
    figure = state.figure
    noted = figure[TIMES]
    if noted == state.noted_action.shape[0]:
        return False
    state.noted_action[noted] = action
    state.noted_start[noted] = state.start[action]
    state.noted_because[noted] = state.because[action]
    figure[TIMES] = noted + 1
    if (action + 1) % (2 * problem.path_length + 1) == 0:
        figure[TOTAL] += time - state.start[action]
    state.start[action], state.because[action] = time, why
    return True


@compiled
def take_times_back(state: State) -> None:
    """Give all actions the times that were noted, latest note first, and leave nothing to compute."""
    figure = state.figure
    for at in range(figure[TIMES] - 1, -1, -1):
        action = state.noted_action[at]
        state.start[action] = state.noted_start[at]
        state.because[action] = state.noted_because[at]
    while figure[WAITING] > 0:
        _take_first(state)


@compiled
def settle(problem: Problem, state: State, limit: int) -> bool:
    """Compute all times that may have changed, and with them iteration time and sum of completions.

    What changes is followed from action to action until nothing does. In a plan that deadlocks times would
    rise for ever: the limit ends that, and the attempt at every plan that is not wanted.

    Returns
    -------
    bool
        False if the iteration time is beyond `limit`, or the plan deadlocks: times are then to be taken back.
    """
    per = 2 * problem.path_length + 1
    figure = state.figure
    while figure[WAITING] > 0:
        node = state.heap[0]
        begin, last = state.dirty_from[node], state.dirty_to[node]
        _take_first(state)
        row = state.row[node]
        latest = limit - state.allreduce[state.allocation[node]]
        before = row[begin - 1] if begin > 0 else -1
        free = state.start[before] + state.duration[before] + problem.overhead if begin > 0 else 0
        for place in range(begin, state.length[node]):
            action = row[place]
            if place > begin and _is_ahead(problem, state, action):
                touch(state, node, place)
                touch(state, node, max(place, last))
                break
            time, why = free, before
            if action % per:
                arrival = state.start[action - 1] + state.duration[action - 1] + state.lag[action]
                if arrival > time or before < 0:
                    time, why = arrival, action - 1
            figure[WORK] += 1
            old = state.start[action]
            if time == old and why == state.because[action]:
                if place >= last:
                    break
            else:
                if time + state.duration[action] > latest:
                    return False
                if not set_start(problem, state, action, time, why):
                    return False
                if time != old and (action + 1) % per:
                    touch(state, state.node[action + 1], state.place[action + 1])
            before = action
            free = time + state.duration[action] + problem.overhead
    _find_end(state)
    return bool(figure[TIME] <= limit)


@compiled
def _is_ahead(problem: Problem, state: State, action: int) -> bool:
    """Whether an action starts too much later than what other nodes wait for, which may change it yet."""
    if state.figure[WAITING] == 0:
        return False
    return bool(state.start[action] > state.due[state.heap[0]] + problem.stride)


@compiled
def _find_end(state: State) -> None:
    """The iteration time, and the action that sets it; -1 if none does."""
    time, last = np.int64(0), np.int64(-1)
    for node in range(state.length.shape[0]):
        end = state.allreduce[state.allocation[node]]
        action = np.int64(-1)
        if state.length[node]:
            action = state.row[node, state.length[node] - 1]
            end += state.start[action] + state.duration[action]
        if end > time:
            time, last = end, action
    state.figure[TIME], state.figure[LAST] = time, last
