"""Whether a changed plan keeps the rules."""

from __future__ import annotations

from skipsched.search.compiled import compiled
from skipsched.search.problem import Problem
from skipsched.search.state import PATHS, State


@compiled
def keeps_slots(problem: Problem, state: State, node: int) -> bool:
    """Whether a node never has more microbatches in flight than slots, along its row."""
    length = problem.path_length
    per = 2 * length + 1
    free = problem.slots[node, state.allocation[node]]
    for place in range(state.length[node]):
        at = state.row[node, place] % per
        free += int(at > length) - int(at < length)
        if free < 0:
            return False
    return True


@compiled
def keeps_order(problem: Problem, state: State, microbatch: int) -> bool:
    """Whether a path executes different stages in an order that `swap` and `jump` allow."""
    frontier = swapped = 0
    for position in range(1, problem.path_length):
        stage = state.allocation[state.path[microbatch, position]]
        if stage == 0:
            return False
        for earlier in range(1, position):
            if state.allocation[state.path[microbatch, earlier]] == stage:
                return False
        if stage < frontier:
            swapped += frontier - stage
            if frontier - stage > problem.max_swap_distance or swapped > problem.max_swaps:
                return False
        else:
            if stage - frontier > problem.max_jump:
                return False
            frontier = stage
    return True


@compiled
def keeps_load(problem: Problem, state: State) -> bool:
    """Whether `even-stages`, `even-nodes` and `cover` hold."""
    if problem.even_stages and not _keeps_stages_even(state):
        return False
    if problem.even_nodes and not _keeps_nodes_even(state):
        return False
    return not problem.cover or _keeps_cover(state)


@compiled
def _keeps_stages_even(state: State) -> bool:
    least = most = state.executed[1]
    for stage in range(2, state.executed.shape[0]):
        least, most = min(least, state.executed[stage]), max(most, state.executed[stage])
    return bool(most - least <= 1)


@compiled
def _keeps_nodes_even(state: State) -> bool:
    for stage in range(1, state.executed.shape[0]):
        least, most = state.executed[stage], 0
        for node in range(state.allocation.shape[0]):
            if state.allocation[node] == stage:
                least, most = min(least, state.carried[node]), max(most, state.carried[node])
        if most - least > 1:
            return False
    return True


@compiled
def _keeps_cover(state: State) -> bool:
    """Whether data nodes whose microbatches have new paths still execute every stage."""
    for at in range(state.figure[PATHS]):
        data_node = state.path[state.kept_microbatch[at], 0]
        for stage in range(1, state.executed.shape[0]):
            if state.covering[data_node, stage] < 1:
                return False
    return True
