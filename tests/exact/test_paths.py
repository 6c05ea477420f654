"""Choices of paths: all of them, the cheapest of them, or none, compared with plain enumeration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from random import Random

import brute_force
import pytest
from exact_cases import bundled, constructed
from solver_cases import instance, random_case

from skipsched.clock import Clock, OutOfTime
from skipsched.exact.paths import Path, cheapest_paths
from skipsched.instance import Instance
from skipsched.plan import members_of


def round_trip(tables: Instance, allocation: tuple[int, ...], path: Path) -> int:
    """Transfers and work but for the data node's, which is the same for all its paths."""
    closed = (*path, path[0])
    hops = sum(tables.transfer[a][b] + tables.transfer[b][a] for a, b in pairwise(closed))
    stages = [(n, allocation[n]) for n in path[1:]]
    return hops + sum(tables.forward[n][k] + tables.backward[n][k] for n, k in stages)


def cases(seed: int) -> Iterator[tuple[Instance, tuple[int, ...], int, set[Path]]]:
    """Data nodes of some allocations of a random topology, each with all paths by the rules' statements."""
    _, tables = random_case(seed)
    orders = list(brute_force.allowed_orders(tables.stages, tables.rules))
    found = list(brute_force.allocations(tables))
    for allocation in Random(seed).sample(found, min(3, len(found))):
        for d in brute_force.members(allocation, 0):
            yield tables, allocation, d, set(brute_force.paths(tables, allocation, d, orders))


@pytest.mark.parametrize("chunk", range(3))
def test_all_paths_cheapest_first(chunk: int) -> None:
    seen = most = 0
    for seed in range(100 * chunk, 100 * chunk + 100):
        for tables, allocation, d, expected in cases(seed):
            choices = cheapest_paths(tables, members_of(allocation, tables.stages), d, 1000)
            assert choices.complete
            assert len(choices.paths) == len(expected), seed
            assert set(choices.paths) == expected, seed
            costs = [round_trip(tables, allocation, path) for path in choices.paths]
            assert costs == sorted(costs), seed
            seen += 1
            most = max(most, len(expected))
    assert seen > 150
    assert most > 8


@pytest.mark.parametrize("chunk", range(3))
def test_a_few_of_them(chunk: int) -> None:
    dropped = best = 0
    for seed in range(100 * chunk, 100 * chunk + 100):
        for tables, allocation, d, expected in cases(seed):
            for few in (1, 2, 3, len(expected)):
                if few == 0:
                    continue
                choices = cheapest_paths(tables, members_of(allocation, tables.stages), d, few)
                assert len(choices.paths) <= few
                assert set(choices.paths) <= expected, seed
                assert len(set(choices.paths)) == len(choices.paths)
                costs = [round_trip(tables, allocation, path) for path in choices.paths]
                assert costs == sorted(costs), seed
                # To be complete is to have all of them, no more and no less.
                assert not choices.complete or set(choices.paths) == expected, seed
                if len(expected) > few:
                    assert not choices.complete, seed
                    dropped += 1
                    cheapest = min(round_trip(tables, allocation, path) for path in expected)
                    best += bool(costs) and costs[0] == cheapest
    assert dropped > 50
    assert best > 0.9 * dropped


def test_exactly_as_many_as_there_are() -> None:
    # Two nodes on either stage, straight or swapped: eight paths, four at each of two states.
    tables = instance("a, b, c, d, e", "1 2 2")
    members = [[0], [1, 2], [3, 4]]
    assert len(cheapest_paths(tables, members, 0, 8).paths) == 8
    assert cheapest_paths(tables, members, 0, 8).complete
    seven = cheapest_paths(tables, members, 0, 7)
    assert (len(seven.paths), seven.complete) == (7, False)


def test_no_stage_order_is_allowed() -> None:
    # Both jumps of a path 0, 2, ... are too far, and no path of two stages is left.
    tables = instance("a, b, c", "1 1 1", rules="path_length=3, max_swaps=0")
    tables = replace(tables, rules=replace(tables.rules, max_jump=0))
    choices = cheapest_paths(tables, [[0], [1], [2]], 0, 10)
    assert (choices.paths, choices.complete) == ((), True)


def test_no_link_home() -> None:
    tables = instance("a stage=0, b stage=1, c stage=2", "1 1 1", links="ab bc")
    choices = cheapest_paths(tables, [[0], [1], [2]], 0, 10)
    assert (choices.paths, choices.complete) == ((), True)


def test_a_stage_without_nodes_offers_nothing() -> None:
    tables = instance("a, b, c", "1 1 1")
    assert cheapest_paths(tables, [[0], [1, 2], []], 0, 10).paths == ()


def test_the_hop_home_counts_when_beginnings_are_dropped() -> None:
    # From b to c is as far as to d; but home from c takes a second.
    tables = instance("a stage=0, b stage=1, c stage=2, d stage=2", "1 1 2", rules="max_swaps=0")
    far = [list(costs) for costs in tables.transfer]
    far[2][0] = 10**6
    tables = replace(tables, transfer=tuple(map(tuple, far)))
    assert cheapest_paths(tables, [[0], [1], [2, 3]], 0, 1).paths == ((0, 1, 3),)


def test_many_paths_end_in_time() -> None:
    tables = bundled("geo-20")
    allocation = constructed(tables).plan.routes.allocation
    members = members_of(allocation, tables.stages)
    choices = cheapest_paths(tables, members, members[0][0], 60)
    assert (len(choices.paths), choices.complete) == (60, False)
    with pytest.raises(OutOfTime):
        cheapest_paths(tables, members, members[0][0], 60, Clock(1e-6, deterministic=True))
