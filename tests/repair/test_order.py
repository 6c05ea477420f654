"""First schedules of a repair: the order that was, wherever there are slots for it."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from repair_cases import random_schedule
from solver_cases import instance, no_limit

from skipsched.instance import Instance
from skipsched.opened import open_schedule
from skipsched.plan import Routes
from skipsched.repair.former import Former, FormerMicrobatch
from skipsched.repair.order import first_schedules
from skipsched.scheduled import Scheduled


def first(tables: Instance, former: Former, routes: Routes) -> Scheduled:
    return next(first_schedules(tables, former, routes, no_limit()))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 100_000))
def test_where_nothing_changes_the_order_is_the_same(seed: int) -> None:
    schedule = random_schedule(seed)
    assume(schedule is not None)
    assert schedule is not None
    opened = open_schedule(schedule)
    former = Former.of(opened, opened.instance)
    found = first(opened.instance, former, opened.scheduled.plan.routes)
    assert found.end == opened.scheduled.end
    assert found.objective == opened.scheduled.objective


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 100_000))
def test_every_first_schedule_keeps_the_slots(seed: int) -> None:
    """Also where some of the microbatches were on other paths, or were not there."""
    schedule = random_schedule(seed)
    assume(schedule is not None)
    assert schedule is not None
    opened = open_schedule(schedule)
    tables, routes = opened.instance, opened.scheduled.plan.routes
    whole = Former.of(opened, tables)
    microbatches = {
        data_node: [
            FormerMicrobatch(None if turn % 2 else was.path, was.starts)
            for turn, was in enumerate(formers)
            if turn % 3 != 2
        ]
        for data_node, formers in whole.microbatches.items()
    }
    former = Former(whole.stages, microbatches, whole.rings)
    count = 0
    for found in first_schedules(tables, former, routes, no_limit()):
        assert found.keeps_slots(tables)
        assert found.plan.routes == routes
        count += 1
    assert count >= 1


class TestByHand:
    """One data node with two slots, one node behind it with one."""

    tables = instance("a memory=2, b", "1 1", workload="microbatches=2, backward_ratio=1, loss_ratio=0.5")
    routes = Routes((0, 1), ((0, 1), (0, 1)))

    def former(self, *starts: int, path: tuple[int, ...] | None = (0, 1)) -> Former:
        was = [FormerMicrobatch((0, 1), (0, 11_000, 22_000, 28_000, 39_000))]
        return Former((0, 1), {0: [*was, FormerMicrobatch(path, starts)]}, ((0,), (1,)))

    def test_in_its_place(self) -> None:
        """The second follows the first on b, as it did."""
        found = first(self.tables, self.former(10_000, 38_000, 49_000, 55_000, 66_000), self.routes)
        assert found.plan.order == ((0, 5, 2, 4, 7, 9), (1, 3, 6, 8))

    def test_at_the_end_where_there_is_no_slot(self) -> None:
        """At these times both would be in flight on b: what was on another path waits for the end."""
        former = self.former(10_000, 21_000, 32_000, 38_000, 49_000, path=None)
        found = first(self.tables, former, self.routes)
        assert found.plan.order == ((0, 2, 4, 5, 7, 9), (1, 3, 6, 8))

    def test_who_was_not_there_comes_last(self) -> None:
        former = Former((0, 1), {0: self.former(path=None).microbatches[0][:1]}, ((0,), (1,)))
        assert first(self.tables, former, self.routes).plan.order == ((0, 2, 4, 5, 7, 9), (1, 3, 6, 8))

    def test_rules_of_urgency_where_the_order_has_no_slots(self) -> None:
        """Both in flight on b at once, on paths that are kept: no place at the end helps."""
        former = self.former(10_000, 21_000, 32_000, 38_000, 49_000)
        assert first(self.tables, former, self.routes).keeps_slots(self.tables)
