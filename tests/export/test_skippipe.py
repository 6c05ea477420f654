"""SkipPipe's JSON: its trainer, restated here, sends every microbatch along the schedule's path."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from check_cases import schedule
from cli_cases import solved_document
from export_cases import IDLE, PERIODIC, opened, random_documents

from skipsched.export.refused import NotExpressible
from skipsched.export.skippipe import text


def exported(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text(opened(document)))
    return found


def reasons(document: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Messages and hints by rule."""
    with pytest.raises(NotExpressible) as caught:
        text(opened(document))
    return {found.rule: (found.message, found.hint or "") for found in caught.value.diagnostics}


def travelled(config: dict[str, Any], bid: int) -> list[int]:
    """The nodes that a microbatch visits: each node asks where to pass it on, until it has to go home.

    As in trainer.py: a data node is the place of its number in ``partitions[0]``, a microbatch's number
    counts on from data node to data node, and keys are texts.
    """
    data_node, number = divmod(bid, config["ours-sends"])
    paths = config["non-ca-paths"]
    node = config["partitions"][0][data_node]
    visited = [node]
    while (
        after := paths[str(data_node * config["memory"] + number % config["memory"])].get(str(node))
    ) is not None:
        visited.append(after)
        node = after
    return visited


def check(document: dict[str, Any]) -> None:
    config = exported(document)
    ids = config["nodes"]
    assert [[ids[n] for n in nodes] for nodes in config["partitions"]] == document["stages"]
    assert len(config["locations"]) == len(config["delays"]) == len(ids)
    sends, data_nodes = config["ours-sends"], config["partitions"][0]
    emitted: Counter[str] = Counter()
    for microbatch in document["microbatches"]:
        data_node = ids.index(microbatch["data_node"])
        bid = data_nodes.index(data_node) * sends + emitted[microbatch["data_node"]]
        emitted[microbatch["data_node"]] += 1
        assert [ids[n] for n in travelled(config, bid)] == microbatch["path"]
    assert set(emitted.values()) == {sends}
    assert config["nonca-expected-time"] * 10**6 >= 0


def test_skipped_and_swapped_stages() -> None:
    document = solved_document(PERIODIC)
    check(document)
    config = exported(document)
    assert config["memory"] == 2
    assert config["ours-sends"] == 5
    assert sorted(config["non-ca-paths"], key=int) == ["0", "1", "2", "3"]
    assert "ca-paths" not in config
    assert config["locations"] == ["Oregon"] * 4 + ["m0", "m1", "m2", "m3"]


def test_the_keys_of_the_docs() -> None:
    docs = (Path(__file__).resolve().parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
    table = docs.partition("| key |")[2].partition("\n\n")[0]
    listed = set(re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE))
    assert listed | {"nodes"} == set(exported(solved_document(PERIODIC)))


def test_delays_are_seconds_with_their_overhead_and_direction() -> None:
    """350 ms, 5 or 90 ms, and a millisecond for the megabyte."""
    delays = exported(solved_document(PERIODIC))["delays"]
    assert delays[0][0] == 0
    assert delays[0][1] == 0.356
    assert delays[0][5] == 0.441
    assert delays[5][0] == 0.356


def test_fewer_microbatches_than_slots() -> None:
    document = solved_document(IDLE)
    check(document)
    assert list(exported(document)["non-ca-paths"]) == ["0"]


def test_random_schedules_are_read_back_or_refused() -> None:
    """Both happen."""
    refused: Counter[str] = Counter()
    read = 0
    for document in random_documents(40):
        try:
            check(document)
            read += 1
        except NotExpressible as error:
            refused.update(found.rule for found in error.diagnostics)
            assert all(found.hint for found in error.diagnostics)
    assert read > 1
    assert set(refused) >= {"path-period", "memory", "microbatches", "link"}


def test_paths_that_do_not_repeat_with_the_slots() -> None:
    document = solved_document(PERIODIC.replace("memory: 2", "memory: 3"))
    message, hint = reasons(document)["path-period"]
    assert "of 10 microbatches" in message
    assert hint == "set rules.path_period: 3"
    check(
        solved_document(
            PERIODIC.replace("memory: 2", "memory: 3").replace("path_period: 2", "path_period: 3")
        )
    )


def test_unequal_slots() -> None:
    document = solved_document(
        PERIODIC.replace("forward_time: 30 ms, memory: 2", "forward_time: 30 ms, memory: 4")
    )
    message, hint = reasons(document)["memory"]
    assert "between 2 and 4 slots" in message
    assert hint == "set the same slots for every node, memory: 2"


def test_paths_that_run_against_each_other() -> None:
    """One slot each: d0 holds a and waits for b, d1 holds b and waits for a. One after the other they fit."""
    text = """
skipsched: 1
name: against
nodes: [{id: "n{}", count: 4, forward_time: 20 ms, memory: 1}]
network: {default: {latency: 5 ms, bandwidth: 1 GB/s}}
workload: {stages: 3, stage_sizes: [2, 1, 1], microbatches: 1, activation: 1 MB}
rules: {max_jump: 2}
"""
    document = schedule(text, [["n0", "n1"], ["n2"], ["n3"]], [["n0", "n2", "n3"], ["n1", "n3", "n2"]])
    message, hint = reasons(document)["memory"]
    assert message.startswith("first come, first served, 2 of 2 microbatches wait for each other's slots")
    assert hint.endswith("or set rules.max_swaps: 0")


def test_all_reasons_at_once() -> None:
    """Unequal numbers of microbatches, unequal slots and no link from m0 to m1, which no path needs."""
    text = """
skipsched: 1
name: all
nodes:
  - {id: a, forward_time: 20 ms, memory: 2, stage: 0}
  - {id: b, forward_time: 20 ms, memory: 2, stage: 0, microbatches: 1}
  - {id: c, forward_time: 20 ms, memory: 3, stage: 1}
  - {id: d, forward_time: 20 ms, memory: 3, stage: 2}
network:
  links:
    - {between: [a, c], latency: 1 ms, bandwidth: 1 GB/s}
    - {between: [a, d], latency: 1 ms, bandwidth: 1 GB/s}
    - {between: [b, c], latency: 1 ms, bandwidth: 1 GB/s}
    - {between: [b, d], latency: 1 ms, bandwidth: 1 GB/s}
workload: {stages: 3, stage_sizes: [2, 1, 1], microbatches: 3, activation: 1 MB}
rules: {path_length: 2, max_jump: 2}
"""
    found = reasons(solved_document(text))
    assert set(found) >= {"memory", "microbatches", "link"}
    assert found["link"][0].startswith("4 ordered pairs of nodes without a link (as a to b)")
    assert "between 1 and 3 microbatches (b and a)" in found["microbatches"][0]
