"""The topology that is left without some nodes: by hand."""

from __future__ import annotations

from typing import Any

import pytest
from solver_cases import topology

from skipsched import InputError, Topology, load_topology
from skipsched.repair.left import NothingLeft, left_without, with_sizes

LINKED = """
skipsched: 1
name: linked
nodes:
  - {id: "n{}", count: 3, location: here, forward_time: 10 ms, memory: 1}
  - {id: m, location: there, forward_time: 10 ms, memory: 1}
network:
  links:
    - {between: [here, there], latency: 1 ms, bandwidth: 1 GB/s}
    - {between: [n0, here], latency: 1 ms, bandwidth: 1 GB/s}
    - {from: m, to: n1, latency: 1 ms, bandwidth: 1 GB/s}
    - {between: [n1, n2], latency: 1 ms, bandwidth: 1 GB/s}
workload: {stages: 2, stage_sizes: [2, 2], microbatches: 2, activation: 1 MB}
"""


def workload(found: Topology) -> Any:
    return found.document["workload"]


def test_links_of_the_node_go_and_those_of_its_location_stay() -> None:
    found = left_without(load_topology(LINKED), {"n0": 0, "n1": 1, "n2": 0, "m": 1}, ["n1"])
    assert [node.id for node in found.nodes] == ["n0", "n2", "m"]
    rows = found.document["network"]["links"]
    assert [row.get("between") for row in rows] == [["here", "there"], ["n0", "here"]]
    assert workload(found)["stage_sizes"] == ["2", "1"]
    # What is not concerned is as it was, to the letter.
    assert found.document["name"] == "linked"
    assert found.document["nodes"][0]["forward_time"] == "10 ms"


def test_a_data_node_fewer() -> None:
    found = left_without(topology("a, b, c, d", 2, stages=3), {"a": 0, "b": 0, "c": 1, "d": 2}, ["a"])
    assert found.workload.data_nodes == 1
    assert found.workload.stage_sizes is None


def test_another_node_fewer_leaves_the_data_nodes() -> None:
    stages = {"a": 0, "b": 0, "c": 1, "d": 1, "e": 2}
    found = left_without(topology("a, b, c, d, e", 2, stages=3), stages, ["c"])
    assert found.workload.data_nodes == 2


def test_where_a_stage_would_have_no_node_sizes_are_free() -> None:
    stages = {"a": 0, "b": 0, "c": 1, "d": 2, "e": 2}
    found = left_without(topology("a, b, c, d, e", "2 1 2"), stages, ["c"])
    assert found.workload.stage_sizes is None
    assert found.workload.data_nodes == 2
    assert workload(with_sizes(found, (0, 0, 2, 1)))["stage_sizes"] == ["2", "1", "1"]


def test_data_nodes_give_way_where_no_other_stage_can() -> None:
    """Four nodes are left for three stages, three of them data nodes: one of these has to move."""
    stages = {"a": 0, "b": 0, "c": 0, "d": 1, "e": 2}
    found = left_without(topology("a, b, c, d, e", "3 1 1"), stages, ["e"])
    assert found.workload.data_nodes == 2


def test_the_only_data_node_leaves() -> None:
    found = left_without(topology("a, b, c", "1 2"), {"a": 0, "b": 1, "c": 1}, ["a"])
    assert found.workload.data_nodes == 1


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (["a"], "more than the 1 nodes there are"),
        (["a", "b"], "no nodes"),
    ],
)
def test_too_few_nodes_are_left(gone: list[str], said: str) -> None:
    with pytest.raises(NothingLeft, match=said):
        left_without(topology("a, b", "1 1"), {"a": 0, "b": 1}, gone)


def test_pins_that_leave_a_stage_empty() -> None:
    with pytest.raises(NothingLeft, match="more nodes are pinned to stage 1 than the 1"):
        left_without(topology("a, b stage=1, c stage=1", "1 2"), {"a": 0, "b": 1, "c": 1}, ["a"])


def test_strangers_are_all_told() -> None:
    with pytest.raises(InputError) as told:
        left_without(load_topology(LINKED), {"n0": 0, "n1": 1, "n2": 0, "m": 1}, ["n1", "n11", "x"])
    assert [found.message for found in told.value.diagnostics] == [
        'the schedule has no node "n11"',
        'the schedule has no node "x"',
    ]
    assert told.value.diagnostics[0].hint == 'did you mean "n1"?'
