"""Ctrl-C and SIGTERM: what is in hand is written, otherwise nothing is.

None of these tests depends on timing: a signal is sent when the program says or shows where it is.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from cli_cases import INFEASIBLE, STUCK, Outcome, call, command, environment, large_topology

from skipsched import Progress
from skipsched.check import check_schedule
from skipsched.instance import Instance
from skipsched.topology.load import load_topology
from skipsched_cli.console import Talk

BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
#: The search goes on for seconds after its first schedule, which takes a second.
LARGE = large_topology(300, 20)


def raise_when(monkeypatch: pytest.MonkeyPatch, number: int, in_hand: bool, times: int = 1) -> None:
    """Send this process a signal when a solve first has, or does not have, a schedule in hand."""
    left = [times]

    def take(self: Talk, progress: Progress) -> None:  # noqa: ARG001
        while left[0] and (progress.iteration_time is not None) == in_hand:
            left[0] -= 1
            signal.raise_signal(number)

    monkeypatch.setattr(Talk, "_log", take)


@BOTH
def test_with_a_schedule_in_hand(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raise_when(monkeypatch, number, in_hand=True)
    target = tmp_path / "schedule.json"
    ran = call("solve", "geo-20", "-o", target)
    assert ran.code == 0
    assert "interrupted" in ran.err
    document = json.loads(target.read_text())
    assert document["solver"]["stop_reason"] == "interrupted"
    topology = load_topology("geo-20")
    assert check_schedule(document, topology, Instance.of(topology)) == []


@BOTH
def test_before_any_schedule(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raise_when(monkeypatch, number, in_hand=False)
    ran = call("solve", "geo-20", "-o", tmp_path / "schedule.json")
    assert (ran.code, ran.out) == (130, "")
    assert ran.err == "no schedule found (interrupted)\n"
    assert list(tmp_path.iterdir()) == []


def test_the_second_signal_ends_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    raise_when(monkeypatch, signal.SIGINT, in_hand=True, times=2)
    ran = call("solve", "geo-20")
    assert (ran.code, ran.out) == (130, "")


def test_handlers_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    raise_when(monkeypatch, signal.SIGTERM, in_hand=True)
    call("solve", "small-8")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@BOTH
def test_a_process_with_a_schedule_in_hand(number: int, tmp_path: Path) -> None:
    source = tmp_path / "large.yaml"
    source.write_text(LARGE)
    with subprocess.Popen(
        command("solve", source, "--verbose"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(PYTHONUNBUFFERED="1"),
    ) as running:
        assert running.stderr is not None
        assert b"iteration" in running.stderr.readline()
        running.send_signal(number)
        out, err = running.communicate(timeout=STUCK)
    assert running.returncode == 0
    assert json.loads(out)["solver"]["stop_reason"] == "interrupted"
    assert err.decode().splitlines()[-1].endswith("(interrupted)")
    assert call("validate", "-", stdin=out).code == 0


def ended(running: subprocess.Popen[bytes], number: int) -> tuple[bytes, bytes]:
    """Send a signal to a process that reads, and wait for its end.

    A signal that comes just before a blocking read is heard only after it: then, like a person would, send it
    again.
    """
    for _ in range(10):
        running.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            return running.communicate(timeout=3)
    raise AssertionError("it does not end")


def interrupted_reading(number: int, arguments: list[str], pipe: Path, written: str, end: bool) -> Outcome:
    """Send a signal to a command that reads from a pipe, once something is written and perhaps its end."""
    os.mkfifo(pipe)
    running = subprocess.Popen(
        command(*arguments, pipe), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    # Opening a pipe to write waits until the program has opened it to read.
    with running, pipe.open("w") as writer:
        writer.write(written)
        writer.flush()
        if end:
            writer.close()
        out, err = ended(running, number)
    return Outcome(running.returncode, out.decode(), err.decode())


@BOTH
@pytest.mark.parametrize("written", ["", "skipsched: 1\n"])
def test_a_process_that_still_waits_for_its_topology(number: int, written: str, tmp_path: Path) -> None:
    target = tmp_path / "schedule.json"
    arguments = ["solve", "-o", str(target)]
    ran = interrupted_reading(number, arguments, tmp_path / "pipe", written, end=False)
    assert (ran.code, ran.out) == (130, "")
    assert "Traceback" not in ran.err
    assert not target.exists()


@BOTH
def test_a_process_that_has_read_its_topology_and_has_no_schedule_yet(number: int, tmp_path: Path) -> None:
    ran = interrupted_reading(number, ["solve"], tmp_path / "pipe", LARGE, end=True)
    assert (ran.code, ran.out) == (130, "")
    assert "Traceback" not in ran.err


def raise_before(monkeypatch: pytest.MonkeyPatch, called: str, number: int, times: int = 1) -> None:
    """Send this process a signal each time just before a function of the package is called."""
    module, _, name = called.rpartition(".")
    function = getattr(import_module(module), name)

    def interrupted(*arguments: Any, **options: Any) -> Any:
        for _ in range(times):
            signal.raise_signal(number)
        return function(*arguments, **options)

    monkeypatch.setattr(called, interrupted)


@BOTH
def test_check_that_has_not_decided_yet(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    raise_before(monkeypatch, "skipsched.routes.find.has_routes", number)
    ran = call("check", "-", stdin=INFEASIBLE)
    assert (ran.code, ran.out) == (130, "")
    assert ran.err == "interrupted before it was decided whether it is feasible\n"


@BOTH
def test_check_that_looks_for_the_cause(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    raise_before(monkeypatch, "skipsched.conflict.explain", number)
    ran = call("check", "-", stdin=INFEASIBLE)
    assert (ran.code, ran.err) == (1, "")
    assert "\ninfeasible: " in ran.out
    assert "some of them may be innocent" in ran.out
    assert ran.out.endswith("\nno change found within the limits\n")


def test_the_second_signal_ends_check_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    raise_before(monkeypatch, "skipsched.conflict.explain", signal.SIGINT, times=2)
    ran = call("check", "-", stdin=INFEASIBLE)
    assert (ran.code, ran.out) == (130, "")


@BOTH
@pytest.mark.parametrize("name", ["check", "validate"])
def test_other_commands_end_at_once(name: str, number: int, tmp_path: Path) -> None:
    ran = interrupted_reading(number, [name], tmp_path / "pipe", "", end=False)
    assert (ran.code, ran.out) == (130, "")
    assert "Traceback" not in ran.err
