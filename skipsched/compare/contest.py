"""One topology and one budget: what methods are run on, and what several of them begin with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar, cast

from skipsched.baselines.arrangement import Arrangement, NoPipelines, arrange
from skipsched.baselines.arrivals import Stuck
from skipsched.clock import Clock, OutOfTime
from skipsched.compare.attempt import COMPLETE, CUT, NONE, NOTHING, Attempt, NoSchedule
from skipsched.instance import Instance
from skipsched.solver import Options, run_solver
from skipsched.topology.model import Topology

#: The part of a budget that goes into the arrangement at most.
_ARRANGING = 0.5

Made = TypeVar("Made")


class Contest:
    """Runs methods on a topology, each within the budget, one after the other.

    Parameters
    ----------
    topology
        What is solved.
    budget
        Seconds of each method; of counted work if `deterministic`.
    seed
        Of all random choices.
    deterministic
        Whether the result must be the same on every machine.
    """

    def __init__(self, topology: Topology, budget: float, seed: int, deterministic: bool) -> None:
        self.topology = topology
        self.instance = Instance.of(topology)
        self.budget = budget
        self.seed = seed
        self.deterministic = deterministic
        #: Whether a stop was asked for.
        self.stopped = False
        self._clock = self.begin()
        self._made: dict[str, tuple[Any, float]] = {}
        self._spared: dict[str, float] = {}

    def stop(self) -> None:
        """Ask what runs to end soon. Safe to call from a signal handler."""
        self.stopped = True
        self._clock.stop()

    def begin(self, share: float = 1.0) -> Clock:
        """A clock with the budget, or a part of it, that begins to run now."""
        self._clock = clock = Clock(share * self.budget, self.deterministic)
        if self.stopped:
            clock.stop()
        return clock

    def run(self, make: Callable[[Contest], Attempt]) -> tuple[Attempt, float | None]:
        """Run a method; returns also the seconds it took, if they are not counted."""
        began = time.monotonic()
        self._spared = {}
        try:
            attempt = make(self)
        except (NoPipelines, NoSchedule, Stuck) as error:
            attempt = Attempt(NOTHING, why=str(error))
        except OutOfTime:
            attempt = Attempt(NOTHING)
        if self.stopped and attempt.end == COMPLETE:
            # Whatever it began with may have ended early.
            attempt = replace(attempt, end=CUT)
        seconds = time.monotonic() - began + sum(self._spared.values())
        return attempt, None if self.deterministic else seconds

    @property
    def arrangement(self) -> Arrangement:
        """The DT-FM style arrangement, for all methods that begin with it.

        Raises
        ------
        NoPipelines
            If the links admit no straight pipeline.
        """
        return self._once("arrangement", lambda: arrange(self.instance, self.begin(_ARRANGING), self.seed))

    @property
    def ours(self) -> Attempt:
        """What `skipsched solve` comes to, for all methods that begin with its allocation."""
        return self._once("ours", lambda: self.solved(self.topology, Options(seed=self.seed)))

    def solved(self, topology: Topology, options: Options) -> Attempt:
        """What our solver comes to on a topology."""
        result = run_solver(topology, options, self.begin())
        if result.schedule is None:
            return Attempt(NONE if result.cause is not None else NOTHING)
        cut = result.stop_reason in ("time_limit", "interrupted")
        return Attempt(CUT if cut else COMPLETE, result.schedule)

    def _once(self, name: str, make: Callable[[], Made]) -> Made:
        """Make something, or take what another method made; the time it took counts for both."""
        if name in self._made:
            known, seconds = self._made[name]
            self._spared.setdefault(name, seconds)
            return cast("Made", known)
        began = time.monotonic()
        made = make()
        self._made[name] = made, time.monotonic() - began
        self._spared[name] = 0.0  # whoever makes it has spent the time itself
        return made
