"""SkipPipe's low level: fastest round trips and conflicts between them, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from solver_cases import instance, no_limit

from skipsched.baselines.skippipe.conflicts import collision, overload
from skipsched.baselines.skippipe.walks import Agent, Visit, Wait, Walk, Walks
from skipsched.clock import Clock, OutOfTime

# Nodes forward in 10 ms and go back in 20 ms unless they say otherwise; losses take 0 ms, transfers 1 ms.

EVERYTHING = 0b1111


def fastest(
    nodes: str,
    sizes: str,
    *waits: Wait,
    rules: str = "path_length=2",
    links: str | None = None,
    allowed: int = EVERYTHING,
    delay: int = 0,
) -> Walk | None:
    tables = instance(nodes, sizes, links=links, rules=rules)
    allocation = [stage for stage, size in enumerate(sizes.split()) for _ in range(int(size))]
    return Walks(tables, allocation, no_limit()).fastest(Agent(0, delay), allowed, tuple(waits))


class TestWalks:
    SKIP = ("a, b layer_time=20ms, c layer_time=5ms", "1 1 1")
    CHOICE = ("a, b, c layer_time=30ms", "1 2")

    def test_every_visit_has_its_times(self) -> None:
        # c: F 11-16, L on a at 17, B of c 18-28, of a 29-49.
        walk = fastest(*self.SKIP)
        assert walk is not None
        assert walk.path == (0, 2)
        assert walk.visits == (
            Visit(0, 0, 10_000, True),
            Visit(2, 11_000, 16_000, True),
            Visit(0, 17_000, 17_000, False),
            Visit(2, 18_000, 28_000, False),
            Visit(0, 29_000, 49_000, False),
        )
        assert walk.end == 49_000

    def test_an_agent_starts_late(self) -> None:
        walk = fastest(*self.SKIP, delay=7000)
        assert walk is not None
        assert walk.end == 56_000

    def test_a_jump_too_far_is_not_taken(self) -> None:
        # b: F 11-31, L at 32, B 33-73; a: 74-94.
        walk = fastest(*self.SKIP, rules="path_length=2, max_jump=1")
        assert walk is not None
        assert (walk.path, walk.end) == ((0, 1), 94_000)

    @pytest.mark.parametrize(("swaps", "path"), [(0, (0, 1, 2)), (1, (0, 2, 1))])
    def test_a_swap_is_taken_if_allowed(self, swaps: int, path: tuple[int, ...]) -> None:
        # b is far from a, 21 ms: it is better visited after c, if it may be.
        tables = instance("a, b, c", "1 1 1", rules=f"path_length=3, max_swaps={swaps}", links="ab bc ac")
        far = replace(tables, transfer=((0, 21_000, 1000), *tables.transfer[1:]))
        walk = Walks(far, (0, 1, 2), no_limit()).fastest(Agent(0, 0), EVERYTHING, ())
        assert walk is not None
        assert walk.path == path

    def test_a_link_missing_one_way_is_no_link(self) -> None:
        walk = fastest(*self.SKIP, links="ab bc a>c")
        assert walk is not None
        assert walk.path == (0, 1)
        assert fastest(*self.SKIP, links="bc a>c") is None

    def test_barred_nodes_are_not_visited(self) -> None:
        walk = fastest(*self.SKIP, allowed=0b011)
        assert walk is not None
        assert walk.path == (0, 1)
        assert fastest(*self.SKIP, allowed=0b001) is None

    def test_waiting_may_be_fastest(self) -> None:
        # b: F would be 11-21; it waits until 35: 35-45, L at 46, B 47-67, a 68-88. By c: F 11-41, L at 42,
        # B 43-103, a 104-124.
        walk = fastest(*self.CHOICE, Wait(1, 20_000, 35_000))
        assert walk is not None
        assert (walk.path, walk.end) == ((0, 1), 88_000)

    def test_another_node_may_be_faster_than_waiting(self) -> None:
        walk = fastest(*self.CHOICE, Wait(1, 20_000, 72_000))
        assert walk is not None
        assert (walk.path, walk.end) == ((0, 2), 124_000)

    def test_one_wait_leads_into_another(self) -> None:
        # Until 25, then 25-35 overlaps the second: 30-40, L at 41, B 42-62, a 63-83.
        walk = fastest(*self.CHOICE, Wait(1, 28_000, 30_000), Wait(1, 20_000, 25_000))
        assert walk is not None
        assert walk.end == 83_000

    def test_backwards_wait_too(self) -> None:
        # b: F 11-21, L at 22, B 23-43 overlaps: 40-60, a 61-81. A wait from 43 on would not touch it.
        walk = fastest(*self.CHOICE, Wait(1, 42_000, 43_000))
        assert walk is not None
        assert walk.end == 84_000
        walk = fastest(*self.CHOICE, Wait(1, 43_000, 60_000))
        assert walk is not None
        assert walk.end == 64_000

    def test_time_may_run_out(self) -> None:
        tables = instance("a, b", "1 1")
        with pytest.raises(OutOfTime):
            Walks(tables, (0, 1), Clock(0, deterministic=True)).fastest(Agent(0, 0), EVERYTHING, ())


class TestOverload:
    def test_none(self) -> None:
        assert overload([[0, 1], [2]], [2, 1], lambda _: set(), [0, 1, 2]) is None

    def test_the_fastest_are_barred_first(self) -> None:
        # Place 1 is three over; of the slowest first, 3 1 0 2 4, pairs are taken from the other end.
        found = overload([[0], [0, 1, 2, 3], [0, 1, 4]], [1, 2, 2], lambda _: set(), [3, 1, 0, 2, 4])
        assert found is not None
        assert found.place == 1
        assert found.ways_out == ((2, 0), (2, 1), (2, 3))
        assert (found.excess, found.others) == (1, 1)

    def test_who_has_no_alternative_is_not_barred(self) -> None:
        found = overload([[0, 1, 2]], [2], lambda place: {2} if place == 0 else set(), [0, 1, 2])
        assert found is not None
        assert found.ways_out == ((1,), (0,))
        stuck = overload([[0, 1, 2]], [0], lambda _: {2}, [0, 1, 2])
        assert stuck is not None
        assert stuck.ways_out == ()


def walk_of(*visits: tuple[int, int, int, bool], end: int) -> Walk:
    """A walk with some visits, ending with one on a node of its own."""
    return Walk((), (*(Visit(*visit) for visit in visits), Visit(100 + end, end, end, False)))


class TestCollision:
    def test_of_two_forwards_the_faster_agent_waits(self) -> None:
        slow, fast = walk_of((5, 10, 20, True), end=90), walk_of((5, 15, 25, True), end=80)
        assert collision([fast, slow]) == [(0, Wait(5, 10, 20))]

    def test_beyond_the_slowest_quarter_either_waits(self) -> None:
        # One agent is slower still: the slower one that collides has rank 1 of 3, not among the first 3/4.
        last = walk_of(end=99)
        slow, fast = walk_of((5, 10, 20, True), end=90), walk_of((5, 15, 25, True), end=80)
        assert collision([last, slow, fast]) == [(1, Wait(5, 15, 25)), (2, Wait(5, 10, 20))]

    @pytest.mark.parametrize(("start", "waits"), [(15, (1, Wait(5, 10, 20))), (5, (0, Wait(5, 5, 25)))])
    def test_of_a_forward_and_a_backward_the_later_waits(self, start: int, waits: tuple[int, Wait]) -> None:
        slow, fast = walk_of((5, 10, 20, False), end=90), walk_of((5, start, 25, True), end=80)
        assert collision([slow, fast]) == [waits]

    def test_two_backwards_may_overlap(self) -> None:
        assert collision([walk_of((5, 10, 20, False), end=90), walk_of((5, 15, 25, False), end=80)]) == []

    def test_touching_is_no_collision(self) -> None:
        assert collision([walk_of((5, 10, 20, True), end=90), walk_of((5, 20, 25, True), end=80)]) == []
