"""Allocations worth trying: those in blocks keep every stage in a neighbourhood of its own."""

from __future__ import annotations

from itertools import islice

import pytest
from solver_cases import random_case

from skipsched.clock import NO_LIMIT
from skipsched.instance import Instance
from skipsched.routes.allocate import allocations
from skipsched.routes.blocks import allocations_in_blocks
from skipsched.topology.load import load_topology


def islands(gradient: str) -> Instance:
    """West has five nodes and East four, in turns; two of West's are the data nodes."""
    nodes = "".join(
        f"  - {{id: {place[0]}{n}, location: {place}, layer_time: 1 ms, memory: 2{pin}}}\n"
        for n in range(5)
        for place, pin in (("West", ", stage: 0" if n < 2 else ""), ("East", ""))
        if (n, place) != (4, "East")
    )
    return Instance.of(
        load_topology(f"""
skipsched: 1
name: islands
nodes:
{nodes}
network:
  default: {{latency: 1 ms, bandwidth: 10 GB/s}}
  links: [{{between: [West, East], latency: 100 ms, bandwidth: 10 MB/s}}]
workload:
  {{stages: 3, layers: 3, data_nodes: 2, samples_per_microbatch: 1, microbatches: 4, activation: 1 kB,
   gradient: {gradient}}}
rules: {{path_length: 3}}
""")
    )


def kept_apart(tables: Instance, allocation: list[int]) -> bool:
    """Whether no stage has nodes on both islands."""
    places = {(stage, name[0]) for stage, name in zip(allocation, tables.node_ids, strict=True)}
    return len(places) == tables.stages


def test_blocks_keep_stages_apart() -> None:
    """East's four nodes hold one stage, West's other three the other, though even sizes would be 3.5 each."""
    tables = islands("10 MB")
    found = list(islice(allocations_in_blocks(tables, NO_LIMIT, 0), 10))
    assert any(kept_apart(tables, allocation) for allocation in found)


def test_blocks_share_neighbourhoods_in_other_ways_too() -> None:
    """Stage 1 has all of West's other nodes, or all of East's, or some of either: its size is free."""
    tables = islands("10 MB")
    found = islice(allocations_in_blocks(tables, NO_LIMIT, 0), 40)
    held = {
        tuple(sorted(name[0] for stage, name in zip(each, tables.node_ids, strict=True) if stage == 1))
        for each in found
    }
    assert {("W", "W", "W"), ("E", "E", "E", "E")} <= held
    assert len(held) > 2


def test_all_others_do_not() -> None:
    """Paths pay for what lies between the islands: each stage is dealt nodes of both."""
    tables = islands("0 B")
    assert not any(kept_apart(tables, allocation) for allocation in islice(allocations(tables, NO_LIMIT), 10))


@pytest.mark.parametrize("seed", range(20))
def test_sizes_pins_and_memory_bind_blocks_too(seed: int) -> None:
    _, tables = random_case(seed)
    for allocation in islice(allocations_in_blocks(tables, NO_LIMIT, seed), 5):
        assert all(stage in able for stage, able in zip(allocation, tables.allowed, strict=True))
        sizes = [allocation.count(stage) for stage in range(tables.stages)]
        bounds = zip(tables.min_sizes, sizes, tables.max_sizes, strict=True)
        assert all(least <= size <= most for least, size, most in bounds)
