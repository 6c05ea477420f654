"""Who copies what from whom: by hand."""

from __future__ import annotations

from skipsched import Topology, load_topology
from skipsched.repair.copies import Copy, copies
from skipsched.repair.former import Former

TEXT = """
skipsched: 1
name: copies
nodes:
  - {id: "n{}", count: 4, layer_time: 10 ms, memory: 1}
network:
  overhead: 100 ms
  links:
    - {from: n0, to: n3, latency: 10 ms, bandwidth: 1 MB/s}
    - {from: n1, to: n3, latency: 500 ms, bandwidth: 2 MB/s}
    - {from: n3, to: n0, latency: 1 ms, bandwidth: 1 GB/s}
workload: {stages: 2, stage_layers: [3, 2], samples_per_microbatch: 1, data_nodes: 1, microbatches: 1, MORE}
"""


def loaded(more: str) -> Topology:
    return load_topology(TEXT.replace("MORE", more))


def former(*stages: int | None) -> Former:
    return Former(stages, {}, ())


def test_from_whom_it_is_fastest() -> None:
    """4 MB take 0.11 + 4 s from n0 and 0.6 + 2 s from n1; of 200 kB n0 has sent all in 0.31 s."""
    found = loaded("activation: 1 MB, gradient: [0 B, 4 MB]")
    assert list(copies(found, former(1, 1, 0, None), (1, 1, 0, 1))) == [
        Copy("n3", 1, (3, 4), "n1", 4_000_000, 2_600_000)
    ]
    found = loaded("activation: 1 MB, gradient: [0 B, 200 kB]")
    assert list(copies(found, former(1, 1, 0, None), (1, 1, 0, 1))) == [
        Copy("n3", 1, (3, 4), "n0", 200_000, 310_000)
    ]


def test_without_bytes_the_link_is_that_of_activations() -> None:
    """1 MB: 1.11 s from n0, 1.1 s from n1."""
    found = loaded("activation: 1 MB")
    assert list(copies(found, former(1, 1, 0, None), (1, 1, 0, 1))) == [
        Copy("n3", 1, (3, 4), "n1", None, None)
    ]


def test_with_a_model_it_is_the_training_state() -> None:
    """Stage 1 has two layers of 4*4*4 + 3*4*16 + 2*4 = 264 parameters, 16 bytes each."""
    found = loaded("model: {hidden_size: 4, sequence_length: 8, dtype: float32, vocab_size: 10}")
    (copy,) = copies(found, former(1, 0, 0, 0), (1, 0, 0, 1))
    assert (copy.size, copy.source) == (2 * 264 * 16, "n0")


def test_no_source() -> None:
    """Nobody is left who held stage 0, and nothing leads from n3, which held stage 1, to n2."""
    found = loaded("activation: 1 MB, gradient: 1 MB")
    assert list(copies(found, former(1, 1, 1, 1), (0, 1, 1, 1))) == [
        Copy("n0", 0, (0, 2), None, 1_000_000, None)
    ]
    assert [copy.source for copy in copies(found, former(0, 0, None, 1), (0, 0, 1, 1))] == [None]


def test_who_moves_is_still_a_source() -> None:
    found = loaded("activation: 1 MB, gradient: 1 MB")
    first, second = copies(found, former(0, 0, 0, 1), (1, 0, 0, 0))
    assert (first.node, first.source, second.node, second.source) == ("n0", "n3", "n3", "n1")


def test_nothing_to_copy() -> None:
    assert list(copies(loaded("activation: 1 MB"), former(1, 1, 0, 0), (1, 1, 0, 0))) == []
