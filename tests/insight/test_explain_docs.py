"""docs/explain.md: its run has the form of what the program prints today, and its Python runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from check_cases import TINY
from cli_cases import call, solved_document

from skipsched import load_topology
from skipsched.insight import explanation_tables as told

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "explain.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_run_has_todays_form() -> None:
    """All lines that do not depend on the schedule, in their order."""
    ran = call("explain", "-", "--budget", "0", stdin=json.dumps(solved_document("geo-20")))
    titles = [line for line in ran.out.splitlines() if line.startswith(("The ", "What "))]
    heads = ["part", "node   stage", "link", "what if"]
    lines = [line.strip() for line in block("console").splitlines()]
    for expected in [*titles, *told.NODE_LEGEND, *told.LINK_LEGEND, *told.CHANGE_LEGEND]:
        assert expected in lines
    for head in heads:
        (printed,) = (line.split() for line in ran.out.splitlines() if line.strip().startswith(f"{head} "))
        (written,) = (line.split() for line in lines if line.startswith(f"{head} "))
        assert [re.sub(r"\d+", "#", word) for word in printed] == [
            re.sub(r"\d+", "#", word) for word in written
        ]


def test_a_change_becomes_a_topology(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("schedule.json").write_text(json.dumps(solved_document(TINY)))
    Path("explanation.json").write_text(call("explain", "schedule.json", "--budget", "0", "--json").out)
    exec(block("python"), {})  # the document's own text
    assert load_topology("changed.json").sha256 != load_topology(TINY).sha256
