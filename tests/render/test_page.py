"""What the page carries: the schedule's figures, names that stay names, a script that is ours alone."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

from cli_cases import solved_document
from render_cases import HOSTILE, averaged, everything, hostile, single

from skipsched import Schedule
from skipsched.insight.critical import starts
from skipsched.opened import Opened, open_schedule
from skipsched.render.chart import View
from skipsched.render.page import page


class _Read(HTMLParser):
    """The elements of a page, and what scripts hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.scripts: list[str] = []
        self.title = ""
        self.policy = ""
        self.linked: list[str] = []
        self._within: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._within = tag
        given = dict(attrs)
        self.linked += [f"{tag} {name}" for name in given if name in ("src", "href", "onerror", "onclick")]
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"] or ""
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self._within == "script":
            self.scripts[-1] += data
        elif self._within == "title":
            self.title += data

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self._within = None


def content(opened: Opened, view: View | None = None) -> dict[str, Any]:
    """The data that a page embeds, as a browser reads it."""
    made: dict[str, Any] = json.loads(_Read(page(opened, view or everything(opened))).scripts[0])
    return made


def test_every_action_is_that_of_the_document() -> None:
    """The page counts ends and nodes from starts, paths and durations; so does this."""
    document = solved_document("geo-20")
    held = content(open_schedule(Schedule(document)))
    length = len(held["paths"][0])
    found = []
    for node, order in enumerate(held["order"]):
        given = held["nodes"][node]
        for action in order:
            microbatch, position = divmod(action, 2 * length + 1)
            path = held["paths"][microbatch]
            op = "F" if position < length else "L" if position == length else "B"
            assert node == (path[0] if op == "L" else path[min(position, 2 * length - position)])
            lasts = given[{"F": "forward", "L": "loss", "B": "backward"}[op]]
            start = held["starts"][action]
            found.append((given["id"], op, microbatch, given["stage"], start, start + lasts))
    told = [
        (node, row["op"], row["microbatch"], row["stage"], row["start"], row["end"])
        for node, rows in document["actions"].items()
        for row in rows
    ]
    assert found == told
    assert (held["iterationTime"], held["makespan"]) == (document["iteration_time"], document["makespan"])
    assert held["bubbleRatio"] == document["bubble_ratio"]


def test_links_are_what_the_routes_travel() -> None:
    document = solved_document("geo-20")
    opened = open_schedule(Schedule(document))
    ids = opened.instance.node_ids
    travelled = [
        (node, row["to"])
        for node, rows in document["actions"].items()
        for row in rows
        if row.get("to", node) != node
    ]
    links = {(ids[a], ids[b]): count for a, b, count, _ in content(opened)["links"]}
    assert links == {pair: travelled.count(pair) for pair in travelled}
    assert content(opened)["activation"] == 32 * 2**20


def test_why_actions_start() -> None:
    opened = open_schedule(Schedule(solved_document("geo-20")))
    held, why = content(opened), starts(opened.instance, opened.scheduled)
    letters = {"nothing": ".", "input": "i", "node": "n", "slot": "s"}
    assert held["causes"] == "".join(letters[start.cause] for start in why)
    assert held["full"] == {str(a): start.full for a, start in enumerate(why) if start.full}
    assert set(held["causes"]) == set(".ins")


def test_by_hand() -> None:
    held = content(single())
    assert held["links"] == [[0, 1, 2, 1000], [1, 0, 2, 1000]]
    assert held["starts"] == [0, 11_000, 22_000, 23_000, 44_000]
    assert held["critical"][:3] == [
        ["F", 0, 0, 10_000],
        ["transfer", 1, 10_000, 11_000],
        ["F", 1, 11_000, 21_000],
    ]
    assert content(averaged())["allreduces"] == [[64_000, 64_000], [43_000, 44_200]]


def test_what_it_shows_first() -> None:
    view = View(1_000, 2_000, frozenset([1]), frozenset([0]))
    assert content(single(), view)["view"] == {
        "begin": 1000,
        "end": 2000,
        "nodes": [1],
        "microbatches": [0],
        "colorBy": "kind",
    }


def test_names_stay_names() -> None:
    plain, strange = (
        _Read(page(single(), everything(single()))),
        _Read(page(hostile(), everything(hostile()))),
    )
    assert strange.tags == plain.tags
    assert strange.title == "skipsched show: </title><i>&日本語"
    held = json.loads(strange.scripts[0])
    assert {node["id"] for node in held["nodes"]} == set(HOSTILE)
    assert {node["location"] for node in held["nodes"]} == {f"{name}!" for name in HOSTILE}


def test_its_only_script_is_ours_and_nothing_is_fetched() -> None:
    text = page(hostile(), everything(hostile()))
    read = _Read(text)
    data, script = read.scripts
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert read.policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert read.linked == []
    assert "<" not in data
    # What would make text into elements has no place in the script.
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|fetch\(|import\(", script
    )
    assert "http" not in text.replace("http-equiv", "")
