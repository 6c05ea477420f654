"""Fitting microbatches into the rows: where their actions go, and whether there are slots for them."""

from __future__ import annotations

import numpy as np

from skipsched.search.chance import Chance, below
from skipsched.search.compiled import compiled
from skipsched.search.edit import insert, keep_row, lay_out
from skipsched.search.problem import Problem
from skipsched.search.state import PATHS, State
from skipsched.search.times import set_start, touch_microbatches, touch_rows

#: How often a microbatch is fitted into the rows, each time later where slots were lacking.
_FITTINGS = 5


@compiled
def fit_all_in(problem: Problem, state: State, chance: Chance) -> bool:
    """Fit the microbatches whose paths were noted in again, in that order, the first one at another time.

    Returns
    -------
    bool
        False if a link is missing or there are no slots.
    """
    for at in range(state.figure[PATHS]):
        microbatch = state.kept_microbatch[at]
        if not (lay_out(problem, state, microbatch) and _fit_in(problem, state, chance, microbatch, at == 0)):
            return False
    touch_rows(state)
    touch_microbatches(problem, state)
    return True


@compiled
def _fit_in(problem: Problem, state: State, chance: Chance, microbatch: int, shaken: bool) -> bool:
    """Put a microbatch's actions into the rows about where the times as they are would have them.

    Each begins when its input comes, or a little off; where slots would be lacking its F waits until one is
    freed. Times of the microbatch itself are only guessed on the way.

    Returns
    -------
    bool
        False if no slots were found; the rows are then without it.
    """
    length = problem.path_length
    per = 2 * length + 1
    first = microbatch * per
    begin = state.start[first]
    if shaken and below(chance, 2):
        begin += (below(chance, 2001) - 1000) * state.duration[first] // 500
    for position in range(1, length):
        state.earliest[position] = 0
    state.earliest[0] = max(0, begin)
    fits = False
    for _ in range(_FITTINGS):
        _guess(problem, state, chance, first)
        if _has_slots(problem, state, first):
            fits = True
            break
    if not fits:
        return False
    for at in range(per - 1, -1, -1):
        node = state.node[first + at]
        if state.length[node] == state.row.shape[1]:
            return False
        keep_row(state, node)
        insert(state, node, state.guess[at], first + at)
        # A guess is good enough for whatever is fitted in next.
        if not set_start(problem, state, first + at, state.guessed[at], state.because[first + at]):
            return False
    return True


@compiled
def _guess(problem: Problem, state: State, chance: Chance, first: int) -> None:
    """Guess when a microbatch's actions start, and before which of the others on their nodes."""
    length = problem.path_length
    per = 2 * length + 1
    time = np.int64(0)
    for at in range(per):
        action = first + at
        node = state.node[action]
        if at > 0:
            time += state.duration[action - 1] + state.lag[action]
        if at < length:
            time = max(time, state.earliest[at])
        # Not always in the order in which inputs come.
        place = _place_at(state, node, time + (below(chance, 201) - 100) * state.duration[action] // 200)
        if at >= length:
            # A data node's L comes after its F, every B after its F or L.
            place = max(place, state.guess[0 if at == length else length if at == per - 1 else per - 1 - at])
        state.guess[at] = place
        if place > 0:
            before = state.row[node, place - 1]
            time = max(time, state.start[before] + state.duration[before] + problem.overhead)
        state.guessed[at] = time


@compiled
def _place_at(state: State, node: int, time: int) -> int:
    """The place of the first action in a node's row that starts at a time or later."""
    low, high = 0, state.length[node]
    while low < high:
        middle = (low + high) // 2
        if state.start[state.row[node, middle]] < time:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _has_slots(problem: Problem, state: State, first: int) -> bool:
    """Whether a microbatch finds slots where it was guessed in; if not, what it has to wait for is noted."""
    length = problem.path_length
    per = 2 * length + 1
    for position in range(length):
        node = state.node[first + position]
        free = problem.slots[node, state.allocation[node]]
        enters, leaves = state.guess[position], state.guess[per - 1 - position]
        crowded = False
        for place in range(state.length[node]):
            if place == enters:
                crowded = free < 1
            if place >= leaves and not crowded:
                break
            at = state.row[node, place] % per
            free += int(at > length) - int(at < length)
            if enters <= place < leaves and free < 1:
                crowded = True
            elif crowded and at > length and free >= 1:
                action = state.row[node, place]
                state.earliest[position] = state.start[action] + state.duration[action] + problem.overhead
                return False
        if crowded or (enters == state.length[node] and free < 1):
            return False
    return True
