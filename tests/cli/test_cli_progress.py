"""`--progress json` and `--json`: each key that docs/progress.md lists is there, and no other."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
from check_cases import TINY, changed, tiny
from cli_cases import (
    INFEASIBLE,
    STRANGE_LINK,
    WRONG,
    Outcome,
    call,
    command,
    environment,
    large_topology,
    process,
    solved_document,
)

from skipsched import Progress, Schedule
from skipsched_cli.console import Talk, speak_json

DOCS = (Path(__file__).resolve().parents[2] / "docs" / "progress.md").read_text(encoding="utf-8")
JSON = ("--progress", "json")


@cache
def documented() -> dict[str, set[str]]:
    """The keys of each event."""
    found: dict[str, set[str]] = {}
    table = DOCS.partition("| event |")[2].partition("\n\n")[0]
    for event, keys in re.findall(r"^\| `(\w+)` \| ([^|]*) \|", table, re.MULTILINE):
        found[event] = set(re.findall(r"`(\w+)`", keys))
    assert set(found) == {"progress", "step", "message", "warning", "error", "end"}
    return found


def events(ran: Outcome) -> list[dict[str, Any]]:
    """Every line of stderr, each of which is an object with the documented keys; the last one ends it."""
    found = [json.loads(line) for line in ran.err.splitlines()]
    elapsed = [event["elapsed"] for event in found]
    assert elapsed == sorted(elapsed)
    for event in found:
        expected = {"event", "elapsed"} | documented()[event["event"]]
        if event["event"] == "end" and "status" not in event:
            expected = {"event", "elapsed", "exit_code"}
        assert set(event) == expected
        times = ("elapsed", "iteration_time", "lower_bound", "remaining")
        assert {type(event[key]) for key in times if event.get(key) is not None} <= {int}
    assert [event["event"] for event in found].count("end") == 1
    assert found[-1]["event"] == "end"
    assert found[-1]["exit_code"] == ran.code
    return found


def named(ran: Outcome) -> dict[str, list[dict[str, Any]]]:
    """The events by their name."""
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in events(ran):
        found[event["event"]].append(event)
    return found


def test_a_solve() -> None:
    """What is reached only grows better, and the closing object says what the schedule says."""
    ran = call("solve", "small-8", "--time-limit", "1", *JSON)
    found = named(ran)
    document = json.loads(ran.out)
    times = [event["iteration_time"] for event in found["progress"] if event["iteration_time"] is not None]
    bounds = [event["lower_bound"] for event in found["progress"] if event["lower_bound"] is not None]
    assert times == sorted(times, reverse=True)
    assert bounds == sorted(bounds)
    assert [event["phase"] for event in found["progress"]][:2] == ["routes", "construction"]
    (end,) = found["end"]
    for key in ("iteration_time", "lower_bound", "bound_kind", "gap"):
        assert end[key] == document[key]
    assert (end["status"], end["stop_reason"]) == (
        document["solver"]["status"],
        document["solver"]["stop_reason"],
    )
    assert (end["cause"], end["statistics"], end["report"]) == (None, None, None)
    assert set(found) <= {"progress", "message", "end"}


def test_a_repair() -> None:
    """It ends as a solve does, with its report."""
    before = Schedule(solved_document("small-8")).text()
    node = solved_document("small-8")["stages"][1][0]
    ran = call("repair", "-", "--without", node, "--deterministic", "--time-limit", "1", *JSON, stdin=before)
    found = named(ran)
    (end,) = found["end"]
    document = json.loads(ran.out)
    assert end["iteration_time"] == document["iteration_time"]
    assert end["status"] == document["solver"]["status"]
    assert [left["node"] for left in end["report"]["left"]] == [node]
    assert set(found) <= {"progress", "message", "end"}


def test_a_repair_of_nothing() -> None:
    """All of stage 0 left: nothing is feasible, and the error says why."""
    nodes = [name for stage in solved_document("small-8")["stages"] for name in stage]
    without = [word for name in nodes[1:] for word in ("--without", name)]
    ran = call("repair", "-", *without, *JSON, stdin=Schedule(solved_document("small-8")).text())
    assert ran.code in (1, 2)
    assert [event["event"] for event in events(ran)] == ["error", "end"]


def test_statistics_go_into_the_closing_object() -> None:
    end = events(call("solve", "-", "--stats", *JSON, stdin=TINY))[-1]
    assert set(end["statistics"]) == {"phases", "neighbourhoods", "incumbents"}
    assert end["statistics"]["incumbents"][-1]["iteration_time"] == end["iteration_time"]
    assert set(end["statistics"]["phases"]["construction"]) == {"time", "better"}


@pytest.fixture
def speaking() -> Iterator[None]:
    """As within a command with `--progress json`."""
    with click.Context(click.Command("solve")) as context:
        speak_json(context)
        yield


@pytest.mark.usefixtures("speaking")
def test_progress_is_not_told_again_and_again(capsys: pytest.CaptureFixture[str]) -> None:
    """Proof and search take turns many times a second: without anything better they are told once."""
    with Talk().live(lambda: 0.5) as take:
        for phase, time, bound in [
            ("proof", 9, 3),
            ("search", 9, 3),
            ("proof", 9, 3),
            ("search", 9, 3),
            ("search", 8, 3),
            ("proof", 8, 3),
            ("proof", 8, 4),
        ]:
            take(Progress(phase, time, bound))
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(e["phase"], e["iteration_time"], e["lower_bound"]) for e in told] == [
        ("proof", 9, 3),
        ("search", 9, 3),
        ("search", 8, 3),
        ("proof", 8, 4),
    ]
    assert {event["remaining"] for event in told} == {500_000}
    assert told[-1]["gap"] == 0.5


@pytest.mark.usefixtures("speaking")
def test_steps_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """One that fails does not end."""
    with Talk().steps(3) as (begin, end):
        for name in "abc":
            begin(name)
            if name != "b":
                end(name)
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(e["name"], e["done"], e["total"]) for e in told] == [("a", 0, 3), ("b", 1, 3), ("c", 1, 3)]


def test_an_infeasible_topology() -> None:
    ran = call("solve", "-", *JSON, stdin=INFEASIBLE)
    found = named(ran)
    assert ran.code == 1
    assert found["error"][0]["text"].startswith("infeasible: ")
    assert found["end"][0]["cause"]["rules"]
    checked = call("check", "-", "--json", *JSON, stdin=INFEASIBLE)
    assert json.loads(checked.out)["cause"] == found["end"][0]["cause"]


def test_errors_and_warnings_have_their_place() -> None:
    found = named(call("solve", "-", *JSON, stdin=WRONG))["error"]
    assert (found[0]["file"], found[0]["line"]) == ("<stdin>", 5)
    assert all(e["rule"] and e["where"] and e["column"] for e in found)
    (warning,) = named(call("check", "-", *JSON, stdin=STRANGE_LINK))["warning"]
    assert warning["hint"].startswith("did you mean")
    assert "\n" not in warning["text"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("solve", "no such file", *JSON),
        ("solve", "--progress=json", "geo-20", "--nonsense"),
        ("solve", "geo-20", "--time-limit", "-1", *JSON),
        ("check", *JSON),
        ("validate", "no such file", *JSON),
        ("export", "no such file", "--to", "csv", *JSON),
        ("solve", "geo-20", "--quiet", *JSON),
    ],
)
def test_bad_usage_and_bad_input(arguments: tuple[str, ...]) -> None:
    ran = call(*arguments)
    assert ran.code == 2
    assert [event["event"] for event in events(ran)] == ["error", "end"]


def test_other_values_are_refused() -> None:
    for value in ("none", "JSON", ""):
        assert call("solve", "geo-20", "--progress", value).code == 2


def test_comparisons_and_benchmarks_tell_their_steps(tmp_path: Path) -> None:
    options = ("--deterministic", "--budget", "0.1", "--methods", "gpipe,solve")
    found = named(call("compare", "small-8", *options, *JSON))
    assert [event["name"] for event in found["step"]] == ["gpipe", "solve"]
    bench = ("--seeds", "1", "--time-limit", "0.1", "-o", tmp_path / "bench.json", "--json")
    ran = call("bench", "small-8", *bench, *JSON)
    assert [(e["done"], e["total"]) for e in named(ran)["step"]] == [(0, 1)]
    assert len(json.loads(ran.out)["runs"]) == 1


def test_a_format_that_cannot_express_a_schedule(tmp_path: Path) -> None:
    path = tmp_path / "schedule.json"
    Schedule(solved_document("small-8")).write(path)
    ran = call("export", path, "--to", "torch-csv", "-o", tmp_path / "x", *JSON)
    assert ran.code == 1
    assert all(error["hint"] for error in named(ran)["error"])


def test_in_a_process_of_its_own_that_is_interrupted() -> None:
    """Interrupted before the topology has come: no blank line, no traceback."""
    with subprocess.Popen(
        command("check", "-", *JSON),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as running:
        assert running.stderr is not None
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(1)
        os.kill(running.pid, signal.SIGINT)
        told = running.stderr.read().decode()
    assert [event["event"] for event in events(Outcome(running.returncode, "", told))] == ["end"]
    assert running.returncode == 130


def test_an_interrupted_solve_ends_with_its_schedule() -> None:
    with subprocess.Popen(
        command("solve", "-", *JSON),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdin.write(large_topology(40, 10).encode())
        running.stdin.close()
        told = ""
        while '"iteration_time": null' in told or not told:
            told = running.stderr.readline().decode()
        os.kill(running.pid, signal.SIGINT)
        out = running.stdout.read()
        rest = running.stderr.read().decode()
    end = events(Outcome(running.returncode, "", rest))[-1]
    assert (end["exit_code"], end["stop_reason"]) == (0, "interrupted")
    assert end["iteration_time"] == json.loads(out)["iteration_time"]


def test_a_reader_of_progress_that_goes_away_ends_it_quietly() -> None:
    with subprocess.Popen(
        command("solve", "geo-20", "--gap", "1", *JSON),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as running:
        assert running.stderr is not None
        running.stderr.close()
    assert running.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
def test_a_full_standard_output_is_told_as_an_object() -> None:
    with Path("/dev/full").open("w") as full:
        ran = process("check", "small-8", *JSON, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert ran.code == 2
    assert [event["event"] for event in events(ran)] == ["error", "end"]


def test_validate_prints_violations_as_json() -> None:
    right = call("validate", "-", "--json", stdin=json.dumps(tiny()))
    assert (right.code, json.loads(right.out)) == (0, {"valid": True, "violations": []})
    wrong = changed(tiny(), ("actions", "a", 0, "start"), 5)
    ran = call("validate", "-", "--json", stdin=json.dumps(wrong))
    assert ran.code == 1
    verdict = json.loads(ran.out)
    assert not verdict["valid"]
    found = verdict["violations"][0]
    assert set(found) == {"rule", "message", "microbatch", "node", "time"}
    assert (found["rule"], found["node"]) == ("times", "a")
