"""`skipsched show`: what it draws where, what it refuses, and that it fits the window."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from check_cases import TINY
from cli_cases import Outcome, call, command, environment, process, solved_document

from skipsched.text.diagnostics import cells


@pytest.fixture(autouse=True)
def no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "LINES", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def schedule(tmp_path: Path) -> Path:
    return written(tmp_path / "schedule.json", solved_document("geo-20"))


def written(path: Path, document: dict[str, Any]) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def refused(*arguments: str | Path) -> str:
    ran = call("show", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "Traceback" not in ran.err
    return ran.err


def body(ran: Outcome) -> list[str]:
    """The lines of a chart, which take at most the columns of a pipe."""
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert max(map(cells, lines)) <= 100
    return lines


def test_a_chart_in_a_pipe(schedule: Path) -> None:
    ran = call("show", schedule)
    lines = body(ran)
    assert ran.err == ""
    assert lines[0].startswith("geo-20: iteration time ")
    assert "\x1b" not in ran.out
    assert sum("·" in line for line in lines) >= 20
    assert max(map(cells, lines)) == 100


def test_from_standard_input(schedule: Path) -> None:
    assert call("show", "-", stdin=schedule.read_bytes()) == call("show", schedule)


@pytest.mark.parametrize(
    ("columns", "wide"), [("140", 140), ("60", 60), ("0", 100), ("many", 100), ("9" * 9, 400)]
)
def test_columns(schedule: Path, monkeypatch: pytest.MonkeyPatch, columns: str, wide: int) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert max(map(cells, call("show", schedule).out.splitlines())) == wide


def test_lines(schedule: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINES", "16")
    lines = body(call("show", schedule))
    assert len(lines) <= 15
    assert any("nodes of 20 left out" in line for line in lines)


def test_colour_where_it_is_asked_for(schedule: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" in call("show", schedule, "--color", "always").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in call("show", schedule).out
    kind, microbatch = (
        call("show", schedule, "--color", "always", "--color-by", by).out for by in ("kind", "microbatch")
    )
    assert kind != microbatch


def test_zoom(schedule: Path) -> None:
    lines = body(call("show", schedule, "--node", "n3", "--node", "n4", "--from", "2 s", "--to", "4500 ms"))
    assert " ".join(lines).count("from 2.00 s to 4.50 s") == 1
    assert {row[1] for line in lines if (row := re.match(r"[\d ] {5}(n\d+) ", line))} == {"n3", "n4"}
    few = body(call("show", schedule, "--microbatch", "3"))
    assert any("no microbatch asked for visits" in line for line in few)
    assert any(line.startswith("F forward") and ": other microbatches" in line for line in few)


def test_the_end_of_time_is_the_end_of_the_iteration(schedule: Path) -> None:
    assert call("show", schedule, "--to", "1e9 s") == call("show", schedule)


def test_files(schedule: Path, tmp_path: Path) -> None:
    svg, html = tmp_path / "chart.svg", tmp_path / "page.html"
    ran = call("show", schedule, "--svg", svg, "--html", html)
    assert ran == Outcome(0, "", f"wrote {svg}\nwrote {html}\n")
    assert Xml.fromstring(svg.read_text()).tag.endswith("svg")
    assert html.read_text().startswith("<!doctype html>")
    assert call("show", schedule, "--svg", svg, "-q").err == ""
    assert call("show", schedule, "--svg", "-").out == svg.read_text()
    assert call("show", schedule, "--html", "-").out == html.read_text()


def test_the_bound_is_that_of_its_own_topology(schedule: Path) -> None:
    bound = f'"lowerBound":{solved_document("geo-20")["lower_bound"]}'
    assert bound in call("show", schedule, "--html", "-").out
    ran = call("show", schedule, "--html", "-", "--topology", "geo-20")
    assert '"lowerBound":null' in ran.out


def test_on_another_topology(tmp_path: Path) -> None:
    """Twice as slow a node: the times are those that follow there."""
    schedule = written(tmp_path / "tiny.json", solved_document(TINY))
    slower = tmp_path / "slower.yaml"
    slower.write_text(TINY.replace("forward_time: 1 s", "forward_time: 9 s"))
    ran = call("show", schedule, "--topology", slower)
    assert "the schedule was made for another topology" in ran.err
    assert body(ran)[0] != body(call("show", schedule))[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--node", "n99"], 'error[node] --node: there is no node "n99"\n    hint: did you mean "n9"?'),
        (
            ["--microbatch", "30"],
            "error[microbatch] --microbatch: there is no microbatch 30, the last one is 29",
        ),
        (["--microbatch", "-1"], "-1 is not in the range"),
        (["--microbatch", "9" * 30], "there is no microbatch 999"),
        (
            ["--from", "10"],
            'has no unit; expected one of us ms s min; write a time with its unit, such as "55 ms"',
        ),
        (["--from", "-1 s"], "before the iteration begins"),
        (["--from", "nan s"], "not a finite number"),
        (["--from", "1e99 s"], "beyond the limit"),
        (["--from", "1e9 s"], "nothing to draw from"),
        (["--from", "3 s", "--to", "2 s"], "2.00 s is not after 3.00 s"),
        (["--to", "0 s"], "0.00 s is not after 0.00 s"),
        (["--color-by", "stage"], "'stage' is not one of"),
        (["--svg", "-", "--html", "-"], "need a file each"),
        (["--svg", "/nowhere/chart.svg"], "there is no folder"),
        (["--html", "/"], "is a folder"),
    ],
)
def test_bad_usage(schedule: Path, arguments: list[str], said: str) -> None:
    assert said in refused(schedule, *arguments)


def test_all_errors_at_once(schedule: Path) -> None:
    told = refused(schedule, "--node", "x", "--node", "y", "--microbatch", "77", "--from", "9999 s")
    assert told.count("error[") == 4


def test_what_it_is_made_from_is_not_overwritten(schedule: Path, tmp_path: Path) -> None:
    assert f"would overwrite the schedule {schedule}" in refused(schedule, "--html", schedule)
    topology = tmp_path / "topology.yaml"
    topology.write_text(TINY)
    assert "would overwrite the topology" in refused(schedule, "--topology", topology, "--svg", topology)
    assert topology.read_text() == TINY


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "{}", '{"format": "skipsched.schedule/1"}'])
def test_what_is_no_schedule(tmp_path: Path, text: str) -> None:
    path = tmp_path / "schedule.json"
    path.write_text(text)
    assert "error[" in refused(path, "--html", tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == [path]


def test_a_schedule_that_is_not_valid(tmp_path: Path) -> None:
    document = copy.deepcopy(solved_document("geo-20"))
    document["iteration_time"] += 1
    assert "error[objective]" in refused(written(tmp_path / "broken.json", document))


def test_places_that_take_nothing(schedule: Path) -> None:
    if not Path("/dev/full").is_char_device():
        pytest.skip("there is no /dev/full")
    assert "/dev/full: No space left" in refused(schedule, "--svg", "/dev/full")


def test_a_reader_that_goes_away_ends_it_quietly(schedule: Path) -> None:
    with subprocess.Popen(
        command("show", schedule, "--html", "-"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == 141


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no terminals of its own")
def test_in_a_terminal(schedule: Path) -> None:
    """Coloured, as wide as it is, and with a line left for the prompt."""
    import fcntl
    import struct
    import termios

    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 18, 72, 0, 0))
    ran = process("show", schedule, capture_output=False, stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    lines = os.read(ours, 1 << 16).decode().splitlines()
    os.close(ours)
    assert ran.code == 0
    assert len(lines) <= 17
    assert any("\x1b[38;5;16;48;5;" in line for line in lines)
