"""`skipsched launch`: one process for each node, and what becomes of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from check_cases import TINY, tiny
from cli_cases import STUCK, Outcome, call, command, environment, finished, process

#: Says what a process was given, if it is the one of rank 1; all end.
ASK = """
import json, os, sys
if os.environ["RANK"] == "1":
    path = os.environ["SKIPSCHED_SCHEDULE"]
    name = json.load(open(path, encoding="utf-8"))["topology"]["name"]
    print(json.dumps([os.environ["WORLD_SIZE"], name, path, sys.stdin.read(), os.environ["OMP_NUM_THREADS"]]))
"""


@pytest.fixture
def schedule(tmp_path: Path) -> Path:
    path = tmp_path / "schedule.json"
    path.write_text(json.dumps(tiny()), encoding="utf-8")
    return path


def launched(schedule: str | Path, code: str, stdin: str = "") -> Outcome:
    return process("launch", schedule, "--", sys.executable, "-c", code, stdin=stdin)


def test_a_schedule_from_stdin_reaches_every_process() -> None:
    ran = launched("-", ASK, json.dumps(tiny()))
    assert (ran.code, ran.err) == (0, "")
    size, name, path, rest, threads = json.loads(ran.out)
    assert (size, name, rest) == ("2", "tiny", "")
    assert int(threads) >= 1
    assert not Path(path).parent.exists()


def test_the_node_that_failed_is_named(schedule: Path) -> None:
    code = "import os, sys, time; os.environ['RANK'] == '1' and sys.exit(7); time.sleep(60)"
    ran = launched(schedule, code)
    assert (ran.code, ran.out, ran.err) == (7, "", "node b (rank 1) ended with exit code 7\n")


def test_the_node_that_was_killed_is_named(schedule: Path) -> None:
    code = "import os, time; os.environ['RANK'] == '1' and os.kill(os.getpid(), 9); time.sleep(60)"
    ran = launched(schedule, code)
    assert (ran.code, ran.err) == (128 + 9, "node b (rank 1) was ended by SIGKILL\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_all_processes(schedule: Path, tmp_path: Path, number: signal.Signals) -> None:
    code = f"echo $$ > {tmp_path}/pid$RANK; exec sleep 60"
    words = command("launch", schedule, "--", "sh", "-c", code)
    with subprocess.Popen(words, env=environment(), stderr=subprocess.PIPE) as running:
        pids = [_pid(tmp_path / f"pid{rank}") for rank in range(2)]
        running.send_signal(number)
        _, said = running.communicate(timeout=STUCK)
    assert (running.returncode, said.strip()) == (130, b"")
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def _pid(path: Path) -> int:
    until = time.monotonic() + STUCK
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return int(path.read_text())


def started_none(document: Any, tmp_path: Path) -> str:
    """What is said of a schedule that is refused before anything is started."""
    path, trace = tmp_path / "schedule.json", tmp_path / "trace"
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    ran = launched(path, f"open({str(trace)!r}, 'w')")
    assert (ran.code, ran.out, trace.exists()) == (2, "", False)
    return ran.err


def test_a_corrupted_schedule_starts_nothing(tmp_path: Path) -> None:
    document = tiny()
    document["actions"]["b"].reverse()
    assert "error[deadlock]" in started_none(document, tmp_path)
    assert "error[schedule]" in started_none(TINY, tmp_path)


def test_a_launcher_that_fails_is_told(schedule: Path) -> None:
    from torch.distributed.elastic.rendezvous import RendezvousError

    with mock.patch("skipsched.runtime.launch.elastic_launch", side_effect=RendezvousError("why\nmore")):
        ran = call("launch", schedule, "--", sys.executable)
    assert (ran.code, ran.out, ran.err) == (1, "", "error: torch's launcher failed: why\n")


def test_usage() -> None:
    assert call("launch").code == 2
    assert call("launch", "-").code == 2
    ran = call("launch", "-", "--", "no-such-program")
    assert (ran.code, ran.err.splitlines()[-1]) == (
        2,
        "Error: Invalid value for PROGRAM: there is no program no-such-program",
    )


def test_without_torch_it_says_what_to_install() -> None:
    with mock.patch("skipsched.runtime.needs.find_spec", return_value=None):
        ran = call("launch", "-", "--", sys.executable, "-c", "pass", stdin=json.dumps(tiny()))
    assert (ran.code, ran.out) == (2, "")
    assert "pip install 'skipsched[torch]'" in ran.err


def test_only_the_runtime_needs_torch() -> None:
    code = """
import sys
sys.modules["torch"] = None  # as if it were not installed
import skipsched, skipsched_cli.main, skipsched.runtime
try:
    skipsched.runtime.Pipeline
except ImportError as error:
    print(error)
from skipsched.runtime.train.command import run
sys.argv = ["train", "--help"]
print(run())
"""
    ran = finished([sys.executable, "-c", code])
    assert ran.code == 0, ran.err
    first, *_, last = ran.out.splitlines()
    assert "pip install 'skipsched[torch]'" in first
    assert last == "0"


@pytest.mark.slow
def test_one_line_solves_and_trains(tmp_path: Path) -> None:
    solve = f"{sys.executable} -m skipsched solve small-8 --time-limit 5"
    launch = f"{sys.executable} -m skipsched launch - -- {sys.executable} -m skipsched.runtime.train"
    line = f"{solve} | {launch} --steps 50 --log {tmp_path / 'log'}"
    ran = finished(["bash", "-c", line], timeout=5 * STUCK)
    assert ran.code == 0, ran.err
    rows = [json.loads(row) for row in (tmp_path / "log").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, 51))
    assert rows[-1]["loss"] < rows[0]["loss"] - 1
