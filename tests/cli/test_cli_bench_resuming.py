"""A bench that is interrupted or killed: what is finished is kept and never repeated, and nothing runs on.

None of these tests depends on timing: a process ends when it says or shows where it is.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from bench_cases import TINY_TIME, gone, rows_of, written
from cli_cases import STUCK, call, command, environment, finished

from skipsched.bench.results import Results

#: The command line, ended by SIGKILL when its second run has begun; that run's process is told before.
_KILLED_IN_THE_SECOND_RUN = """
import os, signal
from skipsched.bench import execute
watch, watched = execute._watch, []
def killed(process, stuck_at):
    watched.append(process)
    if len(watched) == 2:
        print(process.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return watch(process, stuck_at)
execute._watch = killed
from skipsched_cli.main import main
main()
"""


def test_after_a_kill_the_same_command_goes_on(tmp_path: Path) -> None:
    (tiny,) = written(tmp_path, "tiny")
    file = tmp_path / "bench.json"
    arguments = ["bench", str(tiny), "--seeds", "3", "--verbose", "-o", str(file)]
    killed = finished([sys.executable, "-c", _KILLED_IN_THE_SECOND_RUN, *arguments])
    assert killed.code == -signal.SIGKILL
    assert killed.err == "ended: tiny (solve, 10 s), seed 0\n"
    gone(int(killed.out))
    (first,) = rows_of(file)
    line = file.read_text().splitlines()[-3]
    assert '"seed": 0' in line

    resumed = call(*arguments)
    assert resumed.code == 0
    assert resumed.err.splitlines() == [
        f"1 of 3 runs are finished already, in {file}",
        "ended: tiny (solve, 10 s), seed 1",
        "ended: tiny (solve, 10 s), seed 2",
    ]
    rows = rows_of(file)
    assert [(row["seed"], row["iteration_time"]) for row in rows] == [(s, TINY_TIME) for s in range(3)]
    assert rows[0] == first
    assert f"{line},\n" in file.read_text()  # byte for byte

    again = call(*arguments)
    assert (again.code, again.out) == (0, resumed.out)
    assert again.err == f"3 of 3 runs are finished already, in {file}\n"


@contextmanager
def ended_at_last(words: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that does not outlive its test, even if that fails."""
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def worker_of(running: subprocess.Popen[bytes]) -> int:
    """The process of the run that a bench is making; waits for it."""
    until = time.monotonic() + STUCK
    while True:
        assert running.poll() is None
        assert time.monotonic() < until
        for child in psutil.Process(running.pid).children():
            with suppress(psutil.Error):  # it is not quite there yet
                if "skipsched.bench.worker" in child.cmdline():
                    return child.pid
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_keeps_what_is_finished_and_leaves_no_process(number: int, tmp_path: Path) -> None:
    (tiny,) = written(tmp_path, "tiny")
    file = tmp_path / "bench.json"
    # The first is solved at once, the second would take its hour.
    words = command("bench", tiny, "geo-20", "--seeds", "1", "--time-limit", "3600", "--workers", "1")
    with ended_at_last([*words, "--verbose", "-o", str(file)]) as running:
        assert running.stderr is not None
        assert running.stderr.readline() == b"ended: tiny (solve, 3600 s, 1 worker), seed 0\n"
        worker = worker_of(running)
        running.send_signal(number)
        out, err = running.communicate(timeout=STUCK)
    gone(worker)
    assert out == b""
    if number == signal.SIGKILL:
        assert (running.returncode, err) == (-number, b"")
    else:
        assert running.returncode == 130
        told = f"interrupted: 1 of 2 runs are finished, in {file}; run the same command again to go on"
        assert err.decode().strip() == told
    ((run, outcome),) = Results.read(file).outcomes.items()
    assert (run.instance, run.time_limit, outcome.iteration_time) == ("tiny", 3600, TINY_TIME)
    assert sorted(tmp_path.iterdir()) == [file, tiny]
