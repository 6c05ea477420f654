"""Moves that change which stages nodes hold."""

from __future__ import annotations

from skipsched.search.chance import Chance, below
from skipsched.search.compiled import compiled
from skipsched.search.edit import count_path, keep_path, keep_row, lay_out, move_node
from skipsched.search.path_moves import fit_paths_in, free_path, share_path
from skipsched.search.pick import any_of_stage, other_of_stage
from skipsched.search.problem import Problem
from skipsched.search.ring import renew_allreduce
from skipsched.search.rules import keeps_slots
from skipsched.search.state import PATHS, State
from skipsched.search.times import touch_microbatches, touch_rows


@compiled
def exchange(problem: Problem, state: State, chance: Chance) -> bool:
    """Let two nodes of different stages exchange all they do."""
    one, other = below(chance, state.allocation.shape[0]), below(chance, state.allocation.shape[0])
    stage_of_one, stage_of_other = state.allocation[one], state.allocation[other]
    if stage_of_one == stage_of_other:
        return False
    if not (problem.allowed[one, stage_of_other] and problem.allowed[other, stage_of_one]):
        return False
    if stage_of_one * stage_of_other == 0 and problem.microbatches[one] != problem.microbatches[other]:
        return False
    _keep_visitors(problem, state, one)
    _keep_visitors(problem, state, other)
    mate = state.successor[one]
    move_node(problem, state, one, stage_of_other, other)
    move_node(problem, state, other, stage_of_one, other if mate == one else mate)
    _exchange_rows(state, one, other)
    linked = _exchange_in_paths(problem, state, one, other)
    # Both, so that both all-reduces are noted.
    closed = renew_allreduce(problem, state, one)
    closed = renew_allreduce(problem, state, other) and closed
    if not (linked and closed and keeps_slots(problem, state, one) and keeps_slots(problem, state, other)):
        return False
    touch_rows(state)
    touch_microbatches(problem, state)
    return True


@compiled
def give(problem: Problem, state: State, chance: Chance) -> bool:
    """Let a node hold another stage.

    Others of its old stage do its work there; of its new stage it takes half of what one node does.
    """
    node = below(chance, state.allocation.shape[0])
    old, new = state.allocation[node], 1 + below(chance, state.size.shape[0] - 1)
    if old in (0, new) or not problem.allowed[node, new]:
        return False
    if state.size[old] == problem.min_sizes[old] or state.size[new] == problem.max_sizes[new]:
        return False
    per = 2 * problem.path_length + 1
    staying, relieved = other_of_stage(state, chance, old, node), any_of_stage(state, chance, new)
    while state.length[node]:
        other = other_of_stage(state, chance, old, node)
        _redirect(problem, state, state.row[node, 0] // per, node, other)
    move_node(problem, state, node, new, relieved)
    place = 0
    while place < state.length[relieved]:
        action = state.row[relieved, place]
        if action % per < problem.path_length and below(chance, 2):
            _redirect(problem, state, action // per, relieved, node)
        else:
            place += 1
    # Both, so that both all-reduces are noted.
    closed = renew_allreduce(problem, state, staying)
    closed = renew_allreduce(problem, state, node) and closed
    return closed and fit_paths_in(problem, state, chance)


@compiled
def _redirect(problem: Problem, state: State, microbatch: int, node: int, other: int) -> None:
    """Let a path, and those that share it, visit another node instead of one."""
    free_path(problem, state, microbatch)
    for position in range(1, problem.path_length):
        if state.path[microbatch, position] == node:
            state.path[microbatch, position] = other
    share_path(problem, state, microbatch)


@compiled
def _keep_visitors(problem: Problem, state: State, node: int) -> None:
    """Note a node's row and the paths that visit it, and leave these out of the counts."""
    keep_row(state, node)
    per = 2 * problem.path_length + 1
    for place in range(state.length[node]):
        action = state.row[node, place]
        # Of each microbatch one F says that it comes here.
        if action % per < problem.path_length and not state.is_path_kept[action // per]:
            keep_path(problem, state, action // per)
            count_path(problem, state, action // per, -1)


@compiled
def _exchange_rows(state: State, one: int, other: int) -> None:
    for place in range(max(state.length[one], state.length[other])):
        kept = state.row[one, place]
        state.row[one, place] = state.row[other, place]
        state.row[other, place] = kept
    length = state.length[one]
    state.length[one] = state.length[other]
    state.length[other] = length


@compiled
def _exchange_in_paths(problem: Problem, state: State, one: int, other: int) -> bool:
    """Exchange two nodes in the paths that were noted; False if a link is missing."""
    linked = True
    for at in range(state.figure[PATHS]):
        microbatch = state.kept_microbatch[at]
        for position in range(problem.path_length):
            if state.path[microbatch, position] == one:
                state.path[microbatch, position] = other
            elif state.path[microbatch, position] == other:
                state.path[microbatch, position] = one
        count_path(problem, state, microbatch, 1)
        linked = lay_out(problem, state, microbatch) and linked
    return linked
