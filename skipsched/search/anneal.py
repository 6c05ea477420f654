"""Simulated annealing: moves one after the other, worse plans accepted the less the cooler it is."""

from __future__ import annotations

from skipsched.search import node_moves, order_moves, path_moves
from skipsched.search.chance import Chance, below, rise
from skipsched.search.compiled import compiled
from skipsched.search.edit import accept, take_back
from skipsched.search.found import Found, copy, is_better
from skipsched.search.problem import Ints, Problem
from skipsched.search.state import LAST, LEFT, SPREAD, TIME, TOTAL, WORK, State
from skipsched.search.times import settle

#: The moves, in the order of the rows of what is counted of them.
MOVES = ("swap", "shift", "refit", "replace", "trade", "turn", "restage", "exchange", "give")
#: What is counted of a move: how often it was tried and accepted; microseconds by which it bettered the best
#: plan; times of actions computed.
TRIED, ACCEPTED, GAINED, WORKED = range(4)
#: What a move takes besides, in times of actions.
PER_MOVE = 10
#: Cost: the iteration time with the price of the paths that were left, and this part of the microbatches'
#: mean completion and of the stages' mean spread, in parts of `WHOLE`. Without these most moves change
#: nothing, and the search does not see where to go.
WHOLE, MEAN = 16, 5


@compiled
def cost_of(state: State) -> int:
    """What annealing minimises."""
    return int(WHOLE * (state.figure[TIME] + state.figure[LEFT]) + _means(state, state.figure[TOTAL]))


@compiled
def _means(state: State, total: int) -> int:
    """The part of the cost that is not the iteration time, for a sum of completions."""
    return int(MEAN * (total // state.path.shape[0]) + MEAN * (state.figure[SPREAD] // state.size.shape[0]))


@compiled
def anneal(
    problem: Problem,
    state: State,
    best: Found,
    chance: Chance,
    shares: Ints,
    temperature: int,
    work: int,
    counted: Ints,
    halt: Ints,
) -> None:
    """Make moves at a temperature.

    Parameters
    ----------
    state
        Where it begins and ends.
    best
        Is given the best plan on the way, if that is better than what it holds.
    shares
        How often each move is made, relative to the others.
    temperature
        Microseconds of iteration time by which a plan may typically become worse in one move.
    work
        Ends once so many times of actions have been computed, each move counted as `PER_MOVE` more.
    counted
        ``[move, TRIED]`` and so on: what is counted is added.
    halt
        Ends soon once its only entry is not 0.
    """
    of = 0
    for share in shares:
        of += share
    left = work
    while left > 0 and halt[0] == 0:
        move = _draw(shares, below(chance, of))
        time, total, last, worked = (
            state.figure[TIME],
            state.figure[TOTAL],
            state.figure[LAST],
            state.figure[WORK],
        )
        most = cost_of(state) + rise(chance, WHOLE * temperature)
        made = _made(problem, state, chance, move)
        # The mean completion will hardly fall by more than a sixteenth of itself.
        limit = (most - _means(state, total - total // 16)) // WHOLE - state.figure[LEFT]
        accepted = made and settle(problem, state, limit) and cost_of(state) <= most
        if accepted:
            accept(state)
            if is_better(state, best):
                counted[move, GAINED] += best.value[TIME] - state.figure[TIME] - state.figure[LEFT]
                copy(state, best)
        else:
            take_back(problem, state, time, total, last)
        counted[move, TRIED] += 1
        counted[move, ACCEPTED] += int(accepted)
        counted[move, WORKED] += state.figure[WORK] - worked
        left -= PER_MOVE + state.figure[WORK] - worked


@compiled
def _draw(shares: Ints, number: int) -> int:
    """The move that a number below the sum of the shares stands for."""
    move = 0
    while number >= shares[move]:
        number -= shares[move]
        move += 1
    return move


@compiled
def _made(problem: Problem, state: State, chance: Chance, move: int) -> bool:  # noqa: PLR0911
    """Make a move; whether it keeps the rules."""
    if move == 0:
        return order_moves.swap(problem, state, chance)
    if move == 1:
        return order_moves.shift(problem, state, chance)
    if move == 2:
        if state.figure[LEFT] and below(chance, 2):
            return path_moves.go_home(problem, state, chance)
        return order_moves.refit(problem, state, chance)
    if move == 3:
        return path_moves.replace(problem, state, chance)
    if move == 4:
        return path_moves.trade(problem, state, chance)
    if move == 5:
        return path_moves.turn(problem, state, chance)
    if move == 6:
        return path_moves.restage(problem, state, chance)
    if move == 7:
        return node_moves.exchange(problem, state, chance)
    return node_moves.give(problem, state, chance)
