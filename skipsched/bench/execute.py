"""Making one run in a process of its own, and watching what it takes."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any

from skipsched.api import validate
from skipsched.bench.run import Outcome, Run
from skipsched.machine import program
from skipsched.processes import command_of, environment
from skipsched.schedule import Schedule
from skipsched.search.compiling import Compiling
from skipsched.topology.load import load_document

#: Seconds between two looks at the memory: often enough for what grows slowly, seldom enough not to disturb.
_LOOK_EVERY = 0.2
#: A run that takes this many times its limit, and these seconds more, is stuck. Counted work is no wall time.
_STUCK_FACTOR = 20
_STUCK_SECONDS = 300
#: Characters of what a failed run said last.
_TOLD = 2000


class RunFailed(RuntimeError):
    """A run ended without an outcome; the message says how."""


def execute(run: Run, document: Mapping[str, Any]) -> Outcome:
    """Make a run in a process of its own, once the search is compiled.

    Parameters
    ----------
    run
        What to do.
    document
        The topology's normalised document.

    Raises
    ------
    RunFailed
        If the process ends without an outcome, or not at all, or runs other code than this one.
    """
    Compiling().wait()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.monotonic()
        words = command_of("skipsched.bench.worker")
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=out, stderr=err, env=environment())
        try:
            _ask(process, run, document, started)
            peak = _watch(process, started + _STUCK_FACTOR * run.time_limit + _STUCK_SECONDS)
        finally:
            _end(process)
        if process.returncode != 0:
            raise RunFailed(f"{_how_it_ended(process.returncode)}{_last_words(err)}")
        out.seek(0)
        try:
            row = json.loads(out.readline())
            if row["code"] != program()["code"]:
                raise RunFailed("it ran other code than this program's")
            row |= {"peak_memory": max(peak, row["peak_memory"]), "violations": []}
            return _checked(row, out.read(), document)
        except (ValueError, TypeError, LookupError):
            raise RunFailed(f"ended without an outcome{_last_words(err)}") from None


def _checked(row: dict[str, Any], schedule: bytes, document: Mapping[str, Any]) -> Outcome:
    """The outcome, with the checker's word on the schedule. It is read as its user will have it."""
    if row["iteration_time"] is not None:
        read = Schedule.parse("schedule", schedule)
        violations = validate(read, load_document(document))
        if violations:
            row |= {"violations": [violation.format() for violation in violations]}
            row |= {"iteration_time": None, "history": []}
    return Outcome.of_row(row)


def _ask(process: subprocess.Popen[bytes], run: Run, document: Mapping[str, Any], started: float) -> None:
    """Send the job; the pipe stays open, since its end is how the process learns that this one is gone."""
    job = {
        "started": started,
        "document": document,
        "method": run.method,
        "seed": run.seed,
        "time_limit": run.time_limit,
        "deterministic": run.deterministic,
        "workers": run.workers,
    }
    assert process.stdin is not None
    # If it ended before it read, its exit code and its last words say why.
    with suppress(BrokenPipeError):
        process.stdin.write(json.dumps(job).encode() + b"\n")
        process.stdin.flush()


def _watch(process: subprocess.Popen[bytes], stuck_at: float) -> int:
    """Wait for a process; most bytes that it and its children held together."""
    import psutil

    watched = psutil.Process(process.pid)
    peak = 0
    while True:
        held = 0
        with suppress(psutil.Error):  # one of them has ended meanwhile
            for running in [watched, *watched.children(recursive=True)]:
                held += running.memory_info().rss
        peak = max(peak, held)
        try:
            process.wait(_LOOK_EVERY)
        except subprocess.TimeoutExpired:
            if time.monotonic() > stuck_at:
                raise RunFailed("it did not end, and was stopped") from None
        else:
            return peak


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave no process behind, whatever happened."""
    import psutil

    if process.poll() is None:
        with suppress(psutil.Error):
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
        process.kill()
    process.wait()
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()


def _how_it_ended(code: int) -> str:
    if code < 0:
        known = {int(number): number.name for number in signal.Signals}
        return f"ended by {known.get(-code, f'signal {-code}')}"
    return f"ended with exit code {code}"


def _last_words(err: IO[bytes]) -> str:
    """The end of what it said on stderr."""
    err.seek(0)
    said = err.read().decode(errors="replace").strip()
    return f": {said[-_TOLD:]}" if said else ""
