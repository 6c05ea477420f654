"""Simulation in the schedule's order: exactness, each condition by hand, and what reports consist of."""

from __future__ import annotations

import pytest
from cli_cases import solved_document
from hypothesis import given
from hypothesis import strategies as st
from simulate_cases import Case, case, random_plan, simulated

from skipsched import Conditions, InputError, Schedule, Stragglers, simulate
from skipsched.insight import simulate as simulating
from skipsched.insight.critical import critical_path, last_action, starts

#: F 0-10, F 11-21, L 22, B 23-43, B 44-64, all-reduce none; in milliseconds.
ONE = ((0, 1),)


def one(workload: str = "microbatches=1") -> Case:
    return case("a, b", "1 1", ONE, "F0 L0 B0", "F0 B0", workload=workload)


def two(workload: str = "microbatches=2") -> Case:
    """One after the other."""
    return case("a, b", "1 1", 2 * ONE, "F0 L0 B0 F1 L1 B1", "F0 B0 F1 B1", workload=workload)


@given(st.integers(0, 2**32))
def test_without_jitter_every_run_is_the_replay(seed: int) -> None:
    plan = random_plan(seed)
    if plan is not None:
        promised = plan[2].objective.iteration_time
        assert simulated(plan).times == [promised] * 3


class TestByHand:
    def test_the_promise(self) -> None:
        assert simulated(one()).times == [64_000] * 3

    def test_a_slow_node(self) -> None:
        # a computes 10 + 0 + 20 ms, b as much: three times as slow is 60 ms more.
        assert simulated(one(), Conditions(0, 0, slow_nodes={"b": 3.0})).times == [124_000] * 3

    def test_slow_nodes_leave_overheads_alone(self) -> None:
        plan = two("microbatches=2, action_overhead=3 ms")
        slow = Conditions(0, 0, slow_nodes={"a": 2.0})
        # Two microbatches one after the other: twice 30 ms more, and the overhead between them as before.
        assert simulated(plan, slow).times[0] - simulated(plan).times[0] == 60_000

    def test_a_slow_link_is_slow_both_ways(self) -> None:
        # Four transfers of 1 ms between a and b.
        for ends in (("a", "b"), ("b", "a")):
            assert simulated(one(), Conditions(0, 0, slow_links={ends: 2.0})).times == [68_000] * 3

    def test_two_rows_for_a_link_multiply(self) -> None:
        slow = Conditions(0, 0, slow_links={("a", "b"): 2.0, ("b", "a"): 1.5})
        assert simulated(one(), slow).times == [72_000] * 3

    def test_rounding_half_up(self) -> None:
        # 1000 us times 1.0005 is 1000.5: four transfers of 1001 us.
        assert simulated(one(), Conditions(0, 0, slow_links={("a", "b"): 1.0005})).times == [64_004] * 3

    def test_stragglers(self) -> None:
        always = Conditions(0, 0, stragglers=Stragglers(1, 3))
        assert simulated(one(), always).times == [184_000] * 3
        often = simulated(one(), Conditions(0, 0, stragglers=Stragglers(0.5, 3)), runs=1000)
        # None, a or b, or both.
        assert set(often.times) == {64_000, 124_000, 184_000}
        assert 400 < often.times.count(124_000) < 600

    def test_nobody_straggles_at_no_share(self) -> None:
        assert simulated(one(), Conditions(0, 0, stragglers=Stragglers(0, 3))).times == [64_000] * 3

    def test_the_ring_of_an_all_reduce(self) -> None:
        # Stage 1 has b and c, whose ring is b -> c -> b; c does nothing else.
        plan = case(
            "a, b, c", "1 2", ONE, "F0 L0 B0", "F0 B0", "", workload="microbatches=1, gradient=[0 B, 1 MB]"
        )
        # A hop is 0.1 ms + 0.5 MB at 1 MB/s, twice; b is done at 43 ms.
        assert simulated(plan).times == [43_000 + 1_000_200] * 3
        slow = Conditions(0, 0, slow_links={("b", "c"): 2.0})
        assert simulated(plan, slow).times == [43_000 + 2_000_400] * 3
        assert simulated(plan).allreduce == 3 * 1_000_200
        # With c lost there is no ring; the microbatch still comes home.
        lost = simulated(plan, Conditions(0, 0, lost=frozenset("c")))
        assert (lost.times, lost.finished) == ([], [1, 1, 1])
        jittered = simulated(plan, Conditions(0, 0.3), runs=100)
        assert len(set(jittered.times)) == 100

    def test_a_lost_node(self) -> None:
        plan = case(
            "a, b, c",
            "1 2",
            ((0, 1), (0, 2)),
            "F0 L0 B0 F1 L1 B1",
            "F0 B0",
            "F1 B1",
            workload="microbatches=2",
        )
        # The first microbatch is home before the second leaves for c, and a waits for nothing else.
        assert simulated(plan, Conditions(0, 0, lost=frozenset("c"))).finished == [1, 1, 1]
        # Without b the first never comes home, and in this order a never turns to the second.
        without_b = simulated(plan, Conditions(0, 0, lost=frozenset("b")))
        assert (without_b.finished, without_b.times) == ([0, 0, 0], [])
        assert (without_b.mean, without_b.quantile(0.5), without_b.nodes) == (None, None, [])

    def test_a_lost_node_that_has_nothing_to_do(self) -> None:
        plan = case("a, b, c", "1 2", ONE, "F0 L0 B0", "F0 B0", "", workload="microbatches=1")
        assert simulated(plan, Conditions(0, 0, lost=frozenset("c"))).times == [64_000] * 3


class TestLuck:
    def test_the_first_runs_are_the_same_however_many_there_are(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        jitter = Conditions()
        whole = simulated(two(), jitter, runs=50)
        assert len(set(whole.times)) == 50
        fewer = simulated(two(), jitter, runs=20)
        assert set(fewer.times) < set(whole.times)
        monkeypatch.setattr(simulating, "_HELD", 60)  # of 10 actions: 6 runs at a time
        assert simulated(two(), jitter, runs=50) == whole

    def test_policies_have_the_same_luck(self) -> None:
        """Where they do the same, they take the same time in every run."""
        jitter = Conditions()
        in_order, fifo = (simulated(two(), jitter, policy, 200) for policy in ("order", "fifo"))
        assert in_order.times == fifo.times
        assert in_order.nodes == fifo.nodes
        assert in_order.links == fifo.links

    def test_another_seed_is_other_luck(self) -> None:
        assert simulated(two(), Conditions(), seed=0).times != simulated(two(), Conditions(), seed=1).times

    def test_jitter_of_computing_and_of_links_apart(self) -> None:
        for jitter in (Conditions(0.1, 0), Conditions(0, 0.3)):
            assert len(set(simulated(one(), jitter, runs=100).times)) > 90


@given(st.integers(0, 2**32))
def test_critical_paths_add_up(seed: int) -> None:
    """Computing, travelling and all-reduce make up all times, but for overheads."""
    plan = random_plan(seed)
    if plan is None:
        return
    for policy in ("order", "fifo"):
        found = simulated(plan, Conditions(), policy, 20)
        told = sum(share.time for share in (*found.nodes, *found.links)) + found.allreduce
        assert told == sum(found.times) or (told < sum(found.times) and plan[1].overhead > 0)
        assert all(share.runs <= len(found.times) for share in (*found.nodes, *found.links))


def test_the_critical_path_by_hand() -> None:
    # a: F and B of both microbatches, 60 ms; b likewise; 8 transfers of 1 ms.
    found = simulated(two(), runs=5)
    assert [(share.name, share.runs, found.mean_of(share.time)) for share in found.nodes] == [
        (("a",), 5, 60_000),
        (("b",), 5, 60_000),
    ]
    assert [(share.name, share.runs, found.mean_of(share.time)) for share in found.links] == [
        (("a", "b"), 5, 4_000),
        (("b", "a"), 5, 4_000),
    ]


@given(st.integers(0, 2**32))
def test_the_critical_path_without_jitter_is_that_of_the_replay(seed: int) -> None:
    plan = random_plan(seed)
    if plan is None:
        return
    _, tables, scheduled = plan
    found = simulated(plan, runs=1)
    steps = critical_path(scheduled, starts(tables, scheduled))
    last = last_action(scheduled)
    ends = [a for a, end in enumerate(scheduled.end) if last is not None and end == scheduled.end[last]]
    if len(ends) == 1:  # of several that end last either is right
        computing = sum(step.end - step.begin for step in steps if step.kind in ("F", "L", "B"))
        travel = sum(step.end - step.begin for step in steps if step.kind == "transfer")
        assert sum(share.time for share in found.nodes) == computing
        assert sum(share.time for share in found.links) == travel


def test_times_beyond_what_floats_hold_exactly() -> None:
    """Critical paths were followed by start times, which rounding had moved, and round for ever."""
    huge = Conditions(10, 10, {"a": 1e6, "b": 1e6}, {("a", "b"): 1e6}, Stragglers(1, 1e6))
    for policy in ("order", "fifo"):
        found = simulated(two(), huge, policy, 200)
        assert found.times[-1] > 2**53
        assert {share.runs for share in found.nodes} == {200}


class TestResult:
    def test_quantiles(self) -> None:
        found = simulated(two(), Conditions(), runs=1000)
        assert found.quantile(0.95) == found.times[949]
        assert found.quantile(1) == found.times[999]
        assert found.quantile(0.0001) == found.times[0]

    def test_the_histogram_counts_every_run(self) -> None:
        found = simulated(two(), Conditions(), runs=1000)
        bins = found.histogram(12)
        assert sum(runs for *_, runs in bins) == 1000
        assert (bins[0][0], bins[-1][1]) == (found.times[0], found.times[-1] + 1)
        assert simulated(two()).histogram(12) == [(128_000, 128_001, 3)]


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        (Conditions(slow_nodes={"z": 2.0}), 'slow_nodes: there is no node "z"'),
        (Conditions(lost=frozenset({"aa"})), 'did you mean "a"?'),
        (Conditions(slow_links={("a", "z"): 2.0}), '"z" is neither a node nor a location'),
        (Conditions(slow_links={("a", "a"): 2.0}), "there is no link between"),
    ],
)
def test_unknown_names(conditions: Conditions, said: str) -> None:
    with pytest.raises(InputError, match=said.replace("?", r"\?")):
        simulated(one(), conditions)


def test_all_unknown_names_at_once() -> None:
    wrong = Conditions(slow_nodes={"x": 2.0}, lost=frozenset("y"), slow_links={("v", "w"): 2.0})
    with pytest.raises(InputError) as raised:
        simulated(one(), wrong)
    assert len(raised.value.diagnostics) == 4


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Conditions(compute_jitter=-0.1),
        lambda: Conditions(link_jitter=float("nan")),
        lambda: Conditions(slow_nodes={"a": 0.5}),
        lambda: Conditions(slow_links={("a", "b"): float("inf")}),
        lambda: Stragglers(1.5, 2),
        lambda: Stragglers(0.5, 0),
    ],
)
def test_numbers_out_of_range(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(ValueError, match="must be from"):
        wrong()


def test_arguments_out_of_range() -> None:
    empty = Schedule({})
    for wrong in ({"runs": 0}, {"seed": -1}, {"policy": "lifo"}):
        with pytest.raises(ValueError, match="must be"):
            simulate(empty, **wrong)


def test_a_location_stands_for_its_nodes() -> None:
    """Links between all places slow more than that between two nodes."""
    document = solved_document("geo-20")
    places = {node["location"] for node in document["topology"]["document"]["nodes"]}
    twice = {(a, b): 2.0 for a in places for b in places if a < b}
    found = simulate(Schedule(document), conditions=Conditions(0, 0, slow_links=twice), runs=1)
    a, b = found.links[0].name
    again = simulate(Schedule(document), conditions=Conditions(0, 0, slow_links={(a, b): 2.0}), runs=1)
    assert found.times[0] > again.times[0] > found.promised
