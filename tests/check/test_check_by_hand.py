"""Two stages and three microbatches, every time worked out by hand."""

from check_cases import (
    TINY,
    TINY_ORDERS,
    TINY_PATHS,
    TINY_STAGES,
    Document,
    changed,
    rules,
    schedule,
    tiny,
    violations,
)


def times(document: Document, node: str) -> list[tuple[float, float]]:
    return [(entry["start"] / 10**6, entry["end"] / 10**6) for entry in document["actions"][node]]


def test_without_latency() -> None:
    # F takes 1 s on a and 2 s on b, B twice that, L half of a's F. b is never idle from 1 s on:
    # b: F0 1-3, F1 3-5, F2 5-7, B0 7-11, B1 11-15, B2 15-19; a's L follow b's F, its B follow b's B.
    document = tiny()
    assert times(document, "a") == [
        (0, 1), (1, 2), (2, 3), (3, 3.5), (5, 5.5), (7, 7.5), (11, 13), (15, 17), (19, 21)
    ]  # fmt: skip
    assert times(document, "b") == [(1, 3), (3, 5), (5, 7), (7, 11), (11, 15), (15, 19)]
    assert document["makespan"] == document["iteration_time"] == 21_000_000
    # Work is 3 * (1 + 0.5 + 2 + 2 + 4) = 28.5 s on 2 * 21 s: 1 - 0.67857 = 0.3214.
    assert document["bubble_ratio"] == 0.3214
    assert violations(document, TINY) == []


def test_with_latency_and_overhead() -> None:
    # Every transfer takes 0.25 s; after every action its node is away for 0.1 s.
    # a: F0 0-1, F1 1.1-2.1, F2 2.2-3.2. b: F0 1.25-3.25, F1 3.35-5.35, F2 5.45-7.45.
    # a: L0 at 3.25 + 0.25; L1 at 5.35 + 0.25; L2 at 7.45 + 0.25, each 0.5 s long.
    # b: B0 after F2's overhead, 7.55-11.55, B1 11.65-15.65, B2 15.75-19.75; a's B each 0.25 s after b's.
    text = TINY.replace("latency: 0 s", "latency: 250 ms").replace(
        "action_overhead: 0", "action_overhead: 100 ms"
    )
    document = schedule(text, TINY_STAGES, TINY_PATHS, TINY_ORDERS)
    assert times(document, "a") == [
        (0, 1), (1.1, 2.1), (2.2, 3.2), (3.5, 4), (5.6, 6.1), (7.7, 8.2), (11.8, 13.8), (15.9, 17.9), (20, 22)
    ]  # fmt: skip
    assert times(document, "b") == [
        (1.25, 3.25), (3.35, 5.35), (5.45, 7.45), (7.55, 11.55), (11.65, 15.65), (15.75, 19.75)
    ]  # fmt: skip
    # The overhead of the last action counts for nothing.
    assert document["makespan"] == document["iteration_time"] == 22_000_000
    # The overhead is no work: 1 - 28.5 / 44 = 0.35227.
    assert document["bubble_ratio"] == 0.3523
    assert violations(document, text) == []


def test_bound_gap_and_optimal() -> None:
    # b's load: nothing reaches it before 1 s, then 3 * (2 + 4) s, then a's B of 2 s: 21 s, which is reached.
    document = tiny() | {"lower_bound": 21_000_000, "bound_kind": "load", "gap": 0.0}
    document = changed(document, ["solver", "status"], "OPTIMAL")
    assert violations(document, TINY) == []
    # Without head and tail it is 18 s: (21 - 18) / 21 = 0.142857.
    document |= {"lower_bound": 18_000_000, "gap": 0.1429}
    assert rules(document, TINY) == ["status"]
    document = changed(document, ["solver", "status"], "FEASIBLE")
    assert violations(document, TINY) == []


def test_allreduce_is_added_to_its_own_stage() -> None:
    # Two nodes a stage, 100 MB at 100 MB/s: 2 * (2-1) * (0 + 100/2/100) = 1 s for every stage.
    # Microbatch 0: F 0-1 on a0 and 1-3 on b0, L 3-3.5, B 3.5-7.5 on b0 and 7.5-9.5 on a0. Stage 0 ends last:
    # 9.5 + 1 = 10.5 s, while stage 1 ends at 7.5 + 1.
    text = (
        TINY.replace("{id: a,", '{id: "a{}", count: 2,')
        .replace("{id: b,", '{id: "b{}", count: 2,')
        .replace("bandwidth: 1 GB/s", "bandwidth: 100 MB/s")
        .replace("[1, 1]", "[2, 2]")
        .replace("microbatches: 3", "microbatches: 1\n  gradient: 100 MB")
    )
    stages = [["a0", "a1"], ["b0", "b1"]]
    document = schedule(text, stages, [["a0", "b0"], ["a1", "b1"]], rings=stages)
    assert document["makespan"] == 9_500_000
    assert document["iteration_time"] == 10_500_000
    assert violations(document, text) == []


def test_a_stage_with_idle_nodes_pays_its_allreduce() -> None:
    # Stage 2 executes nothing (even_stages off), and still ends at 0 + 20 s: 2 * (0 + 2 GB / 2 / 100 MB/s).
    text = """
skipsched: 1
name: idle
nodes:
  - {id: a, forward_time: 1 s, memory: 1}
  - {id: b, forward_time: 1 s, memory: 1}
  - {id: "c{}", count: 2, forward_time: 1 s, memory: 1}
network: {default: {latency: 0 s, bandwidth: 100 MB/s}}
workload:
  {stages: 3, stage_sizes: [1, 1, 2], microbatches: 1, activation: 1 B, gradient: [0 B, 0 B, 2 GB]}
rules: {path_length: 2, even_stages: false}
"""
    stages = [["a"], ["b"], ["c0", "c1"]]
    document = schedule(text, stages, [["a", "b"]], rings=stages)
    assert document["makespan"] == 6_000_000
    assert document["iteration_time"] == 20_000_000
    # 6 s of work on 4 nodes for 20 s.
    assert document["bubble_ratio"] == 0.925
    assert violations(document, text) == []
    assert rules(document | {"iteration_time": 6_000_000}, text) == ["objective"]


def test_a_deadlock_names_its_cycle() -> None:
    # b wants microbatch 1 before 0, while a sends 1 only after it has ended 0.
    document = schedule(
        TINY.replace("microbatches: 3", "microbatches: 2"),
        TINY_STAGES,
        TINY_PATHS[:2],
        {"a": "F0 L0 B0 F1 L1 B1", "b": "F1 B1 F0 B0"},
    )
    (found,) = [
        v
        for v in violations(document, TINY.replace("microbatches: 3", "microbatches: 2"))
        if v.rule == "deadlock"
    ]
    assert found.message == (
        'the order waits in a cycle: L of microbatch 0 on "a" waits for F of microbatch 0 on "b", which '
        'stands behind F of microbatch 1 on "b"; F of microbatch 1 on "b" waits for F of microbatch 1 on '
        '"a", which stands behind L of microbatch 0 on "a"'
    )
    assert (found.node, found.microbatch) == ("a", 0)
