"""Small cases whose best iteration time is worked out by hand, through the whole program."""

from __future__ import annotations

import pytest
from check_cases import TINY

import skipsched
from skipsched import Schedule

# Nodes a (F 1 s, L 0.5 s, B 2 s) and b (F 2 s, B 4 s), three microbatches from a to b and back.
PINNED = TINY.replace("{id: a,", "{id: a, stage: 0,").replace("{id: b,", "{id: b, stage: 1,")
LATENCY = PINNED.replace("latency: 0 s", "latency: 1 s")
OVERHEAD = PINNED.replace("action_overhead: 0", "action_overhead: 250 ms")


def slots(text: str, a: int, b: int) -> str:
    first, second = "1 s, memory: 3", "2 s, memory: 3"
    return text.replace(first, f"1 s, memory: {a}").replace(second, f"2 s, memory: {b}")


CASES = {
    # b can begin once a has forwarded (1 s), has 3 x (2 + 4) s to do, and a ends with a B (2 s): 1 + 18 + 2.
    # F0 F1 F2 B0 B1 B2 on b keeps it busy without a pause: the losses fall into its forwards.
    "three slots": (PINNED, 21.0),
    # One at a time: 3 x (1 + 2 + 0.5 + 4 + 2).
    "one slot": (slots(PINNED, 1, 1), 28.5),
    # The slots of a alone make it one at a time.
    "one slot on the data node": (slots(PINNED, 1, 3), 28.5),
    # b holds each microbatch for at least 2 + 0.5 + 4 s, one after the other: 1 + 3 x 6.5 + 2. It comes to
    # that if every loss starts at once: F0 F1 F2 L0 B0 L1 B1 L2 B2 on a.
    "one slot on the other node": (slots(PINNED, 3, 1), 22.5),
    # As without latency, with one way out before and one way back after: 1 + 1 + 18 + 1 + 2. The loss of
    # microbatch 0 is back on b at 6.5 s, before b has forwarded the third at 8 s.
    "latency and three slots": (LATENCY, 23.0),
    # Four transfers of 1 s more for each microbatch: 3 x 13.5.
    "latency and one slot": (slots(LATENCY, 1, 1), 40.5),
    # The slot is free at the end of a B, its node 0.25 s later; what the other actions' overhead delays is
    # nothing, as the microbatch is elsewhere meanwhile: 3 x 9.5 + 2 x 0.25.
    "overhead and one slot": (slots(OVERHEAD, 1, 1), 29.0),
    # b has six actions and five pauses between them: 1 + 18 + 5 x 0.25 + 2.
    "overhead and three slots": (OVERHEAD, 22.25),
}


@pytest.mark.parametrize("name", CASES)
def test_the_best_iteration_time_is_found(name: str) -> None:
    text, seconds = CASES[name]
    result = skipsched.solve(text, time_limit=5)
    assert result.schedule is not None
    assert result.schedule.document["iteration_time"] == round(seconds * 1e6)
    assert result.lower_bound is not None
    assert result.lower_bound <= round(seconds * 1e6)


#: Those whose bound needs no search: load, one path, or the slots of the data node alone.
@pytest.mark.parametrize("name", ["one slot", "one slot on the data node", "latency and one slot"])
def test_it_is_proved_where_a_bound_meets_it(name: str) -> None:
    result = skipsched.solve(CASES[name][0], time_limit=5)
    assert (result.status, result.stop_reason) == ("OPTIMAL", "optimal")


@pytest.mark.parametrize("name", ["one slot", "latency and one slot", "overhead and three slots"])
def test_the_better_of_two_allocations_is_found(name: str) -> None:
    # As the data node, b would be worse in all of these.
    text, seconds = CASES[name]
    result = skipsched.solve(text.replace("stage: 0, ", "").replace("stage: 1, ", ""), time_limit=5)
    assert result.schedule is not None
    assert result.schedule.document["iteration_time"] == round(seconds * 1e6)


def test_all_reduces_count() -> None:
    # Stage 0 has one node and no all-reduce. Stage 1 has two nodes that halve 2 MB of gradients and send them
    # around over 1 MB/s and 0.5 s: 2 x (2 - 1) x (0.5 + 1) = 3 s after its last B. Of two microbatches one
    # goes to each node; the chain of the second begins 1 s after the first: F 1-2, F 2-4, L 4-4.5, B 4.5-8.5.
    # The stage is done at 8.5 + 3 s; a's last B ends at 10.5 s, before that.
    text = (
        PINNED.replace("- {id: b, ", '- {id: "b{}", count: 2, ')
        .replace("stage_sizes: [1, 1]", "stage_sizes: [1, 2]\n  gradient: [0, 2 MB]")
        .replace("microbatches: 3", "microbatches: 2")
        .replace("network: {default: {latency: 0 s, bandwidth: 1 GB/s}}", NETWORK)
    )
    result = skipsched.solve(text, time_limit=5)
    assert result.schedule is not None
    assert result.schedule.document["iteration_time"] == 11_500_000
    assert sorted(result.schedule.document["rings"][1]) == ["b0", "b1"]


NETWORK = """
network:
  default: {latency: 0 s, bandwidth: 1 GB/s}
  links: [{between: [b0, b1], latency: 500 ms, bandwidth: 1 MB/s}]
"""

SMALL_PIPELINE = """
skipsched: 1
name: small pipeline
nodes:
  - {id: "n{}", count: 6, forward_time: 10 ms, memory: 2}
network: {default: {latency: 1 ms, bandwidth: 1 GB/s}}
workload: {stages: 3, stage_sizes: [2, 2, 2], microbatches: 4, activation: 1 MB}
rules: {path_length: 3, max_swaps: 0}
"""


@pytest.mark.parametrize("topology", ["full-pipeline-12", SMALL_PIPELINE])
def test_an_ordinary_pipeline_comes_out_as_one(topology: str) -> None:
    result = skipsched.solve(topology, time_limit=4)
    assert result.schedule is not None
    document = result.schedule.document
    stages = list(range(len(document["stages"])))
    assert all(entry["stages"] == stages for entry in document["microbatches"])
    assert skipsched.validate(Schedule(document)) == []
