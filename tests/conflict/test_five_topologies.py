"""Five infeasible topologies, each of another kind, as a person meets them: through the command line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from brute_force import feasible
from cli_cases import call
from conflict_cases import assert_explained

import skipsched
from skipsched.conflict import Change, applied
from skipsched.instance import Instance
from skipsched.topology.load import load_document

SIZES = "activation: 4 MiB"
FIGURES = "latency: 20 ms, bandwidth: 100 Mbit/s"


@dataclass(frozen=True)
class Case:
    """A topology, what is said of it, and the lines of the text where its members stand, by their fields."""

    text: str
    said: str
    change: str
    places: dict[str, int | None]


def links(*pairs: str) -> str:
    rows = (f"    - {{between: [{', '.join(pair.split('-'))}], {FIGURES}}}" for pair in pairs)
    return "network:\n  links:\n" + "\n".join(rows)


CASES = {
    # oslo and bern are not linked, and in paths of three stages each stage is next to each other one.
    "pins that contradict each other through a path": Case(
        f"""skipsched: 1
name: pins
nodes:
  - {{id: oslo, forward_time: 10 ms, memory: 2, stage: 0}}
  - {{id: "mid{{}}", count: 2, forward_time: 10 ms, memory: 2}}
  - {{id: bern, forward_time: 10 ms, memory: 2, stage: 1}}
{links("oslo-mid0", "oslo-mid1", "bern-mid0", "bern-mid1", "mid0-mid1")}
workload: {{stages: 3, stage_sizes: [1, 1, 2], microbatches: 3, {SIZES}}}
""",
        "infeasible: paths of 3 of the 3 stages, the missing links, stage_sizes [1, 1, 2] and the pins of "
        "oslo, bern exclude each other [path-length, link, allocation]",
        "change: nodes[0].stage: 2 instead of 0 (node oslo; or no pin at all)",
        {
            "rules.path_length": None,
            "network.links": 9,
            "workload.stage_sizes": 14,
            "nodes[0].stage": 4,
            "nodes[3].stage": 6,
        },
    ),
    "a path length that no jump reaches": Case(
        f"""skipsched: 1
name: jumps
nodes: [{{id: "n{{}}", count: 4, forward_time: 10 ms, memory: 2}}]
network: {{default: {{{FIGURES}}}}}
workload: {{stages: 4, stage_sizes: [1, 1, 1, 1], microbatches: 6, {SIZES}}}
rules:
  path_length: 2
  max_jump: 2
""",
        "infeasible: paths of 2 of the 4 stages, even-stages, max_jump 2 and 6 microbatches per data node "
        "exclude each other: no allowed order of stages executes stage 3 "
        "[path-length, even-stages, jump, microbatches]",
        "change: rules.max_jump: 3 instead of 2",
        {"rules.path_length": 7, "rules.max_jump": 8, "rules.even_stages": 7, "workload.microbatches": 5},
    ),
    # A stage of twelve layers takes 16 * 12 * (4*2048**2 + 3*2048*8192 + 2*2048) bytes, and a microbatch
    # 17*2*2048*2048*12: 13.5938 GiB together.
    "memory in bytes that leaves a stage without a holder": Case(
        f"""skipsched: 1
name: memory
nodes:
  - {{id: "big{{}}", count: 2, layer_time: 50 ms, memory: 48 GiB}}
  - {{id: "small{{}}", count: 2, layer_time: 50 ms, memory: 12 GiB}}
network: {{default: {{{FIGURES}}}}}
workload:
  stages: 2
  stage_layers: [4, 12]
  stage_sizes: [1, 3]
  samples_per_microbatch: 1
  microbatches: 4
  model: {{hidden_size: 2048, sequence_length: 2048, dtype: bfloat16, vocab_size: 32000}}
""",
        "infeasible: 2 nodes can hold nothing but stage 0, with room for 1 node: small0, small1 "
        "(memory leaves no other choice) [allocation]",
        "change: workload.stage_sizes: [2, 2] instead of [1, 3]",
        {"workload.stage_sizes": 10, "nodes[2].memory": 5, "nodes[3].memory": 5},
    ),
    "a node without the memory for its pin": Case(
        f"""skipsched: 1
name: pinned
nodes:
  - {{id: big, layer_time: 50 ms, memory: 48 GiB, stage: 0}}
  - {{id: small, layer_time: 50 ms, memory: 12 GiB}}
network: {{default: {{{FIGURES}}}}}
workload:
  stages: 2
  stage_layers: [12, 12]
  data_nodes: 1
  samples_per_microbatch: 1
  microbatches: 4
  model: {{hidden_size: 2048, sequence_length: 2048, dtype: bfloat16, vocab_size: 32000}}
""",
        "infeasible: no stage that small may hold leaves room for one microbatch in its memory [allocation]",
        "change: nodes[1].memory: 13.60 GiB instead of 12 GiB (node small)",
        {"nodes[1].memory": 5},
    ),
    # In paths of all four stages the nodes form a circle, and oslo and kyiv have one neighbour each.
    "missing links that cut every allowed path": Case(
        f"""skipsched: 1
name: links
nodes:
  - {{id: oslo, forward_time: 10 ms, memory: 2}}
  - {{id: bern, forward_time: 10 ms, memory: 2}}
  - {{id: rome, forward_time: 10 ms, memory: 2}}
  - {{id: kyiv, forward_time: 10 ms, memory: 2}}
{links("oslo-bern", "bern-rome", "rome-kyiv")}
workload: {{stages: 4, stage_sizes: [1, 1, 1, 1], microbatches: 3, {SIZES}}}
""",
        "infeasible: paths of 4 of the 4 stages and the missing links exclude each other [path-length, link]",
        "change: network.links[3]: {between: [oslo, kyiv], latency: 20 ms, bandwidth: 100 Mbit/s} "
        "(one more row, with figures for example)",
        {"rules.path_length": None, "network.links": 10},
    ),
    # Two paths of three stages besides the first execute six of seven.
    "cover that the microbatches are too few for": Case(
        f"""skipsched: 1
name: cover
nodes: [{{id: "n{{}}", count: 8, forward_time: 10 ms, memory: 2}}]
network: {{default: {{{FIGURES}}}}}
workload: {{stages: 8, data_nodes: 1, microbatches: 2, {SIZES}}}
rules: {{skip_ratio: 1/2, cover: true}}
""",
        "infeasible: paths of 4 of the 8 stages, 2 microbatches per data node and cover exclude each other: "
        "with 2 paths a data node reaches at most 6 of the 7 other stages [path-length, microbatches, cover]",
        "change: workload.microbatches: 3 instead of 2",
        {"rules.skip_ratio": 6, "workload.microbatches": 5, "rules.cover": 6},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_said(name: str) -> None:
    case = CASES[name]
    ran = call("solve", "-", stdin=case.text)
    assert (ran.code, ran.out) == (1, "")
    first, *members, change = ran.err.splitlines()
    assert first == case.said
    assert change == case.change
    for field, line in case.places.items():
        told = [row for row in members if f" {field}: " in row]
        assert len(told) == 1, field
        assert told[0].startswith(f"  <stdin>:{line}:") == (line is not None), field
    assert len(members) == len(case.places)
    assert call("check", "-", stdin=case.text).out.endswith(ran.err)


@pytest.mark.parametrize("name", CASES)
def test_the_same_for_machines(name: str) -> None:
    case = CASES[name]
    ran = call("check", "-", "--json", stdin=case.text)
    assert ran.code == 1
    cause: dict[str, Any] = json.loads(ran.out)["cause"]
    assert {member["field"]: member["line"] for member in cause["members"]} == case.places
    assert cause["irreducible"] is True
    assert cause["searched"] is True
    assert {member["rule"] for member in cause["members"]} == set(cause["rules"])
    # What a machine needs to apply the change, and nothing else.
    changes = [Change(**change) for change in cause["changes"]]
    document = applied(skipsched.load_topology(case.text).document, changes)
    assert skipsched.solve(load_document(document), deterministic=True, time_limit=5).schedule is not None


@pytest.mark.parametrize("name", [name for name in CASES if "cover" not in name])
def test_cause_and_change_hold_against_plain_enumeration(name: str) -> None:
    loaded = skipsched.load_topology(CASES[name].text)
    result = skipsched.solve(loaded, deterministic=True)
    assert result.cause is not None
    assert not feasible(Instance.of(loaded))
    assert_explained(loaded, result.cause)


def test_places_of_a_rule_that_is_not_written() -> None:
    """A default stands at its section; where there is no section either it has no place."""
    text = CASES["missing links that cut every allowed path"].text
    said = call("solve", "-", stdin=text).err
    assert "\n  path-length: rules.path_length: 4 (the default)\n" in said
    said = call("solve", "-", stdin=text + "rules: {max_jump: 3}\n").err
    assert "\n  <stdin>:14:8: path-length: rules.path_length: 4 (the default)\n" in said


def test_many_members_are_counted_on_the_terminal_and_listed_for_machines() -> None:
    # Thirty nodes that can hold stage 0 alone, which has room for 25: any 26 of them are too many.
    text = CASES["memory in bytes that leaves a stage without a holder"].text
    text = text.replace("count: 2, layer_time: 50 ms, memory: 12", "count: 30, layer_time: 50 ms, memory: 12")
    text = text.replace("[1, 3]", "[25, 7]")
    said = call("solve", "-", stdin=text).err
    assert "  and 7 more; check --json lists them all\n" in said
    assert said.endswith("change: workload.stage_sizes: [30, 2] instead of [25, 7]\n")
    assert len(json.loads(call("check", "-", "--json", stdin=text).out)["cause"]["members"]) == 27
    # Thirty nodes that hold no stage at all are a conflict each; all of them have to change.
    text = text.replace("memory: 12 GiB", "memory: 100 MiB")
    said = call("solve", "-", stdin=text).err
    assert said.count("nodes[") == 21
    assert said.endswith("  and 10 more; check --json lists them all\n")
