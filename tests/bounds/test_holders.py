"""What a stage may be held by: every allocation obeys an option, and options choose their nodes exactly."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, product
from random import Random

import numpy as np
import pytest
from bounds.alike_cases import alike_topology
from brute_force import allocations, members
from hypothesis import given, settings
from hypothesis import strategies as st
from solver_cases import cheapest_ring, no_limit, random_case

from skipsched.bounds.able import Able
from skipsched.bounds.alike import Classes
from skipsched.bounds.holders import Holders, Options
from skipsched.bounds.ring_links import RingLinks
from skipsched.instance import Instance


def tables_of(seed: int) -> Instance:
    return Instance.of(alike_topology(Random(seed))) if seed % 2 else random_case(seed)[1]


def holders_of(tables: Instance) -> tuple[Classes, Able, Holders]:
    classes = Classes(tables, no_limit())
    able = Able(tables, RingLinks(tables, no_limit()), no_limit())
    emits = np.ones(len(classes), dtype=bool)
    return classes, able, Holders(tables, classes, able, emits, no_limit())


@pytest.mark.parametrize("seed", range(80))
def test_every_allocation_obeys_an_option(seed: int) -> None:
    # With all links, so that every node has time enough for every stage in the end.
    rich = {"gradients", "free-sizes", "asymmetric-links", "pins"}
    tables = tables_of(seed) if seed % 2 else random_case(seed, rich)[1]
    classes, _, holders = holders_of(tables)
    late = 10**9
    for allocation in islice(allocations(tables), 40):
        for stage in range(tables.stages):
            nodes = members(allocation, stage)
            held = [sum(n in nodes for n in group) for group in classes.members]
            options = holders.within(stage, late)
            assert any(
                options.fewest[i] <= len(nodes) <= options.most[i]
                and options.allreduce[i] <= (cheapest_ring(tables, stage, nodes) or 0)
                and all(options.members[i] | (np.array(held) == 0))
                for i in range(len(options.number))
            ), (allocation, stage)


@pytest.mark.parametrize("seed", range(40))
def test_what_one_node_can_do(seed: int) -> None:
    # The same as `Able.within`, at all times.
    tables = tables_of(seed)
    classes, able, holders = holders_of(tables)
    for time in (*range(0, 10**6, 37_000), 10**7):
        for stage in range(1, tables.stages):
            options = holders.within(stage, time)
            for i, allreduce in enumerate(options.allreduce.tolist()):
                for c, n in enumerate(classes.first):
                    if options.members[i, c]:
                        expected = able.within(n, stage, time, time - allreduce)
                        assert options.able[i, c] == expected


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(-9, 9), st.booleans()), min_size=1, max_size=4),
    st.integers(1, 4),
    st.integers(0, 4),
)
def test_the_cheapest_nodes(classes: list[tuple[int, int, bool]], fewest: int, more: int) -> None:
    counts, prices, inside = (np.array(column) for column in zip(*classes, strict=True))
    if counts[inside].sum() < fewest:
        return
    one = np.array([0])
    options = Options(one, one + fewest, one + fewest + more, one, inside[np.newaxis], *[one[np.newaxis]] * 2)
    sums, taken = options.cheapest(prices[np.newaxis], counts)
    choices = product(*(range(c + 1) if there else [0] for c, there in zip(counts, inside, strict=True)))
    expected = min(
        sum(int(p) * n for p, n in zip(prices, choice, strict=True))
        for choice in choices
        if fewest <= sum(choice) <= fewest + more
    )
    assert sums[0] == expected == (prices * taken[0]).sum()
    assert fewest <= taken[0].sum() <= fewest + more
    assert (taken[0] <= np.where(inside, counts, 0)).all()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(0, 9), st.integers(-9, 9), st.integers(0, 5)),
        min_size=1,
        max_size=3,
    ),
    st.integers(1, 3),
    st.integers(0, 3),
    st.integers(0, 9),
)
def test_a_class_is_paid_for_no_more_than_a_stage_executes(
    classes: list[tuple[int, int, int, int]], fewest: int, more: int, most: int
) -> None:
    counts, prices, worths, able = (np.array(column) for column in zip(*classes, strict=True))
    if counts.sum() < fewest:
        return
    one, everyone = np.array([0]), np.ones((1, len(classes)), dtype=bool)
    options = Options(one, one + fewest, one + fewest + more, one, everyone, *[able[np.newaxis]] * 2)
    sums, taken = options.sharing(prices, worths, counts, most)

    def paid(choice: Sequence[int]) -> int:
        return -sum(
            int(p * min(n * a, most) + u * n) for p, u, a, n in zip(prices, worths, able, choice, strict=True)
        )

    choices = product(*(range(c + 1) for c in counts))
    assert sums[0] == min(paid(choice) for choice in choices if fewest <= sum(choice) <= fewest + more)
    assert sums[0] == paid(taken[0].tolist())
