"""Choosing among good schedules by how long their iterations take when durations vary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from skipsched.clock import Clock
from skipsched.insight.conditions import DEFAULT_CONDITIONS
from skipsched.insight.simulation import DEFAULT_RUNS
from skipsched.instance import Instance
from skipsched.scheduled import Scheduled
from skipsched.topology.limits import MAX_SEED
from skipsched.topology.model import Topology

#: The part of the time that simulating takes at most.
SHARE = 0.1
#: Times of actions that are simulated in a second on a usual machine.
_TIMES_PER_SECOND = 15_000_000
#: Schedules that are simulated at most; large ones have fewer runs, so that there is time for several.
_MOST, _SEVERAL = 256, 8
_FEWEST_RUNS = 200
#: What a simulation takes before its first run, in runs.
_SETUP = 200
#: How much longer than the shortest a schedule may promise to take.
_WITHIN = Fraction(105, 100)


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is simulated: whatever the machine, the same for the same limit.

    Parameters
    ----------
    candidates
        Schedules, at most; none if there is no time for two.
    runs
        Of each.
    """

    candidates: int
    runs: int

    @classmethod
    def of(cls, seconds: float, actions: float) -> Effort:
        """What fits into some seconds, for schedules with so many actions."""
        times = seconds * _TIMES_PER_SECOND / max(actions, 1)
        runs = int(min(DEFAULT_RUNS, max(_FEWEST_RUNS, times / _SEVERAL - _SETUP)))
        candidates = int(min(_MOST, times / (runs + _SETUP)))
        return cls(candidates if candidates > 1 else 0, runs)


class Pool:
    """The best schedules met so far, no two alike.

    Parameters
    ----------
    most
        How many it holds.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[tuple[int, int], Scheduled] = {}

    def wants(self, iteration_time: int, total_completion: int) -> bool:
        """Whether a schedule of this value would be taken."""
        value = (iteration_time, total_completion)
        if not self._held:
            return True
        if value in self._held or iteration_time > _WITHIN * min(self._held)[0]:
            return False
        return len(self._held) < self._most or value < max(self._held)

    def add(self, scheduled: Scheduled) -> None:
        """Take a schedule, if it is wanted."""
        value = (scheduled.objective.iteration_time, scheduled.objective.total_completion)
        if self.wants(*value):
            self._held[value] = scheduled
            if len(self._held) > self._most:
                del self._held[max(self._held)]

    def best(self) -> list[Scheduled]:
        """What is not much worse than the best, the best first."""
        if not self._held:
            return []
        longest = _WITHIN * min(self._held)[0]
        return [self._held[value] for value in sorted(self._held) if value[0] <= longest]


@dataclass(frozen=True, slots=True)
class Choice:
    """A schedule that was chosen by simulation.

    Parameters
    ----------
    scheduled
        The schedule.
    quantile
        Of simulated iteration times, by which it was chosen.
    time
        That quantile of its own, microseconds.
    runs, candidates
        Runs of each schedule, and schedules among which it was chosen.
    shortest
        The iteration time of the schedule that promises the shortest, microseconds.
    """

    scheduled: Scheduled
    quantile: float
    time: int
    runs: int
    candidates: int
    shortest: int

    def document(self) -> dict[str, float]:
        """As the schedule's document has it."""
        return {
            "quantile": self.quantile,
            "time": self.time,
            "runs": self.runs,
            "candidates": self.candidates,
            "compute_jitter": DEFAULT_CONDITIONS.compute_jitter,
            "link_jitter": DEFAULT_CONDITIONS.link_jitter,
            "shortest": self.shortest,
        }


def choose(
    topology: Topology,
    instance: Instance,
    schedules: Sequence[Scheduled],
    quantile: float,
    runs: int,
    seed: int,
    clock: Clock,
) -> Choice:
    """The schedule whose iterations are shortest by a quantile, all simulated with the same luck.

    Parameters
    ----------
    schedules
        The one that promises the shortest iteration first; it is simulated even if there is no time.
    seed
        Of a luck that no simulation can ask for: what is chosen by it would look better by it than it is.
    """
    from skipsched.insight.simulate import simulate_schedule

    found: list[tuple[int, int]] = []
    longest = 0.0
    for place, scheduled in enumerate(schedules):
        began = clock.elapsed()
        if found and (clock.stopped or (not clock.deterministic and clock.remaining() <= longest)):
            break
        simulation = simulate_schedule(
            topology,
            instance,
            scheduled,
            DEFAULT_CONDITIONS,
            "order",
            runs,
            MAX_SEED + 1 + seed,
            with_shares=False,
        )
        time = simulation.quantile(quantile)
        assert time is not None, "nothing is lost, and no order locks up"
        found.append((time, place))
        longest = max(longest, clock.elapsed() - began)
    time, place = min(found)
    shortest = schedules[0].objective.iteration_time
    return Choice(schedules[place], quantile, time, runs, len(found), shortest)
