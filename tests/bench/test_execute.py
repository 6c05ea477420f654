"""Runs in processes of their own: what comes out, what is measured, and what is left when they end badly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from bench_cases import TINY_TIME, gone
from check_cases import TINY
from cli_cases import STUCK

import skipsched
from skipsched.bench.execute import RunFailed, _checked, _watch, execute
from skipsched.bench.run import Outcome, Run
from skipsched.topology.load import load_topology
from skipsched.topology.model import Topology


def run_of(topology: Topology, **changes: Any) -> Run:
    return replace(Run(topology.name, topology.sha256, "solve", 0, 30.0, False, 1), **changes)


TOPOLOGY = load_topology(TINY)
RUN = run_of(TOPOLOGY)


@pytest.fixture(scope="module")
def solved() -> Outcome:
    return execute(RUN, TOPOLOGY.document)


def test_the_outcome_is_that_of_the_method(solved: Outcome) -> None:
    assert (solved.status, solved.stop_reason) == ("OPTIMAL", "optimal")
    assert solved.iteration_time == solved.lower_bound == TINY_TIME
    assert solved.bound_kind
    assert solved.violations == ()


def test_times_count_from_the_start_of_the_process(solved: Outcome) -> None:
    times = [solved.imported_at, *(at for at, _ in solved.history), solved.wall_time]
    assert times == sorted(times)
    assert times[0] > 0
    assert solved.history[-1][1] == TINY_TIME


def test_memory_is_at_least_that_of_an_interpreter(solved: Outcome) -> None:
    assert solved.peak_memory > 2**20


def test_counted_work_gives_the_same_twice() -> None:
    topology = load_topology("small-8")
    run = run_of(topology, deterministic=True, time_limit=0.2, workers=None)
    one, two = (execute(run, topology.document) for _ in range(2))
    assert one.history
    assert [time for _, time in one.history] == [time for _, time in two.history]
    assert (one.iteration_time, one.lower_bound) == (two.iteration_time, two.lower_bound)
    assert (one.status, one.stop_reason, one.bound_kind) == (two.status, two.stop_reason, two.bound_kind)


def test_a_schedule_that_the_checker_refuses_is_none(solved: Outcome) -> None:
    schedule = skipsched.solve(TOPOLOGY, gap=1).schedule
    assert schedule is not None
    row = asdict(solved)
    assert _checked(dict(row), schedule.text().encode(), TOPOLOGY.document) == solved
    claimed = schedule.text().replace('"makespan": ', '"makespan": 1')
    refused = _checked(dict(row), claimed.encode(), TOPOLOGY.document)
    assert (refused.iteration_time, refused.history) == (None, ())
    assert any("makespan" in violation for violation in refused.violations)


def test_a_worker_with_other_code_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skipsched.bench.execute.program", lambda: {"code": "another"})
    with pytest.raises(RunFailed, match="other code"):
        execute(RUN, TOPOLOGY.document)


def test_modules_of_the_working_folder_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise RuntimeError('no such module')")
    (tmp_path / "skipsched").mkdir()
    (tmp_path / "skipsched" / "__init__.py").write_text("raise RuntimeError('another program')")
    monkeypatch.chdir(tmp_path)
    assert execute(RUN, TOPOLOGY.document).iteration_time == TINY_TIME


class Stepped:
    """A process whose watcher looks exactly twice: before it is ready, and between that and its end."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._waited = False
        self.pid = process.pid

    def wait(self, timeout: float) -> int:
        assert self._process.stdout is not None
        assert self._process.stdin is not None
        if not self._waited:
            self._waited = True
            assert self._process.stdout.readline() == b"ready\n"
            raise subprocess.TimeoutExpired("", timeout)
        self._process.stdin.close()
        return self._process.wait(STUCK)


#: Holds as many bytes as the first argument says, in a process of its own if there is a second.
_HOLDING = """
import subprocess, sys
held = b"x" * (0 if sys.argv[2:] else int(sys.argv[1]))
if sys.argv[2:]:
    subprocess.run([sys.executable, sys.argv[2], sys.argv[1]], check=True)
else:
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("in_child", [False, True])
def test_peak_memory_is_that_of_the_process_and_its_children(in_child: bool, tmp_path: Path) -> None:
    script = tmp_path / "holding.py"
    script.write_text(_HOLDING)

    def peak(held: int) -> int:
        words = [sys.executable, str(script), str(held), *([str(script)] if in_child else [])]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            found = _watch(Stepped(process), float("inf"))  # type: ignore[arg-type]
        assert process.returncode == 0
        return found

    little, much = peak(0), peak(80 * 2**20)
    assert little > 2**20
    assert 70 * 2**20 < much - little < 90 * 2**20


def replaced_by(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a shell script run in place of the worker."""
    path = folder / "worker.sh"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path))


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("exit 3", "ended with exit code 3"),
        ("echo first >&2; echo its last words >&2; exit 1", "ended with exit code 1: first\nits last words"),
        ("kill -KILL $$", "ended by SIGKILL"),
        ("echo oh >&2; kill -SEGV $$", "ended by SIGSEGV: oh"),
        ("exit 0", "ended without an outcome"),
        ("echo nonsense; echo why >&2", "ended without an outcome: why"),
        ("echo '{}'", "ended without an outcome"),
        ("echo '[]'", "ended without an outcome"),
    ],
)
def test_a_run_without_an_outcome_has_failed(
    script: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced_by(script, tmp_path, monkeypatch)
    with pytest.raises(RunFailed) as caught:
        execute(RUN, TOPOLOGY.document)
    assert str(caught.value) == told


def test_last_words_are_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replaced_by(
        "i=0; while [ $i -lt 999 ]; do i=$((i+1)); echo line $i >&2; done; exit 1", tmp_path, monkeypatch
    )
    with pytest.raises(RunFailed) as caught:
        execute(RUN, TOPOLOGY.document)
    assert str(caught.value).endswith("line 998\nline 999")
    assert len(str(caught.value)) < 2100


def test_a_worker_that_reads_nothing_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # More than a pipe takes: the question cannot even be asked.
    replaced_by("exit 4", tmp_path, monkeypatch)
    with pytest.raises(RunFailed, match="exit code 4"):
        execute(RUN, dict(TOPOLOGY.document) | {"name": "x" * 10**6})


def test_a_crash_of_the_method_is_told_with_its_error() -> None:
    with pytest.raises(RunFailed, match=r"(?s)^ended with exit code 1: Traceback.*KeyError: 'nonsense'$"):
        execute(replace(RUN, method="nonsense"), TOPOLOGY.document)


def test_a_run_that_does_not_end_is_stopped_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = tmp_path / "pids"
    replaced_by(f"sleep 1000 & echo $$ $! > {pids}; sleep 1000", tmp_path, monkeypatch)
    monkeypatch.setattr("skipsched.bench.execute._LOOK_EVERY", 0.02)
    monkeypatch.setattr("skipsched.bench.execute._STUCK_FACTOR", 0)

    class Endless:
        """A clock on which the time is over as soon as the processes are there."""

        @staticmethod
        def monotonic() -> float:
            return 1000.0 if pids.exists() and pids.read_text().strip() else 0.0

    monkeypatch.setattr("skipsched.bench.execute.time", Endless)
    with pytest.raises(RunFailed, match="it did not end, and was stopped"):
        execute(RUN, TOPOLOGY.document)
    assert len(pids.read_text().split()) == 2
    gone(*map(int, pids.read_text().split()))


def test_an_interrupted_run_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    watched: list[int] = []

    def interrupted(process: subprocess.Popen[bytes], stuck_at: float) -> int:  # noqa: ARG001
        watched.append(process.pid)
        assert psutil.pid_exists(process.pid)
        raise KeyboardInterrupt

    monkeypatch.setattr("skipsched.bench.execute._watch", interrupted)
    topology = load_topology("geo-20")
    with pytest.raises(KeyboardInterrupt):
        execute(run_of(topology, time_limit=3600.0), topology.document)
    assert len(watched) == 1
    gone(*watched)


@pytest.fixture
def busy() -> Iterator[subprocess.Popen[bytes]]:
    """A worker that has been asked for an hour's work."""
    topology = load_topology("geo-20")
    run = run_of(topology, time_limit=3600.0)
    job = {key: getattr(run, key) for key in ("method", "seed", "time_limit", "deterministic", "workers")}
    job |= {"document": topology.document, "started": time.monotonic()}
    with subprocess.Popen(
        [sys.executable, "-m", "skipsched.bench.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps(job).encode() + b"\n")
        process.stdin.flush()
        try:
            yield process
        finally:
            process.kill()


def test_a_worker_ends_when_its_parent_is_gone(busy: subprocess.Popen[bytes]) -> None:
    assert busy.poll() is None
    assert busy.stdin is not None
    busy.stdin.close()
    assert busy.wait(STUCK) == 1
    assert busy.stdout is not None
    assert busy.stdout.read() == b""
