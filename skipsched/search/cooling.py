"""How hot chains are, as their time goes by."""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Microbatches times temperature, in parts of the iteration time, where a chain with time enough begins.
_HOT = 0.9
#: Hotter than this part of the iteration time nothing is gained.
_HOTTEST = 0.3
#: A chain has time enough if it can move each action so often, were all times computed after each move.
_ENOUGH = 3000
#: Times of actions that a cycle computes at least: some hundredths of a second.
_SHORTEST = 2_000_000
#: A cycle that goes on from the best plan begins with this part of the temperature of others.
_AGAIN = 0.5
#: By how many halvings a cycle cools.
_HALVINGS = 5


@dataclass(frozen=True, slots=True)
class Cooling:
    """Cycles of slow cooling: the more time for the size of the problem, the hotter, then the more of them.

    Parameters
    ----------
    cycles
        How often it gets hot.
    hot
        Temperature at the beginning of the first cycle, in parts of the iteration time.
    """

    cycles: int
    hot: float

    @classmethod
    def of(cls, microbatches: int, actions: int, work: float) -> Cooling:
        """For chains that compute so many times of actions each."""
        moves = work / actions**2
        cycles = max(1, min(int(moves / _ENOUGH), int(work / _SHORTEST)))
        enough = min(1.0, moves / cycles / _ENOUGH)
        # The power of 3/4 by roots, which every machine computes alike.
        return cls(cycles, min(_HOTTEST, _HOT / microbatches * math.sqrt(enough * math.sqrt(enough))))

    def cycle(self, share: float) -> int:
        """Number of the cycle when this share of the time has gone by."""
        return min(self.cycles - 1, int(share * self.cycles))

    def is_fresh(self, cycle: int) -> bool:
        """Whether a cycle begins from another plan, and not from the best so far."""
        return cycle % 2 == 1

    def temperature(self, share: float, iteration_time: int) -> int:
        """Microseconds, when this share of the time has gone by; never 0."""
        cycle = self.cycle(share)
        within = min(1.0, share * self.cycles - cycle) * _HALVINGS
        halvings = int(within)
        # Straight lines between halvings, so that every machine computes the same.
        cooled = self.hot * (1 - (within - halvings) / 2) / 2**halvings
        again = cycle > 0 and not self.is_fresh(cycle)
        return 1 + int(iteration_time * cooled * (_AGAIN if again else 1))
