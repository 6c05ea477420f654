"""Waiting for the compiled search where solves are compared: all of them should have it, or none."""

from __future__ import annotations

from skipsched_cli.console import Talk
from skipsched_cli.signals import Stoppable


def wait_until_compiled(talk: Talk, search: Stoppable) -> None:
    """Have the search compiled, which is said, and wait for that unless the search is stopped."""
    from skipsched.search.compiling import Compiling

    compiling = Compiling()
    if not compiling.is_ready():
        talk.say("part of the search is compiled first, which happens once after installation ...")
    compiling.wait(until=lambda: search.stopped)
