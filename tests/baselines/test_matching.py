"""Bottleneck matchings and the salesman's order of groups, by hand and against all there are."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from random import Random

import pytest

from skipsched.baselines.matching import bottleneck_matching
from skipsched.baselines.tour import EXACT_UP_TO, best_tour
from skipsched.instance import NO_LINK


def table(nodes: int, pairs: dict[tuple[int, int], int]) -> list[list[int]]:
    """Costs of some pairs in both directions, no link between the others."""
    costs = [[NO_LINK] * nodes for _ in range(nodes)]
    for (a, b), cost in pairs.items():
        costs[a][b] = costs[b][a] = cost
    return costs


class TestBottleneckMatching:
    def test_the_dearest_pair_counts_and_not_the_sum(self) -> None:
        # 0-2 and 1-3 sum to 8 and have a 7; 0-3 and 1-2 sum to 12 and have nothing above 6.
        costs = table(4, {(0, 2): 1, (1, 3): 7, (0, 3): 6, (1, 2): 6})
        assert bottleneck_matching(costs, [0, 1], [2, 3]) == (6, {0: 3, 1: 2})

    def test_the_smaller_group_is_used_up(self) -> None:
        # Of three only the two with 2 and 4 are needed; 0 would rather have the 4's partner, 3, for 1.
        costs = table(5, {(0, 3): 1, (0, 4): 4, (1, 3): 2, (1, 4): 9, (2, 3): 8, (2, 4): 9})
        assert bottleneck_matching(costs, [0, 1, 2], [3, 4]) == (4, {0: 4, 1: 3})
        assert bottleneck_matching(costs, [3, 4], [0, 1, 2]) == (4, {3: 1, 4: 0})

    def test_missing_links(self) -> None:
        # 1 has no link; or each has one, but to the same node.
        assert bottleneck_matching(table(4, {(0, 2): 1, (0, 3): 1}), [0, 1], [2, 3]) is None
        assert bottleneck_matching(table(4, {(0, 2): 1, (1, 2): 1}), [0, 1], [2, 3]) is None

    @pytest.mark.parametrize("seed", range(3))
    def test_against_all_matchings(self, seed: int) -> None:
        rng = Random(seed)
        lacking = 0
        for _ in range(60):
            left, right = rng.randint(1, 4), rng.randint(1, 4)
            sources, targets = range(left), range(left, left + right)
            pairs = {(a, b): rng.randint(0, 9) for a in sources for b in targets if rng.random() < 0.5}
            costs = table(left + right, pairs)
            found = bottleneck_matching(costs, sources, targets)
            few, many = sorted((sources, targets), key=len)
            dearest = [
                max(costs[a][b] for a, b in zip(few, some, strict=True))
                for some in itertools.permutations(many, len(few))
                if all(costs[a][b] != NO_LINK for a, b in zip(few, some, strict=True))
            ]
            lacking += not dearest
            assert (found is None) == (not dearest)
            if found is not None:
                value, matched = found
                assert value == min(dearest) == max(costs[a][b] for a, b in matched.items())
                assert len(matched) == len(set(matched.values())) == len(few)
        assert 5 < lacking < 55


class TestBestTour:
    @pytest.mark.parametrize("seed", range(3))
    def test_against_all_orders(self, seed: int) -> None:
        rng = Random(seed)
        lacking = 0
        for _ in range(30):
            groups = rng.randint(2, 6)
            distance = [[0] * groups for _ in range(groups)]
            for a, b in itertools.combinations(range(groups), 2):
                distance[a][b] = distance[b][a] = rng.randint(0, 20)
            fits = [[rng.random() < 0.7 for _ in range(groups)] for _ in range(groups)]
            fits[0][0] = rng.random() < 0.9
            costs = [
                length(distance, (0, *order))
                for order in itertools.permutations(range(1, groups))
                if all(fits[group][place] for place, group in enumerate((0, *order)))
            ]
            tour = best_tour(distance, fits)
            lacking += not costs
            assert (tour is None) == (not costs)
            if tour is not None:
                assert tour[0] == min(costs) == length(distance, tour[1])
                assert all(fits[group][place] for place, group in enumerate(tour[1]))
        assert 3 < lacking < 27

    def test_many_groups(self) -> None:
        # On a line, group 0 at its end: from neighbour to neighbour is 12 steps. Given is another order.
        groups = EXACT_UP_TO + 1
        line = [0, *Random(0).sample(range(1, groups), groups - 1)]
        distance = [[abs(a - b) for b in line] for a in line]
        fits = [[True] * groups for _ in range(groups)]
        assert best_tour(distance, fits) == (groups - 1, tuple(sorted(range(groups), key=line.__getitem__)))
        # With every group bound to its place only the order given is left.
        bound = [[a == b for b in range(groups)] for a in range(groups)]
        given = tuple(range(groups))
        assert best_tour(distance, bound) == (length(distance, given), given)


def length(distance: Sequence[Sequence[int]], order: Sequence[int]) -> int:
    return sum(distance[a][b] for a, b in itertools.pairwise(order))
