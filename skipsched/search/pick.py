"""What a move begins with: an action, a microbatch or a node drawn by chance."""

from __future__ import annotations

from skipsched.search.chance import Chance, below
from skipsched.search.compiled import compiled
from skipsched.search.problem import Problem
from skipsched.search.state import LAST, State


@compiled
def critical_action(state: State, chance: Chance) -> int:
    """An action of the critical path, any with the same chance.

    Any action at all where no action sets the end, but the all-reduce of a stage that executes nothing.
    """
    chosen = action = state.figure[LAST]
    if action < 0:
        return below(chance, state.node.shape[0])
    passed = 1
    while state.because[action] >= 0:
        action = state.because[action]
        passed += 1
        if below(chance, passed) == 0:
            chosen = action
    return int(chosen)


@compiled
def some_microbatch(problem: Problem, state: State, chance: Chance) -> int:
    """A microbatch, half the time one on the critical path."""
    if below(chance, 2):
        return critical_action(state, chance) // (2 * problem.path_length + 1)
    return below(chance, state.path.shape[0])


@compiled
def other_of_stage(state: State, chance: Chance, stage: int, node: int) -> int:
    """Another node of a stage, any with the same chance; -1 if there is none."""
    found, passed = -1, 0
    for able in range(state.allocation.shape[0]):
        if state.allocation[able] == stage and able != node:
            passed += 1
            if below(chance, passed) == 0:
                found = able
    return found


@compiled
def any_of_stage(state: State, chance: Chance, stage: int) -> int:
    """A node of a stage, any with the same chance."""
    return other_of_stage(state, chance, stage, -1)
