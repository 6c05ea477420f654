"""Compiling the search ahead of its first use, in a process of its own.

That takes half a minute, once after installation. A thread could not be left when the time limit comes; this
process goes on after the one that began it has ended, so that the next one finds the code.

    python -m skipsched.search.compiling
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from skipsched.processes import command_of, environment
from skipsched.search.compiled import code_folder

#: In the folder of compiled code: all of it is there; a process with this number is making it.
_READY, _MAKING = "ready", "making"
#: Processes that were begun: they are meant to outlive whoever began them, which Python warns of otherwise.
_BEGUN: list[subprocess.Popen[bytes]] = []
#: Seconds that making it takes at most, on any machine.
_LONGEST = 600.0
#: Versions of the program, or machines, whose code is kept, those apart that were used so many seconds ago.
_VERSIONS, _IN_USE = 5, 3600.0
_POLL_SECONDS = 0.05


class Compiling:
    """The compiled search: whether it is there, and the process that makes it if not."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        with suppress(OSError):  # nowhere to keep it: the program does without
            self._folder = code_folder()
            os.utime(self._folder)  # in use: nobody takes it away
        self._process: subprocess.Popen[bytes] | None = None

    def is_ready(self) -> bool:
        """Whether the search can begin at once."""
        return self._folder is not None and (self._folder / _READY).exists()

    def begin(self) -> None:
        """Have it made, unless somebody is about it."""
        if self._folder is None or self._others():
            return
        process = self._process = subprocess.Popen(
            command_of("skipsched.search.compiling"),
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # What stops this process, as Ctrl-C on a terminal does, is not to stop that one.
            start_new_session=True,
        )
        _BEGUN.append(process)

    def wait(self, until: Callable[[], bool] = lambda: False) -> None:
        """Have it made and wait for that, or until something else holds."""
        if not self.is_ready():
            self.begin()
        while self.is_running() and not until():
            time.sleep(_POLL_SECONDS)

    def is_running(self) -> bool:
        """Whether it is being made."""
        if self._folder is None or self.is_ready():
            return False
        return self._others() if self._process is None else self._process.poll() is None

    def _others(self) -> bool:
        """Whether another process is making it."""
        import psutil

        assert self._folder is not None
        making = self._folder / _MAKING
        with suppress(OSError, ValueError):
            # A number that has been there for long may be that of another process by now.
            recent = time.time() - making.stat().st_mtime < _LONGEST
            return recent and psutil.pid_exists(int(making.read_text(encoding="ascii")))
        return False


def compile_all() -> None:
    """Make everything, by searching a small instance for a moment."""
    from skipsched.clock import NO_LIMIT, Clock
    from skipsched.construct import construct
    from skipsched.instance import Instance
    from skipsched.routes.allocate import allocations
    from skipsched.routes.find import find_routes
    from skipsched.search.chains import Chains
    from skipsched.topology.load import load_topology

    folder = code_folder()
    (folder / _MAKING).write_text(str(os.getpid()), encoding="ascii")
    instance = Instance.of(load_topology("small-8"))
    routes = find_routes(instance, NO_LIMIT, 1, allocations(instance, NO_LIMIT, 0))
    first = next(construct(instance, routes, [], NO_LIMIT, 0))
    clock = Clock(60.0, deterministic=True)
    Chains(instance, clock, 1, 0, first, until=1.0, others=iter(()), apart=iter(())).step(first)
    (folder / _READY).touch()
    (folder / _MAKING).unlink(missing_ok=True)
    with suppress(OSError):  # somebody else is about it
        _clear(folder.parent)


def _clear(base: Path) -> None:
    """Take away what was used least lately, if it is much."""
    used = {folder: folder.stat().st_mtime for folder in base.iterdir()}
    for old in sorted(used, key=lambda folder: -used[folder])[_VERSIONS:]:
        if time.time() - used[old] > _IN_USE:
            shutil.rmtree(old, ignore_errors=True)


if __name__ == "__main__":
    compile_all()
