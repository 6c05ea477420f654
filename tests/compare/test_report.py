"""What a report says of attempts: by hand."""

from __future__ import annotations

import pytest

from skipsched import Schedule, load_topology
from skipsched.catalogue import published
from skipsched.compare import report as module
from skipsched.compare.attempt import COMPLETE, CUT, NOTHING, Attempt
from skipsched.compare.contest import Contest
from skipsched.compare.html import page
from skipsched.compare.methods import FULL_PIPELINE, SKIPPIPE, SOLVE, Method
from skipsched.compare.report import Report, compared, peak_slots
from skipsched.compare.tables import tables
from skipsched.compare.variants import with_rules

GEO = "geo-20"


def schedule(iteration_time: int) -> Schedule:
    """What stands in a schedule, as far as a report reads it."""
    actions = {
        "a": [{"op": op} for op in ("F", "F", "L", "B", "F", "F", "L", "B", "B", "L", "B")],
        "b": [{"op": op} for op in ("F", "B", "F", "B")],
    }
    return Schedule(
        {"iteration_time": iteration_time, "bubble_ratio": 0.25, "microbatches": [{}] * 4, "actions": actions}
    )


def reported(monkeypatch: pytest.MonkeyPatch, attempts: dict[str, Attempt], topology: str = GEO) -> Report:
    """The report of methods that have come to this."""

    def method(name: str, attempt: Attempt) -> Method:
        return Method(f"<{name}>", lambda _: attempt)

    methods = {name: method(name, attempt) for name, attempt in attempts.items()}
    monkeypatch.setattr(module, "METHODS", methods)
    contest = Contest(load_topology(topology), 5.0, 0, deterministic=True)
    return compared(contest, list(methods), begin=lambda _: None, take=lambda _, __: None)


def test_slots_are_those_held_at_once() -> None:
    """F F B F F B B B on the first node: 1, 2, 1, 2, 3 in flight."""
    assert peak_slots(schedule(1)) == 3


def test_figures_are_set_against_the_full_pipeline_and_skippipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four microbatches in 20, 10 and 5 seconds."""
    report = reported(
        monkeypatch,
        {
            FULL_PIPELINE: Attempt(COMPLETE, schedule(20_000_000), own_time=21_000_000),
            SKIPPIPE: Attempt(CUT, schedule(10_000_000), without=("even-nodes",)),
            SOLVE: Attempt(CUT, schedule(5_000_000)),
        },
    )
    full, skippipe, ours = report.rows
    assert [row.throughput for row in report.rows] == [0.2, 0.4, 0.8]
    assert [row.to_full_pipeline for row in report.rows] == [1.0, 0.5, 0.25]
    assert [row.to_skippipe for row in report.rows] == [2.0, 1.0, 0.5]
    assert (full.published, skippipe.published, ours.published) == (165_390_000, 77_720_000, None)
    assert (full.own_time, skippipe.without) == (21_000_000, ("even-nodes",))
    assert {row.seconds for row in report.rows} == {None}
    assert report.source is not None
    assert "2502.19913" in report.source


def test_nothing_is_set_against_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    report = reported(
        monkeypatch,
        {SKIPPIPE: Attempt(NOTHING, why="no <paths>"), SOLVE: Attempt(CUT, schedule(5_000_000))},
        "small-8",
    )
    failed, ours = report.rows
    assert (failed.iteration_time, failed.throughput, failed.peak_slots) == (None, None, None)
    assert (ours.to_full_pipeline, ours.to_skippipe) == (None, None)
    assert report.source is None
    ((_, (heads, rows)),) = tables(report)
    told = dict(zip(heads, rows[0], strict=True))
    assert (told["iteration"], told["to full"], told["note"]) == ("-", "-", "nothing found: no <paths>")
    # A page shows what a method says, and is not changed by it.
    assert "no &lt;paths&gt;" in page(report)
    assert "<paths>" not in page(report)


def test_published_figures_are_of_the_published_topology_alone() -> None:
    """A topology of the same name with other rules is another one."""
    topology = load_topology(GEO)
    assert published(topology)[1][SKIPPIPE] == 77_720_000
    assert published(with_rules(topology, max_swaps=3)) == (None, {})
