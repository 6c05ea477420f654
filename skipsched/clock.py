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
        self._stopped = False
        #: Seconds kept free for what comes after the search.
        self.reserve = 0.0
        self._work = 0.0

    @property
    def stopped(self) -> bool:
        """Whether a stop was asked for."""
        return self._stopped

    @property
    def work(self) -> float:
        """Seconds of counted work so far."""
        return self._work

    def stop(self) -> None:
        """Ask whatever runs to end soon. Safe to call from a signal handler or another thread."""
        self._stopped = True

    def spend(self, steps: int) -> None:
        """Count work and end the phase if the limit is reached.

        Raises
        ------
        OutOfTime
            If nothing is left.
        """
        self._work += steps / _STEPS_PER_SECOND
        if self.remaining() <= 0:
            raise OutOfTime

    def spend_seconds(self, seconds: float) -> None:
        """Count work that was measured in deterministic seconds elsewhere."""
        self._work += seconds

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

    def part(self, share: float) -> Clock:
        """A clock for a phase that gets no more than a share of what is left; both run on together."""
        return _Part(self, share)


class _Part(Clock):
    """A clock whose limit is a part of another one's, and whose work is counted there."""

    def __init__(self, whole: Clock, share: float) -> None:
        self._whole = whole
        super().__init__(whole.spent() + share * whole.remaining(), whole.deterministic, whole.started)

    @property
    def stopped(self) -> bool:
        """Whether a stop of the whole was asked for."""
        return self._whole.stopped

    @property
    def work(self) -> float:
        """Seconds of work counted on the whole clock."""
        return self._whole.work

    def spend(self, steps: int) -> None:
        """Count work and end the phase if the limit is reached."""
        self._whole.spend(steps)
        super().spend(0)

    def spend_seconds(self, seconds: float) -> None:
        """Count work that was measured in deterministic seconds elsewhere."""
        self._whole.spend_seconds(seconds)

    def remaining(self) -> float:
        """Seconds left."""
        return min(self._whole.remaining(), super().remaining())

    def spent(self) -> float:
        """Seconds gone by since the whole clock started."""
        return self._whole.spent()


#: For work that is known to be small.
NO_LIMIT = Clock(float("inf"))
