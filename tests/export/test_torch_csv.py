"""PyTorch's compute-only schedules: what is written, and what is refused."""

from __future__ import annotations

import csv
import json
from collections import Counter
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from check_cases import tiny
from cli_cases import solved_document
from export_cases import IDLE, PERIODIC, STRAIGHT, opened, random_documents

from skipsched.export.refused import NotExpressible
from skipsched.export.torch_csv import files


def reasons(document: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Messages and hints by rule."""
    with pytest.raises(NotExpressible) as caught:
        files(opened(document))
    return {found.rule: (found.message, found.hint or "") for found in caught.value.diagnostics}


def test_by_hand() -> None:
    """a computes the loss of microbatch 1 first: it is torch's microbatch 0."""
    document = tiny(a="F0 F1 F2 L1 L0 L2 B1 B0 B2", b="F1 F0 F2 B1 B0 B2")
    written = files(opened(document))
    assert written["pipeline-0.csv"] == (
        "0F1,0F0,0F2,2F0,2B0,2F1,2B1,2F2,2B2,0B0,0B1,0B2\r\n1F0,1F1,1F2,1B0,1B1,1B2\r\n"
    )
    ranks = json.loads(written["ranks.json"])
    assert ranks == {
        "format": "skipsched.torch-csv/1",
        "topology": {key: document["topology"][key] for key in ("name", "sha256")},
        "num_stages": 3,
        "pipelines": [
            {
                "file": "pipeline-0.csv",
                "ranks": [
                    {"rank": 0, "node": "a", "stages": [0, 2]},
                    {"rank": 1, "node": "b", "stages": [1]},
                ],
                "microbatches": [1, 0, 2],
            }
        ],
        "idle": [],
    }


def check(document: dict[str, Any]) -> None:
    """Read with the numbers mapped back, the files are the schedule's actions in their order."""
    written = files(opened(document))
    ranks = json.loads(written["ranks.json"])
    head = ranks["num_stages"] - 1
    found: dict[str, list[tuple[str, int, int]]] = {node: [] for node in ranks["idle"]}
    for pipeline in ranks["pipelines"]:
        rows = list(csv.reader(StringIO(written[pipeline["file"]], newline="")))
        assert len(rows) == len(pipeline["ranks"]) == head
        for row, rank in zip(rows, pipeline["ranks"], strict=True):
            actions = found[rank["node"]] = []
            for cell in row:
                letter = "F" if "F" in cell else "B"
                stage, m = map(int, cell.split(letter))
                assert stage in rank["stages"]
                microbatch = pipeline["microbatches"][m]
                if stage < head:
                    actions.append((letter, stage, microbatch))
                elif letter == "F":
                    actions.append(("L", 0, microbatch))
                else:
                    assert actions[-1] == ("L", 0, microbatch), "the head's backward follows its forward"
        heads = [cell for cell in rows[0] if cell.startswith(f"{head}F")]
        assert heads == [f"{head}F{m}" for m in range(len(pipeline["microbatches"]))]
    assert found == {
        node: [(action["op"], action["stage"], action["microbatch"]) for action in actions]
        for node, actions in document["actions"].items()
    }


def test_straight_pipelines() -> None:
    document = solved_document(STRAIGHT)
    check(document)
    assert set(files(opened(document))) == {"pipeline-0.csv", "pipeline-1.csv", "ranks.json"}


def test_an_idle_node_is_in_no_pipeline() -> None:
    check(solved_document(IDLE))


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
    assert read > 2
    assert set(refused) == {"path-length", "swap", "path-period", "even-nodes"}


def test_skipped_and_swapped_stages_are_refused_together() -> None:
    found = reasons(solved_document(PERIODIC))
    assert set(found) >= {"path-length", "swap"}
    assert found["path-length"][1] == "set rules.path_length: 4, without rules.skip_ratio"
    assert found["swap"][1] == "set rules.max_swaps: 0"


def test_replicas_of_a_stage_are_refused() -> None:
    document = solved_document(STRAIGHT.replace(", path_period: 1", "").replace("[2, 2, 2]", "[1, 3, 2]"))
    message, hint = reasons(document)["path-period"]
    assert message.startswith("microbatches of one data node visit several nodes of a stage")
    assert hint == "set rules.path_period: 1"


def test_nodes_of_two_pipelines_are_refused() -> None:
    document = solved_document(STRAIGHT.replace("[2, 2, 2]", "[3, 1, 2]").replace("even_nodes: true", ""))
    message, hint = reasons(document)["even-nodes"]
    assert "serve several data nodes" in message
    assert "rules.even_nodes: true and rules.path_period: 1" in hint


def test_the_topology_of_the_docs() -> None:
    docs = (Path(__file__).resolve().parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
    topology = docs.partition("<!-- pipes -->\n```yaml\n")[2].partition("```")[0]
    check(solved_document(topology))


def test_what_the_hints_say_is_enough() -> None:
    """However the nodes are cut, with the rules of the hints no schedule is refused."""
    for seed in range(5):
        changed = STRAIGHT.replace("90 ms", f"{seed} ms").replace(
            "microbatches: 4", f"microbatches: {seed + 1}"
        )
        check(solved_document(changed))
