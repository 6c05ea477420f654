"""The results file: what comes back is what was written, and nothing strange gets in."""

from __future__ import annotations

import json
import re
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest
from bench_cases import NOTHING, OUTCOME, RUN, known, results, rows_of, seeds, taking
from cli_cases import finished
from hypothesis import given, settings
from hypothesis import strategies as st

from skipsched import InputError
from skipsched.bench.results import Results
from skipsched.bench.run import Outcome, Run

texts = st.text(st.characters(codec="utf-8"), max_size=8)
counts = st.integers(0, 2**63)
times = st.floats(0, 1e6, allow_nan=False)
runs = st.builds(
    Run, texts, texts, texts, st.integers(0, 1000), times, st.booleans(), st.none() | st.integers(1, 256)
)
outcomes = st.builds(
    Outcome,
    texts,
    texts,
    st.none() | counts,
    st.none() | counts,
    st.none() | texts,
    st.lists(texts, max_size=3).map(tuple),
    times,
    times,
    counts,
    st.lists(st.tuples(times, counts), max_size=4).map(tuple),
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(runs, outcomes, max_size=4))
def test_what_is_read_back_is_what_was_written(drawn: dict[Run, Outcome]) -> None:
    before = results(drawn)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.json"
        before.write(path)
        read = Results.read(path)
        assert read == before
        assert list(read.outcomes) == list(drawn)
        written = path.read_bytes()
        read.write(path)
        assert path.read_bytes() == written


def test_a_run_is_a_line_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    results(taking(100, 200, 300)).write(path)
    lines = [json.loads(line.rstrip(",")) for line in path.read_text().splitlines() if '"seed"' in line]
    assert [(line["seed"], line["iteration_time"]) for line in lines] == [(0, 100), (1, 200), (2, 300)]


def test_the_figures_that_follow_stand_beside_the_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, harbour=("ab12", 800_000, 700_000))
    (row,) = results({RUN: OUTCOME}).document()["runs"]
    assert row["best_known"] == 800_000
    assert row["over_best_known"] == 0.25
    assert (row["first_at"], row["settled_at"]) == (0.5, 2.0)
    # 0.5 s without anything, 1.5 s at a gap of 60 %, 8 s at a gap of 20 %.
    assert row["primal_integral"] == 3.0
    (nothing,) = results({RUN: NOTHING}).document()["runs"]
    assert nothing["over_best_known"] is nothing["first_at"] is nothing["settled_at"] is None


def test_results_of_some_runs_are_in_their_order() -> None:
    (zero, one, two) = taking(1, 2, 3)
    held = results(taking(1, 2, 3))
    assert list(held.of([two, zero, replace(RUN, seed=7)]).outcomes) == [two, zero]
    assert list(held.outcomes) == [zero, one, two]


def refused(text: str | bytes, folder: Path) -> str:
    """What is said of a file that is refused, wherever it is read, and left as it is."""
    path = folder / "bench.json"
    data = text.encode() if isinstance(text, str) else text
    path.write_bytes(data)
    told = []
    for read in (Results.read, lambda given: Results.resumed(given, "skipsched bench")):
        with pytest.raises(InputError) as caught:
            read(path)
        (diagnostic,) = caught.value.diagnostics
        assert diagnostic.rule == "bench result"
        told.append(diagnostic.message)
    assert told[0] == told[1]
    assert path.read_bytes() == data
    where, said = told[0].split(" ", 1)
    # What is said of a row names the file first.
    return said if where == f"{path}:" else told[0]


def document(*held: Outcome) -> dict[str, Any]:
    return results(seeds(held)).document()


@pytest.mark.parametrize(
    "text",
    [
        " ",
        "x",
        "{",
        b"\xff\xfe",
        "[]",
        "{}",
        '{"format": "skipsched.bench/2"}',
        '{"format": "skipsched.schedule/1"}',
        '{"format": "skipsched.bench/1"}',
        '{"format": "skipsched.bench/1", "format": "skipsched.bench/1"}',
    ],
)
def test_what_is_no_result_is_refused(text: str | bytes, tmp_path: Path) -> None:
    assert refused(text, tmp_path)


def test_an_empty_file_is_one_to_begin_with(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.touch()
    assert Results.resumed(path, "skipsched bench").outcomes == {}
    with pytest.raises(InputError, match="empty"):
        Results.read(path)


def test_a_run_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    held = document(OUTCOME)
    held["runs"] *= 2
    assert refused(json.dumps(held), tmp_path) == "runs[1]: harbour (solve, 10 s), seed 0 stands there twice"


def test_two_benches_on_one_file_keep_the_runs_of_both(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    one, other = (Results.resumed(path, "skipsched bench") for _ in range(2))
    one.add(RUN, OUTCOME)
    one.write(path)
    other.add(replace(RUN, seed=1), NOTHING)
    other.write(path)
    assert Results.read(path).outcomes == {RUN: OUTCOME, replace(RUN, seed=1): NOTHING}


def test_a_file_that_has_become_another_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    held = Results.resumed(path, "skipsched bench")
    held.add(RUN, OUTCOME)
    path.write_text("something else")
    with pytest.raises(InputError):
        held.write(path)
    assert path.read_text() == "something else"


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = json.dumps(document(OUTCOME, NOTHING))
    for end in range(1, len(whole) - 1, 97):
        refused(whole[:end], tmp_path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        Results.read(tmp_path)
    with pytest.raises(InputError, match="cannot read"):
        Results.read(tmp_path / "missing.json")


@pytest.mark.parametrize("key", ["program", "machine", "command", "date", "runs"])
def test_a_missing_or_mistyped_key_of_the_file_is_named(key: str, tmp_path: Path) -> None:
    held = document(OUTCOME)
    assert re.fullmatch(rf"{key}: \w+ \w+ is expected, not 1", refused(json.dumps(held | {key: 1}), tmp_path))
    del held[key]
    assert refused(json.dumps(held), tmp_path) == f"{key} is missing"


@pytest.mark.parametrize("key", [field.name for kind in (Run, Outcome) for field in fields(kind)])
def test_a_missing_or_mistyped_key_of_a_run_is_named(key: str, tmp_path: Path) -> None:
    mistyped: list[Any] = [{}, {"a": 1}, [[]], 1 if key == "deterministic" else True]
    for strange in mistyped:
        held = document(NOTHING, OUTCOME)
        held["runs"][1][key] = strange
        assert refused(json.dumps(held), tmp_path).startswith(f"runs[1].{key}")
    held = document(NOTHING, OUTCOME)
    del held["runs"][1][key]
    assert refused(json.dumps(held), tmp_path) == f"runs[1].{key} is missing"


@pytest.mark.parametrize(
    ("key", "strange"),
    [
        ("iteration_time", 1.5),
        ("iteration_time", "21 s"),
        ("iteration_time", -1),
        ("iteration_time", 10**400),
        ("lower_bound", -1),
        ("seed", None),
        ("seed", -1),
        ("time_limit", None),
        ("time_limit", float("1e300")),
        ("peak_memory", None),
        ("violations", "none"),
        ("violations", [1]),
        ("violations", ["fine", None]),
        ("history", [[1.0]]),
        ("history", [[1.0, 2, 3]]),
        ("history", ["12"]),
        ("history", [[1.0, 2], [None, 1]]),
        ("history", [[1.0, 2.5]]),
        ("history", [[True, 2]]),
        ("history", [[-1.0, 2]]),
    ],
)
def test_figures_that_no_run_has_are_refused(key: str, strange: object, tmp_path: Path) -> None:
    held = document(OUTCOME)
    held["runs"][0][key] = strange
    assert refused(json.dumps(held), tmp_path).startswith(f"runs[0].{key}")


@pytest.mark.parametrize("endless", ["1e999", "Infinity", "NaN"])
def test_what_is_no_finite_number_is_refused(endless: str, tmp_path: Path) -> None:
    held = json.dumps(document(replace(OUTCOME, wall_time=123.25)))
    assert held.count("123.25") == 1
    assert refused(held.replace("123.25", endless), tmp_path)


def test_a_row_that_is_no_object_is_named(tmp_path: Path) -> None:
    held = document(OUTCOME)
    held["runs"].append([])
    assert refused(json.dumps(held), tmp_path) == "runs[1]: an object is expected"


def test_further_keys_do_not_matter(tmp_path: Path) -> None:
    held = document(OUTCOME)
    held["note"] = held["runs"][0]["note"] = "mine"
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(held))
    assert Results.read(path).outcomes == {RUN: OUTCOME}


def test_whole_numbers_of_seconds_are_the_same_limit(tmp_path: Path) -> None:
    held = document(OUTCOME)
    held["runs"][0]["time_limit"] = 10
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(held))
    assert RUN in Results.read(path).outcomes


def test_nothing_is_resumed_where_there_is_no_file(tmp_path: Path) -> None:
    fresh = Results.resumed(tmp_path / "bench.json", "skipsched bench x")
    assert (fresh.outcomes, fresh.command) == ({}, "skipsched bench x")
    assert list(tmp_path.iterdir()) == []


def test_resumed_results_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    results(taking(100, 200)).write(path)
    resumed = Results.resumed(path, "skipsched bench again")
    assert resumed.outcomes == taking(100, 200)
    assert resumed.command == "skipsched bench again"


@pytest.mark.parametrize(
    ("what", "key", "value"),
    [
        ("program", "code", "0123456789ab"),
        ("program", "skipsched", "0.0.1"),
        ("program", "ortools", "9.0.0"),
        ("machine", "cores", 1000),
        ("machine", "processor", "abacus"),
    ],
)
def test_results_of_another_program_or_machine_are_not_mixed(
    what: str, key: str, value: object, tmp_path: Path
) -> None:
    held = document(OUTCOME)
    held[what][key] = value
    path = tmp_path / "bench.json"
    written = json.dumps(held)
    path.write_text(written)
    # To compare with, they may be others'.
    assert Results.read(path).outcomes == {RUN: OUTCOME}
    with pytest.raises(InputError) as caught:
        Results.resumed(path, "skipsched bench")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message == f"{path} holds results of another {what}: {key} {value}"
    assert diagnostic.hint == "give another file with -o, or delete this one"
    assert path.read_text() == written


def test_results_that_do_not_say_what_made_them_are_not_mixed(tmp_path: Path) -> None:
    held = document(OUTCOME)
    del held["program"]["code"]
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(held))
    with pytest.raises(InputError, match="another program: code None"):
        Results.resumed(path, "skipsched bench")


def fail(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
def test_what_cannot_be_written_leaves_the_finished_runs(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bench.json"
    held = results(taking(100))
    held.write(path)
    before = path.read_bytes()
    held.add(replace(RUN, seed=1), OUTCOME)
    monkeypatch.setattr(step, fail)
    with pytest.raises(OSError, match="No space left"):
        held.write(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


_KILLED_WHILE_WRITING = """
import os, signal, sys
from dataclasses import replace
from skipsched.bench.results import Results
held = Results.read(sys.argv[1])
(run, outcome), = held.outcomes.items()
held.add(replace(run, seed=1), outcome)
held.write(sys.argv[1])
held.add(replace(run, seed=2), outcome)
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
held.write(sys.argv[1])
"""


def test_the_file_is_whole_after_a_kill_in_the_middle_of_writing(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    results({RUN: OUTCOME}).write(path)
    ran = finished([sys.executable, "-c", _KILLED_WHILE_WRITING, str(path)])
    assert (ran.code, ran.err) == (-signal.SIGKILL, "")
    assert [row["seed"] for row in rows_of(path)] == [0, 1]
    assert set(Results.read(path).outcomes.values()) == {OUTCOME}


def test_added_runs_come_last_and_take_the_place_of_their_own() -> None:
    held = results(taking(100, 200))
    held.date = "1999-12-31"
    better = replace(OUTCOME, iteration_time=50)
    held.add(RUN, better)
    held.add(replace(RUN, seed=2), OUTCOME)
    assert [(run.seed, outcome.iteration_time) for run, outcome in held.outcomes.items()] == [
        (0, 50),
        (1, 200),
        (2, 1_000_000),
    ]
    assert held.date > "1999-12-31"


def test_a_row_holds_what_was_asked_and_what_came_out() -> None:
    (row,) = results({RUN: OUTCOME}).document()["runs"]
    asked_and_came: dict[str, Any] = json.loads(json.dumps(asdict(RUN) | asdict(OUTCOME)))
    kept: Callable[[str], Any] = json.loads(json.dumps(row)).get
    assert {key: kept(key) for key in asked_and_came} == asked_and_came
