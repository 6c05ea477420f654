"""Moves that change in which order nodes work.

Every move, here and in its sister modules, returns whether it made a change that keeps the rules; times are
settled after. What it changes is noted first (`edit`), so that it can be taken back whatever came of it.
"""

from __future__ import annotations

from skipsched.search.chance import Chance, below
from skipsched.search.compiled import compiled
from skipsched.search.edit import keep_path, keep_row, take_out
from skipsched.search.fit import fit_all_in
from skipsched.search.pick import critical_action, some_microbatch
from skipsched.search.problem import Problem
from skipsched.search.rules import keeps_slots
from skipsched.search.state import State
from skipsched.search.times import touch_rows

#: How often a move looks for something to change before it gives up.
_TRIES = 8
#: Places by which an action is shifted at most, and at least.
_FARTHEST, _NEAREST = 6, 2


@compiled
def swap(problem: Problem, state: State, chance: Chance) -> bool:
    """Exchange an action of the critical path with the one before or after it on its node."""
    per = 2 * problem.path_length + 1
    for _ in range(_TRIES):
        action = critical_action(state, chance)
        node, place = state.node[action], state.place[action] - below(chance, 2)
        if place < 0 or place + 1 >= state.length[node]:
            continue
        one, other = state.row[node, place], state.row[node, place + 1]
        if one // per == other // per:
            continue
        keep_row(state, node)
        state.row[node, place], state.row[node, place + 1] = other, one
        if not keeps_slots(problem, state, node):
            return False
        touch_rows(state)
        return True
    return False


@compiled
def shift(problem: Problem, state: State, chance: Chance) -> bool:
    """Move an action, half the time one of the critical path, by some places in its node's row."""
    action = critical_action(state, chance) if below(chance, 2) else below(chance, state.node.shape[0])
    node, place = state.node[action], state.place[action]
    by = _NEAREST + below(chance, _FARTHEST - _NEAREST + 1)
    to = place - by if below(chance, 2) else place + by
    to = min(max(to, 0), state.length[node] - 1)
    if to == place:
        return False
    keep_row(state, node)
    step = 1 if to > place else -1
    for at in range(place, to, step):
        state.row[node, at] = state.row[node, at + step]
    state.row[node, to] = action
    if not keeps_slots(problem, state, node):
        return False
    touch_rows(state)
    return True


@compiled
def refit(problem: Problem, state: State, chance: Chance) -> bool:
    """Fit a microbatch into the rows once more, a little earlier or later."""
    microbatch = some_microbatch(problem, state, chance)
    keep_path(problem, state, microbatch)
    take_out(problem, state, microbatch)
    return fit_all_in(problem, state, chance)
