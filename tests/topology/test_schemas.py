"""The shipped schemas: valid, and of one mind with the loader as far as a schema can say."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import yaml
from topology_cases import HARBOUR, errors, small

from skipsched.schemas import schema_text
from skipsched.topology import read_network, read_nodes, read_rules, read_workload
from skipsched.topology.load import load_topology

TOPOLOGY_SCHEMA: dict[str, Any] = json.loads(schema_text("topology"))
SCHEDULE_SCHEMA: dict[str, Any] = json.loads(schema_text("schedule"))
TOPOLOGY = jsonschema.Draft202012Validator(TOPOLOGY_SCHEMA)
SCHEDULE = jsonschema.Draft202012Validator(SCHEDULE_SCHEMA)

W = "workload: {stages: 2, data_nodes: 1, microbatches: 2, activation: 1 MB"
MODEL = "{hidden_size: 8, sequence_length: 8, dtype: float16, vocab_size: 8}"

GOOD = {
    "harbour": HARBOUR,
    "small": small(),
    "bare": small(line7=None, line9=None),
    "empty-sections": small(line7="network:", line9="rules:"),
    "figures-as-text": small(line8=W.replace("stages: 2", 'stages: "2"') + ', loss_ratio: "0.5"}'),
    "zeros": small(line8=W + ", action_overhead: 0, gradient: [0, 0.0], loss_ratio: 0}"),
    "ratio": small(line8=W + ", backward_ratio: 3/2}"),
    "model": small(
        line4="  - {id: 1, layer_time: 1 ms, memory: 24 GiB, stage: 0, microbatches: 0}",
        line8=f"workload: {{stages: 2, stage_sizes: [2, 1], stage_layers: [1, 2], samples_per_microbatch: 1, "
        f"microbatches: 2, model: {MODEL}}}",
        line9="rules: {skip_ratio: 0, path_length: 2, even_stages: false, path_period: 1}",
    ),
}

# Bad as the loader says, and as the schema can say too.
BAD = {
    "unknown-key": small(line9="rules: {max_jumps: 4}"),
    "missing-name": small(line2=None),
    "version": small(line1="skipsched: 2"),
    "both-times": small(line4="  - {id: a, layer_time: 1 s, forward_time: 1 s, memory: 2}"),
    "no-time": small(line4="  - {id: a, memory: 2}"),
    "no-unit": small(line4="  - {id: a, forward_time: 55, memory: 2}"),
    "unknown-unit": small(line4="  - {id: a, forward_time: 55 sec, memory: 2}"),
    "zero-time": small(line4="  - {id: a, forward_time: 0.0 s, memory: 2}"),
    "negative-time": small(line4="  - {id: a, forward_time: -1 s, memory: 2}"),
    "leading-zero": small(line4="  - {id: a, forward_time: 01 s, memory: 2}"),
    "zero-slots": small(line4="  - {id: a, forward_time: 1 s, memory: 0}"),
    "half-a-slot": small(line4="  - {id: a, forward_time: 1 s, memory: 1.5}"),
    "name-no": small(line2="name: no"),
    "name-float": small(line2="name: 1.5"),
    "name-null": small(line2="name:"),
    "one-stage": small(line8=W.replace("stages: 2", "stages: 1") + "}"),
    "both-sizes": small(line8=W + ", stage_sizes: [1, 2]}"),
    "no-sizes": small(line8=W.replace("data_nodes: 1, ", "") + "}"),
    "activation-and-model": small(line8=W + f", layers: 2, samples_per_microbatch: 1, model: {MODEL}}}"),
    "model-without-layers": small(line8=W.replace("activation: 1 MB", f"model: {MODEL}") + "}"),
    "both-layers": small(line8=W + ", layers: 2, stage_layers: [1, 1]}"),
    "zero-backward": small(line8=W + ", backward_ratio: 0}"),
    "negative-ratio": small(line9="rules: {skip_ratio: -0.5}"),
    "flag": small(line9='rules: {cover: "true"}'),
    "no-nodes": small(line3="nodes: []", line4=None, line5=None, line6=None),
    "zero-bandwidth": small(line7="network: {default: {latency: 0, bandwidth: 0 B/s}}"),
    "half-a-default": small(line7="network: {default: {latency: 0}}"),
    "link-ends": small(line7="network: {links: [{between: [a], latency: 0, bandwidth: 1 B/s}]}"),
    "link-both-forms": small(
        line7="network: {links: [{between: [a, b], from: a, latency: 0, bandwidth: 1 B/s}]}"
    ),
    "link-half-an-end": small(line7="network: {links: [{from: a, latency: 0, bandwidth: 1 B/s}]}"),
}


@pytest.mark.parametrize("schema", [TOPOLOGY_SCHEMA, SCHEDULE_SCHEMA], ids=["topology", "schedule"])
def test_the_schemas_are_valid_and_describe_themselves(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    for key, part in schema["properties"].items():
        assert "title" in part, key


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD.keys())
def test_the_schema_takes_what_the_loader_takes(text: str) -> None:
    document = load_topology(text).document
    TOPOLOGY.validate(yaml.safe_load(text))
    TOPOLOGY.validate(json.loads(json.dumps(document)))


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_the_schema_refuses_what_the_loader_refuses(text: str) -> None:
    assert errors(text)
    assert not TOPOLOGY.is_valid(yaml.safe_load(text))


def test_every_key_of_the_loader_is_in_the_schema() -> None:
    """Completion in editors offers what may be written, all of it."""

    top = TOPOLOGY_SCHEMA["properties"]
    for keys, part in (
        (read_nodes._KEYS, top["nodes"]["items"]),
        (read_network._KEYS, top["network"]),
        (read_network._LINK_KEYS, top["network"]["properties"]["links"]["items"]),
        (read_workload._KEYS, top["workload"]),
        (read_workload._MODEL_KEYS, top["workload"]["properties"]["model"]),
        (read_rules._KEYS, top["rules"]),
    ):
        assert set(keys) == part["properties"].keys()
        assert part["additionalProperties"] is False


def schedule() -> dict[str, Any]:
    topology = load_topology(HARBOUR)
    return {
        "format": "skipsched.schedule/1",
        "topology": {"name": topology.name, "sha256": topology.sha256, "document": topology.document},
        "solver": {
            "version": "0.1.0",
            "status": "FEASIBLE",
            "stop_reason": "time_limit",
            "seed": 0,
            "workers": 2,
            "wall_time": None,
            "restricted_to": [],
        },
        "iteration_time": 58123456,
        "makespan": 58123456,
        "lower_bound": None,
        "bound_kind": None,
        "gap": None,
        "bubble_ratio": 0.55,
        "stages": [["us0", "eu1"], ["eu0", "jp0"], ["eu2", "us1"], ["au0", "eu3"]],
        "microbatches": [{"id": 0, "data_node": "us0", "path": ["us0", "eu2", "eu0"], "stages": [0, 2, 1]}],
        "actions": {
            "us0": [
                {"op": "F", "microbatch": 0, "stage": 0, "start": 0, "end": 1200000, "to": "eu2"},
                {"op": "L", "microbatch": 0, "stage": 0, "start": 9, "end": 10, "from": "eu0", "to": "eu0"},
            ],
            "eu0": [],
        },
    }


def test_a_schedule_with_additions() -> None:
    document = schedule()
    SCHEDULE.validate(document)
    document["rings"] = [["us0", "eu1"]]
    document["later"] = document["solver"]["later"] = 1
    SCHEDULE.validate(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), "skipsched.schedule/2"),
        (("iteration_time",), 1.5),
        (("iteration_time",), -1),
        (("makespan",), "1"),
        (("gap",), 1.5),
        (("topology", "sha256"), "abc"),
        (("solver", "status"), "GOOD"),
        (("stages", 0), []),
        (("microbatches", 0, "stages"), [1, 2, 3]),
        (("microbatches", 0, "path"), ["us0", "us0"]),
        (("actions", "us0", 0, "op"), "I"),
        (("actions", "us0", 1, "from"), None),
        (("actions", "us0", 1, "stage"), 1),
    ],
)
def test_a_bad_schedule(path: tuple[str | int, ...], value: Any) -> None:
    document: Any = schedule()
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert not SCHEDULE.is_valid(document)


def test_a_schedule_lacks_nothing() -> None:
    for key in schedule():
        document = schedule()
        del document[key]
        assert not SCHEDULE.is_valid(document), key
