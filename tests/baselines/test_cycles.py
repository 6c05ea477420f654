"""Moves along cycles of stages, by hand and on random costs."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from skipsched.baselines.cycles import Flags, Ints, move_along_cycles

#: 0 and 1 are near to each other, 2 and 3 too.
TWO_PAIRS: Ints = np.array([[0, 2, 20, 20], [2, 0, 20, 20], [20, 20, 0, 2], [20, 20, 2, 0]])


def able(*stages: str) -> Flags:
    return np.array([[str(stage) in own for stage in range(2)] for own in stages])


def test_near_nodes_are_parted() -> None:
    # 0 to stage 1 gains 20 - 2, then 2 to stage 0 the same. Moving 1 and 3 as well would lose.
    assert move_along_cycles(TWO_PAIRS, able("01", "01", "01", "01"), [0, 0, 1, 1]) == [1, 0, 0, 1]


def test_parted_ones_stay_parted() -> None:
    # 0 to stage 1 loses 9: the mean of 2 and 20, less the 20 to 2. But then 1, to which it has come, gains 18
    # by leaving, and so they change places; 2 and 3 do the same. 0 and 3 would gain less than 0 and 1.
    assert move_along_cycles(TWO_PAIRS, able("01", "01", "01", "01"), [0, 1, 0, 1]) == [1, 0, 1, 0]


def test_pins() -> None:
    assert move_along_cycles(TWO_PAIRS, able("0", "01", "1", "01"), [0, 0, 1, 1]) == [0, 1, 1, 0]
    # Nobody may take the place of who leaves stage 0.
    assert move_along_cycles(TWO_PAIRS, able("01", "01", "1", "1"), [0, 0, 1, 1]) == [0, 0, 1, 1]


@pytest.mark.parametrize("seed", range(20))
def test_sizes_and_pins_are_kept(seed: int) -> None:
    rng = Random(seed)
    stages, nodes = rng.randint(2, 5), rng.randint(5, 12)
    costs = np.array([[rng.randint(0, 50) for _ in range(nodes)] for _ in range(nodes)])
    costs += costs.T
    before = [rng.randrange(stages) for _ in range(nodes)]
    free = np.array([[k == own or rng.random() < 0.6 for k in range(stages)] for own in before])
    after = move_along_cycles(costs, free, before)
    assert sorted(after) == sorted(before)
    assert all(free[node, stage] for node, stage in enumerate(after))
