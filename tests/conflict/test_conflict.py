"""Why a topology is infeasible: the true cause, nothing in it that could be left out, and what mends it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from conflict_cases import assert_explained, changed
from solver_cases import no_limit, topology

import skipsched
from skipsched.clock import Clock, OutOfTime
from skipsched.conflict import Cause, Change, Kind, explain, repair, shrink
from skipsched.conflict.decide import feasible
from skipsched.conflict.nearest import readable_size
from skipsched.conflict.relax import Problem
from skipsched.cp_sat import Outcome, run
from skipsched.instance import Instance
from skipsched.routes import model
from skipsched.routes.find import Infeasible, find_routes
from skipsched.text.quantities import SIZE, quantity
from skipsched.topology.model import Topology

MODEL = "model={hidden_size: 64, sequence_length: 64, vocab_size: 1000, dtype: float32}"


def cause_of(loaded: Topology) -> Cause:
    with pytest.raises(Infeasible):
        find_routes(Instance.of(loaded), no_limit(), 1)
    return explain(loaded, no_limit(), 1)


def fields(cause: Cause) -> set[str]:
    return {member.field for member in cause.members}


def suggested(cause: Cause) -> dict[str, object]:
    return {change.field: change.new for change in cause.changes}


class TestAllocation:
    """Pins, memory and sizes leave no allocation: no path is ever asked for."""

    def test_pins_leave_a_stage_without_holder(self) -> None:
        loaded = topology("a stage=0, b stage=1, c stage=1, d stage=2, e stage=2", 1, stages=4)
        cause = cause_of(loaded)
        assert cause.rules == ("allocation",)
        assert "stages 0, 3 must have at least 2 nodes, but only 1 node can be there: a" in cause.message
        # Wherever a goes, the others leave one of the two stages empty.
        assert fields(cause) == {f"nodes[{n}].stage" for n in range(1, 5)}
        assert suggested(cause) == {"nodes[1].stage": "3"}
        assert_explained(loaded, cause)

    def test_memory_in_bytes_with_no_slot(self) -> None:
        # A later stage takes 1,050,624 bytes and 278,528 a microbatch; c falls a byte short.
        loaded = topology("a memory=8MiB, b memory=8MiB, c memory=1329151B", "1 2", workload=MODEL)
        cause = cause_of(loaded)
        assert cause.rules == ("allocation",)
        assert "c" in cause.message
        assert fields(cause) == {"nodes[2].memory"}
        # 1329152 bytes are 1.2676 MiB.
        assert suggested(cause) == {"nodes[2].memory": "1.27 MiB"}
        assert_explained(loaded, cause)

    def test_a_pin_to_a_stage_that_the_memory_does_not_hold(self) -> None:
        # The first stage takes 3,099,648 bytes alone.
        loaded = topology("a memory=8MiB, b memory=2MiB stage=0", "1 1", workload=MODEL)
        cause = cause_of(loaded)
        assert cause.rules == ("allocation",)
        assert fields(cause) == {"nodes[1].stage", "nodes[1].memory"}
        assert suggested(cause) == {"nodes[1].stage": "1"}
        assert_explained(loaded, cause)

    def test_nobody_holds_the_first_stage(self) -> None:
        loaded = topology("a memory=2MiB, b memory=2MiB", "1 1", workload=MODEL)
        cause = cause_of(loaded)
        assert cause.rules == ("allocation",)
        # Told from either side: both nodes can hold stage 1 alone, or nobody stage 0.
        assert "2 nodes can hold nothing but stage 1, with room for 1 node: a, b" in cause.message
        assert_explained(loaded, cause)

    def test_who_could_emit_has_nothing_to_emit(self) -> None:
        loaded = topology("a memory=8MiB microbatches=0, b memory=2MiB", "1 1", workload=MODEL)
        cause = cause_of(loaded)
        assert fields(cause) == {"nodes[0].microbatches", "nodes[1].memory"}
        assert suggested(cause) == {"nodes[0].microbatches": "1"}
        assert_explained(loaded, cause)

    def test_each_of_many_conflicts_is_mended(self) -> None:
        # Neither b nor c holds any stage, and nobody the first: one of them has to, the other need not.
        loaded = topology("a memory=3MiB, b memory=1MiB, c memory=1MiB", "1 1 1", workload=MODEL)
        cause = cause_of(loaded)
        assert fields(cause) == {"nodes[1].memory"}
        assert cause.message.startswith("no stage that b may hold leaves room for one microbatch")
        assert cause.message.endswith("; the same is true of c")
        assert suggested(cause) == {"nodes[1].memory": "1.27 MiB", "nodes[2].memory": "3.47 MiB"}
        assert_explained(loaded, cause)

    def test_many_members_have_to_change(self) -> None:
        """Twelve of twenty nodes hold no stage at all: each has to be mended, in whatever order one goes."""
        nodes = ", ".join(f"n{i} memory={'8MiB' if i < 8 else '1200KiB'}" for i in range(20))
        loaded = topology(nodes, "1 19", workload=MODEL)
        cause = explain(loaded, no_limit(), 1)
        assert len(cause.changes) == 12
        assert find_routes(Instance.of(changed(loaded, cause)), no_limit(), 1)


#: Topologies that have allocations and no paths, with the rules in conflict and a part of what is said.
CONFLICTS: dict[str, tuple[Topology, set[str], str]] = {
    "missing links cut every path": (
        topology("a, b, c", "1 1 1", links="ab bc"),
        {"path-length", "link"},
        "missing links",
    ),
    "a node of its own in a stage of its own": (
        topology("a stage=0, b stage=1, c stage=2", "1 1 1", links="ab"),
        {"path-length", "link"},
        "c cannot exchange anything with any other node",
    ),
    "islands": (
        topology("a, b, c, d", "1 1 1 1", links="ab cd", rules="path_length=3, even_stages=false"),
        {"path-length", "link"},
        "2 islands",
    ),
    "pins against links": (
        topology("a stage=0, b stage=1, c stage=1", "1 2", links="bc"),
        {"link", "allocation"},
        "the pin",
    ),
    "cover with too few microbatches": (
        topology("a, b, c", "1 1 1", rules="path_length=2, cover=true"),
        {"path-length", "cover", "microbatches"},
        "with 1 path a data node reaches at most 1 of the 2 other stages",
    ),
    "cover with a period": (
        topology(
            "a, b, c",
            "1 1 1",
            workload="microbatches=4",
            rules="path_length=2, cover=true, path_period=1, even_stages=false",
        ),
        {"path-length", "cover", "path-period"},
        "path_period 1",
    ),
    "even stages with a period": (
        topology("a, b, c", "1 1 1", workload="microbatches=4", rules="path_length=2, path_period=1"),
        {"path-length", "even-stages", "path-period", "microbatches"},
        "path_period 1",
    ),
    "even nodes and a missing link": (
        # c can do nothing, wherever it is beside the other.
        topology("a, b, c", "1 2", links="ab", workload="microbatches=4", rules="even_nodes=true"),
        {"even-nodes", "link", "microbatches"},
        "c cannot exchange anything",
    ),
    "even nodes with a period and missing links": (
        # Microbatches 0 and 2 share a path, 1 has its own: two and one for b, c and d, and e has no link to
        # take them all. Any of b, c and d in its place would.
        topology(
            "a stage=0, b stage=1, c stage=1, d stage=1, e stage=2",
            "1 3 1",
            links="ab ac ad",
            workload="microbatches=3",
            rules="path_length=2, even_stages=false, even_nodes=true, path_period=2",
        ),
        {"even-nodes", "path-period", "link", "allocation", "microbatches"},
        "even-nodes",
    ),
    "even nodes with a period": (
        # Microbatches 0 and 2 share a path, 1 has its own: two and one for three nodes.
        topology(
            "a stage=0, b, c, d", "1 3", workload="microbatches=3", rules="even_nodes=true, path_period=2"
        ),
        {"even-nodes", "path-period", "allocation", "microbatches"},
        "path_period 2",
    ),
    "no ring": (
        topology("a stage=0, b, c", "1 2", links="ab ac", workload="gradient=[0 B, 8 B]"),
        {"ring", "link", "allocation"},
        "all-reduce",
    ),
    "a stage that no jump reaches": (
        topology("a, b, c", "1 1 1", workload="microbatches=2", rules="path_length=2, max_jump=1"),
        {"path-length", "even-stages", "jump", "microbatches"},
        "no allowed order of stages executes stage 2",
    ),
    "swaps and links": (
        # Around the links the stages come as 0, 2, 1, 3 or 0, 3, 1, 2.
        topology(
            "a stage=0, b stage=1, c stage=2, d stage=3", "1 1 1 1", links="ac cb bd da", rules="max_swaps=0"
        ),
        {"path-length", "link", "swap", "allocation"},
        "max_swaps 0",
    ),
}


@pytest.mark.parametrize("name", CONFLICTS)
def test_the_rules_in_conflict(name: str) -> None:
    loaded, rules, part = CONFLICTS[name]
    cause = cause_of(loaded)
    assert set(cause.rules) == rules
    assert part in cause.message
    assert_explained(loaded, cause)


def test_links_in_one_direction_only_are_told_from_none() -> None:
    loaded = topology("a, b, c", "1 1 1", links="a>b b>c")
    cause = cause_of(loaded)
    assert (
        "cannot exchange anything with any other node (a to b has a link, b to a has none; " in cause.message
    )
    missing = next(member for member in cause.members if member.kind is Kind.LINK)
    assert missing.value == "3 of 3 pairs of nodes are not linked both ways"
    assert missing.note == "only from a to b, only from b to c, a and c"
    assert_explained(loaded, cause)


def test_a_link_in_one_direction_between_islands() -> None:
    rules = "path_length=3, even_stages=false"
    cause = cause_of(topology("a, b, c, d", "1 1 1 1", links="ab cd d>b", rules=rules))
    assert "a, b (d to b has a link, b to d has none; paths need both)" in cause.message


def test_the_numbers_in_conflict_and_the_nearest_that_agree() -> None:
    loaded = CONFLICTS["a stage that no jump reaches"][0]
    cause = cause_of(loaded)
    assert {member.field: member.value for member in cause.members} == {
        "rules.path_length": "2",
        "rules.max_jump": "1",
        "rules.even_stages": "true",
        "workload.microbatches": "2",
    }
    # A longer path or one microbatch would do as well, and are as near; a wider jump costs least.
    assert cause.changes == (Change("rules.max_jump", "1", "2"),)


def test_pins_against_a_ring_are_mended_by_another_allocation() -> None:
    # "no ring" without its pin: c emits, and a and b share stage 1.
    loaded, _, _ = CONFLICTS["no ring"]
    cause = cause_of(loaded)
    assert {member.kind for member in cause.members} >= {Kind.RING, Kind.LINK, Kind.PIN}
    assert suggested(cause) == {"nodes[0].stage": "1"}


class TestNumbersOfMicrobatches:
    """One number is open for all nodes without their own, and one for each node with its own."""

    def test_the_common_number_is_at_least_one(self) -> None:
        # b has a microbatch without a path; that it had none is not for the common number to say.
        loaded = topology("a stage=0 microbatches=1, b stage=0, c stage=1", "2 1", links="ac")
        cause = cause_of(loaded)
        assert "workload.microbatches" not in fields(cause)
        assert_explained(loaded, cause)

    def test_an_own_number_may_be_none(self) -> None:
        # b has no link, and needs no path where it emits nothing.
        loaded = topology(
            "a stage=0 microbatches=2, b stage=0 microbatches=1, c stage=1, d stage=2",
            "2 1 1",
            links="ac cd da",
            rules="even_stages=true, cover=true",
        )
        cause = cause_of(loaded)
        assert "nodes[1].microbatches" in fields(cause)
        assert_explained(loaded, cause)

    def test_own_numbers_count_with_a_period(self) -> None:
        # All microbatches of a data node take one path to one of two stages: 1 and 3 are uneven, 2 and 3 not.
        loaded = topology(
            "a stage=0 microbatches=1, b stage=0 microbatches=3, c, d",
            "2 1 1",
            rules="path_length=2, path_period=1",
        )
        cause = cause_of(loaded)
        assert {"nodes[0].microbatches", "nodes[1].microbatches"} <= fields(cause)
        assert_explained(loaded, cause)


class TestSuggestions:
    """What is suggested is written as the topology writes it, and no further off than it has to be."""

    @staticmethod
    def suggested(nodes: str, sizes: str | int, **figures: str) -> dict[str, object]:
        stages = int(figures.pop("stages", "0")) or None
        loaded = topology(nodes, sizes, stages=stages, **figures)
        cause = cause_of(loaded)
        assert_explained(loaded, cause)
        return suggested(cause)

    def test_the_fewest_links_in_the_directions_that_are_missing(self) -> None:
        # A path of two needs both directions: from b to a there is a link already.
        links = self.suggested("a, b, c", "1 1 1", links="b>a cb ca", rules="even_stages=false")
        row = {"from": "a", "to": "b", "latency": "0.1 ms", "bandwidth": "1 MB/s"}
        assert links == {"network.links[3]": row}

    def test_the_figures_of_the_other_direction(self) -> None:
        text = """skipsched: 1
name: halves
nodes:
  - {id: a, location: x, forward_time: 1 s, memory: 1}
  - {id: b, location: y, forward_time: 1 s, memory: 1}
  - {id: c, forward_time: 1 s, memory: 1}
network:
  links:
    - {between: [a, c], latency: 1 ms, bandwidth: 1 GB/s}
    - {between: [b, c], latency: 2 ms, bandwidth: 1 GB/s}
    - {from: x, to: y, latency: 30 ms, bandwidth: 5 MB/s}
workload: {stages: 3, stage_sizes: [1, 1, 1], microbatches: 1, activation: 1 MB}
"""
        loaded = skipsched.load_topology(text)
        cause = cause_of(loaded)
        row = {"from": "b", "to": "a", "latency": "30 ms", "bandwidth": "5 MB/s"}
        assert suggested(cause) == {"network.links[3]": row}
        assert_explained(loaded, cause)

    def test_links_where_there_is_no_network_at_all(self) -> None:
        text = """skipsched: 1
name: unlinked
nodes: [{id: a, forward_time: 1 s, memory: 1}, {id: b, forward_time: 1 s, memory: 1}]
workload: {stages: 2, stage_sizes: [1, 1], microbatches: 1, activation: 1 MB}
"""
        loaded = skipsched.load_topology(text)
        cause = cause_of(loaded)
        assert list(suggested(cause)) == ["network.links[0]"]
        assert_explained(loaded, cause)

    #: d is linked with nobody: two links would be needed, or paths that leave out one stage.
    LONELY = ("a, b, c, d", "1 1 1 1")
    WORKLOAD = "microbatches=3"

    @pytest.mark.parametrize(
        ("rules", "found"),
        [
            ("max_swaps=0", {"rules.path_length": "3"}),
            ("path_length=4", {"rules.path_length": "3"}),
            ("skip_ratio=0", {"rules.skip_ratio": "1/4"}),
            ("skip_ratio=0, path_length=4", {"rules.skip_ratio": "1/4", "rules.path_length": "3"}),
        ],
    )
    def test_a_length_is_written_as_it_was(self, rules: str, found: dict[str, object]) -> None:
        rules += ", even_stages=false"
        assert self.suggested(*self.LONELY, links="ab bc ca", workload=self.WORKLOAD, rules=rules) == found

    def test_sizes_that_move_the_fewest_nodes(self) -> None:
        # Three nodes pinned to stage 1 are refused; by memory it is a conflict. Only d holds the first stage.
        small = "memory=2MiB"
        nodes = f"a {small}, b {small}, c {small}, d memory=8MiB, e memory=8MiB"
        found = self.suggested(nodes, "3 2", workload=MODEL)
        assert found == {"workload.stage_sizes": ["2", "3"]}

    def test_data_nodes(self) -> None:
        nodes = "a memory=8MiB, b memory=2MiB, c memory=2MiB, d memory=2MiB"
        assert self.suggested(nodes, 2, stages="3", workload=MODEL) == {"workload.data_nodes": "1"}

    def test_a_period(self) -> None:
        rules = "path_length=2, path_period=1, even_stages=false, cover=true"
        found = self.suggested("a, b, c", "1 1 1", workload="microbatches=4", rules=rules)
        assert found == {"rules.path_period": "2"}

    def test_own_microbatches(self) -> None:
        found = self.suggested(
            "a stage=0 microbatches=1, b, c",
            "1 1 1",
            workload="microbatches=4",
            rules="path_length=2, cover=true, even_stages=false",
        )
        # On another node than a there would be four, but that is more to change than a number.
        assert found == {"nodes[0].stage": "1"}

    @pytest.mark.parametrize("size", [1, 1023, 1024, 1025, 10**6, 1329152, 3 * 2**30 + 1, 24 * 2**30, 10**15])
    def test_a_readable_size_is_enough_and_hardly_more(self, size: int) -> None:
        read = quantity(readable_size(size), SIZE)
        assert Fraction(size) <= read <= size + Fraction(max(size, 100), 100)


class TestGivenAllocation:
    """An allocation that is to be kept from a schedule is one member more."""

    def test_that_has_no_paths(self) -> None:
        loaded = topology("a, b, c", "2 1", links="ab bc")
        cause = explain(loaded, no_limit(), 1, (0, 0, 1))
        assert cause.rules == ("link", "allocation")
        assert [member.kind for member in cause.members] == [Kind.LINK, Kind.GIVEN]
        assert "the given allocation" in cause.message
        assert cause.changes == ()

    def test_that_has_no_ring(self) -> None:
        loaded = topology("a, b, c", "1 2", links="ab bc", workload="gradient=8 B")
        cause = explain(loaded, no_limit(), 1, (1, 0, 1))
        assert cause.rules == ("link", "ring", "allocation")

    def test_that_emits_nothing(self) -> None:
        loaded = topology("a microbatches=0, b", "1 1")
        cause = explain(loaded, no_limit(), 1, (0, 1))
        assert cause.rules == ("microbatches", "allocation")

    def test_of_a_topology_that_is_infeasible_by_itself(self) -> None:
        loaded, rules, _ = CONFLICTS["a stage that no jump reaches"]
        cause = explain(loaded, no_limit(), 1, (0, 1, 2))
        assert set(cause.rules) == rules
        assert cause.changes


class TestLimits:
    def test_out_of_time_is_no_proof(self) -> None:
        stopped = Clock(1e9, deterministic=True)
        stopped.stop()
        with pytest.raises(OutOfTime):
            find_routes(Instance.of(CONFLICTS["islands"][0]), stopped, 1)

    def test_without_time_a_conflict_is_still_one(self) -> None:
        loaded = CONFLICTS["swaps and links"][0]
        stopped = Clock(1e9, deterministic=True)
        stopped.stop()
        cause = explain(loaded, stopped, 1)
        assert not cause.irreducible
        assert "some of them may be innocent: not all could be tried without" in cause.message
        assert {"link", "swap", "allocation"} <= set(cause.rules)
        assert (cause.changes, cause.searched) == ((), False)

    @pytest.mark.parametrize("work", [1e-4, 1e-3, 1e-2])
    def test_whatever_time_there_is(self, work: float) -> None:
        for loaded, _, _ in CONFLICTS.values():
            cause = explain(loaded, Clock(work, deterministic=True), 1)
            assert cause.message
            assert cause.members

    def test_links_that_are_not_proved_to_be_the_fewest(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def unproved(*arguments: Any, **options: Any) -> Outcome:
            status, solver = run(*arguments, **options)
            return ("FEASIBLE" if status == "OPTIMAL" else status), solver

        loaded = topology("a, b, c", "1 1 1", links="b>a cb ca", rules="even_stages=false")
        assert explain(loaded, no_limit(), 1).searched
        monkeypatch.setattr(model, "run", unproved)
        cause = explain(loaded, no_limit(), 1)
        assert not cause.searched
        assert find_routes(Instance.of(changed(loaded, cause)), no_limit(), 1)

    def test_choices_that_end_before_the_search_does(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loaded = CONFLICTS["swaps and links"][0]
        assert explain(loaded, no_limit(), 1).searched
        monkeypatch.setattr(repair, "_CHOICES", 1)
        cause = explain(loaded, no_limit(), 1)
        # What needs no proof of being the smallest does all the same.
        assert cause.irreducible
        assert cause.changes
        assert not cause.searched
        assert find_routes(Instance.of(changed(loaded, cause)), no_limit(), 1)

    def test_two_hundred_pins_do_not_cost_two_hundred_proofs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = 0

        def counted(problem: Problem, clock: Clock, workers: int) -> bool:
            nonlocal asked
            asked += 1
            return feasible(problem, clock, workers)

        monkeypatch.setattr(shrink, "feasible", counted)
        nodes = ", ".join(f"n{i} stage={i % 4}" for i in range(200))
        loaded = topology(nodes, 50, stages=4, rules="path_length=2, max_jump=1", workload="microbatches=2")
        cause = explain(loaded, Clock(60), 1)
        assert cause.irreducible
        assert suggested(cause) == {"rules.max_jump": "3"}
        assert asked < 40
