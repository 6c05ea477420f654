"""The bench's table: medians over the seeds, and means over the instances."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from bench_cases import NOTHING, OUTCOME, RUN, known, results, seeds, taking

from skipsched.bench.rows import Mean, Row, grouped, middle, rows, totals
from skipsched.bench.run import Outcome, Run


def row(outcomes: dict[Run, Outcome]) -> Row:
    (found,) = rows(results(outcomes))
    return found


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ([7], 7),
        ([300, 100, 200], 200),
        ([100, 200], 150),
        # A missing one is larger than any other.
        ([100, None, 300], 300),
        ([None, 200, 100], 200),
        ([100, None, None], None),
        ([100, None], None),
        ([100, 200, 300, None], 250),
        ([None], None),
        ([], None),
    ],
)
def test_the_middle(figures: list[float | None], expected: float | None) -> None:
    assert middle(figures) == expected


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ([100, None, 300], 100),
        ([100, 200, 300], 200),
        ([None, None, 100], None),
        ([100, None], None),
        ([], None),
    ],
)
def test_the_middle_where_more_is_better(figures: list[float | None], expected: float | None) -> None:
    assert middle(figures, worst=-math.inf) == expected


def test_a_row_has_the_medians_of_its_seeds() -> None:
    first = replace(OUTCOME, iteration_time=100, lower_bound=50, peak_memory=30, history=((1.0, 100),))
    second = replace(
        OUTCOME, iteration_time=300, lower_bound=60, peak_memory=10, history=((2.0, 400), (4.0, 300))
    )
    third = replace(
        OUTCOME, iteration_time=200, lower_bound=80, peak_memory=20, history=((6.0, 300), (8.0, 200))
    )
    found = row(seeds([first, second, third]))
    assert found.group == RUN.group
    assert (found.runs, found.found) == (3, 3)
    assert found.iteration_time == 200
    assert found.lower_bound == 60
    assert found.gap == 0.6  # of 0.5, 0.8 and 0.6
    assert found.first_at == 2.0
    assert found.settled_at == 4.0
    assert found.peak_memory == 20
    # The best of all is 100. Over ten seconds: 1; 2 + 2 * 0.75 + 6 * 2/3 = 7.5; 6 + 2 * 2/3 + 2 * 0.5 = 8.33.
    assert found.primal_integral == pytest.approx(7.5)


def test_a_run_without_a_schedule_is_worse_than_any_other() -> None:
    found = row(taking(100, None, 300))
    assert (found.runs, found.found) == (3, 2)
    assert found.iteration_time == 300


def test_a_run_without_a_bound_has_the_worst_one() -> None:
    outcomes = [replace(OUTCOME, lower_bound=bound) for bound in (500_000, None, 700_000)]
    assert row(seeds(outcomes)).lower_bound == 500_000


def test_where_most_have_no_schedule_there_are_no_figures_of_one() -> None:
    found = row(taking(None, 100, None))
    assert (found.runs, found.found) == (3, 1)
    assert found.iteration_time is found.lower_bound is found.gap is found.over_best_known is None
    assert found.first_at is found.settled_at is None
    assert found.peak_memory == NOTHING.peak_memory
    assert found.primal_integral == 10.0  # there is a best, and two of three never got near


def test_the_best_known_is_what_a_row_is_held_against(monkeypatch: pytest.MonkeyPatch) -> None:
    assert row(taking(110, 120, 130)).over_best_known is None
    known(monkeypatch, harbour=("ab12", 100, 50))
    assert row(taking(110, 120, 130)).over_best_known == pytest.approx(0.2)
    known(monkeypatch, harbour=("another topology of this name", 100, 50))
    assert row(taking(110, 120, 130)).over_best_known is None


def test_the_integral_is_held_against_the_best_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = seeds([replace(OUTCOME, iteration_time=200, history=((0.0, 200),))])
    # Nothing better is there; 100 is known; 100 is known and 50 is there.
    assert row(outcomes).primal_integral == 0
    known(monkeypatch, harbour=("ab12", 100, 50))
    assert row(outcomes).primal_integral == pytest.approx(5)
    other = replace(RUN, method="first")
    better = replace(OUTCOME, iteration_time=50)
    assert rows(results(outcomes | {other: better}))[0].primal_integral == pytest.approx(7.5)
    another = replace(other, sha256="cd34")
    assert rows(results(outcomes | {another: better}))[0].primal_integral == pytest.approx(5)


def test_counted_work_is_integrated_over_the_time_it_took() -> None:
    run = replace(RUN, deterministic=True, time_limit=3.0)
    outcome = replace(OUTCOME, wall_time=20.0, history=((8.0, 1_000_000),))
    assert row({run: outcome}).primal_integral == 8.0
    assert row({replace(run, deterministic=False): outcome}).primal_integral == 3.0


def test_groups_differ_in_anything_but_the_seed() -> None:
    others = [
        replace(RUN, instance="other"),
        replace(RUN, sha256="cd34"),
        replace(RUN, method="first"),
        replace(RUN, time_limit=20.0),
        replace(RUN, deterministic=True),
        replace(RUN, workers=2),
    ]
    again = replace(RUN, seed=1)
    groups = grouped([RUN, *others, again])
    assert list(groups) == [run.group for run in [RUN, *others]]
    assert groups[RUN.group] == [RUN, again]


def instances(**times: tuple[int | None, int | None]) -> list[Row]:
    outcomes = {
        replace(RUN, instance=name, sha256=name): NOTHING
        if time is None
        else replace(OUTCOME, iteration_time=time, lower_bound=bound)
        for name, (time, bound) in times.items()
    }
    return rows(results(outcomes))


def near(value: float, count: int) -> Mean:
    """A mean about so large."""
    return Mean(pytest.approx(value), count)  # type: ignore[arg-type]


def test_totals_are_means_over_the_instances(monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, a=("a", 100, 50), b=("b", 100, 50))
    (total,) = totals(instances(a=(110, 55), b=(130, 117), c=(500, 350)))
    assert (total.method, total.limit, total.rows) == ("solve", "10 s", 3)
    assert total.over_best_known == near(0.2, 2)  # of c, nothing is known
    assert total.gap == near((0.5 + 0.1 + 0.3) / 3, 3)


def test_totals_leave_out_what_is_missing() -> None:
    (total,) = totals(instances(a=(100, 50), b=(None, None), c=(100, 70)))
    assert (total.rows, total.over_best_known) == (3, Mean(None, 0))
    assert total.gap == near(0.4, 2)
    (nothing,) = totals(instances(a=(None, None), b=(None, None)))
    assert nothing.gap == Mean(None, 0)


def test_one_row_alone_has_no_total() -> None:
    assert totals(instances(a=(100, 50))) == []
    # One of each kind: no mean would say more than the rows.
    kinds = [RUN, replace(RUN, method="first"), replace(RUN, time_limit=60.0)]
    assert totals(rows(results(dict.fromkeys(kinds, OUTCOME)))) == []
    again = [replace(run, instance="other", sha256="cd34") for run in kinds]
    found = totals(rows(results(dict.fromkeys([*kinds, *again], OUTCOME))))
    assert [(t.method, t.limit, t.rows) for t in found] == [
        ("solve", "10 s", 2),
        ("first", "10 s", 2),
        ("solve", "60 s", 2),
    ]
