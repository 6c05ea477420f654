"""Topologies under other rules."""

from __future__ import annotations

from skipsched import load_topology
from skipsched.compare.variants import emitting, full_pipeline, with_rules
from skipsched.topology.model import document_hash


def test_what_is_not_changed_stays() -> None:
    topology = load_topology("geo-20")
    before = document_hash(topology.document)
    changed = with_rules(topology, even_nodes=True, path_period=3)
    assert changed.rules.even_nodes
    assert changed.rules.path_period == 3
    assert changed.rules.path_length == topology.rules.path_length
    assert (changed.nodes, changed.network, changed.workload) == (
        topology.nodes,
        topology.network,
        topology.workload,
    )
    assert document_hash(topology.document) == before


def test_a_rule_that_is_not_given_has_its_default() -> None:
    topology = with_rules(load_topology("geo-20"), path_period=3, max_jump=1, path_length=6)
    assert with_rules(topology, path_period=None, max_jump=None).rules.path_period is None
    assert with_rules(topology, max_jump=None).rules.max_jump == 4


def test_no_rule_given_and_none_in_the_file() -> None:
    document = {k: v for k, v in load_topology("small-8").document.items() if k != "rules"}
    assert "rules" not in document
    from skipsched.topology.load import load_document

    bare = load_document(document)
    assert with_rules(bare, max_swaps=0).rules.max_swaps == 0


def test_the_full_pipeline_has_one_order_of_stages() -> None:
    """The path length stands as a ratio in this file; both together would contradict each other."""
    topology = load_topology("geo-20")
    assert "skip_ratio" in topology.document["rules"]
    full = full_pipeline(topology)
    assert (full.rules.path_length, full.rules.max_swaps) == (6, 0)


def test_some_data_nodes_emit_everything() -> None:
    """Five data nodes of 6 microbatches: 30 over three of them are 10 each, over four 8, 8, 7 and 7."""
    topology = load_topology("geo-20")
    allocation = [0, 0, 0, 0, 0] + [1 + n // 3 for n in range(15)]

    def emitted(emitters: list[int]) -> list[int]:
        changed = emitting(topology, allocation, emitters)
        return [node.microbatches for node in changed.nodes]

    assert emitted([0, 2, 4]) == [10, 0, 10, 0, 10] + [6] * 15
    assert emitted([4, 3, 1, 0]) == [7, 7, 0, 8, 8] + [6] * 15
