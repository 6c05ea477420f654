"""Why there are no routes: the true cause, and nothing in it that could be left out."""

from __future__ import annotations

import pytest
from brute_force import allocations
from solver_cases import feasible_with, no_limit, topology

from skipsched.clock import Clock, OutOfTime
from skipsched.instance import Instance
from skipsched.routes.cause import Cause, Infeasible
from skipsched.routes.find import find_routes
from skipsched.topology.model import Topology

MODEL = "model={hidden_size: 64, sequence_length: 64, vocab_size: 1000, dtype: float32}"


def cause_of(tables: Instance, allocation: tuple[int, ...] | None = None) -> Cause:
    with pytest.raises(Infeasible) as caught:
        find_routes(tables, no_limit(), 1, allocation=allocation)
    return caught.value.cause


class TestAllocation:
    """Pins, memory and sizes leave no allocation: no path is ever asked for."""

    def test_pins_leave_a_stage_without_holder(self) -> None:
        loaded = topology("a stage=0, b stage=1, c stage=1, d stage=2, e stage=2", 1, stages=4)
        cause = cause_of(Instance.of(loaded))
        assert set(cause.rules) == {"allocation"}
        assert "stage 3 must have at least 1 node, but no node can be there" in cause.message

    def test_memory_in_bytes_with_no_slot(self) -> None:
        # A later stage takes 1,050,624 bytes and 278,528 a microbatch; c falls a byte short.
        loaded = topology("a memory=8MiB, b memory=8MiB, c memory=1329151B", "1 2", workload=MODEL)
        cause = cause_of(Instance.of(loaded))
        assert cause.rules == ("allocation",)
        assert "c" in cause.message

    def test_a_pin_to_a_stage_that_the_memory_does_not_hold(self) -> None:
        # The first stage takes 3,099,648 bytes alone.
        loaded = topology("a memory=8MiB, b memory=2MiB stage=0", "1 1", workload=MODEL)
        assert cause_of(Instance.of(loaded)).rules == ("allocation",)

    def test_nobody_holds_the_first_stage(self) -> None:
        loaded = topology("a memory=2MiB, b memory=2MiB", "1 1", workload=MODEL)
        cause = cause_of(Instance.of(loaded))
        assert set(cause.rules) == {"allocation"}
        # Told from either side: both nodes can hold stage 1 alone, or nobody stage 0.
        assert "2 nodes can hold nothing but stage 1, with room for 1 node: a, b" in cause.message


#: Topologies that have allocations and no paths, with the rules in conflict and a part of what is said.
CONFLICTS: dict[str, tuple[Topology, set[str], str]] = {
    "missing links cut every path": (
        topology("a, b, c", "1 1 1", links="ab bc"),
        {"link"},
        "missing links",
    ),
    "a node of its own in a stage of its own": (
        topology("a stage=0, b stage=1, c stage=2", "1 1 1", links="ab"),
        {"link"},
        "c cannot exchange anything with any other node",
    ),
    "islands": (
        topology("a, b, c, d", "1 1 1 1", links="ab cd", rules="path_length=3, even_stages=false"),
        {"link"},
        "2 islands",
    ),
    "pins against links": (
        topology("a stage=0, b stage=1, c stage=1", "1 2", links="bc"),
        {"link", "allocation"},
        "the pins and the memory",
    ),
    "cover with too few microbatches": (
        topology("a, b, c", "1 1 1", rules="path_length=2, cover=true"),
        {"cover"},
        "with 1 path a data node reaches at most 1 of the 2 other stages",
    ),
    "cover with a period": (
        topology(
            "a, b, c",
            "1 1 1",
            workload="microbatches=4",
            rules="path_length=2, cover=true, path_period=1, even_stages=false",
        ),
        {"cover", "path-period"},
        "path_period 1",
    ),
    "even stages with a period": (
        topology("a, b, c", "1 1 1", workload="microbatches=4", rules="path_length=2, path_period=1"),
        {"even-stages", "path-period"},
        "path_period 1",
    ),
    "even nodes and a missing link": (
        # c can do nothing, wherever it is beside the other.
        topology("a, b, c", "1 2", links="ab", workload="microbatches=4", rules="even_nodes=true"),
        {"even-nodes", "link"},
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
        {"even-nodes", "path-period", "link", "allocation"},
        "even-nodes",
    ),
    "even nodes with a period": (
        # Microbatches 0 and 2 share a path, 1 has its own: two and one for three nodes.
        topology(
            "a stage=0, b, c, d", "1 3", workload="microbatches=3", rules="even_nodes=true, path_period=2"
        ),
        {"even-nodes", "path-period"},
        "path_period 2",
    ),
    "no ring": (
        topology("a stage=0, b, c", "1 2", links="ab ac", workload="gradient=[0 B, 8 B]"),
        {"ring", "allocation"},
        "all-reduce",
    ),
    "a stage that no jump reaches": (
        topology("a, b, c", "1 1 1", workload="microbatches=2", rules="path_length=2, max_jump=1"),
        {"even-stages", "jump"},
        "no allowed order of stages executes stage 2",
    ),
    "swaps and links": (
        # Around the links the stages come as 0, 2, 1, 3 or 0, 3, 1, 2.
        topology(
            "a stage=0, b stage=1, c stage=2, d stage=3", "1 1 1 1", links="ac cb bd da", rules="max_swaps=0"
        ),
        {"link", "swap", "allocation"},
        "max_swaps 0",
    ),
}


@pytest.mark.parametrize("name", CONFLICTS)
def test_the_rules_in_conflict(name: str) -> None:
    loaded, rules, part = CONFLICTS[name]
    cause = cause_of(Instance.of(loaded))
    assert set(cause.rules) - {"path-length"} == rules
    assert part in cause.message
    assert "time ran out" not in cause.message
    assert_irreducible(loaded, cause)


def assert_irreducible(loaded: Topology, cause: Cause) -> None:
    """Together the rules named admit nothing; without any one of them the others do."""
    named = frozenset(cause.rules) - {"path-length"}
    assert not feasible_with(loaded, named)
    for rule in named:
        assert feasible_with(loaded, named - {rule}), rule


def test_pins_against_a_ring_are_mended_by_another_allocation() -> None:
    # The case above without its pin: c emits, and a and b share stage 1.
    loaded = topology("a, b, c", "1 2", links="ab ac", workload="gradient=[0 B, 8 B]")
    routes = find_routes(Instance.of(loaded), no_limit(), 1)
    assert routes.allocation in set(allocations(Instance.of(loaded)))


class TestFixedAllocation:
    def test_links(self) -> None:
        tables = Instance.of(topology("a, b, c", "1 2", links="ab bc"))
        assert find_routes(tables, no_limit(), 1, allocation=(1, 0, 1)).allocation == (1, 0, 1)
        loaded = Instance.of(topology("a, b, c", "2 1", links="ab bc"))
        cause = cause_of(loaded, (0, 0, 1))
        assert cause.rules == ("path-length", "link")
        assert cause.message.startswith("the given allocation and paths of 2")

    def test_ring(self) -> None:
        tables = Instance.of(topology("a, b, c", "1 2", links="ab bc", workload="gradient=8 B"))
        assert cause_of(tables, (1, 0, 1)).rules == ("ring",)

    def test_that_emits_nothing(self) -> None:
        # Nothing is wrong with any path: b would have emitted one.
        tables = Instance.of(topology("a microbatches=0, b", "1 1"))
        cause = cause_of(tables, (0, 1))
        assert cause.rules == ("microbatches",)
        assert "emits" in cause.message
        assert find_routes(tables, no_limit(), 1, allocation=(1, 0)).paths == ((1, 0),)


def test_out_of_time_is_no_proof() -> None:
    tables = Instance.of(CONFLICTS["islands"][0])
    stopped = Clock(1e9, deterministic=True)
    stopped.stop()
    with pytest.raises(OutOfTime):
        find_routes(tables, stopped, 1)
