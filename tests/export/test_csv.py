"""CSV: every action once, as the schedule has it, whatever the names."""

from __future__ import annotations

import csv
from io import StringIO
from itertools import pairwise
from typing import Any

import pytest
from check_cases import TINY, chain, tiny
from cli_cases import solved_document
from export_cases import opened, random_documents

from skipsched.export.csv_rows import text


def rows(document: dict[str, Any]) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text(opened(document)), newline="")))


def test_by_hand() -> None:
    """A transfer takes a nanosecond, which rounds to nothing; b takes 2 s forward and 4 s backward."""
    written = text(opened(tiny()))
    lines = written.split("\r\n")
    assert lines[0] == "node,stage,op,microbatch,data_node,start,end,from,to,arrival"
    assert lines[1] == "a,0,F,0,a,0,1000000,,b,"
    assert lines[10] == "b,1,F,0,a,1000000,3000000,a,a,1000000"
    assert lines[11] == "b,1,F,1,a,3000000,5000000,a,a,2000000"
    assert lines[-1] == ""
    assert written.count("\n") == written.count("\r\n") == 1 + 3 * 5


@pytest.mark.parametrize("name", ["a, b", 'say "a"', "=1+1", "東 京", "semi;colon"])
def test_names_survive(name: str) -> None:
    quoted = name.replace('"', '\\"')
    document = solved_document(
        TINY.replace("id: a, forward_time: 1 s", f'id: "{quoted}", forward_time: 1 s, stage: 0')
    )
    assert {row["node"] for row in rows(document)} == {name, "b"}
    assert {row["data_node"] for row in rows(document)} == {name}


def test_every_action_of_random_schedules() -> None:
    for document in random_documents(20):
        found = rows(document)
        expected = [
            {"node": node} | {key: str(value) for key, value in action.items()}
            for node, actions in document["actions"].items()
            for action in actions
        ]
        shown = [{key: row[key] for key in row if key not in ("data_node", "arrival")} for row in found]
        assert [{key: value for key, value in row.items() if value} for row in shown] == expected
        check_arrivals(document, found)


def check_arrivals(document: dict[str, Any], found: list[dict[str, str]]) -> None:
    """An input arrives a transfer after the action before it of its microbatch."""
    instance = opened(document).instance
    number = {name: n for n, name in enumerate(instance.node_ids)}
    by_action = {(row["op"], int(row["microbatch"]), row["node"]): row for row in found}
    for microbatch in document["microbatches"]:
        actions = chain(microbatch["id"], microbatch["path"])
        assert by_action[actions[0]]["arrival"] == ""
        for before, after in pairwise(actions):
            transfer = instance.transfer[number[before[2]]][number[after[2]]]
            assert int(by_action[after]["arrival"]) == int(by_action[before]["end"]) + transfer
            assert by_action[after]["data_node"] == microbatch["data_node"]
