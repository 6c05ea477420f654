"""Signals that end a search and keep what it found."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol


class Stoppable(Protocol):
    """What can be asked to end soon."""

    @property
    def stopped(self) -> bool:
        """Whether it was asked."""

    def stop(self) -> None:
        """Ask it."""


@contextmanager
def stopping(search: Stoppable) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the search instead of the process; the second one ends the process."""

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        if search.stopped:
            raise KeyboardInterrupt
        search.stop()

    # A lost connection is no reason to lose what is found; not every system has that signal.
    numbers = [signal.SIGINT, signal.SIGTERM, *filter(None, [getattr(signal, "SIGHUP", None)])]
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
