"""Cooling: from hot to cold in every cycle, the hotter the more time there is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skipsched.search.cooling import Cooling

microbatches = st.integers(1, 10_000)
actions = st.integers(3, 100_000)
works = st.floats(0, 1e12)
#: Of an iteration time of a second.
SECOND = 10**6


@settings(max_examples=200, deadline=None)
@given(microbatches, actions, works, st.integers(0, 10**13))
def test_it_gets_cooler_within_a_cycle_and_never_to_nothing(
    microbatches: int, actions: int, work: float, time: int
) -> None:
    cooling = Cooling.of(microbatches, actions, work)
    shares = [step / 200 for step in range(241)]
    temperatures = [cooling.temperature(share, time) for share in shares]
    assert min(temperatures) >= 1
    cycles = [cooling.cycle(share) for share in shares]
    assert cycles == sorted(cycles)
    assert max(cycles) == cooling.cycles - 1
    for at in range(1, len(shares)):
        if cycles[at] == cycles[at - 1]:
            assert temperatures[at] <= temperatures[at - 1]


@settings(max_examples=200, deadline=None)
@given(microbatches, actions, works, works)
def test_it_is_hotter_or_more_often_hot_with_more_time(
    microbatches: int, actions: int, one: float, other: float
) -> None:
    less, more = (Cooling.of(microbatches, actions, work) for work in sorted((one, other)))
    assert less.cycles <= more.cycles
    if less.cycles == more.cycles == 1:
        assert less.hot <= more.hot


def test_it_is_never_too_hot() -> None:
    assert Cooling.of(1, 7, 1e9).hot == 0.3
    assert Cooling.of(100, 1100, 1e12).hot == pytest.approx(0.009)


def test_cycles_that_go_on_from_the_best_plan_begin_at_half_the_temperature() -> None:
    cooling = Cooling(cycles=5, hot=0.01)
    assert [cooling.is_fresh(cycle) for cycle in range(5)] == [False, True, False, True, False]
    begins = [cooling.temperature(share, SECOND) for share in (0, 0.2, 0.4, 0.6, 0.8)]
    assert begins == [10_001, 10_001, 5_001, 10_001, 5_001]


def test_no_cycle_is_too_short_to_cool() -> None:
    assert Cooling.of(2, 14, 2.4e7).cycles == 12


@pytest.mark.parametrize(
    ("share", "temperature"),
    [
        (0, 32_001),
        (0.1, 24_001),
        (0.2, 16_001),
        (0.4, 8_001),
        (0.6, 4_001),
        (0.8, 2_001),
        (1, 1_001),
        (1.5, 1_001),
    ],
)
def test_a_cycle_halves_five_times_along_straight_lines(share: float, temperature: int) -> None:
    assert Cooling(cycles=1, hot=0.032).temperature(share, SECOND) == temperature


@pytest.mark.parametrize(
    ("microbatches", "actions", "work", "cycles", "hot"),
    [
        # 2.5e7 / 330**2 = 229.6 moves of each action: less than the 3,000 that are enough.
        (30, 330, 2.5e7, 1, 0.03 * (229.568 / 3000) ** 0.75),
        # 60 times as much: 13,774 moves are enough for four cycles.
        (30, 330, 1.5e9, 4, 0.03),
        (30, 330, 0, 1, 0),
    ],
)
def test_cycles_and_heat_by_time(
    microbatches: int, actions: int, work: float, cycles: int, hot: float
) -> None:
    cooling = Cooling.of(microbatches, actions, work)
    assert cooling.cycles == cycles
    assert cooling.hot == pytest.approx(hot, rel=1e-4)
