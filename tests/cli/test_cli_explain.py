"""`skipsched explain`: what is printed, for people and for machines, and what goes wrong."""

from __future__ import annotations

import json
import shlex
import signal
from pathlib import Path
from typing import Any

import pytest
from check_cases import TINY
from cli_cases import Outcome, call, command, finished, process, solved_document

from skipsched import Change, load_topology
from skipsched.clock import Clock
from skipsched.conflict import applied
from skipsched.insight import trials
from skipsched.solver import Options, Result, run_solver
from skipsched.topology.load import load_document
from skipsched.topology.model import Topology

#: Terminal columns that every table fits.
COLUMNS = 100
#: Long names, as volunteers' machines have them.
LONG = TINY.replace("id: a", "id: tampere-fibre-rtx4070ti-number-17")


def text_of(topology: str = TINY) -> str:
    return json.dumps(solved_document(topology))


def explained(*arguments: str | Path, topology: str = TINY) -> Outcome:
    return call("explain", "-", "--budget", "0.2", *arguments, stdin=text_of(topology))


def document(*arguments: str, topology: str = TINY) -> Any:
    ran = explained("--json", *arguments, topology=topology)
    assert ran.code == 0
    return json.loads(ran.out)


def test_the_parts_add_up() -> None:
    told = document()
    whole = told["iteration_time"]
    assert sum(told["critical_path"]["times"].values()) == whole
    life = dict(told["last_microbatch"])
    assert life.pop("microbatch") in range(3)
    assert sum(life.values()) == whole
    steps = told["critical_path"]["steps"]
    assert (steps[0]["begin"], steps[-1]["end"]) == (0, whole)
    assert sum(told["critical_path"]["causes"].values()) == sum(step["cause"] is not None for step in steps)


def test_the_table_says_the_same() -> None:
    told, ran = document(), explained()
    assert ran.code == 0
    assert f"iteration time {told['iteration_time'] / 1e6:.2f} s" in ran.out
    for change in told["what_if"]["changes"]:
        (line,) = (line for line in ran.out.splitlines() if line.strip().startswith(f"{change['says']} "))
        assert line.rstrip().endswith(change["verdict"])


def test_every_change_can_be_applied_by_a_script() -> None:
    """What is printed makes the topology whose bound and replay stand beside it."""
    carried = load_topology("geo-20").document
    changes = document("--budget", "0", topology="geo-20")["what_if"]["changes"]
    assert {change["kind"] for change in changes} == {"slot", "bandwidth", "speed", "without", "stage"}
    for change in changes:
        fields = [Change(**entry) for entry in change["fields"]]
        assert load_document(applied(carried, fields)).sha256 != load_document(carried).sha256


def test_a_given_topology_judges() -> None:
    """Twice as slow, a takes twice as long; the bound that the schedule carries is of the other topology."""
    slow = TINY.replace("forward_time: 1 s", "forward_time: 2 s")
    path = Path("slow.yaml")
    path.write_text(slow)
    ran = explained("--topology", path, "--json")
    assert ran.code == 0
    assert "made for another topology" in ran.err
    assert json.loads(ran.out)["iteration_time"] > document()["iteration_time"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("topology", [TINY, LONG, "homes-8", "geo-20"])
def test_the_tables_fit_a_terminal(topology: str) -> None:
    ran = explained("--budget", "0", topology=topology)
    assert ran.code == 0
    assert max(len(line.rstrip()) for line in ran.out.splitlines()) <= COLUMNS


def test_optimal_schedules() -> None:
    """Nothing is left on the topology itself; what could be gained by a change is still told."""
    ran = call("solve", "-", "--deterministic", stdin=TINY)
    assert "OPTIMAL" in ran.err
    told = call("explain", "-", "--budget", "0", stdin=ran.out)
    assert "proved optimal" in told.out


def test_the_same_on_every_run() -> None:
    assert explained("--json", "--seed", "3") == explained("--json", "--seed", "3")


def test_what_is_solved_is_said_unless_quiet() -> None:
    assert explained().err.splitlines()[:2] == ["unchanged ...", "unchanged, seed 1 ..."]
    assert explained("--quiet").err == ""
    assert explained("--budget", "0").err == ""
    assert explained("--what-ifs", "0").err == ""


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (("-",), "{", "<stdin>"),
        (("-",), "[]", "error"),
        (("-",), TINY, "error"),
        (("nowhere.json",), "", "nowhere.json"),
        (("-", "--topology", "-"), "", "only one file"),
        (("-", "--budget", "-1"), "", "--budget"),
        (("-", "--budget", "nan"), "", "--budget"),
        (("-", "--budget", "inf"), "", "--budget"),
        (("-", "--what-ifs", "-1"), "", "--what-ifs"),
        (("-", "--seed", "99999999999999999999"), "", "--seed"),
    ],
)
def test_bad_usage_and_input(arguments: tuple[str, ...], stdin: str, said: str) -> None:
    ran = call("explain", *arguments, stdin=stdin)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_a_schedule_that_is_not_valid() -> None:
    broken = json.loads(text_of())
    broken["iteration_time"] -= 1
    ran = call("explain", "-", stdin=json.dumps(broken))
    assert (ran.code, ran.out) == (2, "")
    assert "iteration_time" in ran.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_what_is_known(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes with the first solve; all that needs none is printed."""

    def interrupted(topology: Topology, options: Options, clock: Clock) -> Result:
        signal.raise_signal(number)
        return run_solver(topology, options, clock)

    monkeypatch.setattr(trials, "run_solver", interrupted)
    ran = explained("--json")
    assert ran.code == 130
    told = json.loads(ran.out)
    assert told["what_if"]["interrupted"]
    assert {change["verdict"] for change in told["what_if"]["changes"]} <= {"not re-solved", "cannot help"}
    assert explained().code == 130


def test_in_a_process_of_its_own_whose_reader_goes_away() -> None:
    Path("schedule.json").write_text(text_of())
    ran = process("explain", "schedule.json", "--budget", "0")
    assert ran.code == 0
    words = " ".join(map(shlex.quote, [*command("explain", "schedule.json", "--budget", "0"), "--json"]))
    # The shell says how the command before the pipe ended.
    ran = finished(["bash", "-c", f"{words} | head -1; exit ${{PIPESTATUS[0]}}"])
    assert (ran.code in (0, 141), ran.out, ran.err) == (True, "{\n", "")
