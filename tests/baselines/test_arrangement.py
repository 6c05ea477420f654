"""The arrangement of DT-FM: its score and its best by hand, and what it keeps on random topologies."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
from brute_force import allocations, members
from hypothesis import given, settings
from hypothesis import strategies as st
from solver_cases import instance, no_limit, random_case

from skipsched.baselines.arrangement import (
    Arrangement,
    Judge,
    NoPipelines,
    arrange,
    even_sizes,
    straight_pipelines,
)
from skipsched.clock import Clock, OutOfTime
from skipsched.instance import Instance
from skipsched.rings import rings_of

MS = 1000


def clusters(sizes: str, *groups: Sequence[int], names: str = "a, b, c, d, e, f") -> Instance:
    """A transfer takes 1 ms within a cluster and 10 ms between two of them."""
    cluster = {node: number for number, group in enumerate(groups) for node in group}
    tables = instance(names, sizes)
    nodes = range(tables.nodes)
    costs = [[0 if a == b else MS if cluster[a] == cluster[b] else 10 * MS for b in nodes] for a in nodes]
    return replace(tables, transfer=tuple(map(tuple, costs)))


def score(tables: Instance, allocation: Sequence[int]) -> tuple[int, tuple[int, ...] | None]:
    return Judge(tables, no_limit()).of(allocation)


class TestScore:
    TABLES = clusters("2 2 2", (0, 1, 2), (3, 4, 5))

    def test_a_node_of_each_cluster_in_every_stage(self) -> None:
        # Within stages there and back between the clusters, 20; two hops of 1 there and back: 20 + 2 * 4.
        assert score(self.TABLES, (0, 1, 2, 0, 1, 2)) == (28 * MS, (0, 1, 2, 0, 1, 2))

    def test_pipelines_across(self) -> None:
        # ab, cd, ef: from ab to cd one pair lies across, from cd to ef too: 20 within cd, and 2 * (20 + 20).
        assert score(self.TABLES, (0, 0, 1, 1, 2, 2))[0] == 100 * MS

    def test_the_salesman_exchanges_stages(self) -> None:
        # One node a stage: a and c are near, b and d. In the order given hops of 20, 20, 20; a c b d and
        # a c d b have one of them and two of 2. Either may be taken.
        tables = clusters("1 1 1 1", (0, 2), (1, 3), names="a, b, c, d")
        value, allocation = score(tables, (0, 1, 2, 3))
        assert value == 2 * 24 * MS
        assert allocation in ((0, 2, 1, 3), (0, 3, 1, 2))

    def test_but_none_that_do_not_fit(self) -> None:
        # b is pinned to stage 1: a b is dear, b d near, d c dear; a b c d is dear throughout.
        tables = replace(
            clusters("1 1 1 1", (0, 2), (1, 3), names="a, b, c, d"),
            allowed=((0, 1, 2, 3), (1,), (0, 1, 2, 3), (0, 1, 2, 3)),
        )
        assert score(tables, (0, 1, 2, 3)) == (2 * 42 * MS, (0, 1, 3, 2))
        # a cd b would be 2 and 20, but the stage of two is the last: a b cd, twice 20; within cd 2.
        tables = clusters("1 1 2", (0, 2, 3), (1,), names="a, b, c, d")
        assert score(tables, (0, 1, 2, 2)) == ((2 + 2 * 40) * MS, (0, 1, 2, 2))

    def test_a_missing_link_is_dearer_than_anything(self) -> None:
        # Links along a b c d only: a c b d lacks one, however cheap; the line is found.
        tables = instance("a, b, c, d", "1 1 1 1", links="ab bc cd")
        assert score(tables, (0, 2, 1, 3)) == (2 * 6 * MS, (0, 1, 2, 3))
        tables = instance("a, b, c, d", "1 1 1 1", links="ab bc")
        judge = Judge(tables, no_limit())
        assert judge.of((0, 1, 2, 3))[0] >= 2 * judge.far > 2 * 2 * 4 * 2 * MS


class TestArrange:
    @pytest.mark.parametrize("seed", range(3))
    def test_two_clusters(self, seed: int) -> None:
        # Two nodes of a cluster in one stage find no match within it in a stage that lacks two: only one of
        # each cluster in every stage makes all hops near.
        found = arrange(clusters("2 2 2", (0, 1, 2), (3, 4, 5)), Clock(0.3, deterministic=True), seed)
        assert {frozenset(pipeline) for pipeline in found.pipelines} == {
            frozenset({0, 1, 2}),
            frozenset({3, 4, 5}),
        }
        assert_straight(clusters("2 2 2", (0, 1, 2), (3, 4, 5)), found)

    def test_pins_against_the_clusters(self) -> None:
        # a and b of one cluster are both pinned to stage 2, d to stage 0.
        tables = clusters("2 2 2", (0, 1, 2), (3, 4, 5))
        every = (0, 1, 2)
        tables = replace(tables, allowed=((2,), (2,), every, (0,), every, every))
        found = arrange(tables, Clock(0.2, deterministic=True), 0)
        assert [found.allocation[node] for node in (0, 1, 3)] == [2, 2, 0]
        assert_straight(tables, found)

    def test_equal_seeds_and_equal_work(self) -> None:
        tables = clusters("3 2 1", (0, 1), (2, 3), (4, 5))
        first, second = (arrange(tables, Clock(0.05, deterministic=True), 7) for _ in range(2))
        assert first == second

    def test_more_time_is_never_worse(self) -> None:
        names = ", ".join(f"n{i}" for i in range(12))
        tables = clusters("3 3 3 3", *((i, i + 1, i + 2) for i in range(0, 12, 3)), names=names)
        values = [
            score(tables, arrange(tables, Clock(limit, deterministic=True), 0).allocation)[0]
            for limit in (0.002, 0.02, 0.5)
        ]
        assert values == sorted(values, reverse=True)
        assert values[-1] < values[0]

    def test_no_time_at_all(self) -> None:
        with pytest.raises(OutOfTime):
            arrange(clusters("2 2 2", (0, 1, 2), (3, 4, 5)), Clock(0.0, deterministic=True), 0)

    def test_no_allocation(self) -> None:
        tables = replace(instance("a, b, c", "1 2"), allowed=((0,), (0,), (0, 1)))
        with pytest.raises(NoPipelines):
            arrange(tables, no_limit(), 0)

    def test_a_stage_without_a_ring(self) -> None:
        # a and b have no link: they cannot average gradients as the data nodes, though c serves either.
        tables = instance("a, b, c", "2 1", links="ac bc", workload="gradient=8 B")
        found = arrange(tables, Clock(0.01, deterministic=True), 0)
        assert found.allocation in ((0, 1, 0), (1, 0, 0))
        with pytest.raises(NoPipelines):
            arrange(tables.restricted_to((0, 0, 1)), Clock(2.0, deterministic=True), 0)

    def test_no_pipelines(self) -> None:
        # The way home from c is missing, whoever is first: of three on a line two are not linked.
        with pytest.raises(NoPipelines):
            arrange(instance("a, b, c", "1 1 1", links="ab bc"), Clock(3.0, deterministic=True), 0)

    @settings(max_examples=15, deadline=None)
    @given(st.integers(0, 10**6))
    def test_what_it_keeps(self, seed: int) -> None:
        _, tables = random_case(seed)
        try:
            found = arrange(tables, Clock(0.03, deterministic=True), seed)
        except OutOfTime:
            return
        except NoPipelines:
            assert not any(has_pipelines(tables, allocation) for allocation in allocations(tables))
            return
        assert_straight(tables, found)


def assert_straight(tables: Instance, found: Arrangement) -> None:
    sizes = tuple(map(found.allocation.count, range(tables.stages)))
    assert sizes == even_sizes(tables)
    assert all(stage in tables.allowed[node] for node, stage in enumerate(found.allocation))
    assert rings_of(tables, [members(found.allocation, k) for k in range(tables.stages)]) is not None
    assert len(found.pipelines) == min(sizes)
    assert len({node for pipeline in found.pipelines for node in pipeline}) == min(sizes) * tables.stages
    for pipeline in found.pipelines:
        assert [found.allocation[node] for node in pipeline] == list(range(tables.stages))
        assert all(tables.linked(a, b) for a, b in itertools.pairwise((*pipeline, pipeline[0])))


def has_pipelines(tables: Instance, allocation: Sequence[int]) -> bool:
    """Whether an allocation of the sizes aimed at admits straight pipelines, by going through all of them."""
    groups = [members(tuple(allocation), stage) for stage in range(tables.stages)]
    least = min(map(len, groups))
    if tuple(map(len, groups)) != even_sizes(tables):
        return False
    return any(
        all(
            tables.linked(a, b)
            for line in zip(*rows, strict=True)
            for a, b in itertools.pairwise((*line, line[0]))
        )
        for rows in itertools.product(*(itertools.permutations(group, least) for group in groups))
    )


class TestEvenSizes:
    def test_given_sizes_stay(self) -> None:
        assert even_sizes(instance("a, b, c, d", "1 2 1")) == (1, 2, 1)

    def test_free_sizes_differ_by_one(self) -> None:
        # Two data nodes of nine; seven others for three stages.
        assert sorted(even_sizes(instance("a, b, c, d, e, f, g, h, i", 2, stages=4))[1:]) == [2, 2, 3]

    def test_pins_make_them_uneven(self) -> None:
        # Four are pinned to stage 1; a is the data node, the three left share stages 2 and 3.
        nodes = "a stage=0, b stage=1, c stage=1, d stage=1, e stage=1, f, g, h"
        sizes = even_sizes(instance(nodes, 1, stages=4))
        assert sizes[:2] == (1, 4)
        assert sorted(sizes[2:]) == [1, 2]


class TestStraightPipelines:
    def test_neighbours_by_bottleneck(self) -> None:
        # Stages ace, bd, fg. Clusters abg and cdf, and e far from everybody: each cluster is a pipeline.
        tables = clusters("3 2 2", (0, 1, 6), (2, 3, 5), (4,), names="a, b, c, d, e, f, g")
        assert straight_pipelines(tables, (0, 1, 0, 1, 0, 2, 2)) == ((0, 1, 6), (2, 3, 5))

    def test_the_smallest_stage_in_the_middle(self) -> None:
        # Stages ac, b, de, of which c, b and e are near to each other.
        tables = clusters("2 1 2", (1, 2, 4), (0, 3), names="a, b, c, d, e")
        assert straight_pipelines(tables, (0, 1, 0, 2, 2)) == ((2, 1, 4),)
        # And where the last stage is the smallest.
        assert straight_pipelines(tables, (0, 2, 0, 1, 1)) == ((2, 4, 1),)

    @pytest.mark.parametrize(("one", "other"), [((0, 2), (3, 5)), ((0, 5), (3, 2))])
    def test_the_nearest_way_home(self, one: tuple[int, int], other: tuple[int, int]) -> None:
        # Stages ad, be, cf. Between neighbours all are alike: only the way home tells pipelines apart.
        tables = clusters("2 2 2", one, other, (1,), (4,), names="a, b, c, d, e, f")
        lines = straight_pipelines(tables, (0, 1, 2, 0, 1, 2))
        assert {(line[0], line[2]) for line in lines} == {one, other}

    @pytest.mark.parametrize(("one", "other"), [((0, 3), (2, 4)), ((0, 4), (2, 3))])
    def test_the_nearest_way_home_from_the_first_stage(
        self, one: tuple[int, int], other: tuple[int, int]
    ) -> None:
        # Stages de, b, ac: the first stage is matched last.
        tables = clusters("2 1 2", one, other, (1,), names="a, b, c, d, e")
        (line,) = straight_pipelines(tables, (2, 1, 2, 0, 0))
        assert (line[2], line[0]) in {one, other}

    @pytest.mark.parametrize(("home", "pairs"), [("ac df", {"ac", "df"}), ("af dc", {"af", "dc"})])
    def test_the_way_home(self, home: str, pairs: set[str]) -> None:
        # Stages ad, be, cf, all alike until it comes to the links home: one of the two cases needs more than
        # matchings of neighbours.
        tables = instance("a, b, c, d, e, f", "2 2 2", links=f"ab ae db de bc bf ec ef {home}")
        lines = straight_pipelines(tables, (0, 1, 2, 0, 1, 2))
        assert {"abcdef"[line[0]] + "abcdef"[line[2]] for line in lines} == pairs
        assert {line[1] for line in lines} == {1, 4}

    def test_none(self) -> None:
        tables = instance("a, b, c, d, e, f", "2 2 2", links="ab ae db de bc bf ec ef ac")
        with pytest.raises(NoPipelines):
            straight_pipelines(tables, (0, 1, 2, 0, 1, 2))
