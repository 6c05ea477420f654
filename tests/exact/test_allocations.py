"""Allocations up to exchanges of equal nodes: none missing, none twice, and exchanges change no figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from random import Random

import brute_force
import pytest
from exact_cases import bundled
from random_topologies import FEATURES, random_topology
from solver_cases import instance, topology

from skipsched.exact.allocations import equal_nodes, few_allocations
from skipsched.instance import Instance
from skipsched.topology.load import load_topology
from skipsched.topology.model import Topology

#: More than any of the small topologies has.
ENOUGH = 10_000
#: What makes every node one of its own.
_SINGULAR = {"missing-links"}


def alike_case(seed: int) -> Topology:
    """A random topology most of whose nodes are copies of one or two of them."""
    rng = Random(seed)
    features = {feature for feature in sorted(FEATURES) if rng.random() < 0.3}
    if rng.random() < 0.8:
        features -= _SINGULAR
    loaded = load_topology(random_topology(rng, features))
    patterns = rng.sample(loaded.nodes, min(2, len(loaded.nodes)))
    copies = [
        node if rng.random() < 0.1 else replace(rng.choice(patterns), id=node.id) for node in loaded.nodes
    ]
    return replace(loaded, nodes=tuple(copies))


def without_gradients(loaded: Topology) -> Instance:
    """Its tables, with no ring asked for: allocations are enumerated whether there are rings or not."""
    nothing = (Fraction(0),) * loaded.workload.stages
    return Instance.of(replace(loaded, workload=replace(loaded.workload, gradient=nothing)))


def class_of(groups: Sequence[Sequence[int]], allocation: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """What exchanges within the groups cannot change: the stages that each group holds."""
    return tuple(tuple(sorted(allocation[n] for n in group)) for group in groups)


@pytest.mark.parametrize("chunk", range(4))
def test_one_allocation_of_every_class(chunk: int) -> None:
    seen = shared = 0
    for seed in range(60 * chunk, 60 * chunk + 60):
        loaded = alike_case(seed)
        tables = Instance.of(loaded)
        groups = equal_nodes(tables)
        assert sorted(n for group in groups for n in group) == list(range(tables.nodes))
        found = few_allocations(tables, ENOUGH)
        assert found is not None
        expected = set(brute_force.allocations(without_gradients(loaded)))
        classes = [class_of(groups, allocation) for allocation in found]
        assert set(found) <= expected, seed
        assert len(set(classes)) == len(classes), seed
        assert set(classes) == {class_of(groups, allocation) for allocation in expected}, seed
        shared += len(found) < len(expected)
        seen += bool(expected)
    assert seen > 25
    assert shared > 10


def figures(tables: Instance, name: Sequence[int]) -> list[object]:
    """Everything that the tables say, with node n called ``name[n]``."""
    nodes = range(tables.nodes)
    sizes = range(1, tables.nodes + 1)
    return [
        [tables.forward[name[n]] for n in nodes],
        [tables.backward[name[n]] for n in nodes],
        [tables.loss[name[n]] for n in nodes],
        [tables.slots[name[n]] for n in nodes],
        [tables.allowed[name[n]] for n in nodes],
        [tables.microbatches[name[n]] for n in nodes],
        [[tables.transfer[name[a]][name[b]] for b in nodes] for a in nodes],
        [
            [[tables.allreduce.hop(stage, q, name[a], name[b]) for b in nodes if b != a] for a in nodes]
            for stage in range(tables.stages)
            for q in sizes
        ],
    ]


def exchanged(nodes: int, a: int, b: int) -> list[int]:
    return [b if n == a else a if n == b else n for n in range(nodes)]


def test_exchanges_within_a_group_change_no_figure_and_all_others_do() -> None:
    within = across = 0
    for seed in range(150):
        tables = Instance.of(alike_case(seed))
        group_of = {n: g for g, group in enumerate(equal_nodes(tables)) for n in group}
        as_it_is = figures(tables, range(tables.nodes))
        for a, b in combinations(range(tables.nodes), 2):
            same = figures(tables, exchanged(tables.nodes, a, b)) == as_it_is
            if group_of[a] == group_of[b]:
                assert same, (seed, a, b)
                within += 1
            elif not tables.allreduce.present:
                # With gradients, links that differ may happen to cost the same.
                assert not same, (seed, a, b)
                across += 1
    assert within > 200
    assert across > 200


@pytest.mark.parametrize(
    "own",
    ["layer_time=11ms", "memory=2", "stage=1", "microbatches=2"],
)
def test_nodes_that_differ_in_one_figure(own: str) -> None:
    assert equal_nodes(instance("a, b, c", "1 2")) == [[0, 1, 2]]
    assert equal_nodes(instance(f"a, b, c {own}", "1 2")) == [[0, 1], [2]]


def test_nodes_that_differ_in_the_loss_alone() -> None:
    tables = instance("a, b, c", "1 2")
    assert equal_nodes(replace(tables, loss=(1, 1, 2))) == [[0, 1], [2]]


def test_links_that_differ_in_one_direction() -> None:
    both = "ab ac ad bc bd cd"
    assert equal_nodes(instance("a, b, c, d", "1 3", links=both)) == [[0, 1, 2, 3]]
    # c hears from d, but d not from c.
    assert equal_nodes(instance("a, b, c, d", "1 3", links="ab ac ad bc bd d>c")) == [[0, 1], [2], [3]]
    assert equal_nodes(instance("a, b, c, d", "1 3", links="ab ac ad bc bd")) == [[0, 1], [2, 3]]


def test_links_that_cost_the_same_activation_but_another_allreduce() -> None:
    # A transfer takes 1 ms on all links: without gradients all nodes are alike.
    loaded = topology("a, b, c", "1 2", links="ab ac bc")
    rows = loaded.network.rows
    slow = rows["a", "b"]
    fast = replace(slow, latency=slow.latency + Fraction(9, 20_000), bandwidth=2 * slow.bandwidth)
    rows = {ends: fast if "a" not in ends else slow for ends in rows}
    loaded = replace(loaded, network=replace(loaded.network, rows=rows))
    assert equal_nodes(Instance.of(loaded)) == [[0, 1, 2]]
    gradients = replace(loaded, workload=replace(loaded.workload, gradient=(Fraction(8), Fraction(8))))
    assert equal_nodes(Instance.of(gradients)) == [[0], [1, 2]]


def test_the_limit() -> None:
    # Four nodes of their own on two stages of two: six ways.
    tables = instance("a, b layer_time=1ms, c layer_time=2ms, d layer_time=3ms", "2 2")
    found = few_allocations(tables, 6)
    assert found is not None
    assert len(found) == 6
    assert few_allocations(tables, 5) is None


def test_alike_nodes_are_few_allocations() -> None:
    # Six alike nodes, sizes free but for two data nodes: 1 3, 2 2, 3 1 on the other stages.
    tables = instance("a, b, c, d, e, f", 2, stages=3)
    assert few_allocations(tables, 3) == [(0, 0, 1, 1, 1, 2), (0, 0, 1, 1, 2, 2), (0, 0, 1, 2, 2, 2)]
    assert few_allocations(tables, 2) is None


def test_none_at_all() -> None:
    tables = instance("a, b, c", "1 2")
    nobody_first = replace(tables, allowed=((1,), (1,), (1,)))
    assert few_allocations(nobody_first, ENOUGH) == []
    assert few_allocations(replace(tables, allowed=((0, 1), (0, 1), ())), ENOUGH) == []


def test_too_many_of_a_large_topology() -> None:
    assert few_allocations(bundled("geo-20"), 1000) is None
