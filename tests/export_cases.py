"""Schedules for the tests of exports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count, islice
from typing import Any

from runtime_documents import random_document

from skipsched import Schedule
from skipsched.opened import Opened, open_schedule

#: Straight pipelines that torch can run: path_period, even_nodes and sizes are as a refusal says.
STRAIGHT = """
skipsched: 1
name: straight
nodes:
  - {id: "n{}", count: 4, forward_time: 20 ms, memory: 2}
  - {id: "m{}", count: 2, forward_time: 30 ms, memory: 3}
network:
  default: {latency: 5 ms, bandwidth: 1 GB/s}
  links: [{between: [n0, m1], latency: 90 ms, bandwidth: 1 GB/s}]
workload: {stages: 3, stage_sizes: [2, 2, 2], microbatches: 4, activation: 1 MB, loss_ratio: 0.5}
rules: {max_swaps: 0, path_period: 1, even_nodes: true}
"""
#: Skipped and swapped stages that SkipPipe's trainer can run: slots and microbatches are equal.
PERIODIC = """
skipsched: 1
name: periodic
nodes:
  - {id: "n{}", count: 4, forward_time: 20 ms, memory: 2, location: Oregon}
  - {id: "m{}", count: 4, forward_time: 30 ms, memory: 2}
network:
  overhead: 350 ms
  default: {latency: 5 ms, bandwidth: 1 GB/s}
  links: [{from: Oregon, to: m1, latency: 90 ms, bandwidth: 1 GB/s}]
workload: {stages: 4, stage_sizes: [2, 2, 2, 2], microbatches: 5, activation: 1 MB}
rules: {path_length: 3, path_period: 2, max_swap_distance: 2}
"""
#: One microbatch, and two nodes that could take it.
IDLE = """
skipsched: 1
name: idle
nodes: [{id: "n{}", count: 3, forward_time: 20 ms, memory: 2}]
network: {default: {latency: 5 ms, bandwidth: 1 GB/s}}
workload: {stages: 2, stage_sizes: [1, 2], microbatches: 1, activation: 1 MB}
rules: {max_swaps: 0}
"""


def opened(document: Mapping[str, Any]) -> Opened:
    """A document, read back."""
    return open_schedule(Schedule(document))


def random_documents(number: int) -> Iterator[dict[str, Any]]:
    """Random schedules of random topologies, in orders that no solver chooses."""
    found = (random_document(seed) for seed in count())
    return islice((document for document in found if document is not None), number)
