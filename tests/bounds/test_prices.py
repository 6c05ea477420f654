"""The prices bound: sound at any prices, and with nodes that are alike."""

from __future__ import annotations

from itertools import islice
from random import Random

import numpy as np
import pytest
from bounds.alike_cases import alike_topology
from brute_force import allocations
from solver_cases import instance, no_limit, optimum, random_case, tiny

import skipsched
from skipsched.bounds import prices_bound
from skipsched.bounds.alike import Classes
from skipsched.bounds.chosen import largest_share, smallest_share
from skipsched.bounds.prices import Market, Offer
from skipsched.clock import Clock
from skipsched.instance import Instance
from skipsched.topology.load import load_topology
from skipsched.topology.model import Topology

MS = 1000

FAR_APART = """
skipsched: 1
name: far-apart
nodes:
  - {id: pinned, location: west, layer_time: 10 ms, memory: 1, stage: 1}
  - {id: "w{}", count: 2, location: west, layer_time: 10 ms, memory: 1}
  - {id: "e{}", count: 2, location: east, layer_time: 10 ms, memory: 1}
network:
  default: {latency: 1 ms, bandwidth: 1 GB/s}
  links:
    - {between: [west, east], latency: 100 ms, bandwidth: 1 MB/s}
workload:
  stages: 3
  layers: 3
  samples_per_microbatch: 1
  microbatches: 2
  activation: 1 kB
  gradient: GRADIENT
  stage_sizes: [1, 2, 2]
"""


def market(tables: Instance) -> Market:
    return Market(tables, Classes(tables, no_limit()), no_limit())


def random_offer(rng: Random, found: Market) -> Offer:
    size, stages = len(found.classes), found.instance.stages
    return Offer(
        np.array([rng.choice((0, rng.randrange(1000))) for _ in range(size)]),
        np.array([rng.choice((0, rng.randrange(1000))) for _ in range(size)]),
        np.array([[rng.choice((0, rng.randrange(10**8))) for _ in range(stages)] for _ in range(size)]),
        np.array([0, *(rng.choice((0, rng.randrange(10**8))) for _ in range(stages - 1))]),
        np.array([rng.choice((0, rng.randrange(-(10**8), 10**8))) for _ in range(size)]),
    )


def solved(topology: Topology) -> int:
    """The iteration time of a schedule."""
    result = skipsched.solve(topology, deterministic=True, time_limit=0.5)
    assert result.schedule is not None
    time: int = result.schedule.document["iteration_time"]
    return time


@pytest.mark.parametrize("chunk", range(3))
def test_any_prices_are_a_proof(chunk: int) -> None:
    seen = excluded = successive = 0
    for seed in range(50 * chunk, 50 * chunk + 50):
        tables = tiny(seed)
        if tables is None:
            continue
        rng = Random(seed)
        best = optimum(tables, solved(random_case(seed)[0]))
        found = market(tables)
        late = found.within(best)
        early = found.within(best // 2)
        for _ in range(20):
            priced = found.priced(random_offer(rng, found))
            assert found.unpaid(priced, found.choices(priced, late)) <= 0
            excluded += found.unpaid(priced, found.choices(priced, early)) > 0
        seen += 1
        successive += int(found.successive.any())
    assert seen > 5
    assert excluded > 0
    assert successive > 0


@pytest.mark.parametrize("chunk", range(4))
def test_nodes_that_are_alike(chunk: int) -> None:
    for seed in range(12 * chunk, 12 * chunk + 12):
        topology = alike_topology(Random(seed))
        tables = Instance.of(topology)
        if next(allocations(tables), None) is None:
            continue
        time = solved(topology)
        of_all = prices_bound(tables, 0, 2 * time, no_limit())
        assert of_all <= time
        for allocation in islice(allocations(tables), 3):
            # A single allocation is excluded no later than all are, up to how closely that is looked for.
            assert prices_bound(tables.restricted_to(allocation), 0, 2 * time, no_limit()) >= of_all * 0.99


def test_every_stage_has_its_share() -> None:
    # b is fast, c takes 300 for a microbatch, but each executes 2 of the 4. With one slot c needs twice
    # 300 + 2, 10 + 1 before for the way from a and 1 + 20 after it for the way home.
    nodes = "a stage=0 memory=4, b stage=1, c stage=2 layer_time=100ms"
    tables = instance(nodes, "1 1 1", workload="microbatches=4", rules="path_length=2")
    assert prices_bound(tables, 0, 10_000 * MS, no_limit()) == (11 + 2 * (300 + 2) + 21) * MS
    # Without even-stages c has none, and b all four.
    loose = instance(nodes, "1 1 1", workload="microbatches=4", rules="path_length=2, even_stages=false")
    assert prices_bound(loose, 0, 10_000 * MS, no_limit()) == (11 + 4 * (30 + 2) + 21) * MS


def test_paths_of_microbatches_in_succession() -> None:
    # By b a round trip is 64, by c and d 70. Each has 2 of the 5 at most. Three of them follow one after the
    # other on the two slots: 64 + 64 + 70. As if all could be divided it would be (5 * 67.6 + 30) / 2 = 184.
    nodes = (
        "a stage=0 memory=2, b stage=1 memory=9, "
        "c stage=2 memory=9 layer_time=12ms, d stage=3 memory=9 layer_time=12ms"
    )
    tables = instance(nodes, "1 1 1 1", workload="microbatches=5", rules="path_length=2")
    assert prices_bound(tables, 0, 10_000 * MS, no_limit()) == 198 * MS


def test_slots_that_could_never_be_used() -> None:
    # The prices are as large as arithmetic allows, and no larger.
    def unit(slots: int) -> float:
        tables = instance(f"a stage=0 memory={slots}, b stage=1", "1 1", workload="microbatches=9")
        prices = [np.full(2, 1e-3), np.full(2, 1e-3), np.ones((2, 2)), np.ones(2), np.ones(2)]
        return market(tables).unit(prices, 10_000 * MS)

    assert unit(9) == unit(10_000_000) == unit(1_000_000_000) > 1


def test_what_a_stage_executes() -> None:
    # Each of two stages has 2 of the 4 microbatches, whatever its nodes could do.
    tables = instance("a, b, c", "1 1 1", workload="microbatches=4", rules="path_length=2")
    assert (smallest_share(tables), largest_share(tables)) == (2, 2)
    # 3 visits on 2 stages: one has 1, the other 2. Without even-stages one may have them all.
    odd = instance("a, b, c", "1 1 1", workload="microbatches=3", rules="path_length=2")
    assert (smallest_share(odd), largest_share(odd)) == (1, 2)
    loose = instance("a, b, c", "1 1 1", workload="microbatches=3", rules="path_length=2, even_stages=false")
    assert (smallest_share(loose), largest_share(loose)) == (0, 3)


def test_rings_keep_stages_where_they_are() -> None:
    # Each stage may have a node in the west: two round trips of 3 * 30 and 6 * 1.001. But a ring across takes
    # 2 * (100 + 1500). Without one stage 1 is in the west, where its pin is, and so is the data node, or
    # stage 2 could not be in the east. Two of three hops there and back take 2 * 101.
    near = Instance.of(load_topology(FAR_APART.replace("GRADIENT", "0 B")))
    assert prices_bound(near, 0, 10_000 * MS, no_limit()) == 2 * (90_000 + 6 * 1_001)
    far = Instance.of(load_topology(FAR_APART.replace("GRADIENT", "[0 B, 3 MB, 3 MB]")))
    assert prices_bound(far, 0, 10_000 * MS, no_limit()) == 2 * (90_000 + 2 * 1_001 + 4 * 101_000)


def test_a_proof_ends_at_the_schedule_known() -> None:
    tables = instance("a stage=0, b", "1 1", workload="microbatches=4")
    assert prices_bound(tables, 0, 100 * MS, no_limit()) == 100 * MS


def test_what_is_proved_when_time_runs_out() -> None:
    tables = instance("a stage=0, b", "1 1", workload="microbatches=4")
    assert prices_bound(tables, 5, 10**9, Clock(0.0)) == 5
