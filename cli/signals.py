"""Signals that end a search and keep what it found."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from skipsched.clock import Clock


@contextmanager
def stopping(clock: Clock) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the search instead of the process; the second one ends the process."""

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        if clock.stopped:
            raise KeyboardInterrupt
        clock.stop()

    # A lost connection is no reason to lose what is found; not every system has that signal.
    numbers = [signal.SIGINT, signal.SIGTERM, *filter(None, [getattr(signal, "SIGHUP", None)])]
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
