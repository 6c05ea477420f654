"""Malformed topologies: what is said, and where.

In the texts » stands just before the place where the error is marked; it is taken out before loading.
"""

from __future__ import annotations

import pytest
from topology_cases import HARBOUR, diagnostics, errors, small

from skipsched.text.diagnostics import MOST_SHOWN, InputError
from skipsched.topology import limits
from skipsched.topology.load import load_topology

A = "  - {id: a, location: X, forward_time: 1 s, memory: 2"
B = "  - {id: b, location: X, forward_time: 2 s, memory: 2"
W = "workload: {stages: 2, data_nodes: 1, microbatches: 2, activation: 1 MB"
NETWORK = "network: {default: {latency: 1 ms, bandwidth: 1 MB/s}, links: ["
MODEL = "{hidden_size: 8, sequence_length: 8, vocab_size: 8, dtype: »float}"
LINK = "latency: 1 ms, bandwidth: 1 MB/s"

# (text, rule, a fragment of the message)
CASES = {
    # Not YAML, or more of YAML than a topology may use.
    "empty": ("»", "yaml", "the file is empty"),
    "comment": ("»# nothing yet\n", "yaml", "the file is empty"),
    "not-a-mapping": ("»- 1\n- 2\n", "type", "a topology is a mapping, not a list"),
    "unclosed": (small(line9="rules: »{max_jump: 4"), "yaml", "did not find expected ',' or '}'"),
    "tab": (small(line2="name:\n»\tsmall"), "yaml", "cannot start any token"),
    "unquoted-braces": (small(line4="  - {id: a»{}, count: 2}"), "yaml", "did not find expected"),
    "tag": (small(line2="name: »!!str small"), "yaml", "tags are not allowed"),
    "merge-key": (
        small(line4="  - {»<<: {memory: 2}, id: a, forward_time: 1 s, memory: 2}"),
        "yaml",
        "merge keys",
    ),
    "second-document": (small(line9="»---\nname: another"), "yaml", "a second document begins here"),
    "unknown-alias": (small(line2="name: »*nowhere"), "yaml", "refers to nothing"),
    "control-character": (small(line2="name: sm»\x1b[31mall"), "yaml", "U+001B is not allowed"),
    "key-no-text": (small(line9="rules: {»[a]: 1}"), "yaml", "a key must be a plain text"),
    "duplicate-key": (small(line9="rules: {max_jump: 4, »max_jump: 5}"), "duplicate-key", "already (line 9)"),
    # Keys.
    "unknown-key": (small(line9="rules: {»max_jumps: 4}"), "unknown-key", 'unknown key "max_jumps"'),
    "missing-name": (small(line1="»skipsched: 1", line2=None), "missing-key", "`name` is missing"),
    "missing-nodes": (
        small(line1="»skipsched: 1", line3=None, line4=None, line5=None, line6=None),
        "missing-key",
        "`nodes`",
    ),
    "missing-id": (small(line4="  - »{forward_time: 1 s, memory: 2}"), "missing-key", "`id` is missing"),
    "missing-time": (small(line4="  - »{id: a, memory: 2}"), "missing-key", "`layer_time` or `forward_time`"),
    "missing-value": (small(line2="name:»"), "missing-value", "has no value"),
    "both-times": (
        small(line4=A + ", layer_time: »1 s}"),
        "conflict",
        "`layer_time` and `forward_time` are both given",
    ),
    "both-sizes": (small(line8=W + ", stage_sizes: »[1, 2]}"), "conflict", "only one may be"),
    "no-sizes": (
        small(line8="workload: »{stages: 2, microbatches: 2, activation: 1 MB}"),
        "missing-key",
        "`stage_sizes`",
    ),
    "layers-needed": (
        small(
            line4="  - {id: a, layer_time: 1 s, memory: 2}",
            line8=W.replace("{", "»{") + ", samples_per_microbatch: 1}",
        ),
        "missing-key",
        "`layers` or `stage_layers` is missing, and nodes[0] gives `layer_time`",
    ),
    "bytes-without-model": (
        small(line4="  - {id: a, forward_time: 1 s, memory: »24 GiB}"),
        "missing-key",
        "needs `workload.model`",
    ),
    "version": (small(line1="skipsched: »2"), "version", "format version 1"),
    # Values YAML turns into others, and values out of range.
    "name-no": (small(line2="name: »no"), "ambiguous", "as true or false"),
    "name-octal": (small(line2="name: »012"), "ambiguous", "as another number"),
    "name-date": (small(line2="name: »2024-01-01"), "ambiguous", "as a date"),
    "name-float": (small(line2="name: »1.5"), "ambiguous", "as a number"),
    "count-octal": (small(line8=W.replace("stages: 2", "stages: »010") + "}"), "ambiguous", "octal"),
    "count-hexadecimal": (small(line8=W.replace("stages: 2", "stages: »0x10") + "}"), "ambiguous", "as 16"),
    "count-base-60": (
        small(line8=W.replace("batches: 2", "batches: »1:30") + "}"),
        "ambiguous",
        "as 90 (base 60)",
    ),
    "count-float": (
        small(line8=W.replace("stages: 2", "stages: »2.0") + "}"),
        "type",
        "expected a whole number",
    ),
    "count-underscore": (
        small(line8=W.replace("batches: 2", "batches: »1_0") + "}"),
        "ambiguous",
        "underscores",
    ),
    "flag-no": (small(line9="rules: {cover: »no}"), "type", "expected true or false"),
    "flag-quoted": (small(line9='rules: {cover: »"true"}'), "type", "expected true or false"),
    "not-a-number": (small(line8=W + ", backward_ratio: ».nan}"), "range", "not a finite number"),
    "infinite": (small(line8=W + ", loss_ratio: ».inf}"), "range", "not a finite number"),
    "no-unit": (
        small(line4=A.replace("1 s", "»55") + "}"),
        "unit",
        "has no unit; expected one of us ms s min",
    ),
    "unknown-unit": (small(line4=A.replace("1 s", "»55 sec") + "}"), "unit", 'unknown unit "sec"'),
    "negative-time": (small(line4=A.replace("1 s", "»-1 s") + "}"), "range", "must be positive"),
    "zero-time": (small(line4=A.replace("1 s", "»0 s") + "}"), "range", "must be positive"),
    "zero-bandwidth": (
        small(line7="network: {default: {latency: 0, bandwidth: »0}}"),
        "range",
        "must be positive",
    ),
    "zero-slots": (small(line4=A.replace("memory: 2", "memory: »0") + "}"), "range", "must be at least 1"),
    "memory-word": (
        small(line4=A.replace("memory: 2", "memory: »lots") + "}"),
        "type",
        "a number of slots such as 3",
    ),
    "negative-memory": (
        small(line4=A.replace("memory: 2", "memory: »-3 GiB") + "}"),
        "range",
        "must be positive",
    ),
    "absurd-time": (small(line4=A.replace("1 s", "»1e7 s") + "}"), "limit", "beyond the limit of 1000000 s"),
    "absurd-backward": (
        small(line4=A.replace("1 s", "»900000 s") + "}"),
        "limit",
        "an action of 1800000 s, beyond the limit of 1000000 s",
    ),
    "too-many-stages": (
        small(line8=W.replace("stages: 2", "stages: »65") + "}"),
        "limit",
        "beyond the limit of 64",
    ),
    "one-stage": (small(line8=W.replace("stages: 2", "stages: »1") + "}"), "range", "must be at least 2"),
    "too-many-nodes": (
        small(
            line4="  - »{id: 'a{}', count: 1999, forward_time: 1 s, memory: 2}".replace("»", ""),
            line6="  - »{id: c, forward_time: 1 s, memory: 2}",
        ),
        "limit",
        "2001 nodes up to here, beyond the limit of 2000",
    ),
    "too-many-actions": (
        small(
            line8="workload: {stages: 2, data_nodes: 2, microbatches: »10000, activation: 1 B}",
            line6="  - {id: 'c{}', count: 98, forward_time: 1 s, memory: 2}",
        ).replace("data_nodes: 2", "data_nodes: 50"),
        "limit",
        "up to 2500000 actions an iteration",
    ),
    "dtype": (
        small(
            line8=W.replace("activation: 1 MB", f"model: {MODEL}") + ", layers: 2, samples_per_microbatch: 1}"
        ),
        "type",
        "expected one of float64, float32",
    ),
    # Nodes.
    "no-nodes": (
        small(line3="nodes: »[]", line4=None, line5=None, line6=None),
        "count",
        "there are no nodes",
    ),
    "node-no-mapping": (small(line4="  - »a"), "type", "expected a node as a mapping"),
    "duplicate-id": (
        small(line5=B.replace("id: b", "id: »a") + "}"),
        "duplicate-id",
        "another node already (line 4)",
    ),
    "group-one-id": (
        small(line4=A.replace("id: a", "id: »a") + ", count: 2}"),
        "duplicate-id",
        "2 nodes cannot share",
    ),
    "group-without-count": (
        small(line4=A.replace("id: a", 'id: »"a{}"') + "}"),
        "missing-key",
        "has no `count`",
    ),
    "id-is-location": (
        small(line4=A.replace("location: X", "location: »b") + "}"),
        "conflict",
        "also the id of a node",
    ),
    "pin-out-of-range": (
        small(line4=A + ", stage: »2}"),
        "range",
        "there is no stage 2; the stages are 0 to 1",
    ),
    "pins-beyond-data-nodes": (
        small(line4=A + ", stage: 0}", line5=B + ", stage: »0}"),
        "pin",
        "pinned to stage 0 than the 1 it can hold",
    ),
    "pins-beyond-a-free-stage": (
        small(
            line4=A + ", stage: 1}",
            line5=B + ", stage: 1}",
            line6="  - {id: c, forward_time: 3 s, memory: 2, stage: »1}",
        ),
        "pin",
        "pinned to stage 1 than the 2 it can hold",
    ),
    "nobody-emits": (
        small(line4=A + ", stage: 0, microbatches: 0}", line8=W.replace("batches: 2", "batches: »2") + "}"),
        "range",
        "no node that may become a data node emits any microbatch",
    ),
    # Counts.
    "sizes-do-not-sum": (
        small(line8=W.replace("data_nodes: 1", "stage_sizes: »[1, 1]") + "}"),
        "count",
        "sum to 2, but there are 3 nodes",
    ),
    "sizes-for-other-stages": (
        small(line8=W.replace("data_nodes: 1", "stage_sizes: »[1, 1, 1]") + "}"),
        "count",
        "3 entries for 2 stages",
    ),
    "too-many-data-nodes": (
        small(line8=W.replace("data_nodes: 1", "data_nodes: »3") + "}"),
        "count",
        "more than the 3 nodes there are",
    ),
    "layers-do-not-divide": (
        small(line8=W + ", layers: »3}"),
        "count",
        "3 layers do not divide evenly into 2 stages",
    ),
    "gradients-for-other-stages": (small(line8=W + ", gradient: »[1 MB]}"), "count", "1 entry for 2 stages"),
    "gradient-item": (small(line8=W + ", gradient: [1 MB, »2]}"), "unit", "has no unit"),
    # Links.
    "link-without-ends": (
        small(line7=f"{NETWORK}»{{{LINK}}}]}}"),
        "missing-key",
        "`between` or `from` is missing",
    ),
    "link-half-an-end": (small(line7=f"{NETWORK}»{{from: X, {LINK}}}]}}"), "missing-key", "`to` is missing"),
    "link-three-ends": (small(line7=f"{NETWORK}{{between: »[a, b, c], {LINK}}}]}}"), "type", "two names"),
    "link-both-forms": (
        small(line7=f"{NETWORK}{{between: [a, b], from: »a, {LINK}}}]}}"),
        "conflict",
        "both given",
    ),
    "link-twice": (
        small(line7=f"{NETWORK}{{between: [a, b], {LINK}}}, »{{from: b, to: a, {LINK}}}]}}"),
        "duplicate-link",
        'from "b" to "a" has figures already (line 7)',
    ),
    "slow-link": (
        small(line7=f"{NETWORK}»{{between: [a, b], latency: 0, bandwidth: 0.5 B/s}}]}}"),
        "limit",
        "moving an activation takes 2000000 s here, beyond the limit of 1000000 s",
    ),
    "slow-default": (
        small(line7="network: {default: »{latency: 1 s, bandwidth: 1 B/s}}"),
        "limit",
        "takes 1000001 s here, beyond the limit",
    ),
    "slow-allreduce": (
        small(
            line7="network: {default: »{latency: 0, bandwidth: 10 B/s}}", line8=W + ", gradient: [0, 11 MB]}"
        ),
        "limit",
        "moving a stage's gradients takes 1100000 s",
    ),
    "no-links-file": (small(line7="network: {links_file: »nowhere.csv}"), "unreadable", "No such file"),
    "links-file-a-folder": (small(line7="network: {links_file: ».}"), "unreadable", "is not a file"),
    # Rules.
    "path-too-long": (small(line9="rules: {path_length: »3}"), "range", "at most 2, the number of stages"),
    "path-too-short": (small(line9="rules: {path_length: »1}"), "range", "must be at least 2"),
    "skipping-too-much": (small(line9="rules: {skip_ratio: »0.9}"), "range", "at least 2 must remain"),
    "ratio-by-zero": (small(line9="rules: {skip_ratio: »1/0}"), "range", "divides by zero"),
    "two-lengths": (
        HARBOUR.replace("  skip_ratio: 1/4\n", "  skip_ratio: 1/4\n  path_length: »2\n"),
        "conflict",
        "`skip_ratio` makes paths of 3 of the 4 stages, `path_length` says 2",
    ),
    "too-many-orders": (
        "skipsched: 1\nname: x\nnodes: [{id: 'n{}', count: 64, forward_time: 1 s, memory: 1}]\n"
        "workload: {stages: 64, data_nodes: 1, microbatches: 1, activation: 1 B}\n"
        "rules: {path_length: 32, max_swaps: »60, max_swap_distance: 60}\n",
        "limit",
        "an automaton of 50000 states",
    ),
}


@pytest.mark.parametrize(("marked", "rule", "fragment"), CASES.values(), ids=CASES.keys())
def test_one_error_at_its_place(marked: str, rule: str, fragment: str) -> None:
    """One mistake gives one error: nothing that merely follows from it is told too."""
    before, marker, after = marked.partition("»")
    assert marker
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    found = errors(before + after + ("" if "\n" in marked else "\n"))
    assert [error.rule for error in found] == [rule], "\n".join(error.format() for error in found)
    assert fragment in found[0].message
    assert found[0].format().startswith(f"<text>:{line}:{column}: error[{rule}]")


def test_the_message_shows_the_line_and_marks_the_place() -> None:
    assert errors(small(line9="rules: {max_jmup: 4}"))[0].format() == (
        '<text>:9:9: error[unknown-key] rules: unknown key "max_jmup"\n'
        "    9 | rules: {max_jmup: 4}\n"
        "                ^~~~~~~~\n"
        '    hint: did you mean "max_jump"?'
    )


def test_the_marker_stands_under_wide_characters() -> None:
    shown = errors(small(line4="  - {id: 東京, forward_time: 1, memory: 2}"))[0].format().split("\n")
    # Two characters, four cells.
    assert shown[2].index("^") == shown[1].index("1, memory") + 2


def test_all_errors_in_one_run_in_the_order_of_the_text() -> None:
    text = small(
        line4="  - {id: a, forward_time: 55, memory: 0}",
        line7="network: {overhead: 1 parsec}",
        line8="workload: {stages: one, microbatches: 0, layers: x, stage_sizes: [0, 1], activation: 1}",
        line9="rules: {max_jump: 0, cover: no}",
    )
    assert [(e.mark.line + 1, e.where) for e in errors(text) if e.mark] == [
        (4, "nodes[0].forward_time"),
        (4, "nodes[0].memory"),
        (7, "network.overhead"),
        (8, "workload.stages"),
        (8, "workload.microbatches"),
        (8, "workload.layers"),
        (8, "workload.stage_sizes[0]"),
        (8, "workload.activation"),
        (9, "rules.max_jump"),
        (9, "rules.cover"),
    ]


@pytest.mark.parametrize("stages", ["x", "0", "1000", "[2]", "~"])
def test_a_bad_number_of_stages_is_one_error(stages: str) -> None:
    text = HARBOUR.replace("stages: 4", f"stages: {stages}").replace(
        "gradient: 0 B", "gradient: [0, 0, 0, 0]"
    )
    assert [error.where for error in errors(text)] == ["workload.stages"]


@pytest.mark.parametrize("nodes", ["~", "x", "[]", "{}", "[1]"])
def test_bad_nodes_are_one_error(nodes: str) -> None:
    """Neither sums nor names of links are judged by nodes that could not be read."""
    head, _, rest = HARBOUR.partition("nodes:\n")
    text = f"{head}nodes: {nodes}\nnetwork:\n{rest.partition('network:')[2].lstrip()}"
    assert len(diagnostics(text.replace("network:\noverhead", "network:\n  overhead"))) == 1


def test_an_error_in_a_shared_alias_is_told_once() -> None:
    text = small(
        line2="name: small\n#",
        line4="  - {id: a, forward_time: &t 1 parsec, memory: 2}",
        line5="  - {id: b, forward_time: *t, memory: 2}",
    )
    assert len(errors(text)) == 1


def test_no_control_character_reaches_the_terminal() -> None:
    evil = r'"\e[31m\a\x9b"'
    for text in (
        small(line2=f"name: {evil}"),
        small(line4=A.replace("id: a", f"id: {evil}") + "}"),
        small(line9=f"rules: {{{evil}: 1}}"),
        small(line9=f"rules: {{max_jump: {evil}}}"),
        small(line7=f"network: {{links_file: {evil}}}"),
        small(line9="rules: {max_jump: 1\x9b}"),
    ):
        shown = "\n".join(found.format() for found in diagnostics(text))
        assert shown
        assert all(c == "\n" or c.isprintable() for c in shown)


def test_reading_stops_after_many_errors() -> None:
    found = errors(small(line9="rules: {" + ", ".join(f"k{i}: 1" for i in range(1000)) + "}"))
    assert len(found) == MOST_SHOWN + 1
    assert "reading stopped after" in found[-1].message


def test_what_is_no_file_or_no_text_is_refused() -> None:
    for name in ("nowhere.yaml", "nul\0byte.yaml", "x" * 5000, "/"):
        with pytest.raises(InputError) as raised:
            load_topology(name)
        assert raised.value.diagnostics[0].rule == "unreadable"
    with pytest.raises(InputError, match="not UTF-8"):
        load_topology("name: \ud800\n")


def test_unknown_ends_are_warnings_with_a_hint() -> None:
    topology = load_topology(HARBOUR.replace("to: Tokyo", "to: Tokio"))
    (warning,) = topology.warnings
    assert (warning.severity, warning.rule, warning.hint) == (
        "warning",
        "unknown-end",
        'did you mean "Tokyo"?',
    )


def test_many_unknown_ends_share_a_warning() -> None:
    links = ", ".join(f"{{from: s{i}, to: t{i}, {LINK}}}" for i in range(500))
    found = diagnostics(small(line7=f"{NETWORK}{links}]}}"))
    assert len(found) == 21
    assert found[-1].message.startswith("980 more names")


def test_a_row_of_a_node_to_itself_is_a_warning() -> None:
    (warning,) = load_topology(small(line7=f"{NETWORK}{{from: a, to: a, {LINK}}}]}}")).warnings
    assert warning.rule == "link-to-itself"


def test_limits_are_named() -> None:
    many = limits.MAX_NODES + 1
    (error,) = errors(small(line4=A.replace("id: a", 'id: "a{}"') + f", count: {many}}}"))
    assert str(limits.MAX_NODES) in error.message
