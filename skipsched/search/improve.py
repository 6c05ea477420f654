"""What betters a schedule: chains of compiled moves for most of the time, windows of the model after that."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from skipsched.clock import Clock, TooLarge
from skipsched.exact.windows import Windows
from skipsched.instance import Instance, has_instant_actions
from skipsched.scheduled import Scheduled
from skipsched.search.compiling import Compiling
from skipsched.search.keeping import ANY_PATHS, Keeping
from skipsched.statistics import Neighbourhood

if TYPE_CHECKING:
    from skipsched.search.chains import Chains
    from skipsched.search.found import Found

#: The part of the time that is left to windows.
_POLISH = 0.1
#: With more actions than this a window takes minutes and finds nothing.
_MOST_ACTIONS = 10_000
_POLL_SECONDS = 0.05


class Improver:
    """Betters a schedule, step by step. While the chains are being compiled, windows do it alone.

    Parameters
    ----------
    instance
        The tables.
    clock, workers
        Limit, and how many chains or windows run side by side.
    seed
        Of all random choices.
    others
        Other plans to begin from, at times; None for one that was not found.
    apart
        Plans on allocations of another kind, from which every second chain begins.
    windows
        Whether to use windows of the model at all.
    keeping
        Paths to keep.
    """

    def __init__(
        self,
        instance: Instance,
        clock: Clock,
        workers: int,
        seed: int,
        others: Iterator[Scheduled | None],
        apart: Iterator[Scheduled | None],
        *,
        windows: bool = True,
        keeping: Keeping = ANY_PATHS,
    ) -> None:
        self._instance = instance
        self._clock = clock
        self._workers = workers
        self._seed = seed
        self._keeping = keeping
        self._others = others
        self._apart = apart
        self._chains: Chains | None = None
        self._windows = Windows(instance, clock, workers, seed) if windows else None
        self._compiling = Compiling()
        self._can_chain = not has_instant_actions(instance)
        #: Whether chains had to wait until they were compiled.
        self.has_waited = self._can_chain and not self._compiling.is_ready()
        if not self.has_waited:
            return
        if clock.deterministic:
            # What is found must not depend on how long that takes.
            self._compiling.wait(until=lambda: clock.stopped)
        else:
            self._compiling.begin()

    def step(self, best: Scheduled) -> Scheduled | None:
        """Search for a moment; returns a better schedule if one is found.

        Raises
        ------
        TooLarge
            If nothing is left that memory would hold.
        OutOfTime
            If the clock runs out.
        """
        self._clock.spend(0)
        if len(best.actions.node) > _MOST_ACTIONS:
            self._windows = None
        if self._chains is None and self._can_chain and self._compiling.is_ready():
            self._chains = self._begun(best)
        if self._chains is not None and not (self._windows and self._chains.are_cold()):
            return self._chains.step(best)
        if self._windows is not None:
            try:
                found = self._windows.step(best)
            except TooLarge:
                self._windows = None
                return None
            # Windows know nothing of paths to keep.
            worth = self._keeping.worth
            return found if found is not None and worth(found) < worth(best) else None
        if not (self.has_waited and self._compiling.is_running()):
            raise TooLarge
        time.sleep(_POLL_SECONDS)
        return None

    def _begun(self, best: Scheduled) -> Chains:
        """Chains that are cold when it is the windows' turn."""
        from skipsched.search.chains import Chains

        clock = self._clock
        until = clock.spent() + clock.remaining() * (1 - _POLISH if self._windows else 1)
        return Chains(
            self._instance,
            clock,
            self._workers,
            self._seed,
            best,
            until,
            self._others,
            self._apart,
            self._keeping,
        )

    def plans(self) -> Iterator[Found]:
        """Good plans that the chains have at the moment."""
        return iter(()) if self._chains is None else self._chains.plans()

    def neighbourhoods(self) -> Mapping[str, Neighbourhood]:
        """What each neighbourhood has done so far."""
        found = {} if self._chains is None else dict(self._chains.neighbourhoods())
        return found if self._windows is None else found | self._windows.neighbourhoods
