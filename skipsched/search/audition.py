"""Which of many plans deserves a chain: each is bettered for a moment, and the best goes on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from skipsched.clock import Clock
from skipsched.instance import Instance
from skipsched.scheduled import Scheduled
from skipsched.search.chain import Chain
from skipsched.search.chance import Chance
from skipsched.search.cooling import Cooling
from skipsched.search.effort import TIMES_PER_SECOND, shares_by

#: Times of actions that are computed for each plan at most, but so that there is time for so many plans.
_WORK, _PLANS = 5_000_000, 16
#: In so many rounds, each cooler than the last.
_ROUNDS = 5
#: A plan by so much worse than the best one as constructed is not worth a moment.
_HOPELESS = 1.3


class Audition:
    """Hears plans one after the other.

    A constructed plan says little of how good its allocation is; one bettered for a moment says more.

    Parameters
    ----------
    instance
        The tables.
    clock
        The limit.
    plans
        The plans; None for one that was not found.
    chance
        Of the moves.
    """

    def __init__(
        self, instance: Instance, clock: Clock, plans: Iterator[Scheduled | None], chance: Chance
    ) -> None:
        self._instance = instance
        self._clock = clock
        self._plans = plans
        self._chance = chance

    def best(self, seconds: float) -> Scheduled | None:
        """The best of as many plans as there is time for; None if there was none.

        Parameters
        ----------
        seconds
            Of the clock; at least one plan is heard.
        """
        until = self._clock.spent() + seconds
        work = min(_WORK, int(seconds * TIMES_PER_SECOND / _PLANS))
        best: Scheduled | None = None
        quickest = float("inf")
        for plan in self._plans:
            if plan is not None:
                time = plan.objective.iteration_time
                quickest = min(quickest, time)
                if time <= _HOPELESS * quickest:
                    heard = self._bettered(plan, work)
                    best = heard if best is None or heard.objective < best.objective else best
            if self._clock.spent() >= until:
                break
        return best

    def _bettered(self, plan: Scheduled, work: int) -> Scheduled:
        chain = Chain(self._instance, self._chance, 1, plan)
        cooling = Cooling.of(len(plan.plan.routes.paths), len(plan.actions.node), work)
        halt = np.zeros(1, np.int64)
        for turn in range(_ROUNDS):
            temperature = cooling.temperature(turn / _ROUNDS, plan.objective.iteration_time)
            chain.run(temperature, shares_by(chain.counted), work // _ROUNDS, halt)
            self._clock.spend_seconds(work / _ROUNDS / TIMES_PER_SECOND)
        return chain.better(plan) or plan
