"""Lower bounds: recomputed by hand, and never above any schedule of any allocation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from random import Random

import pytest
from brute_force import allocations
from hypothesis import given, settings
from hypothesis import strategies as st
from solver_cases import (
    all_routes,
    instance,
    no_limit,
    optimum,
    random_case,
    random_order,
    scheduled,
    slots_kept,
    tiny,
)

import skipsched
from skipsched.bounds import (
    allocation_bound,
    best_bound,
    in_flight_bound,
    load_bound,
    path_bound,
    prices_bound,
)
from skipsched.bounds.chosen import smallest_share
from skipsched.bounds.in_flight import rows_bound, rows_within
from skipsched.bounds.load import _earliest_load, _stage
from skipsched.bounds.round_trips import round_trips
from skipsched.clock import Clock
from skipsched.dispatch import dispatch
from skipsched.instance import Instance
from skipsched.plan import Actions, Plan, Routes
from skipsched.routes.find import routes_for
from skipsched.topology.load import load_topology

MS = 1000


def bounds(tables: Instance) -> dict[str, int]:
    trips = round_trips(tables)
    return {
        "load": load_bound(tables),
        "in-flight": in_flight_bound(tables, trips),
        "path": path_bound(tables, trips),
    }


def models(tables: Instance, most: int) -> dict[str, int]:
    return {
        "allocation": allocation_bound(tables, 0, most, no_limit()),
        "prices": prices_bound(tables, 0, most, no_limit()),
    }


class TestLoadOverSizes:
    """With gradients and free sizes the load bound of a stage is a minimum over the sizes it may have."""

    @pytest.mark.parametrize("seed", range(60))
    def test_none_is_overlooked(self, seed: int) -> None:
        rng = Random(seed)
        count = rng.randint(4, 9)
        # Work of less than half a microsecond counts as none.
        times = [rng.choice(["0.1us", "0.6us", "3us", "40us", "1ms"]) for _ in range(count)]
        tables = instance(
            ", ".join(f"n{i} layer_time={time}" for i, time in enumerate(times)),
            data_nodes := rng.randint(1, 2),
            stages=3,
            workload=f"microbatches={rng.choice([9, 300, 5000])}, gradient={rng.choice([1, 500, 9000])} B",
        )
        share = smallest_share(tables)
        for stage in (1, 2):
            work = sorted(f[stage] + b[stage] for f, b in zip(tables.forward, tables.backward, strict=True))
            sizes = range(1, count - data_nodes)
            expected = min(
                _earliest_load(tables, work, share, size) + tables.allreduce.cheapest(stage, size)
                for size in sizes
            )
            assert _stage(tables, stage, share) == expected

    def test_work_that_rounds_to_nothing_makes_no_bound(self) -> None:
        names = ", ".join(f"n{i} layer_time=0.1us" for i in range(6))
        workload = "microbatches=5000, gradient=1 B, backward_ratio=1"
        tables = instance(names, 1, stages=3, workload=workload)
        # A stage of one node does all of it in no time and averages nothing.
        assert load_bound(tables) == 0


class TestHomogeneous:
    """Four nodes, two data nodes, two stages, six microbatches each, two slots, transfers of 1 ms.

    F 10, L 5, B 20 ms. A round trip: 35 on the data node, 30 on the other, 4 transfers: R = 69.
    """

    NODES = "a memory=2, b memory=2, c memory=2, d memory=2"
    WORKLOAD = "microbatches=6, loss_ratio=0.5"

    def test_without_overhead(self) -> None:
        # load: 6 * 35 on a data node = 210; stage 1 has 12 / 2 * 30 = 180.
        # in-flight: as rows (6 * 69 + 2 * 1 / 2 * (10 + 20)) / 2 = 222; three in succession, and a B and an F
        # before the last of them, 3 * 69 + 30 = 237. A node of stage 1 holds a microbatch for F, there and
        # back, L and B = 37: two in succession, 2 * 37 + 3 * 30 = 164, and 10 + 1 before and 1 + 20 after it.
        tables = instance(self.NODES, "2 2", workload=self.WORKLOAD)
        assert bounds(tables) == {"load": 210 * MS, "in-flight": 237 * MS, "path": 69 * MS}
        best = best_bound(tables)
        assert (best.value, best.kind) == (237 * MS, "in-flight")

    def test_with_overhead(self) -> None:
        # Overhead 1. load: 6 * 35 + 17 * 1 = 227, the last of 18 actions pays none.
        # in-flight: 3 * 69 + 2 * 1 + (30 + 2 * 1) = 241; as rows
        # (6 * 69 + (6 - 2) * 1 + 1 * (30 + 2 * 1)) / 2 = (414 + 4 + 32) / 2 = 225.
        tables = instance(self.NODES, "2 2", workload=f"{self.WORKLOAD}, action_overhead=1 ms")
        assert bounds(tables) == {"load": 227 * MS, "in-flight": 241 * MS, "path": 69 * MS}
        assert best_bound(tables).kind == "in-flight"

    def test_with_gradients(self) -> None:
        # All-reduce of two nodes: 2 * (0.1 ms + 1.8 kB / 2 / (1 B/us)) = 2 ms, paid after everything above.
        tables = instance(self.NODES, "2 2", workload=f"{self.WORKLOAD}, gradient=1.8 kB")
        assert bounds(tables) == {"load": 212 * MS, "in-flight": 239 * MS, "path": 71 * MS}

    def test_one_slot_is_one_round_trip_after_the_other(self) -> None:
        # 6 * 69; with the overhead 5 times between them.
        tables = instance("a, b, c, d", "2 2", workload=self.WORKLOAD)
        assert bounds(tables)["in-flight"] == 414 * MS
        tables = instance("a, b, c, d", "2 2", workload=f"{self.WORKLOAD}, action_overhead=1 ms")
        assert bounds(tables)["in-flight"] == 419 * MS

    def test_more_slots_than_microbatches(self) -> None:
        # M counts as W = 6: (6 * 69 + 6 * 5 / 2 * 30) / 6 = 69 + 75 = 144. For stage 1 it is
        # 37 + 5 / 2 * 30 = 112, and 32 around it: the same.
        nodes = "a memory=9, b memory=9, c memory=9, d memory=9"
        tables = instance(nodes, "2 2", workload=self.WORKLOAD)
        assert bounds(tables)["in-flight"] == 144 * MS


class TestLoad:
    def test_the_slow_stage(self) -> None:
        # b alone does stage 1 for two data nodes: 6 * (50 + 100).
        tables = instance("a stage=0, c stage=0, b stage=1 layer_time=50ms", "2 1", workload="microbatches=3")
        assert load_bound(tables) == 900 * MS

    def test_the_share_of_a_stage_is_rounded_down(self) -> None:
        # 5 microbatches skip one of 2 stages: 5 visits, of which a stage gets at least 2; b needs 2 * 150.
        # All 5 together are done by 150: 1 on b, 5 on c.
        tables = instance(
            "a stage=0, b stage=1 layer_time=50ms, c stage=2",
            "1 1 1",
            workload="microbatches=5",
            rules="path_length=2",
        )
        assert load_bound(tables) == 300 * MS

    def test_without_even_stages_a_slow_stage_may_be_left_out(self) -> None:
        # 5 visits on b and c: by 120 only 4 are done, all on c; by 150 all. The data node needs 5 * 30 too.
        tables = instance(
            "a stage=0, b stage=1 layer_time=50ms, c stage=2",
            "1 1 1",
            workload="microbatches=5",
            rules="path_length=2, even_stages=false",
        )
        assert load_bound(tables) == 150 * MS

    def test_the_data_node_that_no_allocation_avoids(self) -> None:
        # One data node of three: the fastest, 4 * 3 * 10. Two: the second fastest, 4 * 3 * 20.
        nodes = "a, b layer_time=20ms, c layer_time=70ms"
        tables = instance(nodes, "1 2", workload="microbatches=4", rules="even_stages=false")
        assert load_bound(tables) == 120 * MS
        tables = instance(nodes, "2 1", workload="microbatches=4", rules="even_stages=false")
        # As much as eight visits to the fastest node left, 8 * 30.
        assert load_bound(tables) == 240 * MS

    def test_a_pinned_data_node_counts_though_others_are_faster(self) -> None:
        tables = instance("a, b, c layer_time=70ms stage=0", "1 2", workload="microbatches=4")
        assert load_bound(tables) == 4 * 210 * MS

    def test_data_nodes_that_emit_little(self) -> None:
        # The fewest that any allocation emits: 1. Then b and c do one visit in 30; the data node a or b 30.
        tables = instance("a microbatches=1, b, c", "1 2", workload="microbatches=9")
        assert load_bound(tables) == 30 * MS

    def test_durations_that_round_to_nothing(self) -> None:
        # 0.1 us is rounded to 0: thirty microbatches take no time at all, and no bound may say otherwise.
        tables = instance(
            "a layer_time=0.1us, b layer_time=0.1us", "1 1", workload="microbatches=30, backward_ratio=1"
        )
        assert tables.forward == ((0, 0), (0, 0))
        assert load_bound(tables) == 0


class TestPath:
    def test_the_cheapest_nodes(self) -> None:
        # 30 on a and b each, 60 on c, and 6 transfers; d is never needed.
        tables = instance("a, b, c layer_time=20ms, d layer_time=90ms", "1 2 1", rules="even_stages=false")
        assert (
            bounds(tables)["path"] == (30 + 30 + 60 + 6) * MS or bounds(tables)["path"] == (30 * 3 + 6) * MS
        )

    def test_a_detour_around_a_missing_link(self) -> None:
        # a-b and b-c, and no way from c home: with c pinned to the last stage nothing closes but a-b-a.
        tables = instance("a stage=0, b, c", "1 2", links="ab bc")
        assert bounds(tables)["path"] == (30 + 30 + 4) * MS

    def test_no_closed_walk(self) -> None:
        tables = instance("a stage=0, b stage=1, c stage=2", "1 1 1", links="ab")
        # Two hops and one home: three in all, impossible on a single link.
        assert bounds(tables)["path"] == 0


class TestAllocation:
    """F 10, B 20 ms, losses take nothing; transfers of 1 ms."""

    def bound(self, tables: Instance) -> int:
        return allocation_bound(tables, 0, 10_000 * MS, no_limit())

    def test_head_and_tail_of_a_load(self) -> None:
        # With one slot a does four round trips of 64. With nine, b has an input at 10 + 1, does 4 * 30, and
        # 1 + 20 follow on a; a alone would be through by 4 * 30.
        one, nine = "a stage=0, b", "a stage=0 memory=9, b memory=9"
        assert self.bound(instance(one, "1 1", workload="microbatches=4")) == 256 * MS
        assert self.bound(instance(nine, "1 1", workload="microbatches=4")) == 152 * MS

    def test_a_stage_in_the_order_of_all(self) -> None:
        # c, five times as slow, waits for F on a and b, 2 * 11, and both still have a B to do, 2 * 21.
        nodes = "a stage=0 memory=9, b stage=1 memory=9, c stage=2 memory=9 layer_time=50ms"
        tables = instance(nodes, "1 1 1", workload="microbatches=4", rules="max_swaps=0")
        assert self.bound(tables) == (22 + 4 * 150 + 42) * MS
        # If c may come before b, it may have no more than a before it, and no more than a after it.
        tables = instance(nodes, "1 1 1", workload="microbatches=4")
        assert self.bound(tables) == (11 + 4 * 150 + 21) * MS

    SLOW_LINE = """
skipsched: 1
name: slow-line
nodes:
  - {id: "w{}", count: 3, location: west, layer_time: 10 ms, memory: 1}
  - {id: "e{}", count: 3, location: east, layer_time: 10 ms, memory: 1}
network:
  default: {latency: 1 ms, bandwidth: 100 MB/s}
  links:
    - {between: [west, east], latency: 1 ms, bandwidth: 1 MB/s}
workload:
  stages: 2
  layers: 2
  samples_per_microbatch: 1
  microbatches: 1
  activation: 1 kB
  gradient: 3 MB
  stage_sizes: SIZES
"""

    def test_a_ring_across_the_slow_line(self) -> None:
        # Each stage has a place for itself: 4 * (1 + 3000 / 3 / 100) = 44 for rings of three. A round trip is
        # 60 and four transfers, not known to cross the line: 64.04.
        tables = Instance.of(load_topology(self.SLOW_LINE.replace("SIZES", "[3, 3]")))
        assert self.bound(tables) == 64_040 + 44 * MS
        # Four nodes cross the line, 6 * (1 + 3000 / 4) = 4506. As the first stage they do so after two round
        # trips less an F, a B and two transfers of a data node, since the second stage has two nodes with
        # a slot each; as the second stage, a transfer and a B before the end of a round trip.
        for sizes, ready in (("[4, 2]", 2 * 64_040 - 32_020), ("[2, 4]", 43_030)):
            tables = Instance.of(load_topology(self.SLOW_LINE.replace("SIZES", sizes)))
            assert self.bound(tables) == ready + 4506 * MS

    def test_nothing_is_said_of_the_largest(self) -> None:
        tables = instance(", ".join(f"n{i}" for i in range(300)), 2, stages=9)
        assert allocation_bound(tables, 5, 10**9, no_limit()) == 5

    def test_what_is_proved_when_time_runs_out(self) -> None:
        tables = instance("a stage=0, b", "1 1", workload="microbatches=4")
        assert allocation_bound(tables, 5, 10**9, Clock(0.0)) == 5


class TestPrices:
    """F 10, B 20 ms, losses take nothing; transfers of 1 ms; one slot each."""

    def bound(self, tables: Instance, most: int = 10_000) -> int:
        return prices_bound(tables, 0, most * MS, no_limit())

    def test_a_node_of_which_there_is_one(self) -> None:
        # a and c each want b for 4 microbatches; d is slow. Between 11 after the beginning and 21 before the
        # end, b takes as many as fit one after another, 32 each: all 8 within 11 + 8 * 32 + 21 = 288. By 287
        # one at least has gone by d, a round trip of 344 where those by b are 64; a and c together have 574
        # for them and need 7 * 64 + 344.
        nodes = "a stage=0, c stage=0, b stage=1, d stage=1 layer_time=100ms"
        tables = instance(nodes, "2 2", workload="microbatches=4")
        assert self.bound(tables) == 288 * MS

    def test_no_node_is_visited_again_at_once(self) -> None:
        # Without d the way would be a-b-c; a-b-c-b, at 30 a visit, is not one, however slow d is.
        nodes = "a stage=0, b, c, d layer_time=100ms"
        tables = instance(nodes, "1 1 1 1")
        assert round_trips(tables)[0] == (4 * 30 + 8) * MS
        assert self.bound(tables) == (3 * 30 + 300 + 8) * MS

    def test_the_cheapest_choice_of_data_nodes(self) -> None:
        # One of three emits its 4 microbatches, the others take them: b, then the round trip is 30 + 30 + 4.
        tables = instance("a layer_time=20ms, b, c", "1 2", workload="microbatches=4")
        assert self.bound(tables) == 4 * 64 * MS

    def test_nothing_is_said_of_the_largest(self) -> None:
        # All nodes differ, so that none stands for others.
        tables = instance(", ".join(f"n{i} layer_time={i + 1}ms" for i in range(120)), 2, stages=9)
        assert prices_bound(tables, 5, 10**9, no_limit()) == 5

    def test_what_is_proved_when_time_runs_out(self) -> None:
        tables = instance("a stage=0, b", "1 1", workload="microbatches=4")
        assert prices_bound(tables, 5, 10**9, Clock(0.0)) == 5


class TestRows:
    """The formula of the problem's statement, and its inverse."""

    nodes = st.tuples(
        st.integers(1, 9), st.integers(0, 500), st.integers(0, 60), st.integers(0, 60), st.integers(0, 20)
    ).map(lambda n: (n[0], max(1, n[1]) + n[2] + n[3], n[2], n[3], n[4]))

    @settings(max_examples=300, deadline=None)
    @given(st.integers(1, 60), nodes)
    def test_formula(self, count: int, node: tuple[int, int, int, int, int]) -> None:
        slots, residence, first, last, overhead = node
        m = min(slots, count)
        step = first + last + 2 * overhead
        rows = Fraction(count * residence + (count - m) * overhead + Fraction(m * (m - 1), 2) * step, m)
        exact = [math.ceil(rows)]
        for length in range(2, -(-count // slots) + 1) if step > 0 else ():
            backwards = count - slots - ((length - 2) * slots + 1)
            exact.append(length * residence + (length - 1) * overhead + backwards * step)
        assert rows_bound(count, *node) == max(exact)

    @settings(max_examples=300, deadline=None)
    @given(st.integers(0, 5000), nodes)
    def test_inverse(self, time: int, node: tuple[int, int, int, int, int]) -> None:
        count = rows_within(time, *node)
        assert rows_bound(count, *node) <= time
        assert rows_bound(count + 1, *node) > time

    def test_nothing_takes_no_time(self) -> None:
        assert rows_bound(0, 3, 100, 10, 20, 5) == 0

    def test_by_hand(self) -> None:
        # 4 microbatches of 100 on 2 slots, F 10, B 20, overhead 5: as rows (400 + 2 * 5 + 1 * 40) / 2 = 225;
        # in succession 2 * 100 + 5, and 40 for a B and an F between them: 245. The fifth is a third one in
        # succession: 3 * 100 + 2 * 5.
        assert [rows_bound(count, 2, 100, 10, 20, 5) for count in (4, 5)] == [245, 310]
        assert [rows_within(time, 2, 100, 10, 20, 5) for time in (99, 100, 119, 120, 244, 245, 309, 310)] == [
            *(0, 1, 1, 2, 3, 4, 4, 5)
        ]


def kept(tables: Instance, allocation: tuple[int, ...]) -> Instance:
    """The problem with its allocation fixed."""
    return replace(tables, allowed=tuple((stage,) for stage in allocation))


def schedules(rng: Random, tables: Instance) -> Iterator[tuple[Routes, int]]:
    """Schedules of many allocations: constructed paths, several orders."""
    found = list(allocations(tables))
    for allocation in found if len(found) <= 10 else rng.sample(found, 10):
        routes = routes_for(tables, allocation, rng.choice((0.0, 0.5, 1.0)), no_limit())
        if routes is None:
            continue
        actions = Actions.of(tables, routes)
        for shape in (1, -1, 0):
            urgency = [shape * (a % actions.per_microbatch) + rng.random() for a in range(len(actions.node))]
            plan = dispatch(tables, routes, actions, urgency)
            yield routes, scheduled(tables, plan).objective.iteration_time


@pytest.mark.parametrize("chunk", range(6))
def test_no_bound_exceeds_any_schedule_of_any_allocation(chunk: int) -> None:
    seen = tight = 0
    for seed in range(60 * chunk, 60 * chunk + 60):
        rng = Random(seed)
        _, tables = random_case(seed)
        if rng.random() < 0.5:
            # As many microbatches as the formulas with slots are made for.
            tables = replace(tables, microbatches=tuple(3 * w for w in tables.microbatches))
        found = bounds(tables)
        best: dict[tuple[int, ...], int] = {}
        for routes, time in schedules(rng, tables):
            assert max(found.values()) <= time, (seed, routes, found, time)
            best[routes.allocation] = min(time, best.get(routes.allocation, time))
            seen += 1
            tight += max(found.values()) == time
        if best:
            of_all = models(tables, 2 * min(best.values()))
            for allocation in rng.sample(sorted(best), min(2, len(best))):
                of_one = models(kept(tables, allocation), 2 * best[allocation])
                assert max(of_one.values()) <= best[allocation], (seed, allocation, of_one, best)
                assert of_all["allocation"] <= of_one["allocation"], (seed, allocation, of_all, of_one)
    assert seen > 200
    assert tight > 0


@pytest.mark.parametrize("chunk", range(6))
def test_no_bound_exceeds_the_true_optimum(chunk: int) -> None:
    seen = met = 0
    for seed in range(50 * chunk, 50 * chunk + 50):
        tables = tiny(seed)
        if tables is None:
            continue
        loaded, _ = random_case(seed)
        result = skipsched.solve(loaded, deterministic=True, time_limit=0.5)
        assert result.schedule is not None
        known: int = result.schedule.document["iteration_time"]
        best = optimum(tables, known)
        found = bounds(tables) | models(tables, 2 * best)
        assert max(found.values()) <= best, (seed, found, best)
        if result.status == "OPTIMAL":
            assert known == best, seed
        seen += 1
        met += max(found.values()) == best
    assert seen > 5
    assert met > 0


def test_the_exhaustive_search_beats_random_orders() -> None:
    # The oracle judged by chance: no random order of any routes is better, and some are as good.
    checked = 0
    for seed in range(100):
        tables = tiny(seed)
        if tables is None:
            continue
        rng = Random(seed)
        best = optimum(tables, 10**12)
        times = []
        for routes in all_routes(tables):
            actions = Actions.of(tables, routes)
            for _ in range(10):
                order = random_order(rng, actions, tables.nodes)
                if slots_kept(tables, routes, actions, order):
                    plan = Plan(routes, tuple(map(tuple, order)))
                    times.append(scheduled(tables, plan).objective.iteration_time)
        assert all(best <= time for time in times)
        checked += best in times
    assert checked > 0
