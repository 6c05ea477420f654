"""`skipsched repair`: what it writes and says, its exit codes, and what goes wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from check_cases import TINY
from cli_cases import Outcome, call, command, environment, process, solved_document

from skipsched import Progress, Schedule, load_topology, validate
from skipsched.repair.nearest import nearest_routes
from skipsched_cli.console import Talk

#: A data node, two nodes behind it, and one more behind these.
CHAIN = """
skipsched: 1
name: chain
nodes:
  - {id: oslo, forward_time: 80 ms, memory: 3, stage: 0}
  - {id: bern, forward_time: 60 ms, memory: 3}
  - {id: rome, forward_time: 60 ms, memory: 3}
  - {id: wien, forward_time: 60 ms, memory: 3}
network:
  default: {latency: 20 ms, bandwidth: 300 Mbit/s}
workload: {stages: 3, stage_sizes: [1, 2, 1], microbatches: 4, activation: 16 MiB, gradient: 30 MB}
"""


@pytest.fixture
def schedule(tmp_path: Path) -> Path:
    target = tmp_path / "schedule.json"
    Schedule(solved_document(CHAIN)).write(target)
    return target


def one_of_two(schedule: Path) -> str:
    """A node of the stage that has two."""
    node: str = json.loads(schedule.read_text())["stages"][1][0]
    return node


def repaired(schedule: Path | str, *arguments: str | Path, **options: Any) -> Outcome:
    return call("repair", schedule, "--deterministic", "--time-limit", "0.05", *arguments, **options)


def test_the_schedule_on_stdout_and_the_rest_on_stderr(schedule: Path) -> None:
    gone = one_of_two(schedule)
    ran = repaired(schedule, "--without", gone)
    assert ran.code == 0
    made = Schedule.parse("stdout", ran.out.encode())
    assert validate(made) == []
    assert gone not in made.document["actions"]
    told = ran.err.splitlines()
    assert told[0] == f"{gone} left stage 1"
    assert "keep their path" in ran.err
    assert "FEASIBLE: iteration time" in ran.err or "OPTIMAL: iteration time" in ran.err
    assert repaired(schedule, "--without", gone, "-q").err == ""


def test_the_report_says_the_same_to_machines(schedule: Path, tmp_path: Path) -> None:
    """The stage that one node alone held: another one moves there, and has it from nobody."""
    (alone,) = json.loads(schedule.read_text())["stages"][2]
    target = tmp_path / "report.json"
    ran = repaired(schedule, "--without", alone, "--report", target, "-o", tmp_path / "made.json")
    assert (ran.code, ran.out) == (0, "")
    report = json.loads(target.read_text())
    assert report["format"] == "skipsched.repair/1"
    assert report["left"] == [{"node": alone, "stage": 2, "microbatches": 0}]
    ((moved,), (copy,)) = report["moved"], report["copies"]
    assert (moved["before"], moved["after"], copy["stage"]) == (1, 2, 2)
    assert (copy["node"], copy["source"], copy["size"]) == (moved["node"], None, 30_000_000)
    assert f"{moved['node']} moves from stage 1 to stage 2" in ran.err
    assert "take a checkpoint" in ran.err
    made = json.loads((tmp_path / "made.json").read_text())
    assert made["iteration_time"] == report["iteration_time"]["after"]


def test_back_again_it_copies_over_a_link(schedule: Path, tmp_path: Path) -> None:
    """30 MB over 300 Mbit/s and 20 ms."""
    gone, made, whole = one_of_two(schedule), tmp_path / "made.json", tmp_path / "chain.yaml"
    whole.write_text(CHAIN)
    assert repaired(schedule, "--without", gone, "-o", made).code == 0
    ran = repaired(made, "--topology", whole, "-o", tmp_path / "back.json")
    assert ran.code == 0
    assert f"{gone} came: stage 1" in ran.err
    (line,) = [line for line in ran.err.splitlines() if line.startswith("copy stage 1")]
    assert line.endswith("28.61 MiB in 0.82 s")
    assert call("validate", tmp_path / "back.json").code == 0


def test_the_report_can_have_stdout(schedule: Path, tmp_path: Path) -> None:
    ran = repaired(schedule, "--without", one_of_two(schedule), "-o", tmp_path / "made.json", "--report", "-")
    assert json.loads(ran.out)["format"] == "skipsched.repair/1"


def test_from_stdin(schedule: Path) -> None:
    ran = repaired("-", "--without", one_of_two(schedule), stdin=schedule.read_text())
    assert ran.code == 0


def test_over_itself(schedule: Path) -> None:
    """The schedule may be replaced by the repaired one."""
    assert repaired(schedule, "--without", one_of_two(schedule), "-o", schedule).code == 0
    assert validate(schedule) == []


@pytest.mark.parametrize("gone", [["oslo", "bern", "rome", "wien"], ["bern", "rome"], ["oslo", "wien"]])
def test_too_few_nodes_are_left(schedule: Path, tmp_path: Path, gone: list[str]) -> None:
    words = [word for node in gone for word in ("--without", node)]
    ran = repaired(schedule, *words, "-o", tmp_path / "made.json", "-q")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("infeasible: ")
    assert not (tmp_path / "made.json").exists()


def test_why_a_topology_is_infeasible_is_explained(schedule: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn.yaml"
    torn.write_text(CHAIN.replace("  default: {latency: 20 ms, bandwidth: 300 Mbit/s}", "  overhead: 1 ms"))
    ran = repaired(schedule, "--topology", torn, "--time-limit", "2")
    assert (ran.code, ran.out) == (1, "")
    assert "missing links" in ran.err
    assert "torn.yaml" in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "either --without"),
        (("--without", "bern", "--topology", "geo-20"), "either --without"),
        (("--without", "berne"), 'did you mean "bern"?'),
        (("--without", ""), 'no node ""'),
        (("--without", "bern", "--time-limit", "0"), "--time-limit"),
        (("--without", "bern", "--time-limit", "nan"), "--time-limit"),
        (("--without", "bern", "--time-limit", "1e999"), "--time-limit"),
        (("--without", "bern", "--seed", "-1"), "--seed"),
        (("--without", "bern", "-o", "/nowhere/x.json"), "-o: there is no folder"),
        (("--without", "bern", "--report", "/nowhere/x.json"), "--report: there is no folder"),
        (("--without", "bern", "--report", "-"), "same file"),
        (("--topology", "geo-21"), 'did you mean "geo-20"?'),
        (("--topology", "geo-20"), "cut into other stages"),
    ],
)
def test_bad_usage(schedule: Path, arguments: tuple[str, ...], said: str) -> None:
    ran = repaired(schedule, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_all_unknown_nodes_are_told(schedule: Path) -> None:
    ran = repaired(schedule, "--without", "x", "--without", "bern", "--without", "y")
    assert ran.code == 2
    assert ran.err.count("error[without]") == 2


def test_nothing_that_is_read_is_replaced(schedule: Path, tmp_path: Path) -> None:
    source = tmp_path / "chain.yaml"
    source.write_text(CHAIN)
    for arguments in (("-o", source), ("--report", source, "-o", tmp_path / "x"), ("--report", schedule)):
        ran = repaired(schedule, "--topology", source, *arguments)
        assert (ran.code, ran.out) == (2, "")
        assert "would overwrite the" in ran.err
    assert source.read_text() == CHAIN
    assert validate(schedule) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "skipsched.schedule/1"}', TINY, "\0\xff"])
def test_no_schedule(text: str) -> None:
    ran = repaired("-", "--without", "bern", stdin=text)
    assert (ran.code, ran.out) == (2, "")
    assert "Traceback" not in ran.err


def test_both_from_stdin() -> None:
    ran = repaired("-", "--topology", "-")
    assert ran.code == 2
    assert "only one file" in ran.err


def test_a_schedule_that_is_not_valid(schedule: Path) -> None:
    document = json.loads(schedule.read_text())
    document["iteration_time"] += 1
    ran = repaired("-", "--without", "bern", stdin=json.dumps(document))
    assert (ran.code, ran.out) == (2, "")
    assert "iteration_time" in ran.err


def test_nothing_in_time(schedule: Path) -> None:
    ran = call(
        "repair", schedule, "--without", one_of_two(schedule), "--deterministic", "--time-limit", "1e-9"
    )
    assert (ran.code, ran.out) == (3, "")
    assert "no schedule found (time limit)" in ran.err


def test_by_the_clock_in_a_process_of_its_own(tmp_path: Path) -> None:
    source = tmp_path / "small.json"
    Schedule(solved_document("small-8")).write(source)
    ran = process("repair", source, "--without", "iowa0", "--time-limit", "1", "-o", tmp_path / "made.json")
    assert ran.code == 0
    made = Schedule.read(tmp_path / "made.json")
    assert validate(made) == []
    assert made.document["solver"]["wall_time"] is not None
    assert {node.id for node in load_topology("small-8").nodes} - set(made.document["actions"]) == {"iowa0"}


def test_a_reader_that_goes_away(schedule: Path) -> None:
    words = command("repair", schedule, "--without", one_of_two(schedule), "--time-limit", "1", "-q")
    read, write = os.pipe()
    os.close(read)
    ran = subprocess.run(
        words, env=environment(), stdout=write, stderr=subprocess.PIPE, check=False, timeout=60
    )
    os.close(write)
    assert (ran.returncode, ran.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
def test_a_full_disk(schedule: Path) -> None:
    ran = repaired(schedule, "--without", one_of_two(schedule), "-o", "/dev/full")
    assert ran.code == 2
    assert "No space left" in ran.err


BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@BOTH
def test_interrupted_with_a_schedule_in_hand(
    number: int, schedule: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(self: Talk, progress: Progress) -> None:  # noqa: ARG001
        monkeypatch.undo()
        signal.raise_signal(number)

    monkeypatch.setattr(Talk, "_log", take)
    ran = repaired(schedule, "--without", one_of_two(schedule), "--time-limit", "60")
    assert ran.code == 0
    assert "(interrupted)" in ran.err
    assert validate(Schedule.parse("stdout", ran.out.encode())) == []


@BOTH
def test_interrupted_before_any(number: int, schedule: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: Any) -> Any:
        signal.raise_signal(number)
        return nearest_routes(*arguments)

    monkeypatch.setattr("skipsched.repair.run.nearest_routes", interrupted)
    ran = repaired(schedule, "--without", one_of_two(schedule))
    assert (ran.code, ran.out) == (130, "")
