"""What a document can get wrong beside the rules: shape, allocation, microbatches, actions, routes, order."""

import pytest
from check_cases import (
    ENDLESS,
    TINY,
    TINY_PATHS,
    TINY_STAGES,
    WIDE,
    changed,
    rules,
    schedule,
    tiny,
    violations,
    wide,
    without,
)

from skipsched.check import RULES, Violation
from skipsched.check.case import MOST_OF_A_RULE
from skipsched.topology.model import document_hash

REQUIRED = [
    "topology",
    "solver",
    "iteration_time",
    "makespan",
    "lower_bound",
    "bound_kind",
    "gap",
    "bubble_ratio",
    "stages",
    "microbatches",
    "actions",
]


@pytest.mark.parametrize(
    "document", [None, [], "skipsched.schedule/1", 1, {}, {"format": "skipsched.schedule/2"}]
)
def test_not_a_schedule_at_all(document: object) -> None:
    assert rules(document, TINY) == ["format"]


@pytest.mark.parametrize("key", REQUIRED)
def test_a_missing_key_is_one_violation(key: str) -> None:
    (found,) = violations(without(tiny(), [key]), TINY)
    assert found == Violation("format", f"`{key}` is missing")


@pytest.mark.parametrize("key", REQUIRED)
def test_a_key_of_the_wrong_type_is_one_violation(key: str) -> None:
    (found,) = violations(changed(tiny(), [key], True), TINY)
    assert found.rule == "format"
    assert found.message.startswith(f"`{key}` is true, not ")


@pytest.mark.parametrize(
    "key", ["version", "status", "stop_reason", "seed", "workers", "wall_time", "restricted_to"]
)
def test_the_solvers_block(key: str) -> None:
    assert rules(without(tiny(), ["solver", key]), TINY) == ["format"]
    assert rules(changed(tiny(), ["solver", key], {}), TINY) == ["format"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", True),
        ("workers", -1),
        ("wall_time", -1),
        ("wall_time", float("nan")),
        ("restricted_to", ["a", 1]),
    ],
)
def test_the_solvers_figures(key: str, value: object) -> None:
    assert rules(changed(tiny(), ["solver", key], value), TINY) == ["format"]


def test_what_the_solvers_block_may_say() -> None:
    document = changed(tiny(), ["solver", "wall_time"], None)
    document = changed(document, ["solver", "restricted_to"], ["allocation"])
    assert violations(document, TINY) == []


@pytest.mark.parametrize("status", ["INFEASIBLE", "UNKNOWN", "optimal"])
def test_a_schedule_has_a_status_of_one(status: str) -> None:
    assert rules(changed(tiny(), ["solver", "status"], status), TINY) == ["status"]


def test_additions_are_welcome() -> None:
    document = tiny() | {"author": None}
    document["solver"]["branches"] = 12
    document["actions"]["a"][0]["note"] = "first"
    document["microbatches"][0]["note"] = []
    assert violations(document, TINY) == []


def test_topology_name_and_hash() -> None:
    assert rules(changed(tiny(), ["topology", "name"], "other"), TINY) == ["topology"]
    assert rules(changed(tiny(), ["topology", "sha256"], "0" * 64), TINY) == ["topology"]
    assert rules(changed(tiny(), ["topology", "document", "extra"], 1), TINY) == ["topology"]


def test_a_topology_block_is_judged_in_itself() -> None:
    # The schedule is judged by the topology given; that it carries another one is for the caller to say.
    document = tiny()
    document["topology"]["document"]["name"] = document["topology"]["name"] = "renamed"
    document["topology"]["sha256"] = document_hash(document["topology"]["document"])
    assert violations(document, TINY) == []


@pytest.mark.parametrize(
    "value", [pytest.param("\ud800", id="surrogate"), pytest.param(ENDLESS, id="endless")]
)
def test_a_topology_without_canonical_text(value: str | int) -> None:
    assert rules(changed(tiny(), ["topology", "document", "extra"], value), TINY) == ["topology"]


@pytest.mark.parametrize(
    "stages",
    [
        [["a"], ["b", "x"]],
        [["a"], []],
        [["a", "b"], []],
        [["a"], ["b"], []],
        [["a", "b"]],
        [["a", "b"], ["b"]],
        [["a"], ["b", "b"]],
        [["a"], "b"],
        [["a"], [["b"]]],
        [],
    ],
)
def test_allocation(stages: list[object]) -> None:
    assert rules(changed(tiny(), ["stages"], stages), TINY)[0] == "allocation"


def test_a_node_without_a_stage_is_the_only_thing_told() -> None:
    (found,) = violations(changed(tiny(), ["stages"], [["a"], []]), TINY)
    assert (found.rule, found.node) == ("allocation", "b")


def test_sizes_of_free_stages() -> None:
    text = (
        TINY.replace("stage_sizes: [1, 1]", "data_nodes: 1")
        .replace("[1, 1]", "")
        .replace("  - {id: b,", "  - {id: c, forward_time: 1 s, memory: 3}\n  - {id: b,")
    )
    assert violations(schedule(text, [["a"], ["b", "c"]], TINY_PATHS), text) == []
    found = violations(schedule(text, [["a", "c"], ["b"]], TINY_PATHS), text)
    assert found[0] == Violation("allocation", "stage 0 has 2 nodes; the topology allows 1")


def test_pins() -> None:
    text = TINY.replace("{id: a, forward_time: 1 s,", "{id: a, forward_time: 1 s, stage: 0,")
    assert violations(tiny(), text) == []
    # Both nodes emit 3 microbatches, so that only the pin is broken.
    document = schedule(text, [["b"], ["a"]], [["b", "a"]] * 3)
    (found,) = violations(document, text)
    assert (found.rule, found.node) == ("allocation", "a")


def test_memory_that_does_not_hold_the_stage() -> None:
    # One layer of 24 parameters and some on stage 0 alone: the vocabulary makes it too large for b.
    text = """
skipsched: 1
name: bytes
nodes:
  - {id: a, forward_time: 1 s, memory: 1 GiB}
  - {id: b, forward_time: 1 s, memory: 100 KiB}
network: {default: {latency: 0 s, bandwidth: 1 GB/s}}
workload:
  stages: 2
  layers: 2
  stage_sizes: [1, 1]
  samples_per_microbatch: 1
  microbatches: 1
  model: {hidden_size: 8, sequence_length: 8, dtype: float32, vocab_size: 32000}
rules: {}
"""
    assert violations(schedule(text, [["a"], ["b"]], [["a", "b"]]), text) == []
    (found,) = violations(schedule(text, [["b"], ["a"]], [["b", "a"]]), text)
    assert (found.rule, found.node) == ("allocation", "b")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id", None),
        ("id", True),
        ("id", "0"),
        pytest.param("id", ENDLESS, id="endless"),
        ("id", 3),
        ("id", -1),
        ("id", 1),
        ("data_node", "x"),
        ("data_node", []),
        ("path", None),
        ("path", []),
        ("path", ["a", "x"]),
        ("path", ["a", ["b"]]),
        ("stages", None),
        ("stages", [0]),
        ("stages", [0, 0]),
        ("stages", [False, True]),
    ],
)
def test_microbatches(key: str, value: object) -> None:
    assert rules(changed(tiny(), ["microbatches", 0, key], value), TINY)[0] == "microbatches"


@pytest.mark.parametrize("entry", [None, 0, [], "0", {}])
def test_an_entry_that_is_no_microbatch(entry: object) -> None:
    assert rules(changed(tiny(), ["microbatches", 0], entry), TINY) == ["microbatches"]


def test_a_missing_microbatch() -> None:
    found = violations(without(tiny(), ["microbatches", 1]), TINY)
    assert [(v.rule, v.microbatch, v.node) for v in found] == [
        ("microbatches", None, None),
        ("microbatches", None, "a"),
        ("actions", 1, None),
    ]


def test_microbatches_stand_in_any_order() -> None:
    document = tiny()
    document["microbatches"].reverse()
    assert violations(document, TINY) == []


def test_each_data_node_emits_its_own_count() -> None:
    text = WIDE.replace(
        '{id: "d{}", count: 2,', "{id: d0, forward_time: 1 s, memory: 1, microbatches: 4}\n  - {id: d1,"
    )
    assert "microbatches" in rules(wide(text=text), text)
    four = [["d0", "a0", "b0"], ["d0", "b0", "c0"], ["d0", "a0", "c0"], ["d0", "a1", "b1"]]
    three = [["d1", "a1", "b1"], ["d1", "b1", "c1"], ["d1", "a1", "c1"]]
    assert violations(wide([*four, *three], text), text) == []


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (["a"], None),
        (["a"], {}),
        (["a", 0], None),
        (["a", 0], []),
        (["a", 0, "op"], "W"),
        (["a", 0, "op"], []),
        (["a", 0, "op"], "B"),
        (["a", 0, "microbatch"], 7),
        (["a", 0, "microbatch"], 1),
        (["a", 0, "microbatch"], False),
        pytest.param(["a", 0, "microbatch"], ENDLESS, id="endless"),
        (["a", 0, "stage"], 1),
        (["a", 0, "stage"], False),
        (["a", 0, "stage"], {}),
        (["b", 0, "op"], "L"),
        (["x"], []),
    ],
)
def test_actions(at: list[str | int], value: object) -> None:
    assert set(rules(changed(tiny(), ["actions", *at], value), TINY)) == {"actions"}


@pytest.mark.parametrize("at", [["b"], ["b", 3]])
def test_missing_actions(at: list[str | int]) -> None:
    assert set(rules(without(tiny(), ["actions", *at]), TINY)) == {"actions"}


def test_an_idle_node_has_an_empty_list() -> None:
    paths = [["d0", "a0", "b0"], ["d1", "a0", "b0"], ["d0", "b0", "c0"]]
    paths += [["d1", "b0", "c0"], ["d0", "a0", "c0"], ["d1", "a0", "c0"]]
    document = wide(paths)
    assert document["actions"]["b1"] == []
    assert violations(document, WIDE) == []
    (found,) = violations(without(document, ["actions", "b1"]), WIDE)
    assert (found.rule, found.node) == ("actions", "b1")


def test_an_action_twice() -> None:
    document = tiny()
    document["actions"]["b"].append(document["actions"]["b"][-1])
    found = violations(document, TINY)
    assert [(v.rule, v.microbatch, v.node) for v in found] == [("actions", 2, "b")]


def test_an_action_on_a_node_outside_its_path() -> None:
    document = wide()
    moved = document["actions"]["a0"].pop(0)
    document["actions"]["a1"].insert(0, moved)
    found = [(v.rule, v.microbatch, v.node) for v in violations(document, WIDE)]
    assert ("actions", 0, "a1") in found
    assert ("actions", 0, "a0") in found
    assert {rule for rule, _, _ in found} <= {"actions", "no-collision"}


@pytest.mark.parametrize(
    "at", [("a", 0, "to"), ("a", 3, "from"), ("a", 3, "to"), ("b", 0, "from"), ("a", 6, "from")]
)
def test_routes(at: tuple[str, int, str]) -> None:
    assert rules(without(tiny(), ["actions", *at]), TINY) == ["route"]
    value: object
    for value in (None, "x", [], at[0]):
        assert rules(changed(tiny(), ["actions", *at], value), TINY) == ["route"]


@pytest.mark.parametrize("at", [("a", 0, "from"), ("a", 6, "to")])
def test_routes_end_with_the_chain(at: tuple[str, int, str]) -> None:
    for value in (None, "a", "b"):
        assert rules(changed(tiny(), ["actions", *at], value), TINY) == ["route"]


@pytest.mark.parametrize("key", ["start", "end"])
@pytest.mark.parametrize("value", [None, "0", 0.0, True, [], -1, pytest.param(ENDLESS, id="endless")])
def test_times(key: str, value: object) -> None:
    document = changed(tiny(), ["actions", "a", 0, key], value)
    assert set(rules(document, TINY)) <= {"times", "no-collision"}
    assert "times" in rules(document, TINY)
    assert all(violation.format() for violation in violations(document, TINY))


def test_the_earliest_wrong_time_is_told_first() -> None:
    document = tiny()
    for node in ("b", "a"):
        for entry in document["actions"][node]:
            entry["start"] += 5
            entry["end"] += 5
    found = [v for v in violations(document, TINY) if v.rule == "times"]
    assert (found[0].node, found[0].microbatch, found[0].time) == ("a", 0, 0)
    assert len(found) == 15


def test_actions_of_one_microbatch_in_the_wrong_order_deadlock() -> None:
    document = tiny()
    listed = document["actions"]["b"]
    listed[0], listed[3] = listed[3], listed[0]
    found = violations(document, TINY)
    assert [v.rule for v in found if v.rule != "no-collision"] == ["deadlock"]
    assert 'B of microbatch 0 on "b" waits for L of microbatch 0 on "a"' in found[0].message


def test_many_violations_of_a_rule_are_counted() -> None:
    text = TINY.replace("microbatches: 3", "microbatches: 30").replace("memory: 3", "memory: 30")
    document = schedule(text, TINY_STAGES, [["a", "b"]] * 30)
    for entry in document["actions"]["a"]:
        entry["to"] = "x"
    found = violations(document, text)
    assert len(found) == MOST_OF_A_RULE + 1
    assert found[-1] == Violation("route", "70 more like these are not listed")


def test_one_line_for_a_reader() -> None:
    violation = Violation("memory", "3 microbatches in flight on 2 slots", 3, "eu0", 12_345_678)
    expected = "memory[microbatch 3, node eu0, at 12.345678 s]: 3 microbatches in flight on 2 slots"
    assert violation.format() == expected
    assert Violation("gap", "is wrong").format() == "gap: is wrong"
    assert (
        Violation("times", "one\nline", time=-1).format()
        == "times[at -0.000001 s]: one\N{REPLACEMENT CHARACTER}line"
    )
    assert "memory" in RULES


@pytest.mark.parametrize(
    "at", [["topology", "document", "extra"], ["stages", 0], ["microbatches", 0, "path"]]
)
def test_bottomless_nesting(at: list[str | int]) -> None:
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    assert rules(changed(tiny(), at, nested), TINY)
