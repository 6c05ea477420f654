"""How the work is shared out among the moves."""

from __future__ import annotations

import numpy as np

from skipsched.search.anneal import MOVES, PER_MOVE, TRIED, WORKED
from skipsched.search.problem import Ints

#: Times of actions that a chain computes in a second on a usual machine.
TIMES_PER_SECOND = 25_000_000
#: The part of the work that goes into each move, of 100.
EFFORT = {
    "swap": 29,
    "shift": 11,
    "refit": 11,
    "replace": 16,
    "trade": 11,
    "turn": 4,
    "restage": 2,
    "exchange": 13,
    "give": 3,
}
#: Tries that count as if each had taken as much work as any other, so that a few say little.
_FIRST_TRIES = 100
#: Moves are drawn in parts of this.
_PARTS = 10_000


def shares_by(counted: Ints) -> Ints:
    """How often each move is to be made, so that each gets its part of the work.

    In large plans a swap early on has nearly all times computed anew, where another node for a microbatch
    changes few of them.

    Parameters
    ----------
    counted
        ``[move, TRIED]`` and so on: what is counted of each move so far.
    """
    tried, worked = counted[:, [TRIED, WORKED]].T
    usual = 1 + worked.sum() // max(1, tried.sum())
    cost = (_FIRST_TRIES * usual + worked) // (_FIRST_TRIES + tried) + PER_MOVE
    wanted = np.array([EFFORT[move] for move in MOVES], np.int64) * (_PARTS * usual) // cost
    shares: Ints = 1 + _PARTS * wanted // wanted.sum()
    return shares
