"""Allocations and routes nearest to what was: by hand, and against all there are."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from repair_cases import random_schedule, stages_of
from solver_cases import all_routes, broken_rules, instance, no_limit

from skipsched.instance import Instance
from skipsched.opened import open_schedule
from skipsched.plan import Routes
from skipsched.repair.former import Former
from skipsched.repair.left import NothingLeft, left_without
from skipsched.repair.nearest import nearest_routes
from skipsched.repair.paths import routes_around
from skipsched.repair.stages import nearest_allocation
from skipsched.routes.find import Infeasible
from skipsched.routes.holders import TooFew
from skipsched.routes.slots import PathSlot

#: More routes than these are not gone through.
_MOST = 300


class TestAllocations:
    def test_who_can_stays(self) -> None:
        tables = instance("a, b, c, d, e", "1 2 2")
        before = [2, 0, 1, 2, 1]
        assert nearest_allocation(tables, before, no_limit(), 0) == before

    def test_who_comes_fills_the_gap(self) -> None:
        tables = instance("a, b, c, d, e", "1 2 2")
        assert nearest_allocation(tables, [2, None, 1, 2, 1], no_limit(), 0) == [2, 0, 1, 2, 1]

    def test_one_moves_where_one_is_lacking(self) -> None:
        tables = instance("a, b, c, d, e", 1, stages=3)
        found = nearest_allocation(tables, [0, 1, 1, 1, 1], no_limit(), 0)
        assert isinstance(found, list)
        assert sorted(found) == [0, 1, 1, 1, 2]
        assert found[0] == 0

    def test_who_has_to_go_takes_the_place_that_is_empty(self) -> None:
        """One of two data nodes has to go while stage 2 has nobody: there, and not where b is."""
        tables = instance("a, d, c, b", 1, stages=4)
        found = nearest_allocation(tables, [0, 3, 0, 1], no_limit(), 0)
        assert found in ([0, 3, 2, 1], [2, 3, 0, 1])

    def test_a_pin_can_make_a_chain_of_moves(self) -> None:
        """Of the data nodes a and c only c, being pinned, is left; stages 1 and 2 have to take a and b."""
        tables = instance("a, b, c stage=0, d stage=1", "1 2 1")
        found = nearest_allocation(tables, [0, 1, 0, 1], no_limit(), 0)
        assert isinstance(found, list)
        assert found[2:] == [0, 1]
        assert sorted(found[:2]) == [1, 2]

    def test_there_is_none(self) -> None:
        """A thousand bytes hold no stage."""
        model = "model={hidden_size: 64, sequence_length: 64, vocab_size: 1000, dtype: float32}"
        tables = instance("a memory=1kB, b memory=8MiB", "1 1", workload=model)
        assert isinstance(nearest_allocation(tables, [0, 1], no_limit(), 0), TooFew)


class TestPathsAround:
    #: Four stages after the first, paths of three: two of the four each.
    tables = instance(
        "a, b, c, d, e",
        "1 1 1 1 1",
        workload="microbatches=4",
        rules="path_length=3, max_swaps=0, max_jump=4",
    )
    allocation = (0, 1, 2, 3, 4)

    def kept(self, *paths: tuple[int, ...]) -> dict[PathSlot, tuple[int, ...]]:
        return {PathSlot(0, number, 1): path for number, path in enumerate(paths)}

    def test_others_make_up_for_those_that_are_kept(self) -> None:
        """b, c, b, c are executed twice each, d and e not at all: the two others do that."""
        kept = self.kept((0, 1, 2), (0, 1, 2))
        routes = routes_around(self.tables, self.allocation, kept, no_limit())
        assert routes is not None
        assert routes.paths == ((0, 1, 2), (0, 1, 2), (0, 3, 4), (0, 3, 4))

    def test_one_is_given_up_where_the_others_cannot(self) -> None:
        """With three over b and c one more cannot even it out: one of the three has to go over d and e."""
        kept = self.kept((0, 1, 2), (0, 1, 2), (0, 1, 2))
        routes = routes_around(self.tables, self.allocation, kept, no_limit())
        assert routes is not None
        assert sorted(routes.paths) == [(0, 1, 2), (0, 1, 2), (0, 3, 4), (0, 3, 4)]

    def test_no_path_without_links(self) -> None:
        tables = instance("a, b, c", "1 1 1", links="ab bc", workload="microbatches=2")
        assert routes_around(tables, (0, 1, 2), {}, no_limit()) is None


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 100_000))
def test_as_little_changes_as_can(seed: int) -> None:
    """Of all routes there are, none leaves more nodes where they were, nor, with as many, more paths."""
    schedule = random_schedule(seed)
    assume(schedule is not None)
    assert schedule is not None
    before = stages_of(schedule)
    opened = open_schedule(schedule)
    try:
        left = left_without(opened.topology, before, [opened.instance.node_ids[seed % len(before)]])
    except NothingLeft:
        return
    tables = Instance.of(left)
    former = Former.of(opened, tables)
    every = []
    for routes in all_routes(tables):
        every.append(routes)
        assume(len(every) <= _MOST)
    try:
        found = nearest_routes(tables, former, no_limit(), 1, 0)
    except Infeasible:
        assert every == []
        return
    assert list(broken_rules(tables, found)) == []
    assert moves(former, found) == min(moves(former, routes) for routes in every)
    same = [routes for routes in every if routes.allocation == found.allocation]
    assert former.changed(tables, found) == min(former.changed(tables, routes) for routes in same)


def moves(former: Former, routes: Routes) -> int:
    return sum(stage != was for stage, was in zip(routes.allocation, former.stages, strict=True))
