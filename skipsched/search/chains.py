"""Chains of moves, one in each thread, cooled as their time goes by; the best plan is shared."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from itertools import islice

import numpy as np

from skipsched.clock import Clock
from skipsched.instance import Instance
from skipsched.scheduled import Scheduled
from skipsched.search.anneal import ACCEPTED, GAINED, MOVES, PER_MOVE, TRIED, WORKED, anneal
from skipsched.search.chance import Chance, chance_of
from skipsched.search.cooling import Cooling
from skipsched.search.edit import forget
from skipsched.search.found import Found
from skipsched.search.problem import Ints, Problem
from skipsched.search.ring import renew_spread
from skipsched.search.state import NOWHERE, TIME, TOTAL, State
from skipsched.search.times import settle
from skipsched.statistics import Neighbourhood

#: The part of the work that goes into each move, of 100.
_EFFORT = {
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
#: Times of actions that a chain computes in a second on a usual machine.
_TIMES_PER_SECOND = 25_000_000
#: A round of the chains computes so many times of actions at most, or so many times those of the whole plan:
#: taking a plan out of a chain costs as much as some hundred of these.
_ROUND, _ROUND_IN_PLANS = 2_500_000, 1000
#: A cycle is to have so many rounds, each at its own temperature, if they are then not shorter than this.
_ROUNDS, _SHORTEST_ROUND = 50, 100_000
#: Every second chain is so many times as hot where stages average gradients.
_HOTTER = 3
#: So many plans apart are looked at, in this part of the time at most.
_APART_PLANS, _APART = 12, 0.1
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
    ) -> None:
        self._instance = instance
        self._clock = clock
        self._began, self._until = clock.spent(), until
        actions = begin.actions
        # The time may have run out, or been stopped, since it was seen that there is some.
        work = max(0.0, until - self._began) * _TIMES_PER_SECOND
        self._cooling = Cooling.of(len(begin.plan.routes.paths), len(actions.node), work)
        most = max(_ROUND, _ROUND_IN_PLANS * len(actions.node))
        self._work = min(most, max(_SHORTEST_ROUND, int(work / self._cooling.cycles / _ROUNDS)))
        self._cycle = 0
        self._others = others
        # Between allocations whose all-reduces differ lie high barriers.
        hotter = _HOTTER if instance.allreduce.present else 1
        other = self._best_of(apart) if count > 1 else None
        self._chains = [
            _Chain(instance, chance_of(seed, stream), hotter, other or begin)
            if stream % 2
            else _Chain(instance, chance_of(seed, stream), 1, begin)
            for stream in range(count)
        ]
        self._seconds = 0.0
        #: Most wall seconds that taking the plans out took so far.
        self._out = 0.0

    def _best_of(self, apart: Iterator[Scheduled | None]) -> Scheduled | None:
        """The best of some plans, as many as there is time for."""
        until = self._began + _APART * (self._until - self._began)
        found: list[Scheduled] = []
        for plan in islice(apart, _APART_PLANS):
            if plan is not None:
                found.append(plan)
            if self._clock.spent() > until:
                break
        return min(found, key=lambda scheduled: scheduled.objective, default=None)

    def are_cold(self) -> bool:
        """Whether their time has gone by."""
        return self._share() >= 1

    def step(self, best: Scheduled) -> Scheduled | None:
        """Let every chain make moves for a round; returns a better schedule if one is found."""
        cycle = self._cooling.cycle(self._share())
        if cycle != self._cycle:
            self._cycle = cycle
            for chain in self._chains:
                # Some allocations cannot be reached from others by moves that keep the rules.
                other = next(self._others, None) if self._cooling.is_fresh(cycle) else None
                chain.restart(other or best)
        began = self._clock.elapsed()
        self._run(self._cooling.temperature(self._share(), best.objective.iteration_time), self._shares())
        ended = self._clock.elapsed()
        self._seconds += (ended - began) * len(self._chains)
        self._clock.spend_seconds(self._work / _TIMES_PER_SECOND)
        found = [chain.better(best) for chain in self._chains]
        self._out = max(self._out, self._clock.elapsed() - ended)
        return min((s for s in found if s is not None), key=lambda s: s.objective, default=None)

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

    def _shares(self) -> Ints:
        """How often each move is to be made, so that each gets its part of the work.

        In large plans a swap early on has nearly all times computed anew, where another node for a microbatch
        changes few of them.
        """
        tried, worked = self._counted()[:, [TRIED, WORKED]].T
        usual = 1 + worked.sum() // max(1, tried.sum())
        cost = (_FIRST_TRIES * usual + worked) // (_FIRST_TRIES + tried) + PER_MOVE
        wanted = np.array([_EFFORT[move] for move in MOVES], np.int64) * (_PARTS * usual) // cost
        shares: Ints = 1 + _PARTS * wanted // wanted.sum()
        return shares

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


class _Chain:
    """One chain: where it is, and the best plan on its way.

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
    """

    def __init__(self, instance: Instance, chance: Chance, heat: int, begin: Scheduled) -> None:
        self._instance = instance
        self._chance = chance
        self._heat = heat
        self.counted = np.zeros((len(MOVES), WORKED + 1), np.int64)
        self.restart(begin)

    def restart(self, begin: Scheduled) -> None:
        """Go on from another plan."""
        self._problem, self._state = begun(self._instance, begin)
        self._found = Found.of(self._state)

    def run(self, temperature: int, shares: Ints, work: int, halt: Ints) -> None:
        """Make moves; see `anneal`."""
        problem, state, found, chance = self._problem, self._state, self._found, self._chance
        temperature *= self._heat
        anneal(problem, state, found, chance, shares, temperature, work, self.counted, halt)

    def better(self, best: Scheduled) -> Scheduled | None:
        """The best plan on its way, if that is better than a schedule."""
        value, objective = self._found.value, best.objective
        if (value[TIME], value[TOTAL]) >= (objective.iteration_time, objective.total_completion):
            return None
        scheduled = self._found.scheduled(self._instance)
        return scheduled if scheduled.objective < objective else None


def begun(instance: Instance, begin: Scheduled) -> tuple[Problem, State]:
    """The tables, and the state of a plan with all that follows from it."""
    problem, state = Problem.of(instance, begin.plan.routes), State.of(instance, begin)
    for first, *_ in begin.plan.routes.members(instance.stages):
        renew_spread(problem, state, first)
    settle(problem, state, NOWHERE)
    forget(state)
    return problem, state
