"""Round times for an axis."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

#: Units from the largest: microseconds, and their power of ten.
_UNITS = ((10**6, 6, "s"), (10**3, 3, "ms"), (1, 0, "us"))
#: Characters between the end of a label and the next tick.
_APART = 3


def ticks(begin: int, end: int, characters: int) -> list[tuple[int, str]]:
    """The times of an axis and their labels.

    Parameters
    ----------
    begin, end
        The stretch of time, microseconds; `begin` is less than `end`.
    characters
        How many characters a label along the whole axis could have.

    Returns
    -------
    list of (int, str)
        Multiples of 1, 2 or 5 times a power of ten, as close as labels have room; none if not even one has.
    """
    for step, power in _steps():
        first = -(-begin // step) * step
        if first > end:
            return []
        labels = [(time, _label(time, power, end)) for time in (first, end // step * step)]
        room = max(len(text) for _, text in labels) + _APART
        if step * characters >= room * (end - begin):
            return [(time, _label(time, power, end)) for time in range(first, end, step)]
    raise AssertionError("steps have no end")


def _steps() -> Iterator[tuple[int, int]]:
    """1, 2, 5, 10, ... microseconds, each with its power of ten."""
    for power in itertools.count():
        for digit in (1, 2, 5):
            yield digit * 10**power, power


def _label(time: int, power: int, end: int) -> str:
    """A time in the unit that fits the axis' end, with the decimals that a step of ``10**power`` needs."""
    per, zeros, unit = next((row for row in _UNITS if end >= row[0]), _UNITS[-1])
    decimals = max(0, zeros - power)
    whole, rest = divmod(time, per)
    return f"{whole}{f'.{rest:0{zeros}}'[: decimals + 1] if decimals else ''} {unit}"
