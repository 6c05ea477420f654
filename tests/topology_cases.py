"""Topologies for tests of reading, and short ways to read them."""

from __future__ import annotations

from skipsched.text.diagnostics import Diagnostic, InputError
from skipsched.topology.load import load_topology
from skipsched.topology.model import Topology

#: Three nodes in a row of short lines: what the malformed topologies are made from, line by line.
SMALL = {
    1: "skipsched: 1",
    2: "name: small",
    3: "nodes:",
    4: "  - {id: a, location: X, forward_time: 1 s, memory: 2}",
    5: "  - {id: b, location: X, forward_time: 2 s, memory: 2}",
    6: "  - {id: c, location: Y, forward_time: 3 s, memory: 2}",
    7: "network: {default: {latency: 1 ms, bandwidth: 1 MB/s}}",
    8: "workload: {stages: 2, data_nodes: 1, microbatches: 2, activation: 1 MB}",
    9: "rules: {max_jump: 4}",
}

#: The example of the format's description, in full.
HARBOUR = """\
skipsched: 1
name: harbour-8
nodes:
  - id: au0
    location: Sydney
    layer_time: 55 ms
    memory: 3
  - {id: "eu{}", count: 4, location: Frankfurt, layer_time: 40 ms, memory: 4}
  - {id: us0, location: Oregon, forward_time: 1.2 s, memory: 3, stage: 0}
  - {id: us1, location: Oregon, layer_time: 60 ms, memory: 2, microbatches: 4}
  - {id: jp0, location: Tokyo, layer_time: 60 ms, memory: 2}
network:
  overhead: 350 ms
  default: {latency: 1 ms, bandwidth: 2 GiB/s}
  links:
    - {between: [Sydney, Frankfurt], latency: 125 ms, bandwidth: 10.7 MiB/s}
    - {from: Sydney, to: Tokyo, latency: 58 ms, bandwidth: 160 Mbit/s}
    - {between: [Frankfurt, Frankfurt], latency: 200 us, bandwidth: 10 Gbit/s}
    - {between: [eu0, us0], latency: 70 ms, bandwidth: 300 Mbit/s}
workload:
  stages: 4
  layers: 16
  stage_sizes: [2, 2, 2, 2]
  samples_per_microbatch: 4
  microbatches: 6
  activation: 16 MiB
  backward_ratio: 1.5
  loss_ratio: 0.25
  action_overhead: 0 ms
  gradient: 0 B
rules:
  skip_ratio: 1/4
  max_swaps: 2
  max_swap_distance: 1
  max_jump: 4
  even_stages: true
  even_nodes: false
  cover: false
"""


def small(**lines: str | None) -> str:
    """The small topology with lines replaced (``line4="..."``) or left out (``line9=None``)."""
    texts = {**SMALL, **{int(key.removeprefix("line")): text for key, text in lines.items()}}
    return "\n".join(text for _, text in sorted(texts.items()) if text is not None) + "\n"


def diagnostics(text: str) -> list[Diagnostic]:
    """Everything that is said about a topology, refused or not."""
    try:
        topology: Topology = load_topology(text)
    except InputError as error:
        return list(error.diagnostics)
    return list(topology.warnings)


def errors(text: str) -> list[Diagnostic]:
    """The errors of a topology."""
    return [found for found in diagnostics(text) if found.severity == "error"]
