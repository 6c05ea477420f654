"""Made-up runs and outcomes for the tests of the bench, and what stands in for the making of runs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import pytest
from check_cases import TINY
from cli_cases import STUCK

from skipsched.bench.execute import RunFailed
from skipsched.bench.results import Results
from skipsched.bench.run import Outcome, Run
from skipsched.machine import machine, program

#: What TINY takes at best: its bound says so.
TINY_TIME = 21_000_000

RUN = Run("harbour", "ab12", "solve", 0, 10.0, False, None)
OUTCOME = Outcome(
    status="FEASIBLE",
    stop_reason="time_limit",
    iteration_time=1_000_000,
    lower_bound=800_000,
    bound_kind="in-flight",
    violations=(),
    imported_at=0.25,
    wall_time=10.0,
    peak_memory=100 * 2**20,
    history=((0.5, 2_000_000), (2.0, 1_000_000)),
)
NOTHING = replace(
    OUTCOME,
    status="UNKNOWN",
    iteration_time=None,
    lower_bound=None,
    bound_kind=None,
    history=(),
)


def seeds(outcomes: Iterable[Outcome], run: Run = RUN) -> dict[Run, Outcome]:
    """Runs that differ in their seed alone, which counts from 0, with these outcomes."""
    return {replace(run, seed=seed): outcome for seed, outcome in enumerate(outcomes)}


def taking(*times: int | None, run: Run = RUN) -> dict[Run, Outcome]:
    """Runs with the seeds 0, 1, ... and these iteration times, None where there is no schedule."""
    return seeds((NOTHING if t is None else replace(OUTCOME, iteration_time=t) for t in times), run)


def results(outcomes: Mapping[Run, Outcome]) -> Results:
    """Results of this program on this machine."""
    return Results(*_here(), "skipsched bench", "2026-01-31", dict(outcomes))


@cache
def _here() -> tuple[dict[str, str], dict[str, str | int]]:
    return program(), machine()


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of a results file."""
    document: dict[str, Any] = json.loads(path.read_text())
    found: list[dict[str, Any]] = document["runs"]
    return found


def edited(path: Path, edit: Callable[[dict[str, Any]], None], target: Path) -> Path:
    """Write a results file with something changed in each of its rows to another file."""
    document = json.loads(path.read_text())
    for row in document["runs"]:
        edit(row)
    target.write_text(json.dumps(document))
    return target


def named(name: str, text: str = TINY) -> str:
    """A topology under another name."""
    return text.replace("name: tiny", f"name: {name}")


def written(folder: Path, *names: str) -> list[Path]:
    """Files that hold TINY under some names."""
    paths = [folder / f"{name}.yaml" for name in names]
    for path in paths:
        path.write_text(named(path.stem))
    return paths


def stand_in(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[Run], Outcome | str] = lambda _: OUTCOME
) -> list[Run]:
    """Let runs end at once with what is answered, a text being why one failed; returns the runs made."""
    made: list[Run] = []

    def execute(run: Run, document: Mapping[str, Any]) -> Outcome:
        assert document["name"] == run.instance
        made.append(run)
        answered = answer(run)
        if isinstance(answered, str):
            raise RunFailed(answered)
        return answered

    monkeypatch.setattr("skipsched.bench.execute.execute", execute)
    return made


def known(monkeypatch: pytest.MonkeyPatch, **times: tuple[str, int, int]) -> None:
    """Let these be all instances of which something is known: SHA-256, iteration time, lower bound."""
    found = {"found": "2026-01-31", "version": "0.0.1", "command": "a test"}
    entries = {
        name: {
            "sha256": sha256,
            "iteration_time": {"value": time} | found,
            "lower_bound": {"value": bound, "kind": "model"} | found,
        }
        for name, (sha256, time, bound) in times.items()
    }
    monkeypatch.setattr("skipsched.catalogue.entries", lambda: entries)


def gone(*pids: int) -> None:
    """Wait for the end of processes; one that nobody has buried yet has ended."""
    until = time.monotonic() + STUCK
    while any(map(_lives, pids)):
        assert time.monotonic() < until, f"one of {pids} lives on"
        time.sleep(0.02)


def _lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
