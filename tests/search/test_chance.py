"""Chance: the same numbers for ever, within their range, other ones in each stream."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skipsched.search.chance import FALLS, below, chance_of, rise


def drawn(seed: int, stream: int, count: int, numbers: int = 8) -> list[int]:
    chance = chance_of(seed, stream)
    return [below(chance, count) for _ in range(numbers)]


# The numbers decide what a seed finds: they never change.
@pytest.mark.parametrize(
    ("seed", "stream", "numbers"),
    [
        (0, 0, [909, 478, 582, 686, 516, 718, 678, 848]),
        (0, 1, [250, 406, 843, 103, 631, 456, 201, 695]),
        (1, 0, [942, 813, 311, 126, 112, 568, 169, 82]),
        (2**31 - 1, 63, [5, 339, 917, 491, 87, 974, 579, 309]),
    ],
)
def test_the_numbers_are_the_same_for_ever(seed: int, stream: int, numbers: list[int]) -> None:
    assert drawn(seed, stream, 1000) == numbers


def test_every_stream_and_every_seed_has_numbers_of_its_own() -> None:
    sequences = {tuple(drawn(seed, stream, 10**6)) for seed in range(20) for stream in range(20)}
    assert len(sequences) == 400


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(0, 1000), st.integers(1, 2**31 - 1))
def test_numbers_are_below_what_they_are_to_be_below(seed: int, stream: int, count: int) -> None:
    assert all(0 <= number < count for number in drawn(seed, stream, count))


def test_all_numbers_are_about_as_frequent() -> None:
    chance = chance_of(5, 0)
    drawn = [below(chance, 10) for _ in range(10_000)]
    # Five standard deviations of ten thousand draws.
    assert all(abs(drawn.count(number) - 1000) < 150 for number in range(10))


def test_rises_are_exponentially_distributed() -> None:
    chance = chance_of(3, 0)
    rises = [rise(chance, 1000) for _ in range(10_000)]
    assert min(rises) >= 0
    assert 950 < sum(rises) / len(rises) < 1050
    # A part of exp(-1) rises by more than the temperature.
    assert 0.34 < sum(rise > 1000 for rise in rises) / len(rises) < 0.39
    assert [rise(chance, 0) for _ in range(100)] == [0] * 100


def test_the_table_of_rises_falls() -> None:
    falls = FALLS.tolist()
    assert len(falls) == 4096
    assert falls == sorted(falls, reverse=True)
    assert [falls[0], falls[2047], falls[4095]] == [590539, 45442, 8]
