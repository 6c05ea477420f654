"""Random choices that are the same on every machine and every version of Python."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """Random choices of a seed.

    All of them are made of `random.Random.random`, the one generator whose numbers Python promises to keep.
    Powers may differ by the last bit between machines: `figures.text` rounds that away.

    Parameters
    ----------
    seed
        The same seed gives the same choices in the same order.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed).random

    def between(self, low: float, high: float) -> float:
        """A number from a range, all alike."""
        return low + (high - low) * self._random()

    def log_between(self, low: float, high: float) -> float:
        """A number from a range, all orders of magnitude alike."""
        return float(low * (high / low) ** self._random())

    def pareto(self, least: float, shape: float) -> float:
        """A number from a Pareto distribution: its tail is the heavier, the smaller the shape."""
        return float(least * (1 - self._random()) ** (-1 / shape))

    def whole(self, low: int, high: int) -> int:
        """A whole number from a range, both ends included."""
        return low + int(self._random() * (high - low + 1))

    def one_of(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[self.whole(0, len(items) - 1)]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in random order."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            other = self.whole(0, last)
            order[last], order[other] = order[other], order[last]
        return order

    def some(self, items: Sequence[T], count: int) -> list[T]:
        """So many of the items, in the order they have."""
        kept = sorted(self.shuffled(range(len(items)))[:count])
        return [items[index] for index in kept]

    def spread(self, items: Sequence[T], places: int) -> list[list[T]]:
        """The items spread at random over so many places, each of which gets at least one."""
        order = self.shuffled(items)
        at = [*range(places), *(self.whole(0, places - 1) for _ in order[places:])]
        return [
            [item for item, place in zip(order, at, strict=True) if place == here] for here in range(places)
        ]
