"""`skipsched solve`: its options, what it prints where, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from check_cases import TINY
from cli_cases import INFEASIBLE, STRANGE_LINK, WRONG, Outcome, call, environment, large_topology, process

from skipsched import solve


def solved(*arguments: str | Path, stdin: str = "") -> Outcome:
    """Run the command for a second at most, lest a better solver makes these tests slower."""
    return call("solve", "--time-limit", "1", *arguments, stdin=stdin)


def document(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


def test_the_schedule_alone_is_on_stdout_and_one_line_on_stderr(tiny: Path) -> None:
    ran = solved(tiny)
    assert ran.code == 0
    assert document(ran.out)["topology"]["name"] == "tiny"
    assert ran.out.endswith("}\n")
    assert len(ran.err.splitlines()) == 1
    assert "iteration time" in ran.err


def test_quiet_says_nothing_on_stderr(tiny: Path) -> None:
    ran = solved(tiny, "--quiet")
    assert (ran.code, ran.err) == (0, "")
    assert document(ran.out)


def test_verbose_tells_every_better_schedule() -> None:
    ran = solved("small-8", "--verbose")
    lines = ran.err.splitlines()
    assert len(lines) > 1
    assert "iteration" in lines[0]
    assert document(ran.out)


def test_quiet_and_verbose_exclude_each_other(tiny: Path) -> None:
    ran = solved(tiny, "--quiet", "--verbose")
    assert (ran.code, ran.out) == (2, "")
    assert "exclude each other" in ran.err


def test_without_windows_of_the_model() -> None:
    """Its neighbourhoods are not listed then."""
    options = ("geo-20", "--deterministic", "--time-limit", "1", "--stats")
    assert "stretch of time" in call("solve", *options).err
    assert "stretch of time" not in call("solve", *options, "--no-windows").err


def test_stats_go_to_stderr(tiny: Path) -> None:
    ran = solved(tiny, "--quiet", "--stats")
    assert ran.code == 0
    assert "phase" in ran.err
    assert "iteration time" in ran.err
    assert document(ran.out)


def test_a_topology_from_stdin() -> None:
    ran = solved("-", stdin=TINY)
    assert ran.code == 0
    assert document(ran.out)["topology"]["name"] == "tiny"


@pytest.mark.parametrize("flags", [["-o", "-"], ["--output", "-"], ["--output=-"]])
def test_a_dash_for_the_output_is_stdout(tiny: Path, flags: list[str]) -> None:
    ran = solved(tiny, *flags)
    assert ran.code == 0
    assert document(ran.out)
    assert list(tiny.parent.iterdir()) == [tiny]


def test_an_output_file_leaves_stdout_empty(tiny: Path) -> None:
    target = tiny.parent / "schedule.json"
    ran = solved(tiny, "-o", target)
    assert (ran.code, ran.out) == (0, "")
    assert document(target.read_text())
    assert call("validate", target).code == 0


def test_the_same_schedule_on_stdout_and_in_a_file(tiny: Path) -> None:
    target = tiny.parent / "schedule.json"
    solved(tiny, "--deterministic", "-o", target)
    assert target.read_text() == solved(tiny, "--deterministic").out


def test_what_validate_reads_solve_has_written() -> None:
    ran = call("validate", "-", stdin=solved("geo-20", "--deterministic").out)
    assert ran.code == 0
    assert "geo-20" in ran.out


def test_a_shipped_instance_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert document(solved("small-8").out)["topology"]["name"] == "small-8"


def test_a_file_of_a_shipped_name_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small-8").write_text(TINY)
    assert document(solved("small-8").out)["topology"]["name"] == "tiny"


def test_an_unknown_name_is_told_with_the_nearest_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = solved("geo-2")
    assert (ran.code, ran.out) == (2, "")
    assert 'did you mean "geo-20"?' in ran.err


def test_warnings_go_to_stderr_and_do_not_stop() -> None:
    ran = solved("-", stdin=STRANGE_LINK)
    assert ran.code == 0
    assert document(ran.out)
    assert "warning" in ran.err
    assert solved("-", "--quiet", stdin=STRANGE_LINK).err == ""


def test_an_infeasible_topology_is_explained_and_nothing_written(tmp_path: Path) -> None:
    target = tmp_path / "schedule.json"
    ran = solved("-", "-o", target, stdin=INFEASIBLE)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("infeasible: ")
    assert "jump" in ran.err
    assert not target.exists()


def test_quiet_still_says_why_there_is_no_schedule() -> None:
    ran = solved("-", "--quiet", stdin=INFEASIBLE)
    assert (ran.code, ran.out) == (1, "")
    assert "jump" in ran.err


def test_an_infeasible_topology_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    target = tmp_path / "schedule.json"
    target.write_text("old")
    assert solved("-", "-o", target, stdin=INFEASIBLE).code == 1
    assert target.read_text() == "old"


def test_all_errors_of_a_bad_input_and_no_output(tmp_path: Path) -> None:
    source, target = tmp_path / "wrong.yaml", tmp_path / "schedule.json"
    source.write_text(WRONG)
    ran = solved(source, "-o", target)
    assert (ran.code, ran.out) == (2, "")
    errors = [line for line in ran.err.splitlines() if ": error[" in line]
    assert len(errors) == 2
    assert all(line.startswith(f"{source}:") for line in errors)
    assert not target.exists()


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "\x00", "a: &a [*a]", "skipsched: 2\n", "!!python/object:os.system {}"]
)
def test_bad_input_never_ends_in_a_traceback(text: str) -> None:
    ran = solved("-", stdin=text)
    assert (ran.code, ran.out) == (2, "")
    assert "error" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["small-8", "another"],
        ["small-8", "--nonsense"],
        ["small-8", "--time-limit", "0"],
        ["small-8", "--time-limit", "-1"],
        ["small-8", "--time-limit", "nan"],
        ["small-8", "--time-limit", "inf"],
        ["small-8", "--time-limit", "soon"],
        ["small-8", "--gap", "1.01"],
        ["small-8", "--gap", "-0.1"],
        ["small-8", "--gap", "nan"],
        ["small-8", "--seed", "-1"],
        ["small-8", "--seed", "2147483648"],  # one more than CP-SAT takes
        ["small-8", "--workers", "0"],
        ["small-8", "--color", "red"],
        ["small-8", "--hint", ""],
        ["small-8", "--allocation-from", ""],
        ["small-8", "-o", ""],
        ["small-8", "--hint", "no such file"],
        ["small-8", "--allocation-from", "no such file"],
        ["-", "--hint", "-"],
        ["small-8", "--hint", "-", "--allocation-from", "-"],
    ],
)
def test_bad_usage(arguments: list[str]) -> None:
    ran = solved(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err
    assert "Traceback" not in ran.err


def test_a_gap_that_is_reached_ends_the_search() -> None:
    loose = document(solved("small-8", "--gap", "1").out)
    assert loose["solver"]["stop_reason"] == "gap"
    assert loose["gap"] <= 1
    tight = document(solved("small-8", "--deterministic").out)
    assert tight["iteration_time"] <= loose["iteration_time"]


def test_seed_and_workers_are_recorded(tiny: Path) -> None:
    solver = document(solved(tiny, "--seed", "2147483647", "--workers", "3").out)["solver"]
    assert (solver["seed"], solver["workers"]) == (2147483647, 3)


def test_deterministic_gives_the_same_bytes_in_every_process() -> None:
    flags = ["--deterministic", "--seed", "5", "--time-limit", "2"]
    runs = [process("solve", "bytes-16", *flags, env=environment(PYTHONHASHSEED=seed)) for seed in ("1", "2")]
    assert [ran.code for ran in runs] == [0, 0]
    assert runs[0].out == runs[1].out
    assert document(runs[0].out)["solver"]["wall_time"] is None


def test_deterministic_counts_work_not_time() -> None:
    # A hundredth of a second passes while Python starts; a hundredth of a second of work does not.
    first, second = (solved("geo-20", "--deterministic", "--time-limit", "0.5") for _ in range(2))
    assert first.code == 0
    assert first.out == second.out


def test_wall_time_is_told_otherwise(tiny: Path) -> None:
    assert document(solved(tiny).out)["solver"]["wall_time"] >= 0


@pytest.mark.parametrize("limit", ["1e-9", "0.01", "0.5"])
def test_a_tiny_limit_ends_with_nothing_or_with_a_schedule(limit: str) -> None:
    ran = process("solve", "-", "--time-limit", limit, stdin=large_topology(200, 10))
    if ran.code == 0:
        assert document(ran.out)["solver"]["stop_reason"] == "time_limit"
    else:
        assert (ran.code, ran.out) == (3, "")
        assert "time limit" in ran.err


def test_a_limit_that_is_over_writes_no_file(tmp_path: Path) -> None:
    target = tmp_path / "schedule.json"
    ran = solved("geo-20", "--time-limit", "1e-9", "-o", target)
    assert (ran.code, ran.out) == (3, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["small-8", "full-pipeline-12"])
def test_a_hint_is_never_made_worse(name: str, tmp_path: Path) -> None:
    hint = tmp_path / "hint.json"
    solved(name, "--deterministic", "-o", hint)
    good = document(hint.read_text())["iteration_time"]
    # With the whole gap allowed the hint itself is good enough.
    kept = document(solved(name, "--hint", hint, "--gap", "1").out)
    assert kept["iteration_time"] == good
    again = document(solved(name, "--hint", hint, "--seed", "7").out)
    assert again["iteration_time"] <= good


def test_a_hint_from_stdin() -> None:
    hint = solved("small-8", "--deterministic").out
    ran = solved("small-8", "--hint", "-", "--gap", "1", stdin=hint)
    assert ran.code == 0
    assert document(ran.out)["iteration_time"] == document(hint)["iteration_time"]


def test_a_hint_whose_times_are_wrong_is_used_for_its_order() -> None:
    hint = document(solved("small-8", "--deterministic").out)
    good = hint["iteration_time"]
    hint["iteration_time"] = 1
    for rows in hint["actions"].values():
        for row in rows:
            row["start"] = row["end"] = 0
    ran = solved("small-8", "--hint", "-", "--gap", "1", stdin=json.dumps(hint))
    assert ran.code == 0
    assert document(ran.out)["iteration_time"] == good


def unusable_hints() -> dict[str, str]:
    """Schedules that small-8 cannot start from."""
    good = document(solved("small-8", "--deterministic").out)
    short = json.loads(json.dumps(good))
    short["microbatches"].pop()
    deadlock = json.loads(json.dumps(good))
    for rows in deadlock["actions"].values():
        rows.reverse()
    moved = json.loads(json.dumps(good))
    moved["stages"][0], moved["stages"][1] = moved["stages"][1], moved["stages"][0]
    return {
        "another topology": solved("-", stdin=TINY).out,
        "a microbatch is missing": json.dumps(short),
        "its order deadlocks": json.dumps(deadlock),
        "it breaks a rule": json.dumps(moved),
        "it is empty": "{}",
        "it is a list": "[]",
        "it is no JSON": "{",
        "it is nothing": "",
    }


@pytest.mark.parametrize("option", ["--hint", "--allocation-from"])
def test_an_unusable_schedule_is_refused(option: str) -> None:
    for why, text in unusable_hints().items():
        if option == "--allocation-from" and why in ("a microbatch is missing", "its order deadlocks"):
            continue  # its allocation is as good as any
        if option == "--allocation-from" and why == "it breaks a rule":
            continue  # as the paths do not count, the allocation may be all right
        ran = solved("small-8", option, "-", stdin=text)
        assert (ran.code, ran.out) == (2, ""), why
        assert "error" in ran.err
        assert "Traceback" not in ran.err


def test_the_allocation_is_kept_and_said_to_be(tmp_path: Path) -> None:
    first = tmp_path / "first.json"
    # The first allocation that comes up, which a longer search may well leave.
    solved("small-8", "--gap", "1", "-o", first)
    stages = document(first.read_text())["stages"]
    kept = document(solved("small-8", "--allocation-from", first).out)
    assert [sorted(nodes) for nodes in kept["stages"]] == [sorted(nodes) for nodes in stages]
    assert "allocation" in kept["solver"]["restricted_to"]
    assert document(solved("small-8", "--gap", "1").out)["solver"]["restricted_to"] == []


def test_a_hint_must_have_the_allocation_to_keep(tmp_path: Path) -> None:
    kept, hint = tmp_path / "kept.json", tmp_path / "hint.json"
    solved("small-8", "--gap", "1", "-o", hint)
    other = document(hint.read_text())
    other["stages"] = other["stages"][::-1]
    kept.write_text(json.dumps(other))
    ran = solved("small-8", "--hint", hint, "--allocation-from", kept)
    assert (ran.code, ran.out) == (2, "")
    same = solved("small-8", "--hint", hint, "--allocation-from", hint, "--gap", "1")
    assert same.code == 0


def test_the_command_gives_what_the_function_gives(tiny: Path) -> None:
    result = solve(tiny, deterministic=True, seed=3, time_limit=2)
    assert result.schedule is not None
    assert solved(tiny, "--deterministic", "--seed", "3").out == result.schedule.text()
