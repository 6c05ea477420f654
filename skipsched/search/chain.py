"""One chain of moves: where it is, and the best plan on its way."""

from __future__ import annotations

import numpy as np

from skipsched.instance import Instance
from skipsched.scheduled import Scheduled
from skipsched.search.anneal import MOVES, WORKED, anneal
from skipsched.search.chance import Chance
from skipsched.search.edit import forget
from skipsched.search.found import Found
from skipsched.search.keeping import ANY_PATHS, Keeping
from skipsched.search.problem import Ints, Problem
from skipsched.search.ring import renew_spread
from skipsched.search.state import LEFT, NOWHERE, TIME, TOTAL, State
from skipsched.search.times import settle


class Chain:
    """A chain.

    Parameters
    ----------
    instance
        The tables.
    chance
        Of its moves.
    heat
        How many times as hot as others it is.
    begin
        Where it begins.
    keeping
        Paths to keep.
    """

    def __init__(
        self,
        instance: Instance,
        chance: Chance,
        heat: int,
        begin: Scheduled,
        keeping: Keeping = ANY_PATHS,
    ) -> None:
        self._instance = instance
        self._keeping = keeping
        self._chance = chance
        self._heat = heat
        self.counted = np.zeros((len(MOVES), WORKED + 1), np.int64)
        self.restart(begin)

    def restart(self, begin: Scheduled) -> None:
        """Go on from another plan."""
        self._problem, self._state = begun(self._instance, begin, self._keeping)
        self._found = Found.of(self._state)

    def run(self, temperature: int, shares: Ints, work: int, halt: Ints) -> None:
        """Make moves; see `anneal`."""
        problem, state, found, chance = self._problem, self._state, self._found, self._chance
        temperature *= self._heat
        anneal(problem, state, found, chance, shares, temperature, work, self.counted, halt)

    def better(self, best: Scheduled) -> Scheduled | None:
        """The best plan on its way, if that is better than a schedule."""
        value, worth = self._found.value, self._keeping.worth(best)
        if (value[TIME], value[TOTAL]) >= worth[:2]:
            return None
        scheduled = self._found.scheduled(self._instance)
        return scheduled if self._keeping.worth(scheduled) < worth else None

    def plans(self) -> tuple[Found, Found]:
        """The best plan on its way, and where it is."""
        return self._found, Found.of(self._state)


def begun(instance: Instance, begin: Scheduled, keeping: Keeping = ANY_PATHS) -> tuple[Problem, State]:
    """The tables, and the state of a plan with all that follows from it."""
    problem, state = Problem.of(instance, begin.plan.routes, keeping), State.of(instance, begin)
    state.figure[LEFT] = keeping.price * keeping.left(begin.plan.routes)
    for first, *_ in begin.plan.routes.members(instance.stages):
        renew_spread(problem, state, first)
    settle(problem, state, NOWHERE)
    forget(state)
    return problem, state
