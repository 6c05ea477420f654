"""For every rule of the problem one schedule that keeps it and one that breaks it and nothing else."""

import pytest
from check_cases import (
    TINY,
    TINY_PATHS,
    TINY_STAGES,
    WIDE,
    WIDE_PATHS,
    WIDE_STAGES,
    Document,
    changed,
    rules,
    schedule,
    tiny,
    violations,
    wide,
)

UNEVEN = WIDE.replace("path_length: 3", "path_length: 3, even_stages: false")


def wide_with(text: str, **paths: str) -> Document:
    """WIDE's schedule with the paths of some microbatches replaced: ``m3="d1 a1 b1"``."""
    replaced = [paths[f"m{i}"].split() if f"m{i}" in paths else path for i, path in enumerate(WIDE_PATHS)]
    return wide(replaced, text)


def test_everything_kept() -> None:
    assert violations(tiny(), TINY) == []
    assert violations(wide(), WIDE) == []


def test_first_stage_on_the_own_data_node() -> None:
    document = changed(wide(), ["microbatches", 0, "data_node"], "d1")
    document = changed(document, ["microbatches", 1, "data_node"], "d0")
    assert rules(document, WIDE) == ["first-stage"]


def test_first_stage_at_the_beginning() -> None:
    # Node a0 holds stage 1 and has no microbatches to emit: d0 then emits one too few.
    document = wide_with(UNEVEN, m0="a0 b0 c0")
    assert rules(document, UNEVEN) == ["microbatches", "first-stage"]


def test_first_stage_is_not_entered_again() -> None:
    assert rules(wide_with(WIDE, m0="d0 a0 d1"), WIDE) == ["first-stage"]


@pytest.mark.parametrize("path", ["d0 a0", "d0 a0 b0 c0", "d0 a0 a1", "d0 a0 a0"])
def test_path_length(path: str) -> None:
    assert rules(wide_with(UNEVEN, m0=path), UNEVEN) == ["path-length"]


def test_path_of_the_data_node_alone() -> None:
    assert rules(wide_with(UNEVEN, m0="d0"), UNEVEN) == ["path-length"]


def test_swap_distance() -> None:
    # Stage 1 after frontier 3 is a swap over a distance of 2.
    far = WIDE.replace("path_length: 3", "path_length: 3, max_swap_distance: 2")
    document = wide_with(WIDE, m4="d0 c0 a0")
    assert rules(document, WIDE) == ["swap"]
    assert violations(wide_with(far, m4="d0 c0 a0"), far) == []


@pytest.mark.parametrize(("most", "broken"), [(2, []), (1, ["swap"])])
def test_sum_of_swaps(most: int, broken: list[str]) -> None:
    # 0, 2, 1, 4, 3: two swaps of distance 1 each.
    text = f"""
skipsched: 1
name: swaps
nodes:
  - {{id: "n{{}}", count: 5, forward_time: 1 s, memory: 1}}
network: {{default: {{latency: 0 s, bandwidth: 1 GB/s}}}}
workload: {{stages: 5, stage_sizes: [1, 1, 1, 1, 1], microbatches: 1, activation: 1 B}}
rules: {{max_swaps: {most}}}
"""
    document = schedule(text, [[f"n{i}"] for i in range(5)], [["n0", "n2", "n1", "n4", "n3"]])
    assert rules(document, text) == broken


def test_a_swap_counts_from_the_frontier_not_from_the_stage_before() -> None:
    # 0, 3, 2, 1: stage 1 is 2 below the frontier 3, though next to stage 2; the sum of distances is 1 + 2.
    text = """
skipsched: 1
name: frontier
nodes:
  - {id: "n{}", count: 4, forward_time: 1 s, memory: 1}
network: {default: {latency: 0 s, bandwidth: 1 GB/s}}
workload: {stages: 4, stage_sizes: [1, 1, 1, 1], microbatches: 1, activation: 1 B}
rules: {max_swaps: 3, max_swap_distance: 1}
"""
    document = schedule(text, [[f"n{i}"] for i in range(4)], [["n0", "n3", "n2", "n1"]])
    assert rules(document, text) == ["swap"]
    wider = text.replace("distance: 1", "distance: 2")
    assert rules(schedule(wider, [[f"n{i}"] for i in range(4)], [["n0", "n3", "n2", "n1"]]), wider) == []


def test_jump() -> None:
    near = WIDE.replace("path_length: 3", "path_length: 3, max_jump: 2")
    assert violations(wide(text=near), near) == []
    # Stage 3 right after stage 0, then stage 2 as a swap.
    assert rules(wide_with(near, m2="d0 c0 b0"), near) == ["jump"]
    assert violations(wide_with(WIDE, m2="d0 c0 b0"), WIDE) == []


def test_even_stages() -> None:
    # Executed 5, 4 and 3 times; without the rule that is allowed.
    document = wide_with(WIDE, m2="d0 a0 b0")
    assert rules(document, WIDE) == ["even-stages"]
    assert violations(wide_with(UNEVEN, m2="d0 a0 b0"), UNEVEN) == []


def test_even_stages_differ_by_one_where_it_does_not_divide() -> None:
    # Four microbatches execute 8 times one of 3 stages: 3, 3 and 2 times, or 4, 2 and 2 times.
    text = WIDE.replace("microbatches: 3", "microbatches: 2")
    paths = [["d0", "a0", "b0"], ["d1", "a1", "b1"], ["d0", "b0", "c0"], ["d1", "a1", "c1"]]
    assert violations(schedule(text, WIDE_STAGES, paths), text) == []
    paths = [["d0", "a0", "b0"], ["d1", "a1", "b1"], ["d0", "a0", "c0"], ["d1", "a1", "c1"]]
    assert rules(schedule(text, WIDE_STAGES, paths), text) == ["even-stages"]


def test_cover() -> None:
    text = UNEVEN.replace("even_stages: false", "even_stages: false, cover: true")
    assert violations(wide(text=text), text) == []
    found = violations(wide_with(text, m2="d0 a0 b0", m4="d0 a0 b0"), text)
    assert [(v.rule, v.node) for v in found] == [("cover", "d0")]
    assert "stage 3" in found[0].message


def test_even_nodes() -> None:
    text = WIDE.replace("path_length: 3", "path_length: 3, even_nodes: true")
    assert violations(wide(text=text), text) == []
    # Node a0 executes 3 of the four microbatches of stage 1, a1 one.
    document = wide_with(text, m1="d1 a0 b1")
    found = violations(document, text)
    assert [(v.rule, v.node) for v in found] == [("even-nodes", "a0")]
    assert violations(wide_with(WIDE, m1="d1 a0 b1"), WIDE) == []


def test_path_period_counts_each_data_nodes_own_microbatches() -> None:
    # Ids alternate between d0 and d1, so a period of 2 joins microbatches 0 and 4, and 1 and 5.
    text = UNEVEN.replace("even_stages: false", "even_stages: false, path_period: 2")
    assert violations(wide_with(text, m4="d0 a0 b0", m5="d1 a1 b1"), text) == []
    found = violations(wide_with(text, m4="d0 a0 b0"), text)
    assert [(v.rule, v.microbatch, v.node) for v in found] == [("path-period", 5, "d1")]
    # The same stages on another node are another path.
    found = violations(wide_with(text, m4="d0 a1 b0", m5="d1 a1 b1"), text)
    assert [(v.rule, v.microbatch) for v in found] == [("path-period", 4)]


def test_memory() -> None:
    text = TINY.replace("{id: b, forward_time: 2 s, memory: 3}", "{id: b, forward_time: 2 s, memory: 2}")
    found = violations(tiny(), text)
    # The third F on b starts at 5 s, the first B ends at 11 s.
    assert [(v.rule, v.microbatch, v.node, v.time) for v in found] == [("memory", 2, "b", 5_000_000)]
    orders = {"a": "F0 F1 L0 L1 F2 B0 B1 L2 B2", "b": "F0 F1 B0 F2 B1 B2"}
    assert violations(schedule(text, TINY_STAGES, TINY_PATHS, orders), text) == []


def test_memory_counts_the_data_node_from_its_forward_to_its_backward() -> None:
    text = TINY.replace("{id: a, forward_time: 1 s, memory: 3}", "{id: a, forward_time: 1 s, memory: 2}")
    found = violations(tiny(), text)
    assert [(v.rule, v.microbatch, v.node, v.time) for v in found] == [("memory", 2, "a", 2_000_000)]


def test_a_slot_freed_at_a_time_can_be_taken_at_it() -> None:
    # With one slot a starts F1 at the very time B0 ends.
    text = TINY.replace("memory: 3", "memory: 1").replace("microbatches: 3", "microbatches: 2")
    orders = {"a": "F0 L0 B0 F1 L1 B1", "b": "F0 B0 F1 B1"}
    document = schedule(text, TINY_STAGES, TINY_PATHS[:2], orders)
    assert document["actions"]["a"][2]["end"] == document["actions"]["a"][3]["start"] == 9_500_000
    assert violations(document, text) == []


def test_a_slot_is_freed_before_the_overhead() -> None:
    # The next F on the same node waits for the overhead, its slot does not.
    text = TINY.replace("memory: 3", "memory: 1").replace("microbatches: 3", "microbatches: 2")
    text = text.replace("action_overhead: 0", "action_overhead: 300 ms")
    orders = {"a": "F0 L0 B0 F1 L1 B1", "b": "F0 B0 F1 B1"}
    assert violations(schedule(text, TINY_STAGES, TINY_PATHS[:2], orders), text) == []


@pytest.mark.parametrize(
    ("orders", "broken"),
    [
        ({"a": "F0 L0 B0 F1 L1 B1", "b": "F0 B0 F1 B1"}, []),
        ({"a": "F0 F1 L0 L1 B0 B1", "b": "F0 F1 B0 B1"}, ["memory"]),
    ],
)
def test_actions_without_length_happen_in_the_nodes_order(orders: dict[str, str], broken: list[str]) -> None:
    # Every action rounds to 0 us: all of them happen at time 0, and only the order tells one slot from two.
    text = TINY.replace("microbatches: 3", "microbatches: 2")
    text = text.replace("{id: a, forward_time: 1 s, memory: 3}", "{id: a, forward_time: 0.1 us, memory: 2}")
    text = text.replace("{id: b, forward_time: 2 s, memory: 3}", "{id: b, forward_time: 0.1 us, memory: 1}")
    document = schedule(text, TINY_STAGES, TINY_PATHS[:2], orders)
    assert document["iteration_time"] == 0
    assert rules(document, text) == broken


def test_no_collision() -> None:
    # Microbatch 1 on b claims to start half a second before microbatch 0 has ended at 3 s.
    document = tiny()
    entry = document["actions"]["b"][1]
    entry["start"] -= 500_000
    found = violations(document, TINY)
    assert [v.rule for v in found] == ["no-collision", "times"]
    assert (found[0].microbatch, found[0].node, found[0].time) == (1, "b", 2_500_000)


def test_no_collision_within_the_overhead() -> None:
    text = TINY.replace("action_overhead: 0", "action_overhead: 100 ms")
    document = schedule(text, TINY_STAGES, TINY_PATHS)
    entry = document["actions"]["a"][3]
    entry["start"] -= 100_000
    assert rules(document, text) == ["no-collision", "times"]


@pytest.mark.parametrize("missing", ["{from: a, to: b,", "{from: b, to: a,"])
def test_links_in_both_directions(missing: str) -> None:
    text = TINY.replace(
        "network: {default: {latency: 0 s, bandwidth: 1 GB/s}}",
        "network:\n  links:\n"
        "    - {from: a, to: b, latency: 0 s, bandwidth: 1 GB/s}\n"
        "    - {from: b, to: a, latency: 0 s, bandwidth: 1 GB/s}",
    )
    assert violations(tiny(), text) == []
    one_way = "\n".join(line for line in text.splitlines() if missing not in line) + "\n"
    assert rules(tiny(), one_way) == ["link"]


def test_link_from_the_last_node_back_to_the_data_node() -> None:
    rows = [("d0", "b0"), ("b0", "c0"), ("d0", "a0"), ("a0", "b0"), ("a0", "c0"), ("d0", "c0")]
    rows += [("d1", "b1"), ("b1", "c1"), ("d1", "a1"), ("a1", "b1"), ("a1", "c1"), ("d1", "c1")]

    def text_of(pairs: list[tuple[str, str]]) -> str:
        links = [f"    - {{between: [{a}, {b}], latency: 0 s, bandwidth: 1 GB/s}}" for a, b in pairs]
        return WIDE.replace(
            "network: {default: {latency: 10 ms, bandwidth: 1 GB/s}}",
            "\n".join(["network:", "  links:", *links]),
        )

    full = text_of(rows)
    assert violations(wide(text=full), full) == []
    # Path d0, a0, b0 only needs this link for its loss and its first backward.
    cut = text_of([row for row in rows if row != ("d0", "c0")])
    found = violations(wide(text=full), cut)
    assert [v.microbatch for v in found] == [2, 2, 4, 4]
    assert {v.rule for v in found} == {"link"}
