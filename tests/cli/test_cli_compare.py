"""`skipsched compare`: rows, forms of the table, and what goes wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from check_cases import TINY
from cli_cases import INFEASIBLE, WRONG, Outcome, call, process

from skipsched import Schedule, validate
from skipsched.compare.methods import METHODS

#: Three stages of two nodes; two slots and four microbatches for each data node: two waves.
WAVES = """
skipsched: 1
name: waves
nodes:
  - {id: "n{}", count: 6, forward_time: 100 ms, memory: 2}
network:
  default: {latency: 5 ms, bandwidth: 1 GB/s}
  links: [{between: [n0, n5], latency: 500 ms, bandwidth: 1 MB/s}]
workload: {stages: 3, stage_sizes: [2, 2, 2], microbatches: 4, activation: 1 MB}
rules: {path_length: 2, max_swaps: 1}
"""
#: No full pipeline: nothing leads from b to c.
NO_PIPELINE = """
skipsched: 1
name: no-pipeline
nodes:
  - {id: a, forward_time: 10 ms, memory: 2, stage: 0}
  - {id: b, forward_time: 10 ms, memory: 2, stage: 1}
  - {id: c, forward_time: 10 ms, memory: 2, stage: 2}
network:
  links:
    - {between: [a, b], latency: 1 ms, bandwidth: 1 GB/s}
    - {between: [a, c], latency: 1 ms, bandwidth: 1 GB/s}
workload: {stages: 3, stage_sizes: [1, 1, 1], microbatches: 4, activation: 1 MB}
rules: {path_length: 2}
"""


def compared(*arguments: str | Path, stdin: str = WAVES) -> Outcome:
    return call("compare", "-", "--deterministic", "--budget", "0.2", *arguments, stdin=stdin)


def rows(ran: Outcome) -> dict[str, Any]:
    report = json.loads(ran.out)
    return {row["name"]: row for row in [*report["rows"], *report["ablation"]]}


def test_every_method_and_every_step_has_a_schedule(tmp_path: Path) -> None:
    """The schedules written are those of the table, and each carries the topology whose rules it keeps."""
    ran = compared("--json", "--schedules", tmp_path / "made")
    assert ran.code == 0
    found = rows(ran)
    steps = ["full pipeline", "+ skipping", "+ swapping", "+ free node loads", "+ no waves"]
    assert list(found) == [*METHODS, *steps, "+ joint allocation", "+ exact windows"]
    for name, row in found.items():
        stem = name if name in METHODS else "ablation-" + name.removeprefix("+ ").replace(" ", "-")
        schedule = Schedule.read(tmp_path / "made" / f"{stem}.json")
        assert validate(schedule) == []
        assert schedule.document["iteration_time"] == row["iteration_time"]
        assert len(schedule.document["microbatches"]) == 8


def test_the_last_step_is_solve() -> None:
    found = rows(compared("--json", "--methods", "solve,ablation"))
    assert (found["+ exact windows"]["iteration_time"], found["+ exact windows"]["text"]) == (
        found["solve"]["iteration_time"],
        "",
    )


def test_the_table_and_the_page_say_the_same(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    ran = compared("--methods", "1f1b,solve", "--html", page)
    assert ran.code == 0
    lines = [line.strip() for line in ran.out.splitlines()]
    assert any(line.startswith("1f1b") for line in lines)
    assert any(line.startswith("solve") for line in lines)
    assert '<td class="text">1f1b</td>' in page.read_text()
    assert "http" not in page.read_text()


def test_the_same_on_every_run() -> None:
    methods = "full-pipeline,skippipe,random-paths,solve"
    first, second = (compared("--json", "--methods", methods) for _ in "ab")
    assert first == second


def test_rows_are_named_before_they_run() -> None:
    ran = compared("--methods", "solve,gpipe")
    # Before them it may be said that the search is compiled.
    assert ran.err.splitlines()[-2:] == ["gpipe ...", "solve ..."]
    assert compared("--methods", "solve", "--quiet").err == ""


def test_published_figures_stand_beside() -> None:
    options = ("--deterministic", "--budget", "0.1", "--methods", "skippipe", "--json")
    found = rows(call("compare", "geo-20", *options))
    assert found["skippipe"]["published"] == 77_720_000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--methods", "skipipe"), 'did you mean "skippipe"?'),
        (("--methods", ""), "there is no method ''"),
        (("--budget", "0"), "--budget"),
        (("--budget", "nan"), "--budget"),
        (("--html", "/nowhere/page.html"), "--html: there is no folder"),
        (("--html", "-"), "the page needs a file"),
        (("--schedules", "/dev/null/x"), "--schedules"),
        (("--schedules", ""), "an empty name is no folder"),
    ],
)
def test_bad_usage(arguments: tuple[str, ...], said: str) -> None:
    ran = compared(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_a_page_does_not_replace_the_topology(tmp_path: Path) -> None:
    source = tmp_path / "waves.yaml"
    source.write_text(WAVES)
    ran = call("compare", source, "--html", source)
    assert (ran.code, ran.out) == (2, "")
    assert "would overwrite the topology" in ran.err
    assert source.read_text() == WAVES


def test_a_folder_that_takes_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused before the first row, not after it. Told by `os.access`: root may write everywhere."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    ran = compared("--schedules", tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert "no permission" in ran.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
def test_a_full_disk_does_not_lose_the_tables() -> None:
    ran = process("compare", "-", "--budget", "0.2", "--methods", "gpipe", "--html", "/dev/full", stdin=TINY)
    assert ran.code == 2
    assert "gpipe" in ran.out
    assert "No space left" in ran.err


def test_a_schedule_that_cannot_be_written_does_not_either(tmp_path: Path) -> None:
    (tmp_path / "gpipe.json").mkdir()
    ran = compared("--methods", "gpipe", "--schedules", tmp_path)
    assert ran.code == 2
    assert "gpipe" in ran.out
    assert "gpipe.json" in ran.err
    assert "Traceback" not in ran.err


def test_bad_topologies() -> None:
    ran = compared(stdin=WRONG)
    assert (ran.code, ran.out) == (2, "")
    assert "<stdin>:" in ran.err


def test_an_infeasible_topology_has_no_row_with_a_schedule() -> None:
    ran = compared("--methods", "solve,1f1b-ours", "--json", stdin=INFEASIBLE)
    assert ran.code == 3
    assert [row["end"] for row in rows(ran).values()] == ["nothing found", "infeasible"]


def test_without_any_straight_pipeline_there_is_no_ablation() -> None:
    """Paths of two stages get along with links from a to b and from a to c alone; those of three do not."""
    ran = compared("--json", stdin=NO_PIPELINE)
    assert ran.code == 0
    report = json.loads(ran.out)
    assert report["ablation"] == []
    found = rows(ran)
    assert found["solve"]["iteration_time"] is not None
    assert {found[name]["end"] for name in ("full-pipeline", "gpipe", "1f1b", "skippipe")} == {
        "nothing found"
    }


def test_in_a_process_of_its_own() -> None:
    ran = process("compare", "-", "--budget", "0.5", "--methods", "gpipe,1f1b", "--json", stdin=TINY)
    assert ran.code == 0
    assert {row["seconds"] is not None for row in rows(ran).values()} == {True}
