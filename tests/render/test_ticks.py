"""Round times on an axis."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skipsched.render.ticks import ticks


@pytest.mark.parametrize(
    ("begin", "end", "characters", "labels"),
    [
        (0, 64_000, 64, ["0 ms", "10 ms", "20 ms", "30 ms", "40 ms", "50 ms", "60 ms"]),
        (0, 61_840_000, 60, ["0 s", "10 s", "20 s", "30 s", "40 s", "50 s", "60 s"]),
        (12_340_000, 12_360_000, 80, ["12.340 s", "12.345 s", "12.350 s", "12.355 s"]),
        (0, 7, 40, ["0 us", "2 us", "4 us", "6 us"]),
        (999_990, 1_000_000, 60, ["0.999990 s", "0.999995 s"]),
        (1, 2, 3, []),
    ],
)
def test_by_hand(begin: int, end: int, characters: int, labels: list[str]) -> None:
    assert [label for _, label in ticks(begin, end, characters)] == labels


@given(st.integers(0, 10**13), st.integers(1, 10**12), st.integers(1, 400))
def test_labels_have_room_and_say_their_time(begin: int, length: int, characters: int) -> None:
    found = ticks(begin, begin + length, characters)
    for (one, label), (other, _) in itertools.pairwise(found):
        assert (other - one) * characters >= len(label) * length
    assert len({label for _, label in found}) == len(found)
    per = {"us": 1, "ms": 1000, "s": 10**6}
    for time, label in found:
        figure, unit = label.split()
        assert begin <= time < begin + length
        assert round(float(figure) * per[unit]) == time
