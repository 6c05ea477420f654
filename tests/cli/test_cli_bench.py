"""`skipsched bench`: what is run, what is kept, what is said, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from bench_cases import (
    NOTHING,
    OUTCOME,
    TINY_TIME,
    edited,
    known,
    named,
    results,
    rows_of,
    stand_in,
    written,
)
from check_cases import TINY
from cli_cases import INFEASIBLE, STRANGE_LINK, STUCK, WRONG, Outcome, call, command, environment

from skipsched.bench import run as asked
from skipsched.bench.results import Results
from skipsched.bench.run import Run
from skipsched.topology.load import load_topology
from skipsched.topology.shipped import shipped_names
from skipsched_cli.bench import _DEFAULT_INSTANCES


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in: results go to it by default."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bench(*arguments: str | Path, stdin: str = "") -> Outcome:
    ran = call("bench", *arguments, stdin=stdin)
    assert "Traceback" not in ran.err
    return ran


def lines_of(ran: Outcome) -> list[str]:
    """The lines of a report, with one space for however many there are."""
    return [" ".join(line.split()) for line in ran.out.splitlines()]


def run_of(text: str, seed: int = 0) -> Run:
    """What `bench --seeds` asks by default of a topology."""
    topology = load_topology(text)
    return Run(topology.name, topology.sha256, "solve", seed, 10.0, False, None)


# What is run, and kept


def test_every_kind_of_run_is_made_and_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = stand_in(monkeypatch)
    ran = bench(
        *written(folder, "a", "b"),
        *("--method", "first", "--method", "solve", "--time-limit", "0.5", "--time-limit", "2"),
        *("--seeds", "2", "--workers", "3", "-o", "new.json"),
    )
    assert ran.code == 0
    assert [(run.seed, run.time_limit, run.instance, run.method) for run in made] == [
        (seed, limit, name, method)
        for seed in (0, 1)
        for limit in (0.5, 2.0)
        for name in ("a", "b")
        for method in ("first", "solve")
    ]
    assert all(run.workers == 3 for run in made)
    assert Results.read("new.json").outcomes == dict.fromkeys(made, OUTCOME)
    assert Results.read("new.json").command.startswith("skipsched bench /")


def test_defaults(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = stand_in(monkeypatch)
    assert bench(*written(folder, "a")).code == 0
    assert made == [run_of(named("a"), seed) for seed in range(3)]
    assert len(rows_of(folder / "bench.json")) == 3


def test_finished_runs_are_not_repeated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = stand_in(monkeypatch)
    a, b = written(folder, "a", "b")
    first = bench(a, "--seeds", "2")
    assert (first.code, first.err, len(made)) == (0, "", 2)
    before = rows_of(folder / "bench.json")
    again = bench(b, a, "--seeds", "3")
    assert again.err == "2 of 6 runs are finished already, in bench.json\n"
    assert [(run.instance, run.seed) for run in made[2:]] == [("b", 0), ("b", 1), ("b", 2), ("a", 2)]
    assert rows_of(folder / "bench.json")[:2] == before


def test_where_all_is_finished_nothing_is_run_or_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (a,) = written(folder, "a")
    stand_in(monkeypatch)
    first = bench(a)
    file = folder / "bench.json"
    before, number = file.read_bytes(), file.stat().st_ino
    made = stand_in(monkeypatch)
    again = bench(a)
    assert (again.code, made) == (0, [])
    assert again.err == "3 of 3 runs are finished already, in bench.json\n"
    assert again.out == first.out
    assert (file.read_bytes(), file.stat().st_ino) == (before, number)


def test_a_changed_topology_is_run_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = stand_in(monkeypatch)
    (a,) = written(folder, "a")
    bench(a, "--seeds", "1")
    a.write_text(named("a").replace("1 s", "3 s"))
    assert bench(a, "--seeds", "1").err == ""
    assert len(made) == 2
    assert len(rows_of(folder / "bench.json")) == 2


def test_runs_that_are_not_asked_for_stay_in_the_file_and_out_of_the_report(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch)
    a, b = written(folder, "a", "b")
    bench(a)
    ran = bench(b, "--json")
    assert [row["instance"] for row in json.loads(ran.out)["runs"]] == ["b"] * 3
    assert [row["instance"] for row in rows_of(folder / "bench.json")] == ["a"] * 3 + ["b"] * 3


def test_every_finished_run_is_kept_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[int] = []

    def answer(_: Run) -> asked.Outcome:
        file = folder / "bench.json"
        kept.append(len(rows_of(file)) if file.exists() else 0)
        return OUTCOME

    stand_in(monkeypatch, answer)
    bench(*written(folder, "a"))
    assert kept == [0, 1, 2]


def test_an_interrupt_keeps_what_is_finished(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(run: Run) -> asked.Outcome:
        if run.seed == 2:
            raise KeyboardInterrupt
        return OUTCOME

    stand_in(monkeypatch, answer)
    (a,) = written(folder, "a")
    ran = bench(a)
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.rstrip("\n") == (
        "interrupted: 2 of 3 runs are finished, in bench.json; run the same command again to go on"
    )
    assert len(rows_of(folder / "bench.json")) == 2
    made = stand_in(monkeypatch)
    assert bench(a).code == 0
    assert [run.seed for run in made] == [2]


# Instances


def test_patterns_fit_names_of_shipped_instances(monkeypatch: pytest.MonkeyPatch) -> None:
    made = stand_in(monkeypatch)
    assert bench("small-8", "sm*-?", "cluster-2[0]", "--seeds", "1").code == 0
    assert [run.instance for run in made] == ["small-8", "cluster-20"]
    made.clear()
    bench("small-*", "--seeds", "1", "-o", "other.json")
    assert [run.instance for run in made] == [name for name in shipped_names() if name.startswith("small-")]


def test_a_file_named_like_a_pattern_is_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = stand_in(monkeypatch)
    (folder / "small-*").write_text(TINY)
    assert bench("small-*", "--seeds", "1").code == 0
    assert [run.instance for run in made] == ["tiny"]


def test_a_topology_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    made = stand_in(monkeypatch)
    assert bench("-", "--seeds", "1", stdin=TINY).code == 0
    assert made == [run_of(TINY)]


def test_wrong_instances_are_told_all_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = stand_in(monkeypatch)
    (folder / "wrong.yaml").write_text(WRONG)
    (folder / "worse.yaml").write_text("skipsched: 1\nname: [\n")
    (good,) = written(folder, "a")
    before = sorted(folder.iterdir())
    ran = bench("geo-2", "wrong.yaml", good, "nonsense-*", "worse.yaml", "x" * 300)
    assert (ran.code, ran.out, made) == (2, "", [])
    assert 'did you mean "geo-20"?' in ran.err
    assert ran.err.count("wrong.yaml:") == 2  # each of its errors
    assert 'no shipped instance fits "nonsense-*"' in ran.err
    assert "worse.yaml:" in ran.err
    assert "File name too long" in ran.err
    assert sorted(folder.iterdir()) == before


def test_different_topologies_of_one_name_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = stand_in(monkeypatch)
    one, same, other = (folder / name for name in ("one.yaml", "same.yaml", "other.yaml"))
    one.write_text(TINY)
    same.write_text(f"# The same, save for this.\n{TINY}")
    other.write_text(TINY.replace("1 s", "3 s"))
    ran = bench(one, other)
    assert (ran.code, ran.out, made) == (2, "", [])
    assert "another topology is called tiny as well" in ran.err
    assert str(other) in ran.err
    assert not (folder / "bench.json").exists()
    assert bench(one, same, "--seeds", "1").code == 0
    assert len(made) == 1


# What is said


def test_the_table_is_all_that_goes_to_standard_output(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)
    topology = load_topology(named("a"))
    known(monkeypatch, a=(topology.sha256, 800_000, 1))
    ran = bench(*written(folder, "a", "b"))
    assert (ran.code, ran.err) == (0, "")
    a, b = (line for line in lines_of(ran) if line.startswith(("a ", "b ")))
    # 0.5 s without anything, 1.5 s at a gap of 60 % and 8 s at one of 20 %; for b, the best is its own.
    assert a == "a solve 10 s 3 1.00 s 25.0 % 0.80 s 20.0 % 0.5 s 2.0 s 3.0 s 100 MiB"
    assert b == "b solve 10 s 3 1.00 s - 0.80 s 20.0 % 0.5 s 2.0 s 1.2 s 100 MiB"
    assert "solve, 10 s, mean over 2 instances: over best 25.0 % (1 of 2), gap 20.0 %" in ran.out
    assert "Medians over the seeds." in ran.out


def test_json_is_what_the_file_holds(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, lambda run: NOTHING if run.seed == 1 else OUTCOME)
    a, b = written(folder, "a", "b")
    ran = bench(a, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (folder / "bench.json").read_text()
    bench(b)
    again = json.loads(bench(a, "--json").out)
    assert again["runs"] == rows_of(folder / "bench.json")[:3]


def test_markdown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)
    (folder / "a.yaml").write_text(named("a|b"))
    ran = bench("a.yaml", *written(folder, "c"), "--markdown", "--seeds", "1")
    assert (ran.code, ran.err) == (0, "")
    heads, rule, one, two, *rest = ran.out.splitlines()
    assert heads.startswith("| instance | method | limit |")
    assert set(rule) == set("|-: ")
    assert one.startswith(r"| a\|b | solve | 10 s | 1 | 1.00 s |")
    assert two.startswith("| c | solve |")
    assert len({line.replace(r"\|", "").count("|") for line in (heads, rule, one, two)}) == 1
    assert "* solve, 10 s, mean over 2 instances: over best - (0 of 2), gap 20.0 %" in rest
    assert "Command: `skipsched bench a.yaml " in ran.out
    held = Results.read("bench.json")
    assert f"skipsched {held.program['skipsched']} (code {held.program['code']})" in ran.out
    assert f"{held.machine['cores']} cores of {held.machine['processor']}" in ran.out


def test_quiet_says_nothing_but_the_result(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)
    (a,) = written(folder, "a")
    bench(a, "--seeds", "1")
    assert bench(a, "--seeds", "2").err != ""
    assert bench(a, "--seeds", "3", "-q").err == ""


def test_verbose_tells_every_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)
    ran = bench(*written(folder, "a"), "-v")
    assert ran.err == "".join(f"ended: a (solve, 10 s), seed {seed}\n" for seed in range(3))


def test_help_tells_the_defaults_and_what_is_kept() -> None:
    ran = call("bench", "--help")
    assert (ran.code, ran.err) == (0, "")
    for told in (
        "[default: 10.0;",
        "[default: 3;",
        "[default: bench.json]",
        "0.05, with --deterministic 0.01",
    ):
        assert told in " ".join(ran.out.split())
    for option in ("--method", "--workers", "--against", "--json", "--markdown", "--svg", "--quiet"):
        assert option in ran.out
    assert "goes on where it was interrupted" in " ".join(ran.out.split())


# What is refused


@pytest.mark.parametrize(
    "arguments",
    [
        ["--seeds", "0"],
        ["--seeds", "1001"],
        ["--seeds", "x"],
        ["--time-limit", "0"],
        ["--time-limit", "-1"],
        ["--time-limit", "inf"],
        ["--time-limit", "nan"],
        ["--workers", "0"],
        ["--workers", "257"],
        ["--tolerance", "-0.1"],
        ["--tolerance", "nan"],
        ["--method", "nonsense"],
        ["--json", "--markdown"],
        ["--tolerance", "0.1"],
        ["--workers", "2", "--deterministic"],
        ["--svg", ""],
        ["-", "--against", "-"],
        ["--quiet", "--verbose"],
        ["--nonsense"],
        ["-o", "-"],
        ["-o", "."],
        ["-o", "missing/bench.json"],
        ["--svg", "a.yaml"],
        ["--against", "missing.json"],
        ["--against", "a.yaml"],
    ],
)
def test_bad_usage_is_told_before_anything_is_run(
    arguments: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stand_in(monkeypatch)
    written(folder, "a")
    ran = bench("a.yaml", *arguments)
    assert (ran.code, ran.out, made) == (2, "", [])
    assert "rror" in ran.err
    assert [path.name for path in folder.iterdir()] == ["a.yaml"]


@pytest.mark.parametrize("text", [" ", "x", "{}", '{"format": "skipsched.bench/1", "runs": []}', "[1, 2"])
def test_a_file_that_holds_no_results_is_left_alone(
    text: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stand_in(monkeypatch)
    (a,) = written(folder, "a")
    (folder / "bench.json").write_text(text)
    ran = bench(a)
    assert (ran.code, ran.out, made) == (2, "", [])
    assert ran.err.startswith("bench.json:1") or ran.err.startswith("error[bench result] ")
    assert (folder / "bench.json").read_text() == text


@pytest.mark.parametrize("what", ["program", "machine"])
def test_results_of_another_program_or_machine_are_left_alone(
    what: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stand_in(monkeypatch)
    (a,) = written(folder, "a")
    held = results({run_of(named("a")): OUTCOME}).document()
    held[what][{"program": "code", "machine": "processor"}[what]] = "other"
    text = json.dumps(held)
    (folder / "bench.json").write_text(text)
    ran = bench(a)
    assert (ran.code, ran.out, made) == (2, "", [])
    assert f"bench.json holds results of another {what}: " in ran.err
    assert "give another file with -o" in ran.err
    assert (folder / "bench.json").read_text() == text
    # To compare with, they are welcome.
    assert bench(a, "-o", "new.json", "--against", "bench.json").code == 0


# What went wrong


def test_a_failed_run_is_told_the_others_are_kept_and_it_is_tried_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, lambda run: "ended by SIGKILL: its last words" if run.seed == 1 else OUTCOME)
    (a,) = written(folder, "a")
    ran = bench(a, "--quiet", "--json")
    assert ran.code == 70
    assert ran.err == "failed: a (solve, 10 s), seed 1: ended by SIGKILL: its last words\n"
    assert [row["seed"] for row in json.loads(ran.out)["runs"]] == [0, 2]
    assert [row["seed"] for row in rows_of(folder / "bench.json")] == [0, 2]
    made = stand_in(monkeypatch)
    again = bench(a, "--json")
    assert (again.code, [run.seed for run in made]) == (0, [1])
    # As they were asked for, not as they came.
    assert [row["seed"] for row in json.loads(again.out)["runs"]] == [0, 1, 2]


@pytest.mark.parametrize("form", ["--json", "--markdown", "--quiet"])
def test_where_every_run_failed_there_is_an_empty_report(
    form: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, lambda _: "ended with exit code 1")
    ran = bench(*written(folder, "a"), form, "--svg", "plots")
    assert ran.code == 70
    assert ran.err.count("failed: ") == 3
    assert ran.out
    assert not (folder / "bench.json").exists()
    assert len(list((folder / "plots").iterdir())) == 2


def test_a_schedule_that_does_not_pass_the_checker_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stand_in(monkeypatch)
    (a,) = written(folder, "a")
    broken = replace(OUTCOME, violations=("error[memory] too many in flight", "error[more]"))
    outcomes = [OUTCOME, broken, OUTCOME]
    results({run_of(named("a"), s): found for s, found in enumerate(outcomes)}).write("bench.json")
    ran = bench(a, "--quiet")
    assert (ran.code, made) == (70, [])
    assert ran.err == "not valid: a (solve, 10 s), seed 1: error[memory] too many in flight\n"
    assert bench(a, "--seeds", "1").code == 0


def test_an_infeasible_topology_is_a_row_without_figures(folder: Path) -> None:
    (folder / "infeasible.yaml").write_text(INFEASIBLE)
    ran = bench("infeasible.yaml", *written(folder, "tiny"), "--seeds", "1")
    assert (ran.code, ran.err) == (0, "")
    (row,) = (line for line in lines_of(ran) if line.startswith("infeasible "))
    assert row.startswith("infeasible solve 10 s infeasible - - - - - - - ")
    infeasible, tiny = rows_of(folder / "bench.json")
    assert (infeasible["status"], infeasible["iteration_time"]) == ("INFEASIBLE", None)
    assert (infeasible["history"], infeasible["violations"]) == ([], [])
    assert (tiny["status"], tiny["iteration_time"]) == ("OPTIMAL", TINY_TIME)


# Against former results


@pytest.fixture
def former(folder: Path) -> Path:
    """Former results of `a` and `b`."""
    written(folder, "a", "b")
    held = {run_of(named(name), seed): OUTCOME for name in ("a", "b") for seed in range(3)}
    path = folder / "old.json"
    results(held).write(path)
    return path


def against(former: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Outcome:
    """New results of `a` and `b`, the same as always, held against former ones."""
    stand_in(monkeypatch)
    return bench("a.yaml", "b.yaml", "--against", former, *arguments)


def test_no_regression(former: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = former.read_bytes()
    ran = against(former, monkeypatch)
    assert (ran.code, ran.err) == (0, "")
    assert [line for line in lines_of(ran) if line.endswith(("worse", "as before"))] == [
        f"{name} solve 10 s 3 1.00 s 1.00 s 1.000 1.000 1.000 1.000 1.000 as before" for name in ("a", "b")
    ]
    assert former.read_bytes() == before


def test_a_regression_of_ten_percent_is_told_with_its_instance(
    former: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def better(row: dict[str, Any]) -> None:
        if row["instance"] == "b":
            # A million is 10.0 % more.
            row["iteration_time"] = row["history"][-1][1] = 909_091

    ran = against(edited(former, better, folder / "better.json"), monkeypatch, "--quiet")
    assert ran.code == 1
    assert ran.err == "worse: b (solve, 10 s): the iteration time is 10.0 % longer\n"
    assert [line for line in lines_of(ran) if line.endswith(("worse", "as before"))] == [
        "a solve 10 s 3 1.00 s 1.00 s 1.000 1.000 1.000 1.000 1.000 as before",
        "b solve 10 s 3 0.91 s 1.00 s 1.100 1.000 1.000 1.000 1.000 worse",
    ]


def changed(former: Path, **figures: Any) -> Path:
    return edited(former, lambda row: row.update(figures), former.with_name("changed.json"))


@pytest.mark.parametrize(
    ("figures", "arguments", "code"),
    [
        # The new ones take a second, with a bound of 0.8 s.
        ({"iteration_time": 2_000_000}, [], 0),
        ({"iteration_time": 960_000}, [], 0),
        ({"iteration_time": 940_000}, [], 1),
        ({"iteration_time": 960_000}, ["--tolerance", "0.01"], 1),
        ({"iteration_time": 600_000}, ["--tolerance", "1"], 0),
        ({"lower_bound": 700_000}, [], 0),
        ({"lower_bound": 900_000}, [], 1),
        ({"lower_bound": 900_000}, ["--tolerance", "0.2"], 0),
        ({"iteration_time": None, "lower_bound": None, "history": []}, [], 0),
    ],
)
def test_what_is_worse(
    figures: dict[str, Any], arguments: list[str], code: int, former: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = against(changed(former, **figures), monkeypatch, *arguments)
    assert (ran.code, ran.err.count("worse: ")) == (code, 2 * code)


@pytest.mark.parametrize(("time", "code"), [(995_000, 0), (980_000, 1)])
def test_counted_work_is_judged_more_strictly(
    time: int, code: int, former: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = changed(former, iteration_time=time, deterministic=True)
    assert against(counted, monkeypatch, "--deterministic").code == code


def test_no_schedule_where_there_was_one(former: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, lambda run: NOTHING if run.instance == "a" else OUTCOME)
    ran = bench("a.yaml", "b.yaml", "--against", former)
    assert ran.code == 1
    assert "worse: a (solve, 10 s): 0 of 3 runs have a schedule, 3 had\n" in ran.err
    assert "worse: b" not in ran.err


def test_only_runs_in_common_count(former: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The fourth seed is new, and bad; of the third topology nothing was known.
    written(former.parent, "c")
    stand_in(monkeypatch, lambda run: NOTHING if run.seed == 3 or run.instance == "c" else OUTCOME)
    ran = bench("a.yaml", "c.yaml", "--against", former, "--seeds", "4", "--json")
    assert ran.code == 0
    assert ran.err == (
        "not compared: a (solve, 10 s): 1 of 4 runs are not in the former result\n"
        "not compared: c (solve, 10 s): 4 of 4 runs are not in the former result\n"
        "not compared: b (solve, 10 s): 3 of 3 former runs are not made now\n"
    )
    (compared,) = json.loads(ran.out)["against"]
    assert (compared["group"]["instance"], compared["seeds"], compared["worse"]) == ("a", 3, [])
    assert (compared["before"], compared["now"]) == (1_000_000, 1_000_000)
    assert compared["ratios"]["iteration"] == 1.0


def test_a_former_result_of_another_machine_is_told(former: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = json.loads(former.read_text())
    document["machine"]["cores"] = 64
    former.write_text(json.dumps(document))
    ran = against(former, monkeypatch)
    assert ran.code == 0
    assert "--against is from another machine" in ran.err


def test_warnings_of_a_topology_are_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)
    (folder / "a.yaml").write_text(STRANGE_LINK)
    assert "warning" in bench("a.yaml").err
    assert bench("a.yaml", "-q").err == ""


def test_a_folder_does_not_hide_a_shipped_instance(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = stand_in(monkeypatch)
    (folder / "small-8").mkdir()
    assert bench("small-8", "--seeds", "1").code == 0
    assert [run.instance for run in made] == ["small-8"]


def test_a_comparison_is_a_table_of_the_markdown(former: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = against(former, monkeypatch, "--markdown")
    assert (
        "| a | solve | 10 s | 3 | 1.00 s | 1.00 s | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 | as before |"
        in ran.out
    )


def test_a_failed_run_weighs_more_than_a_regression(former: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    better = changed(former, iteration_time=500_000)
    stand_in(monkeypatch, lambda run: "crash" if run.seed == 0 else OUTCOME)
    ran = bench("a.yaml", "--against", better)
    assert ran.code == 70
    assert "worse: a" in ran.err


@pytest.mark.parametrize(
    "arguments", [["--time-limit", "20"], ["--method", "first"], ["--deterministic"], ["--workers", "1"]]
)
def test_nothing_in_common_is_told_before_anything_is_run(
    arguments: list[str], former: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stand_in(monkeypatch)
    ran = bench("a.yaml", "--against", former, *arguments)
    assert (ran.code, ran.out, made) == (2, "", [])
    assert "none of these runs; it has a (solve, 10 s), b (solve, 10 s) (the topology of a may be" in ran.err
    assert not (former.parent / "bench.json").exists()


def test_results_without_runs_have_nothing_in_common(folder: Path) -> None:
    written(folder, "a")
    results({}).write("old.json")
    ran = bench("a.yaml", "--against", "old.json")
    assert (ran.code, ran.out) == (2, "")
    assert "it has none at all" in ran.err


def test_many_former_runs_are_told_in_part(folder: Path) -> None:
    written(folder, "a")
    results({replace(run_of(TINY), instance=f"i{i}"): OUTCOME for i in range(7)}).write("old.json")
    ran = bench("a.yaml", "--against", "old.json")
    assert ran.code == 2
    assert "i4 (solve, 10 s), ...\n" in ran.err
    assert "i5" not in ran.err


@pytest.mark.parametrize("how", ["same", "another path", "symbolic link", "hard link"])
def test_former_results_are_not_written_over(how: str, former: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = stand_in(monkeypatch)
    before = former.read_bytes()
    output = former.with_name("old.json" if how == "same" else "new.json")
    if how == "another path":
        output = Path(os.path.relpath(former))
    elif how == "symbolic link":
        output.symlink_to(former)
    elif how == "hard link":
        output.hardlink_to(former)
    ran = bench("a.yaml", "--seeds", "4", "-o", output, "--against", former)
    assert (ran.code, ran.out, made) == (2, "", [])
    assert f"the new results would go to {former} itself" in ran.err
    assert former.read_bytes() == before


# Pictures


def test_svg_draws_two_pictures(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = stand_in(monkeypatch)
    (a,) = written(folder, "a")
    for plots in ("plots", "again"):
        assert bench(a, "--svg", plots).code == 0
        for name in ("incumbents.svg", "profile.svg"):
            assert ElementTree.parse(folder / plots / name).getroot().tag.endswith("}svg")
    assert len(made) == 3
    for name in ("incumbents.svg", "profile.svg"):
        assert (folder / "plots" / name).read_bytes() == (folder / "again" / name).read_bytes()


def test_svg_without_matplotlib_is_told_before_anything_is_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stand_in(monkeypatch)
    # As if it were not there; one that is broken raises the same error.
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    (a,) = written(folder, "a")
    ran = bench(a, "--svg", "plots")
    assert (ran.code, ran.out, made) == (2, "", [])
    assert "--svg needs matplotlib" in ran.err
    assert list(folder.iterdir()) == [a]
    assert bench(a).code == 0


# On a terminal


def test_a_bar_on_a_terminal(folder: Path) -> None:
    pty = pytest.importorskip("pty")
    (a,) = written(folder, "a")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command("bench", a, "--seeds", "1", "-v"),
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=environment(TERM="xterm"),
    ) as running:
        os.close(theirs)
        shown = b""
        # Reading fails once nobody holds the other end.
        while True:
            try:
                read = os.read(ours, 10_000)
            except OSError:
                break
            if not read:
                break
            shown += read
        assert running.stdout is not None
        out = running.stdout.read().decode()
        assert running.wait(STUCK) == 0
    os.close(ours)
    assert b"a (solve, 10 s), seed 0" in shown
    assert b"0/1" in shown
    assert b"ended: a" in shown
    assert "21.00 s" in out
    assert "0/1" not in out


def test_the_default_instances_are_shipped() -> None:
    assert set(_DEFAULT_INSTANCES) <= set(shipped_names())
