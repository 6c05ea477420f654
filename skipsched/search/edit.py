"""Changing a plan so that it can be taken back: rows, paths, stages, and what is counted of them."""

from __future__ import annotations

from skipsched.search.compiled import compiled
from skipsched.search.problem import Problem
from skipsched.search.ring import join_ring, leave_ring, take_rings_back
from skipsched.search.state import (
    LAST,
    LEFT,
    NODES,
    PATHS,
    RINGS,
    ROWS,
    SUCCESSORS,
    TIME,
    TIMES,
    TOTAL,
    State,
)
from skipsched.search.times import take_times_back


@compiled
def keep_row(state: State, node: int) -> None:
    """Note a node's row before it is changed."""
    if state.is_kept[node]:
        return
    state.is_kept[node] = True
    at = state.figure[ROWS]
    length = state.length[node]
    state.kept_node[at], state.kept_length[at] = node, length
    for place in range(length):
        state.kept_row[at, place] = state.row[node, place]
    state.figure[ROWS] = at + 1


@compiled
def keep_path(problem: Problem, state: State, microbatch: int) -> None:
    """Note a microbatch's path before it or the stages of its nodes are changed."""
    if state.is_path_kept[microbatch]:
        return
    state.is_path_kept[microbatch] = True
    at = state.figure[PATHS]
    state.kept_microbatch[at] = microbatch
    for position in range(problem.path_length):
        state.kept_path[at, position] = state.path[microbatch, position]
    state.figure[PATHS] = at + 1


@compiled
def count_path(problem: Problem, state: State, microbatch: int, sign: int) -> None:
    """Count a microbatch's path in, or out with ``sign = -1``."""
    data_node = state.path[microbatch, 0]
    if problem.price and is_away(problem, state, microbatch):
        state.figure[LEFT] += sign * problem.price
    for position in range(problem.path_length):
        node = state.path[microbatch, position]
        stage = state.allocation[node]
        state.executed[stage] += sign
        state.carried[node] += sign
        state.covering[data_node, stage] += sign


@compiled
def is_away(problem: Problem, state: State, microbatch: int) -> bool:
    """Whether a microbatch takes another path than the one it is to keep."""
    if problem.home[microbatch, 0] < 0:
        return False
    for position in range(problem.path_length):
        if state.path[microbatch, position] != problem.home[microbatch, position]:
            return True
    return False


@compiled
def lay_out(problem: Problem, state: State, microbatch: int) -> bool:
    """Nodes, durations and transfers of a microbatch's actions from its path; False if a link is missing."""
    length = problem.path_length
    per = 2 * length + 1
    first = microbatch * per
    data_node = state.path[microbatch, 0]
    state.figure[TOTAL] -= state.duration[first + per - 1]
    for position in range(length):
        node = state.path[microbatch, position]
        stage = state.allocation[node]
        there, back = first + position, first + per - 1 - position
        state.node[there] = state.node[back] = node
        state.duration[there] = problem.forward[node, stage]
        state.duration[back] = problem.backward[node, stage]
    state.node[first + length] = data_node
    state.duration[first + length] = problem.loss[data_node]
    # The last B ends later if it takes longer, even where it starts when it did.
    state.figure[TOTAL] += state.duration[first + per - 1]
    for action in range(first + 1, first + per):
        lag = problem.transfer[state.node[action - 1], state.node[action]]
        if lag < 0:
            return False
        state.lag[action] = lag
    return True


@compiled
def insert(state: State, node: int, place: int, action: int) -> None:
    """Put an action into a node's row."""
    for later in range(state.length[node], place, -1):
        state.row[node, later] = state.row[node, later - 1]
    state.row[node, place] = action
    state.length[node] += 1


@compiled
def take_out(problem: Problem, state: State, microbatch: int) -> None:
    """Take a microbatch's actions out of all rows."""
    per = 2 * problem.path_length + 1
    for position in range(problem.path_length):
        node = state.path[microbatch, position]
        keep_row(state, node)
        left = 0
        for place in range(state.length[node]):
            action = state.row[node, place]
            if action // per != microbatch:
                state.row[node, left] = action
                left += 1
        state.length[node] = left


@compiled
def move_node(problem: Problem, state: State, node: int, stage: int, member: int) -> None:
    """Let a node hold another stage, in the ring of a member of that; all-reduces are to be renewed.

    Parameters
    ----------
    member
        A node that holds the stage already; the node itself if there is none.
    """
    at = state.figure[NODES]
    old = state.allocation[node]
    state.moved_node[at], state.moved_from[at] = node, old
    state.figure[NODES] = at + 1
    leave_ring(state, node)
    state.allocation[node] = stage
    state.size[old] -= 1
    state.size[stage] += 1
    join_ring(problem, state, node, member)


@compiled
def take_back(problem: Problem, state: State, time: int, total: int, last: int) -> None:
    """Undo all that was noted; the figures are those from before."""
    take_times_back(state)
    for at in range(state.figure[PATHS]):
        count_path(problem, state, state.kept_microbatch[at], -1)
    take_rings_back(state)
    for at in range(state.figure[NODES] - 1, -1, -1):
        node, old = state.moved_node[at], state.moved_from[at]
        state.size[state.allocation[node]] -= 1
        state.size[old] += 1
        state.allocation[node] = old
    for at in range(state.figure[PATHS]):
        microbatch = state.kept_microbatch[at]
        for position in range(problem.path_length):
            state.path[microbatch, position] = state.kept_path[at, position]
        lay_out(problem, state, microbatch)
        count_path(problem, state, microbatch, 1)
    for at in range(state.figure[ROWS]):
        node = state.kept_node[at]
        state.length[node] = state.kept_length[at]
        for place in range(state.kept_length[at]):
            action = state.kept_row[at, place]
            state.row[node, place] = action
            state.place[action] = place
    forget(state)
    state.figure[TIME], state.figure[TOTAL], state.figure[LAST] = time, total, last


@compiled
def accept(state: State) -> None:
    """Let what was changed stay, and note that a copy of it is out of date."""
    for at in range(state.figure[ROWS]):
        state.stale_row[state.kept_node[at]] = True
    for at in range(state.figure[PATHS]):
        state.stale_path[state.kept_microbatch[at]] = True
    forget(state)


@compiled
def forget(state: State) -> None:
    """Forget what was noted: the plan stays as it is."""
    for at in range(state.figure[ROWS]):
        state.is_kept[state.kept_node[at]] = False
    for at in range(state.figure[PATHS]):
        state.is_path_kept[state.kept_microbatch[at]] = False
    figure = state.figure
    figure[TIMES] = figure[ROWS] = figure[PATHS] = figure[NODES] = figure[RINGS] = figure[SUCCESSORS] = 0
