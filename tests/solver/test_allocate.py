"""Allocations worth trying: those in blocks keep every stage in a neighbourhood of its own."""

from __future__ import annotations

from itertools import islice

from skipsched.clock import NO_LIMIT
from skipsched.instance import Instance
from skipsched.routes.allocate import allocations
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


def test_every_fourth_is_in_blocks_where_stages_average_gradients() -> None:
    """East's four nodes hold one stage, West's other three the other, though even sizes would be 3.5 each."""
    tables = islands("10 MB")
    found = list(islice(allocations(tables, NO_LIMIT), 12))
    assert any(kept_apart(tables, allocation) for allocation in found[1::4])


def test_nothing_is_in_blocks_where_they_do_not() -> None:
    """Paths pay for what lies between the islands: each stage is dealt nodes of both."""
    tables = islands("0 B")
    assert not any(kept_apart(tables, allocation) for allocation in islice(allocations(tables, NO_LIMIT), 12))
