"""The figures of a run, by hand and in general."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench_cases import NOTHING, OUTCOME
from hypothesis import given
from hypothesis import strategies as st

from skipsched.bench.measures import first_at, over_best, primal_integral, settled_at
from skipsched.bench.run import Outcome

History = tuple[tuple[float, int], ...]


def with_history(*history: tuple[float, int]) -> Outcome:
    return replace(OUTCOME, history=history, iteration_time=history[-1][1])


def test_first_at_is_the_first_schedule_however_bad() -> None:
    assert first_at(with_history((0.5, 900), (2.0, 100))) == 0.5
    assert first_at(NOTHING) is None


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([(1.0, 1000)], 1.0),
        # 5 % above the last, 1000, is 1050.
        ([(1.0, 1051), (2.0, 1050), (3.0, 1001), (4.0, 1000)], 2.0),
        ([(1.0, 1050), (3.0, 1000)], 1.0),
        ([(1.0, 1051), (3.0, 1000)], 3.0),
    ],
)
def test_settled_at_is_within_5_percent_of_the_final_one(
    history: list[tuple[float, int]], expected: float
) -> None:
    assert settled_at(with_history(*history)) == expected


def test_without_a_schedule_nothing_settles() -> None:
    assert settled_at(NOTHING) is None


def test_over_best() -> None:
    assert over_best(110, 100) == pytest.approx(0.1)
    assert over_best(100, 100) == 0
    assert over_best(90, 100) == pytest.approx(-0.1)
    assert over_best(None, 100) is None
    assert over_best(100, None) is None


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        # Gap 1 for a second; (200-100)/200 for two; (125-100)/125 for one; then none.
        (10.0, 1 + 2 * 0.5 + 0.2),
        (4.0, 2.2),
        # Cut off within a step, between two, before the first.
        (3.5, 1 + 2 * 0.5 + 0.1),
        (2.0, 1 + 0.5),
        (1.0, 1.0),
        (0.5, 0.5),
    ],
)
def test_primal_integral_by_hand(until: float, expected: float) -> None:
    outcome = with_history((1.0, 200), (3.0, 125), (4.0, 100))
    assert primal_integral(outcome, 100, until) == pytest.approx(expected)


def test_primal_integral_of_a_run_that_never_reaches_the_best() -> None:
    # A gap of 20 % is left for the remaining nine seconds.
    assert primal_integral(with_history((1.0, 125)), 100, 10.0) == pytest.approx(1 + 9 * 0.2)


def test_primal_integral_without_a_schedule_is_all_the_time() -> None:
    assert primal_integral(NOTHING, 100, 10.0) == 10.0


def test_primal_integral_without_a_best_is_unknown() -> None:
    assert primal_integral(OUTCOME, None, 10.0) is None


def test_better_than_the_best_known_is_no_negative_gap() -> None:
    assert primal_integral(with_history((0.0, 90)), 100, 10.0) == 0


BEST = 1_000
#: Milliseconds and iteration times that are not better than the best.
steps = st.dictionaries(st.integers(0, 20_000), st.integers(BEST, 10 * BEST), max_size=6)


def improving(drawn: dict[int, int]) -> History:
    """In the order of time, without what is no improvement."""
    found: list[tuple[float, int]] = []
    for at, time in sorted(drawn.items()):
        if not found or time < found[-1][1]:
            found.append((at / 1000, time))
    return tuple(found)


def integral(history: History, until: float) -> float:
    found = primal_integral(replace(OUTCOME, history=history), BEST, until)
    assert found is not None
    return found


untils = st.integers(1, 20_000).map(lambda milliseconds: milliseconds / 1000)


@given(steps.map(improving), untils)
def test_primal_integral_is_between_nothing_and_all_the_time(history: History, until: float) -> None:
    assert 0 <= integral(history, until) <= until + 1e-9


@given(st.booleans(), steps, untils)
def test_primal_integral_is_nothing_only_for_the_best_at_once(
    at_once: bool, drawn: dict[int, int], until: float
) -> None:
    history = improving(drawn | {0: BEST} if at_once else drawn)
    assert (integral(history, until) == 0) == (history[:1] == ((0.0, BEST),))


@given(steps, st.integers(0, 20_000), st.integers(BEST, 10 * BEST), untils)
def test_another_schedule_never_makes_it_longer(
    drawn: dict[int, int], at: int, time: int, until: float
) -> None:
    better = drawn | {at: min(time, drawn.get(at, time))}
    assert integral(improving(better), until) <= integral(improving(drawn), until) + 1e-9


@given(steps.map(improving), st.floats(0, 1), untils)
def test_sooner_is_never_longer(history: History, share: float, until: float) -> None:
    sooner = tuple((at * share, time) for at, time in history)
    assert integral(sooner, until) <= integral(history, until) + 1e-9
