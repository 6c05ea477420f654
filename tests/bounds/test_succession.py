"""Microbatches in succession: the bound holds for whatever a node does, and cannot be better."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from skipsched.bounds.in_flight import rows_bound, rows_within
from skipsched.bounds.succession import between


def worked(
    rng: Random, count: int, slots: int, figures: tuple[int, int, int], least: int, *, swift: bool
) -> list[tuple[int, int]]:
    """When each microbatch is in flight on a node that works in a random order, each for a random while.

    Parameters
    ----------
    figures
        F, B and overhead.
    least
        From the start of the F to the end of the B it takes at least so long.
    swift
        No longer than that, first come first served, and no B before the slot is needed.
    """
    forward, backward, overhead = figures
    free, begun = 0, 0
    held: list[tuple[int, int]] = []
    done: list[tuple[int, int]] = []
    while len(done) < count:
        must_end = len(held) == slots or begun == count
        if must_end or (held and not swift and rng.random() < 0.4):
            start, end = held.pop(0 if swift else rng.randrange(len(held)))
            end = max(end, free + backward)
            done.append((start, end))
            free = end + overhead
        else:
            held.append((free, free + least + (0 if swift else rng.randint(0, 30))))
            free += forward + overhead
            begun += 1
    return done


@pytest.mark.parametrize("chunk", range(4))
def test_whatever_a_node_does_takes_as_long(chunk: int) -> None:
    met: Counter[tuple[bool, bool]] = Counter()
    for seed in range(400 * chunk, 400 * chunk + 400):
        rng = Random(seed)
        count, slots = rng.randint(1, 12), rng.randint(1, 4)
        figures = forward, backward, overhead = rng.randint(0, 6), rng.randint(0, 6), rng.randint(0, 3)
        step = forward + backward + 2 * overhead
        least = forward + backward + rng.randint(1, 60)
        done = worked(rng, count, slots, figures, least, swift=seed % 2 == 0)
        last = max(end for _, end in done)
        shortest = sorted(end - start for start, end in done)
        for length in range(2, -(-count // slots) + 1) if step else ():
            assert last >= sum(shortest[:length]) + between(count, slots, length, step, overhead), seed
        bound = rows_bound(count, slots, least, forward, backward, overhead)
        assert last >= bound, seed
        assert rows_within(last, slots, least, forward, backward, overhead) >= count, seed
        if count > slots > 1:
            met[last == bound, count > 2 * slots] += 1
    # Often it cannot be better, with two rounds and with more.
    assert met[True, False] > 10
    assert met[True, True] > 10


def test_one_after_the_other_in_each_slot() -> None:
    # Three slots, six microbatches of 100, F 10, B 20, overhead 1. F at 0, 11, 22; the first B ends at 100.
    # Then F and B in turn, 10 + 1 + 20 + 1 each: the last F begins at 100 + 1 + 2 * 32, its B ends 100 later.
    assert rows_bound(6, 3, 100, 10, 20, 1) == 265
    assert [rows_within(time, 3, 100, 10, 20, 1) for time in (264, 265)] == [5, 6]


def test_seven_on_three_slots_are_three_rounds() -> None:
    # As if 7 microbatches could be divided by 3 slots it would be (700 + 4 + 3 * 32) / 3 = 267.
    assert rows_bound(7, 3, 100, 10, 20, 1) == 302


def test_nothing_is_said_where_all_takes_no_time() -> None:
    # One may end and the next begin at the same time, and then end at once: (4 * 100) / 3.
    assert rows_bound(4, 3, 100, 0, 0, 0) == 134
