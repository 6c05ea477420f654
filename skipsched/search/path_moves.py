"""Moves that change which nodes microbatches visit."""

from __future__ import annotations

from skipsched.search.chance import Chance, below
from skipsched.search.compiled import compiled
from skipsched.search.edit import count_path, is_away, keep_path, take_out
from skipsched.search.fit import fit_all_in
from skipsched.search.pick import any_of_stage, other_of_stage, some_microbatch
from skipsched.search.problem import Problem
from skipsched.search.rules import keeps_load, keeps_order
from skipsched.search.state import PATHS, State


@compiled
def replace(problem: Problem, state: State, chance: Chance) -> bool:
    """Let another node of its stage stand in for one that a path visits."""
    microbatch = some_microbatch(problem, state, chance)
    position = 1 + below(chance, problem.path_length - 1)
    old = state.path[microbatch, position]
    new = other_of_stage(state, chance, state.allocation[old], old)
    if new < 0:
        return False
    free_path(problem, state, microbatch)
    state.path[microbatch, position] = new
    share_path(problem, state, microbatch)
    return fit_paths_in(problem, state, chance)


@compiled
def turn(problem: Problem, state: State, chance: Chance) -> bool:
    """Let a path visit two neighbours in the other order."""
    if problem.path_length < 3:
        return False
    microbatch = some_microbatch(problem, state, chance)
    position = 1 + below(chance, problem.path_length - 2)
    free_path(problem, state, microbatch)
    path = state.path[microbatch]
    path[position], path[position + 1] = path[position + 1], path[position]
    share_path(problem, state, microbatch)
    return fit_paths_in(problem, state, chance)


@compiled
def trade(problem: Problem, state: State, chance: Chance) -> bool:
    """Let two paths trade a stage each, or all their nodes but the data nodes."""
    one = some_microbatch(problem, state, chance)
    other = below(chance, state.path.shape[0])
    for mate in problem.mates[one]:
        if mate == other:
            return False
    free_path(problem, state, one)
    free_path(problem, state, other)
    if below(chance, 3) == 0:
        for position in range(1, problem.path_length):
            kept = state.path[one, position]
            state.path[one, position] = state.path[other, position]
            state.path[other, position] = kept
    else:
        at_one = 1 + below(chance, problem.path_length - 1)
        at_other = 1 + below(chance, problem.path_length - 1)
        to_one, to_other = state.path[other, at_other], state.path[one, at_one]
        if below(chance, 2):
            to_one = any_of_stage(state, chance, state.allocation[to_one])
            to_other = any_of_stage(state, chance, state.allocation[to_other])
        state.path[one, at_one], state.path[other, at_other] = to_one, to_other
        _put_in_order(problem, state, one)
        _put_in_order(problem, state, other)
    share_path(problem, state, one)
    share_path(problem, state, other)
    return fit_paths_in(problem, state, chance)


@compiled
def restage(problem: Problem, state: State, chance: Chance) -> bool:
    """Let a path leave out one of its stages and execute another one."""
    microbatch = some_microbatch(problem, state, chance)
    stage = 1 + below(chance, state.executed.shape[0] - 1)
    position = 1 + below(chance, problem.path_length - 1)
    if problem.even_stages:
        here = state.executed[state.allocation[state.path[microbatch, position]]]
        if here <= state.executed[stage]:
            return False
    new = any_of_stage(state, chance, stage)
    free_path(problem, state, microbatch)
    state.path[microbatch, position] = new
    _put_in_order(problem, state, microbatch)
    share_path(problem, state, microbatch)
    return fit_paths_in(problem, state, chance)


@compiled
def go_home(problem: Problem, state: State, chance: Chance) -> bool:
    """Let a path that was left, half the time two of them, be taken again."""
    gone = 0
    for _ in range(1 + below(chance, 2)):
        microbatch = _some_away(problem, state, chance)
        if microbatch >= 0:
            free_path(problem, state, microbatch)
            for position in range(1, problem.path_length):
                state.path[microbatch, position] = problem.home[microbatch, position]
            share_path(problem, state, microbatch)
            gone += 1
    return gone > 0 and fit_paths_in(problem, state, chance)


@compiled
def _some_away(problem: Problem, state: State, chance: Chance) -> int:
    """A microbatch that does not take the path it is to keep; -1 if there is none."""
    count = state.path.shape[0]
    begin = below(chance, count)
    for ahead in range(count):
        microbatch = (begin + ahead) % count
        if is_away(problem, state, microbatch):
            return int(microbatch)
    return -1


@compiled
def free_path(problem: Problem, state: State, microbatch: int) -> None:
    """Take a microbatch and those that share its path out of rows and counts."""
    for mate in problem.mates[microbatch]:
        if mate >= 0:
            keep_path(problem, state, mate)
            count_path(problem, state, mate, -1)
            take_out(problem, state, mate)


@compiled
def share_path(problem: Problem, state: State, microbatch: int) -> None:
    """Give those that share a microbatch's path its new one, and count them in again."""
    for mate in problem.mates[microbatch]:
        if mate >= 0:
            for position in range(1, problem.path_length):
                state.path[mate, position] = state.path[microbatch, position]
            count_path(problem, state, mate, 1)


@compiled
def fit_paths_in(problem: Problem, state: State, chance: Chance) -> bool:
    """Fit all microbatches with new paths in again, if the rules hold."""
    for at in range(state.figure[PATHS]):
        if not keeps_order(problem, state, state.kept_microbatch[at]):
            return False
    return keeps_load(problem, state) and fit_all_in(problem, state, chance)


@compiled
def _put_in_order(problem: Problem, state: State, microbatch: int) -> None:
    """Let a path whose order is not allowed visit its nodes by ascending stage."""
    if keeps_order(problem, state, microbatch):
        return
    path = state.path[microbatch]
    for end in range(2, problem.path_length):
        for at in range(end, 1, -1):
            if state.allocation[path[at]] < state.allocation[path[at - 1]]:
                path[at], path[at - 1] = path[at - 1], path[at]
