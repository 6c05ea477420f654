"""Small random topologies in which nodes are alike."""

from __future__ import annotations

from random import Random

from skipsched.topology.load import load_topology
from skipsched.topology.model import Topology


def alike_topology(rng: Random) -> Topology:
    """Four to six nodes in groups of equal ones, in two places, with gradients and free sizes at times."""
    counts = [rng.randint(1, 3) for _ in range(rng.randint(2, 3))]
    while sum(counts) < 4:
        counts[0] += 1
    while sum(counts) > 6:
        counts[counts.index(max(counts))] -= 1
    stages = rng.choice((2, 3, 3)) if sum(counts) > 3 else 2
    data_nodes = rng.randint(1, 2)
    sizes = [data_nodes] + [1] * (stages - 1)
    for _ in range(sum(counts) - sum(sizes)):
        sizes[rng.randrange(1, stages)] += 1
    nodes = [
        f"  - {{id: 'g{i}-{{}}', count: {count}, location: {rng.choice(('west', 'east'))},"
        f" forward_time: {rng.choice((10, 20, 50))} ms, memory: {rng.choice((1, 1, 2, 3))}}}"
        for i, count in enumerate(counts)
    ]
    free = rng.random() < 0.5
    return load_topology(
        "\n".join(
            [
                "skipsched: 1",
                "name: alike",
                "nodes:",
                *nodes,
                "network:",
                "  default: {latency: 1 ms, bandwidth: 100 MB/s}",
                "  links:",
                "    - {between: [west, east], latency: 5 ms, bandwidth: 10 MB/s}",
                "workload:",
                f"  stages: {stages}",
                f"  layers: {stages}",
                "  samples_per_microbatch: 1",
                f"  microbatches: {rng.randint(1, 3)}",
                f"  activation: {rng.choice(('1 kB', '300 kB'))}",
                f"  gradient: {rng.choice(('0 B', '1 MB', '3 MB'))}",
                f"  action_overhead: {rng.choice((0, 2))} ms",
                f"  data_nodes: {data_nodes}" if free else f"  stage_sizes: {sizes}",
                "rules:",
                f"  path_length: {rng.choice((2, stages))}",
                f"  even_stages: {rng.choice(('true', 'true', 'false'))}",
            ]
        )
    )
