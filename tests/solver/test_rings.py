"""Rings: the best one up to eight nodes, a valid one beyond, and one whenever there is one."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest
from solver_cases import cheapest_ring, instance

from skipsched.instance import NO_LINK, Instance
from skipsched.rings import EXACT_UP_TO, best_ring, ring_cost, rings_of
from skipsched.topology.load import load_topology
from skipsched.topology.model import Topology

GRADIENT = 840_000  # bytes; divides by every size up to 8


def network(rng: Random, size: int, share: float) -> Topology:
    """A data node and one stage of nodes, with a share of their directed links, each with its own figures."""
    rows = [
        f"{{from: n{a}, to: n{b}, latency: {rng.randint(0, 30)} ms, bandwidth: {rng.randint(1, 40)} MB/s}}"
        for a in range(size)
        for b in range(size)
        if a != b and rng.random() < share
    ]
    return load_topology(
        "\n".join(
            [
                "skipsched: 1",
                "name: ring",
                "nodes:",
                "  - {id: d, forward_time: 1 s, memory: 1, stage: 0}",
                *(f"  - {{id: n{i}, forward_time: 1 s, memory: 1}}" for i in range(size)),
                "network:",
                "  links:",
                "    - {between: [d, n0], latency: 0, bandwidth: 1 GB/s}",
                *(f"    - {row}" for row in rows),
                "workload:",
                f"  {{stages: 2, stage_sizes: [1, {size}], microbatches: 1, activation: 1 B,"
                f" gradient: {GRADIENT} B}}",
                "",
            ]
        )
    )


def exact_allreduce(topology: Topology, ring: Sequence[int]) -> int:
    """The all-reduce from the topology's own fractions, rounded once, half up."""
    size = len(ring)
    hops = []
    for a, b in pairwise([*ring, ring[0]]):
        link = topology.network.link(topology.nodes[a], topology.nodes[b])
        assert link is not None
        hops.append(link.latency + Fraction(GRADIENT, size) / link.bandwidth)
    microseconds = 2 * (size - 1) * max(hops) * 10**6 + Fraction(1, 2)
    return microseconds.numerator // microseconds.denominator


def ring_exists(tables: Instance, members: Sequence[int]) -> bool:
    """Whether there is a ring of directed links: all sets of nodes passed, with where one may stand then."""
    ends: dict[frozenset[int], set[int]] = {frozenset(members[:1]): {members[0]}}
    for _ in members[1:]:
        longer: dict[frozenset[int], set[int]] = {}
        for passed, last in ends.items():
            for node in members:
                if node not in passed and any(tables.transfer[a][node] != NO_LINK for a in last):
                    longer.setdefault(passed | {node}, set()).add(node)
        ends = longer
    return any(tables.transfer[a][members[0]] != NO_LINK for last in ends.values() for a in last)


def worst_unavoidable_hop(tables: Instance, members: Sequence[int]) -> int:
    """Every node is entered and left once: the ring's worst hop is no better than the cheapest of these."""
    size = len(members)
    worst = 0
    for a in members:
        for hops in (
            [tables.allreduce.hop(1, size, a, b) for b in members if b != a],
            [tables.allreduce.hop(1, size, b, a) for b in members if b != a],
        ):
            worst = max(worst, min(hop for hop in hops if hop != NO_LINK))
    return worst


@pytest.mark.parametrize("size", range(2, 8))
def test_the_best_of_all_rings(size: int) -> None:
    found = {True: 0, False: 0}
    for seed in range(12 if size == 7 else 30):
        rng = Random(100 * size + seed)
        topology = network(rng, size, rng.choice((1.0, 0.7, 0.5, 0.3)))
        tables = Instance.of(topology)
        members = list(range(1, size + 1))
        ring = best_ring(tables, 1, members)
        best = cheapest_ring(tables, 1, members)
        found[ring is not None] += 1
        if ring is None:
            assert best is None
        else:
            assert sorted(ring.nodes) == members
            assert ring.allreduce == best == exact_allreduce(topology, ring.nodes)
    assert found[True] > 0
    assert found[False] > 0


def test_eight_nodes_are_still_exact() -> None:
    tables = Instance.of(network(Random(8), EXACT_UP_TO, 0.6))
    members = list(range(1, EXACT_UP_TO + 1))
    ring = best_ring(tables, 1, members)
    assert ring is not None
    assert ring.allreduce == cheapest_ring(tables, 1, members)


@pytest.mark.parametrize("size", range(9, 12))
def test_beyond_a_ring_is_found_whenever_there_is_one(size: int) -> None:
    found = {True: 0, False: 0}
    for seed in range(12):
        rng = Random(100 * size + seed)
        topology = network(rng, size, rng.choice((0.18, 0.25, 0.3, 0.35, 0.6)))
        tables = Instance.of(topology)
        members = list(range(1, size + 1))
        ring = best_ring(tables, 1, members)
        assert (ring is not None) == ring_exists(tables, members), seed
        found[ring is not None] += 1
        if ring is not None:
            assert sorted(ring.nodes) == members
            assert ring.allreduce == exact_allreduce(topology, ring.nodes)
            assert ring.allreduce >= worst_unavoidable_hop(tables, members)
    assert min(found.values()) > 2, found


def test_a_hidden_cycle_among_dead_ends() -> None:
    # One Hamiltonian cycle, and from every node links back to earlier ones on it, which lead nowhere.
    rng = Random(0)
    size = 14
    cycle = rng.sample(range(size), size)
    rows = [
        (cycle[i], cycle[j]) for i in range(size) for j in range(size) if j == (i + 1) % size or 0 < j < i
    ]
    letters = "abcdefghijklmn"
    links = " ".join(f"{letters[a]}>{letters[b]}" for a, b in rows)
    tables = instance(
        "z stage=0, " + ", ".join(letters), f"1 {size}", links=f"za {links}", workload="gradient=8 B"
    )
    ring = best_ring(tables, 1, range(1, size + 1))
    assert ring is not None
    start = ring.nodes.index(cycle[0] + 1)
    assert [node - 1 for node in (*ring.nodes[start:], *ring.nodes[:start])] == cycle


def test_one_node_pays_nothing() -> None:
    tables = instance("a, b", "1 1", workload="gradient=8 MB")
    assert rings_of(tables, [[0], [1]]) == [best_ring(tables, stage, [stage]) for stage in (0, 1)]
    ring = best_ring(tables, 1, [1])
    assert ring is not None
    assert (ring.nodes, ring.allreduce) == ((1,), 0)


def test_without_gradient_missing_links_do_not_matter() -> None:
    tables = instance("a stage=0, b, c, d", "1 3", links="ab ac ad", workload="gradient=[8 B, 0 B]")
    ring = best_ring(tables, 1, [1, 2, 3])
    assert ring is not None
    assert (sorted(ring.nodes), ring.allreduce) == ([1, 2, 3], 0)


def test_one_stage_without_a_ring_is_enough_for_none() -> None:
    tables = instance("a, b, c, d", "2 2", links="ab ac ad bc bd", workload="gradient=8 B")
    # 2 * (2 - 1) * (0.1 ms + 8 B / 2 / (1 B/us)) = 208 us between a and b; c and d have no link.
    assert rings_of(tables, [[0, 1], [2, 3]]) is None
    rings = rings_of(tables, [[0, 2], [1, 3]])
    assert rings is not None
    assert [ring.allreduce for ring in rings] == [208, 208]


def test_the_cost_of_a_ring_is_its_worst_hop_each_way() -> None:
    hops = [[0, 1, 9], [7, 0, 2], [3, 8, 0]]
    assert ring_cost(hops, [0, 1, 2]) == 3
    assert ring_cost(hops, [0, 2, 1]) == 9
    assert ring_cost([[0, NO_LINK], [4, 0]], [0, 1]) == NO_LINK
