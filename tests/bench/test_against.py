"""New results beside former ones: what is worse, and what is not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench_cases import NOTHING, OUTCOME, RUN, results, seeds, taking

from skipsched.bench.against import Comparison, compare, not_compared
from skipsched.bench.run import Outcome, Run

COUNTED = replace(RUN, deterministic=True)


def compared(
    before: dict[Run, Outcome], now: dict[Run, Outcome], tolerance: float | None = None
) -> Comparison:
    (found,) = compare(results(before), results(now), tolerance)
    return found


def worse(before: Outcome, now: Outcome, run: Run = RUN, tolerance: float | None = None) -> tuple[str, ...]:
    return compared({run: before}, {run: now}, tolerance).worse


def test_the_same_is_no_worse() -> None:
    found = compared(taking(100, 200, 300), taking(100, 200, 300))
    assert found.worse == ()
    assert (found.group, found.seeds, found.before, found.now) == (RUN.group, 3, 200, 200)
    assert set(found.ratios.values()) == {1.0}
    assert worse(NOTHING, NOTHING) == ()


def test_a_longer_iteration_time_is_worse() -> None:
    found = compared(taking(100, 100, 100), taking(110, 110, 110))
    assert found.worse == ("the iteration time is 10.0 % longer",)
    assert (found.before, found.now) == (100, 110)
    assert found.ratios["iteration"] == pytest.approx(1.1)


def test_a_shorter_iteration_time_is_not() -> None:
    found = compared(taking(100), taking(50))
    assert found.worse == ()
    assert found.ratios["iteration"] == 0.5


def test_medians_are_compared() -> None:
    # One seed that went astray is no regression, two are.
    assert compared(taking(100, 100, 100), taking(100, 100, 900)).worse == ()
    assert len(compared(taking(100, 100, 100), taking(100, 900, 900)).worse) == 1


def test_a_smaller_bound_is_worse_and_a_larger_one_is_not() -> None:
    assert worse(OUTCOME, replace(OUTCOME, lower_bound=720_000)) == ("the lower bound is 10.0 % smaller",)
    assert worse(OUTCOME, replace(OUTCOME, lower_bound=880_000)) == ()
    assert worse(OUTCOME, replace(OUTCOME, lower_bound=None)) == ("no lower bound, where there was one",)
    assert worse(replace(OUTCOME, lower_bound=None), OUTCOME) == ()


def test_a_seed_that_lost_its_bound_does_not_raise_the_bound() -> None:
    before = seeds(replace(OUTCOME, lower_bound=bound) for bound in (500_000, 600_000, 700_000))
    now = seeds(replace(OUTCOME, lower_bound=bound) for bound in (500_000, None, 700_000))
    found = compared(before, now)
    assert found.ratios["bound"] == pytest.approx(5 / 6)
    assert found.worse == ("the lower bound is 16.7 % smaller",)


def test_no_schedule_where_there_was_one_is_worse() -> None:
    found = compared({RUN: OUTCOME}, {RUN: NOTHING})
    assert found.worse == ("0 of 1 runs have a schedule, 1 had", "no lower bound, where there was one")
    assert found.now is None
    assert set(found.ratios) == {"memory"}
    assert worse(NOTHING, OUTCOME) == ()


def test_fewer_schedules_are_worse_whatever_the_median() -> None:
    assert compared(taking(100, 100, 100), taking(100, 100, None)).worse == (
        "2 of 3 runs have a schedule, 3 had",
    )
    assert compared(taking(100, None, 100), taking(None, 100, 100)).worse == ()


def test_fewer_proofs_are_worse_where_no_clock_ends_them() -> None:
    proved = replace(OUTCOME, status="OPTIMAL", lower_bound=1_000_000)
    nearly = replace(OUTCOME, lower_bound=999_999)
    assert worse(proved, nearly, COUNTED) == ("0 of 1 runs have a proof, 1 had",)
    assert worse(proved, nearly, RUN) == ()
    infeasible = replace(NOTHING, status="INFEASIBLE")
    assert worse(infeasible, NOTHING, COUNTED) == ("0 of 1 runs have a proof, 1 had",)
    assert worse(NOTHING, infeasible, COUNTED) == ()


@pytest.mark.parametrize(
    ("run", "tolerance", "most"),
    [
        (RUN, None, 1_050_000),
        (COUNTED, None, 1_010_000),
        (RUN, 0.2, 1_200_000),
        (COUNTED, 0.2, 1_200_000),
        (RUN, 0.0, 1_000_000),
    ],
)
def test_what_is_tolerated(run: Run, tolerance: float | None, most: int) -> None:
    at_most = replace(OUTCOME, iteration_time=most - 1 if most > 1_000_000 else most)
    beyond = replace(OUTCOME, iteration_time=most + 1)
    assert worse(OUTCOME, at_most, run, tolerance) == ()
    (told,) = worse(OUTCOME, beyond, run, tolerance)
    assert told.startswith("the iteration time is ")


@pytest.mark.parametrize(
    ("run", "tolerance", "least"), [(RUN, None, 760_000), (COUNTED, None, 792_000), (RUN, 0.5, 400_000)]
)
def test_what_is_tolerated_of_a_bound(run: Run, tolerance: float | None, least: int) -> None:
    assert worse(OUTCOME, replace(OUTCOME, lower_bound=least + 1), run, tolerance) == ()
    (told,) = worse(OUTCOME, replace(OUTCOME, lower_bound=least - 1), run, tolerance)
    assert told.startswith("the lower bound is ")


def test_times_of_the_search_and_memory_are_shown_and_not_judged() -> None:
    slow = replace(OUTCOME, history=((4.0, 1_000_000),), peak_memory=10 * OUTCOME.peak_memory)
    found = compared({RUN: OUTCOME}, {RUN: slow})
    assert found.worse == ()
    assert found.ratios["first at"] == pytest.approx(8)
    assert found.ratios["5 % at"] == pytest.approx(2)
    assert found.ratios["memory"] == pytest.approx(10)


def test_only_common_seeds_count() -> None:
    # The new seeds are far worse, the old ones that are left out far better.
    before, now = taking(100, 100, 1, 1, 1), taking(100, 100)
    assert compared(before, now).worse == ()
    found = compared(taking(100), taking(100, 900, 900))
    assert (found.seeds, found.now, found.worse) == (1, 100, ())


def test_runs_that_one_side_lacks_are_left_out() -> None:
    other = replace(RUN, instance="other", sha256="cd34")
    both = compare(results({RUN: OUTCOME, other: OUTCOME}), results({other: OUTCOME, RUN: OUTCOME}))
    assert [comparison.group for comparison in both] == [other.group, RUN.group]  # as they are now
    assert compared({RUN: OUTCOME, other: OUTCOME}, {RUN: OUTCOME}).group == RUN.group
    for changed in (
        other,
        replace(RUN, sha256="cd34"),
        replace(RUN, time_limit=60.0),
        COUNTED,
        replace(RUN, workers=2),
        replace(RUN, method="first"),
    ):
        assert compare(results({RUN: OUTCOME}), results({changed: NOTHING})) == []


def test_each_group_is_judged_by_itself() -> None:
    other = replace(RUN, instance="other", sha256="cd34")
    longer = replace(OUTCOME, iteration_time=1_100_000)
    found = compare(results({RUN: OUTCOME, other: OUTCOME}), results({RUN: OUTCOME, other: longer}))
    assert [(comparison.group.instance, bool(comparison.worse)) for comparison in found] == [
        ("harbour", False),
        ("other", True),
    ]


def test_verdicts() -> None:
    longer, shorter = (replace(OUTCOME, iteration_time=time) for time in (1_100_000, 900_000))
    assert compared({RUN: OUTCOME}, {RUN: longer}).verdict == "worse"
    assert compared({RUN: OUTCOME}, {RUN: shorter}).verdict == "better"
    assert compared({RUN: OUTCOME}, {RUN: OUTCOME}).verdict == "as before"


def test_what_is_not_compared_is_told() -> None:
    changed = replace(RUN, instance="island", sha256="new")
    former = [RUN, replace(RUN, method="first"), replace(changed, sha256="old")]
    before = results(dict.fromkeys(former, OUTCOME))
    now = results(seeds([OUTCOME, OUTCOME]) | {changed: OUTCOME})
    assert not_compared(before, now) == [
        "harbour (solve, 10 s): 1 of 2 runs are not in the former result",
        "island (solve, 10 s): the former topology of that name is another one",
        "harbour (first, 10 s): 1 of 1 former runs are not made now",
    ]
    assert not_compared(now, now) == []
