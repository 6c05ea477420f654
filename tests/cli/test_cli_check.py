"""`skipsched check` and `skipsched validate`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from check_cases import TINY, changed, tiny
from cli_cases import INFEASIBLE, STRANGE_LINK, WRONG, call
from solver_cases import topology

from skipsched.topology.shipped import written_names

VALID = json.dumps(tiny())
#: TINY with a node twice as slow: the same plan, other times.
SLOWER = TINY.replace("forward_time: 2 s", "forward_time: 4 s")


@pytest.mark.parametrize("name", written_names())
def test_shipped_topologies_are_feasible(name: str) -> None:
    ran = call("check", name, "--json")
    assert (ran.code, ran.err) == (0, "")
    report = json.loads(ran.out)
    assert (report["name"], report["feasible"], report["cause"]) == (name, True, None)


def test_the_report_of_tiny() -> None:
    ran = call("check", "-", stdin=TINY)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("tiny: 2 nodes, 2 stages, 1 data node\n")
    assert ran.out.endswith("feasible\n")
    # Three microbatches of two F, a loss and two B.
    assert "3 microbatches, 15 actions per iteration" in ran.out


def test_the_report_of_tiny_as_json() -> None:
    report = json.loads(call("check", "-", "--json", stdin=TINY).out)
    assert (report["nodes"], report["stages"], report["path_length"]) == (2, 2, 2)
    assert report["microbatches"] == {"least": 3, "most": 3}
    assert report["actions"] == {"least": 15, "most": 15}
    assert report["stage_summaries"][0]["forward"] == {"least": 1_000_000, "most": 2_000_000}
    assert re.fullmatch("[0-9a-f]{64}", report["sha256"])


def test_no_figures_of_an_iteration_where_too_few_nodes_hold_the_first_stage() -> None:
    model = "model={hidden_size: 64, sequence_length: 64, vocab_size: 1000, dtype: float32}"
    text = json.dumps(topology("a memory=2MiB, b memory=2MiB", "1 1", workload=model).document)
    ran = call("check", "-", stdin=text)
    assert ran.code == 1
    assert "\n- microbatches, - actions per iteration\n" in ran.out
    report = json.loads(call("check", "-", "--json", stdin=text).out)
    assert (report["microbatches"], report["actions"]) == (None, None)


def test_memory_in_bytes_is_derived_stage_by_stage() -> None:
    ran = call("check", "bytes-16")
    assert ran.code == 0
    assert "parameters" in ran.out
    assert "slots on" in ran.out
    report = json.loads(call("check", "bytes-16", "--json").out)
    # A layer has 4*4096^2 + 3*4096*11008 + 2*4096 parameters, and stage 1 has four layers.
    layer = 4 * 4096**2 + 3 * 4096 * 11008 + 2 * 4096
    assert report["stage_summaries"][1]["memory"]["parameters"] == 4 * layer
    assert report["stage_summaries"][1]["memory"]["state"] == 16 * 4 * layer


def test_verbose_names_every_node() -> None:
    assert "and 1 more" not in call("check", "bytes-16", "--verbose").out
    assert "v100-3" in call("check", "bytes-16", "--verbose").out


def test_why_a_topology_is_infeasible() -> None:
    ran = call("check", "-", stdin=INFEASIBLE)
    assert ran.code == 1
    said = ran.out[ran.out.rindex("infeasible: ") :]
    assert said.splitlines()[0].endswith("]")
    assert "rules.max_jump" in said
    report = json.loads(call("check", "-", "--json", stdin=INFEASIBLE).out)
    assert report["feasible"] is False
    assert "jump" in report["cause"]["rules"]


def test_check_and_solve_give_the_same_cause() -> None:
    said = call("solve", "-", stdin=INFEASIBLE).err
    assert said.startswith("infeasible: ")
    assert call("check", "-", stdin=INFEASIBLE).out.endswith(said)


def test_the_search_for_a_change_has_a_budget_and_its_end_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skipsched_cli.check._EXPLAIN_WITHIN", 0.0)
    ran = call("check", "-", stdin=INFEASIBLE)
    assert ran.code == 1
    assert ran.out.endswith("\nno change found within the limits\n")
    cause = json.loads(call("check", "-", "--json", stdin=INFEASIBLE).out)["cause"]
    assert (cause["changes"], cause["searched"]) == ([], False)


def test_warnings_are_told_and_strict_makes_them_errors() -> None:
    ran = call("check", "-", stdin=STRANGE_LINK)
    assert ran.code == 0
    assert ": warning[" in ran.err
    assert 'did you mean "b"?' in ran.err
    assert "warning" not in ran.out
    strict = call("check", "-", "--strict", stdin=STRANGE_LINK)
    assert (strict.code, strict.out) == (2, "")
    assert ": error[" in strict.err
    assert call("check", "-", "--strict", stdin=TINY).code == 0


def test_quiet_keeps_the_report_and_drops_warnings() -> None:
    ran = call("check", "-", "--quiet", stdin=STRANGE_LINK)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith("feasible\n")


@pytest.mark.parametrize("flags", [[], ["--json"], ["--strict"]])
def test_check_of_bad_input(flags: list[str]) -> None:
    ran = call("check", "-", *flags, stdin=WRONG)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("<stdin>:") == 2


@pytest.mark.parametrize("name", ["missing.yaml", "", "/", "a\nb", "x" * 5000])
def test_check_of_a_file_that_cannot_be_read(name: str) -> None:
    ran = call("check", name)
    assert (ran.code, ran.out) == (2, "")
    assert "error" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("source", ["file", "-"])
def test_a_valid_schedule(source: str, tmp_path: Path) -> None:
    path = tmp_path / "schedule.json"
    path.write_text(VALID)
    ran = call("validate", path) if source == "file" else call("validate", "-", stdin=VALID)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"valid: tiny, iteration time {tiny()['iteration_time'] / 1e6:.2f} s\n"


def test_every_violation_is_a_line_on_stdout() -> None:
    wrong = changed(tiny(), ["makespan"], 1) | {"bubble_ratio": 0.9999}
    ran = call("validate", "-", stdin=json.dumps(wrong))
    assert (ran.code, ran.err) == (1, "")
    assert [line.partition(":")[0] for line in ran.out.splitlines()] == ["makespan", "bubble-ratio"]


def test_quiet_validate_still_prints_its_result() -> None:
    assert call("validate", "-", "--quiet", stdin=VALID).out.startswith("valid: ")


def test_another_topology_is_said_and_used(tmp_path: Path) -> None:
    slower = tmp_path / "slower.yaml"
    slower.write_text(SLOWER)
    ran = call("validate", "-", "--topology", slower, stdin=VALID)
    assert ran.code == 1
    assert ran.out.startswith("times")
    assert "another topology" in ran.err
    assert call("validate", "-", "--topology", slower, "--quiet", stdin=VALID).err == ""


def test_the_same_topology_is_not_worth_a_word(tmp_path: Path) -> None:
    same = tmp_path / "same.yaml"
    same.write_text(TINY)
    ran = call("validate", "-", "--topology", same, stdin=VALID)
    assert (ran.code, ran.err) == (0, "")


def test_a_topology_from_stdin_and_by_name(tmp_path: Path) -> None:
    path = tmp_path / "schedule.json"
    path.write_text(VALID)
    assert call("validate", path, "--topology", "-", stdin=TINY).code == 0
    assert call("validate", path, "--topology", "small-8").code == 1
    assert call("validate", "-", "--topology", "-", stdin=VALID).code == 2


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"a": 1, "a": 2}', "NaN", "\ufeff", "[" * 10**5])
def test_validate_of_what_is_no_schedule(text: str) -> None:
    ran = call("validate", "-", stdin=text)
    assert (ran.code, ran.out) == (2, "")
    assert "error[schedule]" in ran.err
    assert "Traceback" not in ran.err


def test_validate_of_an_object_that_is_no_schedule() -> None:
    for text in ("{}", '{"format": "skipsched.schedule/1"}', '{"format": "skipsched.schedule/2"}'):
        ran = call("validate", "-", stdin=text)
        assert ran.code in (1, 2)
        assert "Traceback" not in ran.err


@pytest.mark.parametrize("name", ["missing.json", "small-8", "", "/"])
def test_validate_of_a_file_that_cannot_be_read(name: str) -> None:
    ran = call("validate", name)
    assert (ran.code, ran.out) == (2, "")
    assert "cannot read" in ran.err
