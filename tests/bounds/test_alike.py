"""Nodes are of one class only if no schedule can tell them apart."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from bounds.alike_cases import alike_topology
from solver_cases import instance, no_limit, random_case

from skipsched.bounds.alike import Classes
from skipsched.bounds.tables import INFINITE
from skipsched.instance import Instance

MS = 1000


def classes(tables: Instance) -> list[list[int]]:
    return Classes(tables, no_limit()).members


def test_what_tells_nodes_apart() -> None:
    assert classes(instance("a, b, c, d", "2 2")) == [[0, 1, 2, 3]]
    assert classes(instance("a, b layer_time=20ms, c, d", "2 2")) == [[0, 2, 3], [1]]
    assert classes(instance("a, b memory=2, c, d", "2 2")) == [[0, 2, 3], [1]]
    assert classes(instance("a, b stage=0, c, d", "2 2")) == [[0, 2, 3], [1]]
    assert classes(instance("a, b microbatches=3, c, d", "2 2")) == [[0, 2, 3], [1]]


def test_links_to_every_other_node_count() -> None:
    # Without c-d, a and b still have the same links, and so have c and d.
    assert classes(instance("a, b, c, d", "2 2", links="ab ac ad bc bd")) == [[0, 1], [2, 3]]
    # In a ring of four, opposite nodes have the same neighbours.
    assert classes(instance("a, b, c, d", "2 2", links="ab bc cd da")) == [[0, 2], [1, 3]]
    # One direction more tells a from c.
    assert classes(instance("a, b, c, d", "2 2", links="ab bc cd da a>c")) == [[0], [1, 3], [2]]


def test_links_within_a_class() -> None:
    found = Classes(instance("a, b, c, d", "2 2", links="ab bc cd da"), no_limit())
    assert found.hops.tolist() == [[INFINITE, 2 * MS], [2 * MS, INFINITE]]
    found = Classes(instance("a, b, c layer_time=20ms", "1 2"), no_limit())
    assert found.counts.tolist() == [2, 1]
    assert found.hops.tolist() == [[2 * MS, 2 * MS], [2 * MS, INFINITE]]


@pytest.mark.parametrize("seed", range(60))
def test_nodes_of_a_class_may_change_places(seed: int) -> None:
    tables = Instance.of(alike_topology(Random(seed))) if seed % 2 else random_case(seed)[1]
    found = Classes(tables, no_limit())
    assert sorted(n for nodes in found.members for n in nodes) == list(range(tables.nodes))
    for nodes in found.members:
        for other in nodes[1:]:
            order = list(range(tables.nodes))
            order[nodes[0]], order[other] = other, nodes[0]
            exchanged = replace(
                tables,
                forward=tuple(tables.forward[n] for n in order),
                slots=tuple(tables.slots[n] for n in order),
                allowed=tuple(tables.allowed[n] for n in order),
                microbatches=tuple(tables.microbatches[n] for n in order),
                transfer=tuple(tuple(tables.transfer[a][b] for b in order) for a in order),
            )
            assert exchanged == tables
            for stage in range(tables.stages):
                hops = [[tables.allreduce.hop(stage, 2, a, b) for b in order] for a in order]
                for a, row in enumerate(hops):
                    for b, hop in enumerate(row):
                        assert a == b or hop == tables.allreduce.hop(stage, 2, a, b)
