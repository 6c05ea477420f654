"""Chains of moves, one in each thread, cooled as their time goes by; the best plan is shared."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping

import numpy as np

from skipsched.clock import Clock
from skipsched.instance import Instance
from skipsched.scheduled import Scheduled
from skipsched.search.anneal import ACCEPTED, GAINED, MOVES, TRIED, WORKED
from skipsched.search.audition import Audition
from skipsched.search.chain import Chain
from skipsched.search.chance import chance_of
from skipsched.search.cooling import Cooling
from skipsched.search.effort import TIMES_PER_SECOND, shares_by
from skipsched.search.found import Found
from skipsched.search.keeping import ANY_PATHS, Keeping
from skipsched.search.problem import Ints
from skipsched.statistics import Neighbourhood

#: A round of the chains computes so many times of actions at most, or so many times those of the whole plan:
#: taking a plan out of a chain costs as much as some hundred of these.
_ROUND, _ROUND_IN_PLANS = 2_500_000, 1000
#: A cycle is to have so many rounds, each at its own temperature, if they are then not shorter than this.
_ROUNDS, _SHORTEST_ROUND = 50, 100_000
#: Every second chain is so many times as hot where stages average gradients.
_HOTTER = 3
#: The part of a cycle's time in which plans apart are heard, where one begins from such a plan.
_HEARING = 0.2
_POLL_SECONDS = 0.02


class Chains:
    """Betters a schedule by simulated annealing.

    Parameters
    ----------
    instance
        The tables.
    clock
        The limit.
    count
        How many chains.
    seed
        Of their moves.
    begin
        Where they begin.
    until
        Seconds of the clock at which they are cold.
    others
        Other plans, from which every second cycle begins; None for one that was not found.
    apart
        Plans on allocations of another kind: the best of a few is where every second chain begins.
    keeping
        Paths to keep.
    """

    def __init__(
        self,
        instance: Instance,
        clock: Clock,
        count: int,
        seed: int,
        begin: Scheduled,
        until: float,
        others: Iterator[Scheduled | None],
        apart: Iterator[Scheduled | None],
        keeping: Keeping = ANY_PATHS,
    ) -> None:
        self._instance = instance
        self._clock = clock
        self._keeping = keeping
        self._began, self._until = clock.spent(), until
        actions = begin.actions
        # The time may have run out, or been stopped, since it was seen that there is some.
        work = max(0.0, until - self._began) * TIMES_PER_SECOND
        self._cooling = Cooling.of(len(begin.plan.routes.paths), len(actions.node), work)
        most = max(_ROUND, _ROUND_IN_PLANS * len(actions.node))
        self._work = min(most, max(_SHORTEST_ROUND, int(work / self._cooling.cycles / _ROUNDS)))
        self._cycle = 0
        self._others = others
        # A stream of its own: no chain has this number.
        self._apart = Audition(instance, clock, apart, chance_of(seed, count))
        # Between allocations whose all-reduces differ lie high barriers.
        hotter = _HOTTER if instance.allreduce.present else 1
        elsewhere = (self._heard() if count > 1 else None) or begin
        in_turn = [(1, begin), (hotter, elsewhere)]
        self._chains = [
            Chain(instance, chance_of(seed, stream), *in_turn[stream % 2], keeping) for stream in range(count)
        ]
        self._seconds = 0.0
        #: Most wall seconds that taking the plans out took so far.
        self._out = 0.0

    def _heard(self) -> Scheduled | None:
        """The best plan apart of those that can be heard in part of a cycle."""
        return self._apart.best(_HEARING * (self._until - self._began) / self._cooling.cycles)

    def are_cold(self) -> bool:
        """Whether their time has gone by."""
        return self._share() >= 1

    def step(self, best: Scheduled) -> Scheduled | None:
        """Let every chain make moves for a round; returns a better schedule if one is found."""
        cycle = self._cooling.cycle(self._share())
        if cycle != self._cycle:
            self._cycle = cycle
            fresh = self._cooling.is_fresh(cycle)
            for stream, chain in enumerate(self._chains):
                other = self._other(stream) if fresh else None
                chain.restart(other or best)
        began = self._clock.elapsed()
        self._run(
            self._cooling.temperature(self._share(), best.objective.iteration_time),
            shares_by(self._counted()),
        )
        ended = self._clock.elapsed()
        self._seconds += (ended - began) * len(self._chains)
        self._clock.spend_seconds(self._work / TIMES_PER_SECOND)
        found = [chain.better(best) for chain in self._chains]
        self._out = max(self._out, self._clock.elapsed() - ended)
        return min((s for s in found if s is not None), key=self._keeping.worth, default=None)

    def _other(self, stream: int) -> Scheduled | None:
        """Another plan to begin from: some cannot be reached from others by moves that keep the rules."""
        return (self._heard() if stream % 2 else None) or next(self._others, None)

    def plans(self) -> Iterator[Found]:
        """Good plans: the best on each chain's way, and where it is."""
        for chain in self._chains:
            yield from chain.plans()

    def neighbourhoods(self) -> Mapping[str, Neighbourhood]:
        """What each move has done so far; seconds by the times of actions that it had computed."""
        counted = self._counted()
        seconds = self._seconds / max(1, int(counted[:, WORKED].sum()))
        return {
            name: Neighbourhood(
                tried=int(row[TRIED]),
                accepted=int(row[ACCEPTED]),
                gained=int(row[GAINED]),
                seconds=int(row[WORKED]) * seconds,
            )
            for name, row in zip(MOVES, counted, strict=True)
        }

    def _counted(self) -> Ints:
        """What is counted of each move, of all chains together."""
        counted: Ints = np.sum([chain.counted for chain in self._chains], axis=0)
        return counted

    def _share(self) -> float:
        """The part of their time that has gone by."""
        return (self._clock.spent() - self._began) / max(self._until - self._began, 1e-9)

    def _run(self, temperature: int, shares: Ints) -> None:
        """Run all chains side by side for a round, or until the clock ends it."""
        halt = np.zeros(1, np.int64)
        threads = [
            threading.Thread(target=chain.run, args=(temperature, shares, self._work, halt), daemon=True)
            for chain in self._chains
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(_POLL_SECONDS)
                # Counted work ends by itself, after the same moves on every machine.
                out = self._clock.remaining() <= 2 * self._out
                if self._clock.stopped or (out and not self._clock.deterministic):
                    halt[0] = 1
