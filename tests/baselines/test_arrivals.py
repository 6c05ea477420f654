"""First come, first served: hand-computed times, the published paths of geo-20, and that plans are plans."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published_cases import COLLISION_AWARE, FULL_PIPELINE, allocation, collision_aware, geo_20
from solver_cases import instance, random_case, random_routes, scheduled

from skipsched.baselines.arrivals import Served, Stuck, serve
from skipsched.plan import Routes

# Nodes forward in 10 ms and go back in 20 ms unless they say otherwise; losses take 0 ms, transfers 1 ms.


def named(served: Served) -> list[str]:
    """The order of each node."""
    actions = served.actions
    per = actions.per_microbatch
    return [" ".join(f"{actions.operation(a)}{a // per}" for a in row) for row in served.plan.order]


class TestByHand:
    """Two data nodes, a and d; d forwards in 9 ms, so that its microbatch 1 is on b at 10 and 0 at 11."""

    NODES = "a stage=0, d stage=0 layer_time=9ms, b stage=1"
    ROUTES = Routes((0, 0, 1), ((0, 2), (1, 2)))

    def test_what_arrives_first_goes_first(self) -> None:
        tables = instance(self.NODES + " memory=2", "2 1")
        served = serve(tables, self.ROUTES)
        # b: F1 10-20, F0 20-30. L1 at 21, back by 22: B1 30-50. L0 at 31: B0 50-70. d: B1 51-69, a: B0 71-91.
        assert named(served) == ["F0 L0 B0", "F1 L1 B1", "F1 F0 B1 B0"]
        assert served.end == (10_000, 30_000, 31_000, 70_000, 91_000, 9_000, 20_000, 21_000, 50_000, 69_000)
        assert served.iteration == 91_000

    def test_of_what_waits_the_earliest_arrival_goes_first(self) -> None:
        # b forwards in 20 ms: F1 10-30. F0 has waited since 11, the gradient of 1 arrives at 32: F0 30-50.
        tables = instance(self.NODES + " memory=2 layer_time=20ms", "2 1")
        assert named(serve(tables, self.ROUTES))[2] == "F1 F0 B1 B0"

    def test_overhead(self) -> None:
        # Overhead 5 ms. b: F1 10-20, F0 25-35; L1 21-21; B1 40-60, B0 65-85; a: B0 86-106.
        tables = instance(self.NODES + " memory=2", "2 1", workload="action_overhead=5 ms")
        served = serve(tables, self.ROUTES)
        assert served.end[6:10] == (20_000, 21_000, 60_000, 79_000)
        assert served.iteration == 106_000

    def test_a_refused_forward_tries_again_after_a_tenth_of_a_second(self) -> None:
        # One slot on b: F1 10-20, F0 refused at 20, tries again at 120, though B1 has left at 42.
        # F0 120-130, L0 at 131, B0 132-152, on a 153-173.
        tables = instance(self.NODES, "2 1")
        served = serve(tables, self.ROUTES)
        assert named(served)[2] == "F1 B1 F0 B0"
        assert served.end[1] == 130_000
        assert served.iteration == 173_000
        # Replaying the order nobody waits for a retry: F0 42-52, L0 at 53, B0 54-74, on a 75-95.
        assert scheduled(tables, served.plan).objective.iteration_time == 95_000

    def test_a_retry_while_the_node_is_busy_is_made_when_it_is_available(self) -> None:
        # b forwards in 60 ms: F1 10-70, F0 refused at 70. B1 72-192, and the retry at 170 falls into it.
        tables = instance(self.NODES + " layer_time=60ms", "2 1")
        assert serve(tables, self.ROUTES).end[1] == 252_000

    def test_retries_go_on(self) -> None:
        # d's loss takes 0.25 s: F1 10-20, F0 refused at 20, 120 and 220; L1 21-271, B1 272-292; F0 at 320.
        tables = instance(self.NODES, "2 1", workload="loss_ratio=250/9")
        served = serve(tables, self.ROUTES)
        assert served.end[7:9] == (271_000, 292_000)
        assert served.end[1] == 330_000

    def test_a_retry_just_before_a_slot_is_freed_fails(self) -> None:
        # d's loss takes 98 ms: L1 21-119, B1 120-140. F0 came first and tries at 120 too, before B1: refused
        # until 220.
        tables = instance(self.NODES, "2 1", workload="loss_ratio=98/9")
        served = serve(tables, self.ROUTES)
        assert served.end[8] == 140_000
        assert served.end[1] == 230_000

    def test_a_slot_is_taken_anew_once_its_microbatch_is_home(self) -> None:
        # a has two slots, so 2 uses that of 0. c forwards in 100 ms: F0 on c 11-111, L0 at 112, B0 113-313,
        # on a 314-334. 1 is home at 74 already, but 2 starts at 334: F2 on b 345-355, L2 at 356, B2 357-377
        # and 378-398.
        tables = instance(
            "a stage=0 memory=2, b stage=1 memory=2, c stage=1 memory=2 layer_time=100ms",
            "1 2",
            workload="microbatches=3",
        )
        served = serve(tables, Routes((0, 1, 1), ((0, 2), (0, 1), (0, 1))))
        assert served.end[9] == 74_000
        assert named(served)[0] == "F0 F1 L1 B1 L0 B0 F2 L2 B2"
        assert served.iteration == 398_000

    def test_first_forwards_go_last(self) -> None:
        # Two slots, three microbatches. B0 of a 52-72; the gradient of 1 has arrived at 72 when 2 may start.
        tables = instance("a stage=0 memory=2, b stage=1 memory=3", "1 1", workload="microbatches=3")
        served = serve(tables, Routes((0, 1), ((0, 1),) * 3))
        assert named(served)[0] == "F0 F1 L0 L1 B0 B1 F2 L2 B2"
        assert served.iteration == 156_000

    def test_microbatches_in_a_circle_are_stuck(self) -> None:
        # 0 visits b then c, 1 c then b, one slot each: both hold what the other waits for.
        tables = instance("a stage=0, d stage=0, b stage=1, c stage=2", "2 1 1")
        with pytest.raises(Stuck) as caught:
            serve(tables, Routes((0, 0, 1, 2), ((0, 2, 3), (1, 3, 2))))
        assert caught.value.unfinished == (0, 1)


class TestPublished:
    def test_collision_aware_paths(self) -> None:
        # 78.69 s: the order in which starts of the second wave go is not that of the published program.
        assert serve(geo_20(), collision_aware()).iteration == pytest.approx(COLLISION_AWARE, rel=0.02)

    def test_full_pipeline(self) -> None:
        # Three straight pipelines over bottleneck matchings of neighbouring stages, 10 microbatches each.
        geo = geo_20()
        tables = replace(
            geo,
            rules=replace(geo.rules, path_length=6),
            microbatches=tuple(10 if node in (0, 6, 13) else 0 for node in range(20)),
        )
        pipelines = [(0, 10, 17, 5, 9, 12), (6, 8, 16, 2, 14, 4), (13, 11, 1, 3, 15, 7)]
        routes = Routes(allocation(), tuple(path for path in pipelines for _ in range(10)))
        assert serve(tables, routes).iteration == pytest.approx(FULL_PIPELINE, rel=0.02)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6))
def test_what_is_served_is_a_plan(seed: int) -> None:
    rng = Random(seed)
    _, tables = random_case(seed)
    tables = replace(tables, microbatches=(rng.randint(1, 6),) * tables.nodes)
    routes = random_routes(rng, tables)
    if routes is None:
        return
    try:
        served = serve(tables, routes)
    except Stuck as stuck:
        assert stuck.unfinished
        return
    for node, row in enumerate(served.plan.order):
        assert sorted(row) == [a for a, where in enumerate(served.actions.node) if where == node]
    candidate = scheduled(tables, served.plan)
    assert candidate.keeps_slots(tables)
    assert all(end <= late for end, late in zip(candidate.end, served.end, strict=True))
