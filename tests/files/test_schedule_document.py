"""What is in a schedule: every key of the format, by the schema, and enough to stand alone."""

from __future__ import annotations

import hashlib
import json
import shutil
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import pytest
from brute_force import feasible
from cli_cases import call, solved_document
from random_topologies import random_topology

import skipsched
from skipsched.instance import Instance
from skipsched.schemas import schema_text
from skipsched.topology.shipped import shipped_path, written_names

SCHEDULE = jsonschema.Draft202012Validator(json.loads(schema_text("schedule")))
TOPOLOGY = jsonschema.Draft202012Validator(json.loads(schema_text("topology")))

TOP = {
    "format",
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
}
SOLVER = {"version", "status", "stop_reason", "seed", "workers", "wall_time", "restricted_to"}


@cache
def random_texts(count: int) -> list[str]:
    """Random feasible topologies."""
    texts: list[str] = []
    seed = 0
    while len(texts) < count:
        text = random_topology(Random(f"schedule document {seed}"))
        if feasible(Instance.of(skipsched.load_topology(text))):
            texts.append(text)
        seed += 1
    return texts


def all_documents() -> list[dict[str, Any]]:
    return [solved_document(name) for name in [*written_names(), *random_texts(20)]]


def test_every_key_is_there() -> None:
    for document in all_documents():
        rings = {"rings"} & document.keys()
        assert document.keys() == TOP | rings
        assert document["topology"].keys() == {"name", "sha256", "document"}
        assert document["solver"].keys() == SOLVER
        assert all(
            entry.keys() == {"id", "data_node", "path", "stages"} for entry in document["microbatches"]
        )
        gradient = document["topology"]["document"]["workload"].get("gradient", "0")
        stated = gradient if isinstance(gradient, list) else [gradient]
        assert bool(rings) == any(not text.startswith("0") for text in stated)


def test_every_action_has_its_keys_and_its_ends() -> None:
    for document in all_documents():
        ends: dict[str, set[int]] = {"first": set(), "last": set()}
        for rows in document["actions"].values():
            for row in rows:
                keys = set(row)
                assert keys - {"from", "to"} == {"op", "microbatch", "stage", "start", "end"}
                if "from" not in keys:
                    assert row["op"] == "F"
                    ends["first"].add(row["microbatch"])
                if "to" not in keys:
                    assert row["op"] == "B"
                    ends["last"].add(row["microbatch"])
        total = set(range(len(document["microbatches"])))
        assert [entry["id"] for entry in document["microbatches"]] == sorted(total)
        assert ends == {"first": total, "last": total}


def test_every_node_has_an_entry_in_order_of_execution() -> None:
    for document in all_documents():
        nodes = [node["id"] for node in document["topology"]["document"]["nodes"]]
        assert list(document["actions"]) == nodes
        assert sorted(node for members in document["stages"] for node in members) == sorted(nodes)
        for rows in document["actions"].values():
            assert [row["start"] for row in rows] == sorted(row["start"] for row in rows)


def test_ratios_follow_from_the_figures() -> None:
    for document in all_documents():
        time, bound = document["iteration_time"], document["lower_bound"]
        actions = [row for rows in document["actions"].values() for row in rows]
        work = sum(row["end"] - row["start"] for row in actions)
        assert document["gap"] == pytest.approx((time - bound) / time, abs=0.5001e-4)
        assert document["bubble_ratio"] == pytest.approx(
            1 - work / (len(document["actions"]) * time), abs=0.5001e-4
        )
        assert 0 <= bound <= time
        assert document["makespan"] == max(
            row["end"] for rows in document["actions"].values() for row in rows
        )


def test_schedules_and_their_topologies_follow_the_schemas() -> None:
    for document in all_documents():
        SCHEDULE.validate(document)
        TOPOLOGY.validate(document["topology"]["document"])


def test_the_schemas_refuse_what_is_broken() -> None:
    good = solved_document("small-8")
    for key in TOP:
        assert not SCHEDULE.is_valid({name: value for name, value in good.items() if name != key}), key
    for key, value in (
        ("iteration_time", -1),
        ("gap", "0"),
        ("stages", {}),
        ("format", "1"),
        ("actions", []),
    ):
        assert not SCHEDULE.is_valid(good | {key: value}), key


def test_the_hash_is_that_of_the_canonical_document() -> None:
    for document in all_documents():
        carried = document["topology"]["document"]
        canonical = json.dumps(carried, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert document["topology"]["sha256"] == hashlib.sha256(canonical.encode("utf-8")).hexdigest()
        assert document["topology"]["name"] == carried["name"]


def test_the_document_is_normal() -> None:
    carried = solved_document("bytes-16")["topology"]["document"]
    assert len(carried["nodes"]) == 16
    assert all("count" not in node for node in carried["nodes"])
    assert "links_file" not in carried["network"]
    assert carried["network"]["links"][0].keys() == {"from", "to", "latency", "bandwidth"}
    # Loading it gives the same document again, and the same topology.
    loaded = skipsched.load_topology(json.dumps(carried) + "\n")
    assert loaded.document == carried
    assert loaded == skipsched.load_topology("bytes-16")


def test_groups_and_files_do_not_change_the_hash(tmp_path: Path) -> None:
    original = skipsched.load_topology("bytes-16")
    expanded = tmp_path / "expanded.json"
    expanded.write_text(json.dumps(original.document, indent=1))
    assert skipsched.load_topology(expanded).sha256 == original.sha256


def test_a_schedule_stands_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there, elsewhere = tmp_path / "there", tmp_path / "elsewhere"
    there.mkdir()
    elsewhere.mkdir()
    source = shipped_path("bytes-16")
    assert source is not None
    shutil.copy(source, there / "mine.yaml")
    shutil.copy(source.parent / "bytes-16-links.csv", there)
    monkeypatch.chdir(there)
    assert call("solve", "mine.yaml", "--gap", "1", "-o", "../schedule.json").code == 0
    shutil.rmtree(there)
    monkeypatch.chdir(elsewhere)
    assert call("validate", "../schedule.json").code == 0
    schedule = skipsched.Schedule.read("../schedule.json")
    again = skipsched.solve(schedule.topology(), hint=schedule, gap=1)
    assert again.schedule is not None
    assert again.schedule.document["topology"] == schedule.document["topology"]
