"""How long a solver may go on: wall time or deterministic work, and a request to stop."""

from __future__ import annotations

import time

#: Steps of a pure Python inner loop that count as one second of deterministic work.
_STEPS_PER_SECOND = 2_000_000


class OutOfTime(Exception):
    """The limit is reached, or a stop was asked for."""


class TooLarge(OutOfTime):
    """The work would not fit into memory: nothing can be said, as if time had run out."""


class Clock:
    """A limit that phases of the solver share.

    Parameters
    ----------
    limit
        Seconds; of wall time, or of work counted by `spend` if `deterministic`.
    deterministic
        Whether to count work instead of wall time, so that every machine stops at the same point.
    started
        `time.monotonic` at which the limit began to run; now by default.
    """

    def __init__(self, limit: float, deterministic: bool = False, started: float | None = None) -> None:
        self.limit = limit
        self.deterministic = deterministic
        self.started = time.monotonic() if started is None else started
        self.stopped = False
        #: Seconds kept free for what comes after the search.
        self.reserve = 0.0
        self.work = 0.0  # seconds of counted work

    def stop(self) -> None:
        """Ask whatever runs to end soon. Safe to call from a signal handler or another thread."""
        self.stopped = True

    def spend(self, steps: int) -> None:
        """Count work and end the phase if the limit is reached.

        Raises
        ------
        OutOfTime
            If nothing is left.
        """
        self.work += steps / _STEPS_PER_SECOND
        if self.remaining() <= 0:
            raise OutOfTime

    def spend_seconds(self, seconds: float) -> None:
        """Count work that was measured in deterministic seconds elsewhere."""
        self.work += seconds

    def remaining(self) -> float:
        """Seconds left; 0 once a stop was asked for."""
        if self.stopped:
            return 0.0
        return max(0.0, self.limit - self.reserve - self.spent())

    def spent(self) -> float:
        """Seconds gone by, in what the limit is counted in."""
        return self.work if self.deterministic else self.elapsed()

    def elapsed(self) -> float:
        """Wall seconds since the start."""
        return time.monotonic() - self.started


#: For work that is known to be small.
NO_LIMIT = Clock(float("inf"))
