"""What is read from a good topology: groups, links, memory, rules, the normalised document."""

from __future__ import annotations

import io
import json
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from topology_cases import HARBOUR, diagnostics, errors, small

from skipsched.instance import NO_LINK, Instance
from skipsched.text.diagnostics import InputError
from skipsched.topology import derive
from skipsched.topology.load import load_document, load_topology
from skipsched.topology.model import Link, Topology

MIB = 2**20


def harbour(old: str = "", new: str = "") -> Topology:
    assert old in HARBOUR
    return load_topology(HARBOUR.replace(old, new))


def link(topology: Topology, source: str, target: str) -> Link | None:
    nodes = {node.id: node for node in topology.nodes}
    return topology.network.link(nodes[source], nodes[target])


def test_the_example_of_the_format() -> None:
    topology = harbour()
    assert topology.warnings == ()
    assert [node.id for node in topology.nodes] == ["au0", "eu0", "eu1", "eu2", "eu3", "us0", "us1", "jp0"]
    assert [node.microbatches for node in topology.nodes] == [6, 6, 6, 6, 6, 6, 4, 6]
    assert topology.nodes[5].stage == 0
    assert topology.rules.path_length == 3
    assert topology.workload.stage_layers == (4, 4, 4, 4)
    instance = Instance.of(topology)
    # 55 ms * 4 layers * 4 samples; a forward_time is of any stage.
    assert instance.forward[0] == (880_000,) * 4
    assert instance.forward[5] == (1_200_000,) * 4
    assert instance.backward[0] == (1_320_000,) * 4
    assert instance.loss[0] == 220_000
    assert instance.allowed[5] == (0,)
    assert instance.min_sizes == instance.max_sizes == (2, 2, 2, 2)


def test_defaults() -> None:
    topology = load_topology(small(line7=None, line9=None))
    workload, rules = topology.workload, topology.rules
    assert [workload.backward_ratio, workload.loss_ratio, workload.action_overhead] == [2, 0, 0]
    assert list(workload.gradient) == [0, 0]
    assert (rules.path_length, rules.max_swaps, rules.max_swap_distance, rules.max_jump) == (2, 2, 1, 4)
    assert (rules.even_stages, rules.even_nodes, rules.cover, rules.path_period) == (True, False, False, None)
    assert topology.network.overhead == 0
    assert topology.network.default is None
    assert Instance.of(topology).transfer == (
        (0, NO_LINK, NO_LINK),
        (NO_LINK, 0, NO_LINK),
        (NO_LINK, NO_LINK, 0),
    )


def test_empty_sections_are_absent() -> None:
    assert (
        load_topology(small(line7="network:", line9="rules:")).rules == load_topology(small(line9=None)).rules
    )
    assert load_topology(small(line7="network: {links: }")).network.rows == {}


def test_groups_are_expanded() -> None:
    topology = load_topology(small(line4="  - {id: 'g{}-{}', count: 2, forward_time: 1 s, memory: 1}"))
    assert [node.id for node in topology.nodes] == ["g0-0", "g1-1", "b", "c"]
    assert [node["id"] for node in topology.document["nodes"]] == ["g0-0", "g1-1", "b", "c"]
    assert "count" not in topology.document["nodes"][0]


def test_a_bare_integer_is_its_text() -> None:
    topology = load_topology(small(line4="  - {id: 17, location: -3, forward_time: 1 s, memory: 1}"))
    assert (topology.nodes[0].id, topology.nodes[0].location) == ("17", "-3")


def test_the_more_specific_row_counts() -> None:
    rows = ["[P, Q]", "[P, b]", "[a, Q]", "[a, b]"]  # least specific first
    for given in range(16):
        links = [
            f"{{between: {row}, latency: {n + 1} s, bandwidth: 1 MB/s}}"
            for n, row in enumerate(rows)
            if given >> n & 1
        ]
        topology = load_topology(
            small(
                line4="  - {id: a, location: P, forward_time: 1 s, memory: 2}",
                line5="  - {id: b, location: Q, forward_time: 1 s, memory: 2}",
                line7=f"network: {{default: {{latency: 0, bandwidth: 1 MB/s}}, links: [{', '.join(links)}]}}",
            )
        )
        found = link(topology, "a", "b")
        # From a to b the last row given wins; back, where b sends, node and location swap their parts.
        assert found is not None
        assert found.latency == given.bit_length()
        back = link(topology, "b", "a")
        forth_to_back = {1: 1, 2: 3, 3: 2, 4: 4}
        expected = max((forth_to_back[n + 1] for n in range(4) if given >> n & 1), default=0)
        assert back is not None
        assert back.latency == {0: 0, 1: 1, 3: 2, 2: 3, 4: 4}[expected]


def test_a_row_may_hold_in_one_direction() -> None:
    topology = harbour()
    there, back = link(topology, "au0", "jp0"), link(topology, "jp0", "au0")
    assert there == Link(Fraction(58, 1000), Fraction(20 * 10**6))
    assert back == topology.network.default


def test_rows_of_a_links_file(tmp_path: Path) -> None:
    (tmp_path / "links.csv").write_text(
        '\ufefffrom,to,latency_ms,bandwidth_mib_per_s\r\nSydney, Oregon ,1.5,2\r\n\r\n"au0",jp0,0,1e1\r\n'
    )
    path = tmp_path / "t.yaml"
    path.write_text(HARBOUR.replace("  links:\n", "  links_file: links.csv\n  links:\n"))
    topology = load_topology(path)
    assert link(topology, "au0", "us0") == Link(Fraction(3, 2000), Fraction(2 * MIB))
    assert link(topology, "au0", "jp0") == Link(Fraction(0), Fraction(10 * MIB))
    # The document stands alone: the rows are in it, the file is not.
    assert "links_file" not in topology.document["network"]
    assert topology.document["network"]["links"][-1] == {
        "from": "au0",
        "to": "jp0",
        "latency": "0 ms",
        "bandwidth": "1e1 MiB/s",
    }
    assert load_document(topology.document).network == topology.network


@pytest.mark.parametrize(
    ("content", "place", "fragment"),
    [
        ("", "1:1", "expected the columns from,to,latency_ms,bandwidth_mib_per_s"),
        ("from,to\n", "1:1", "expected the columns"),
        ("HEADER\na,b,1\n", "2:1", "expected 4 cells, got 3"),
        ("HEADER\na,b,fast,1\n", "2:5", "latency_ms: expected a number"),
        ("HEADER\na,b,1,0\n", "2:7", "bandwidth_mib_per_s: must be positive"),
        ("HEADER\na,b,-1,1\n", "2:5", "latency_ms: must be at least 0"),
        ("HEADER\na,b,nan,1\n", "2:5", "not a finite number"),
        ("HEADER\na,b,1e12,1\n", "2:5", "beyond the limit of 1000000 s"),
        ("HEADER\n,b,1,1\n", "2:1", "from: a name must not be empty"),
        ('HEADER\n"a,b,1,1\n', "2:1", "not CSV"),
        ("HEADER\na,b,1,1\na,b,2,1\n", "3:1", 'from "a" to "b" has figures already (line 2)'),
        ("HEADER\na,b,1,1e-9\n", "2:1", "moving an activation takes"),
    ],
)
def test_a_bad_links_file_is_marked_in_it(tmp_path: Path, content: str, place: str, fragment: str) -> None:
    table = tmp_path / "bad.csv"
    table.write_text(content.replace("HEADER", "from,to,latency_ms,bandwidth_mib_per_s"))
    path = tmp_path / "t.yaml"
    path.write_text(small(line7="network: {links_file: bad.csv}"))
    with pytest.raises(InputError) as raised:
        load_topology(path)
    (found,) = raised.value.diagnostics
    assert found.format().startswith(f"{table}:{place}: error[")
    assert fragment in found.message


def test_a_links_file_and_the_topology_may_not_both_give_a_link(tmp_path: Path) -> None:
    (tmp_path / "links.csv").write_text("from,to,latency_ms,bandwidth_mib_per_s\nSydney,Tokyo,1,1\n")
    path = tmp_path / "t.yaml"
    path.write_text(HARBOUR.replace("  links:\n", "  links_file: links.csv\n  links:\n"))
    with pytest.raises(InputError, match=r"t\.yaml, line \d+"):
        load_topology(path)


def test_memory_in_bytes_by_hand() -> None:
    """A layer of h=64, f=256 has 4*64*64 + 3*64*256 + 2*64 = 65,664 parameters, a stage of 4 has 262,656.

    State: 16 bytes each, 4,202,496. One microbatch of 4 samples of 32 tokens in float32 keeps
    17*4*32*4*64*4 = 2,228,224 bytes. The first stage has 2*100*64 + 64 = 12,864 parameters more (state
    4,408,320) and the logits, 4*32*4*100 = 51,200 bytes more (2,279,424).
    """
    model = "{hidden_size: 64, sequence_length: 32, dtype: float32, vocab_size: 100}"
    text = HARBOUR.replace("activation: 16 MiB", f"model: {model}").replace("memory: 3", "memory: 11 MB")
    topology = load_topology(text)
    memories = derive.stage_memories(topology.workload)
    assert memories is not None
    assert (memories[0].parameters, memories[0].state, memories[0].footprint) == (
        275_520,
        4_408_320,
        2_279_424,
    )
    assert (memories[1].parameters, memories[1].state, memories[1].footprint) == (
        262_656,
        4_202_496,
        2_228_224,
    )
    assert topology.workload.activation == 4 * 32 * 4 * 64
    # (11,000,000 - 4,408,320) / 2,279,424 = 2.9; (11,000,000 - 4,202,496) / 2,228,224 = 3.05
    assert Instance.of(topology).slots[0] == (2, 3, 3, 3)
    # Room for the state and one slot of any stage but the first: the node cannot hold that one.
    narrow = load_topology(text.replace("11 MB", "6_500_000 B".replace("_", "")))
    assert Instance.of(narrow).slots[0] == (0, 1, 1, 1)
    assert Instance.of(narrow).allowed[0] == (1, 2, 3)
    # No room at all is no bad input: whether a schedule exists is not asked here.
    assert Instance.of(load_topology(text.replace("11 MB", "1 B"))).allowed[0] == ()


def test_bytes_per_parameter_and_feed_forward_size() -> None:
    model = "{hidden_size: 2, sequence_length: 3, dtype: bfloat16, vocab_size: 5, ffn_size: 7}"
    model = model.replace("}", ", bytes_per_parameter: 6}")
    topology = harbour("activation: 16 MiB", f"model: {model}")
    memories = derive.stage_memories(topology.workload)
    assert memories is not None
    assert memories[1].state == 6 * 4 * (4 * 4 + 3 * 2 * 7 + 2 * 2)
    assert memories[1].footprint == 17 * 2 * 3 * 4 * 2 * 4


@pytest.mark.parametrize(
    ("stages", "ratio", "length"),
    [
        (4, "1/4", 3),
        (4, "0", 4),
        (4, "0.125", 4),  # half a stage: skips fewer
        (4, "0.12500001", 3),
        (4, "3/8", 3),  # one and a half
        (6, "1/3", 4),
        (6, "0.25", 5),  # one and a half
        (6, "0.2500001", 4),
        (7, "1/2", 4),  # three and a half
        (10, "0.33", 7),
        (64, "1/2", 32),
    ],
)
def test_path_length_rounds_to_the_nearest_and_a_half_skips_fewer(
    stages: int, ratio: str, length: int
) -> None:
    text = small(
        line4="  - {id: 'a{}', count: 70, forward_time: 1 s, memory: 2}",
        line8=f"workload: {{stages: {stages}, data_nodes: 1, microbatches: 1, activation: 1 B}}",
        line9=f"rules: {{skip_ratio: {ratio}}}",
    )
    assert load_topology(text).rules.path_length == length
    # Both may be given where they agree.
    agreeing = text.replace("rules: {", f"rules: {{path_length: {length}, ")
    assert load_topology(agreeing).rules.path_length == length


def test_the_document_gives_the_same_topology() -> None:
    texts = [
        HARBOUR,
        small(),
        small(line2="name: 'no'", line4='  - {id: "012", forward_time: 1 s, memory: 1}'),
    ]
    for text in texts:
        topology = load_topology(text)
        again = load_document(json.loads(json.dumps(topology.document)))
        assert (again.name, again.nodes, again.workload) == (topology.name, topology.nodes, topology.workload)
        assert (again.network, again.rules) == (topology.network, topology.rules)
        assert again.document == topology.document
        assert again.sha256 == topology.sha256


def test_the_document_has_figures_as_text_and_booleans_as_booleans() -> None:
    document = harbour().document
    assert document["skipsched"] == "1"
    assert document["workload"]["backward_ratio"] == "1.5"
    assert document["workload"]["stage_sizes"] == ["2", "2", "2", "2"]
    assert document["rules"]["even_stages"] is True
    assert document["rules"]["cover"] is False


def test_the_hash_knows_figures_and_not_the_order_of_keys() -> None:
    def reversed_keys(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: reversed_keys(value[key]) for key in reversed(value)}
        return [reversed_keys(item) for item in value] if isinstance(value, list) else value

    topology = harbour()
    shuffled = reversed_keys(topology.document)
    assert list(shuffled) != list(topology.document)
    assert load_document(shuffled).sha256 == topology.sha256
    assert harbour("memory: 3", "memory: 4").sha256 != topology.sha256


def test_errors_of_a_document_name_fields_and_not_lines() -> None:
    document = json.loads(json.dumps(harbour().document))
    document["nodes"][0]["memory"] = document["nodes"][1]["memory"] = "0"
    document["network"]["links_file"] = "/etc/passwd"
    with pytest.raises(InputError) as raised:
        load_document(document)
    first, second, third = (found.format().split("\n")[0] for found in raised.value.diagnostics)
    prefix = "<topology of the schedule>: error[range] nodes"
    assert first == f'{prefix}[0].memory: must be at least 1, got "0"'
    assert second == f'{prefix}[1].memory: must be at least 1, got "0"'
    # A document stands alone: no file of the reader's machine is opened for it.
    assert 'unknown key "links_file"' in third


def test_a_document_of_any_values_is_refused_and_no_more() -> None:
    deep: Any = []
    for _ in range(500):
        deep = [deep]
    values: list[Any] = [None, 1.5, True, [], {}, deep, "\ud800", "\x1b[31m"]
    for value in values:
        for key in ("name", "nodes", "workload", "network"):
            if value == {} and key == "network":
                continue  # that is a network without links
            with pytest.raises(InputError):
                load_document({**harbour().document, key: value} if value is not None else {key: value})


def test_json_crlf_and_byte_order_marks(tmp_path: Path) -> None:
    expected = harbour()
    as_json = json.dumps(expected.document)
    texts = {
        "json": as_json,
        "indented": json.dumps(expected.document, indent=2),
        "tabs": json.dumps(expected.document, indent="\t"),
        "crlf": HARBOUR.replace("\n", "\r\n"),
        "bom": "\ufeff" + HARBOUR,
        "old-mac": HARBOUR.replace("\n", "\r"),
    }
    for name, text in texts.items():
        path = tmp_path / name
        path.write_bytes(text.encode())
        assert load_topology(path).nodes == expected.nodes, name
        assert load_topology(str(path)).sha256 == expected.sha256, name


def test_places_count_every_line_end_yaml_knows() -> None:
    for end in ("\n", "\r\n", "\r", "\x85", "\u2028"):
        text = small(line9="rules: {cover: no}").replace("\n", end)
        (found,) = errors(text + "\n")
        assert found.mark is not None
        assert (found.mark.line, found.mark.column) == (8, 15)
        assert found.format().split("\n")[1] == "    9 | rules: {cover: no}"


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(HARBOUR.encode())))
    assert load_topology("-").nodes == harbour().nodes
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"[1\n")))
    with pytest.raises(InputError, match=r"<stdin>:1:1: error\[yaml\]"):
        load_topology("-")


def test_places_say_where_fields_stand() -> None:
    places = harbour().places
    assert places["rules.max_jump"].line + 1 == HARBOUR.split("\n").index("  max_jump: 4") + 1
    assert {"nodes[0]", "nodes[4].memory", "network.links[3]", "workload.stages"} <= places.keys()
    # Numbered as in the document: au0, four of a group in one line, us0, us1, jp0.
    assert places["nodes[1].memory"] == places["nodes[4].memory"]
    assert places["nodes[7].memory"].line - places["nodes[4].memory"].line == 3
    assert "nodes[8]" not in places


def test_aliases_stand_for_their_values() -> None:
    text = small(
        line4="  - &n {id: a, forward_time: &t 1 s, memory: 2}",
        line5="  - {id: b, forward_time: *t, memory: 2}",
    )
    assert load_topology(text).nodes[1].forward_time == 1
    (found,) = diagnostics(text.replace("{id: b, forward_time: *t, memory: 2}", "*n"))
    assert found.rule == "duplicate-id"
