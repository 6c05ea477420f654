"""Chrome's trace: what viewers demand of one, and the schedule's times in it."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise
from typing import Any

import pytest
from check_cases import tiny
from cli_cases import solved_document
from export_cases import IDLE, PERIODIC, opened, random_documents

from skipsched.export.chrome_trace import text

Event = dict[str, Any]
Thread = tuple[int, int]


def trace(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text(opened(document)))
    return found


class Viewer:
    """A trace as a viewer reads it: names first, then all events by their times, equal ones as they stand."""

    def __init__(self, events: list[Event]) -> None:
        self.processes: dict[int, str] = {}
        self.threads: dict[Thread, str] = {}
        self.slices: defaultdict[Thread, list[Event]] = defaultdict(list)
        self.counters: defaultdict[int, list[Event]] = defaultdict(list)
        self.arrows: defaultdict[int, dict[str, tuple[Thread, Event]]] = defaultdict(dict)
        for event in sorted(events, key=lambda event: event.get("ts", -1)):
            getattr(self, {"M": "meta", "X": "slice", "C": "counter"}.get(event["ph"], "arrow"))(event)
        for slices in self.slices.values():
            self.nest(slices)

    def meta(self, event: Event) -> None:
        if event["name"] == "process_name":
            self.processes[event["pid"]] = event["args"]["name"]
        elif event["name"] == "thread_name":
            assert event["tid"] not in self.processes
            assert event["tid"] not in {tid for _, tid in self.threads}, "one number, one thread"
            self.threads[event["pid"], event["tid"]] = event["args"]["name"]
        else:
            assert event["name"] in ("process_sort_index", "thread_sort_index")

    def slice(self, event: Event) -> None:
        assert isinstance(event["ts"], int)
        assert event["ts"] >= 0
        assert isinstance(event["dur"], int)
        assert event["dur"] >= 0
        thread = event["pid"], event["tid"]
        assert thread in self.threads
        assert event["cat"] == self.threads[thread].rstrip(" 0123456789")
        self.slices[thread].append(event)

    def counter(self, event: Event) -> None:
        assert event["pid"] in self.processes
        self.counters[event["pid"]].append(event)

    def arrow(self, event: Event) -> None:
        """An end of an arrow belongs to the slice that was opened last on its thread: it must be open."""
        thread = event["pid"], event["tid"]
        bound = self.slices[thread][-1]
        assert bound["ts"] == event["ts"]
        assert event["ph"] in ("s", "f")
        assert event["ph"] == "s" or event["bp"] == "e"
        ends = self.arrows[event["id"]]
        assert list(ends) == ([] if event["ph"] == "s" else ["s"]), "an arrow begins before it ends"
        ends[event["ph"]] = (thread, bound)

    @staticmethod
    def nest(slices: list[Event]) -> None:
        """On one thread slices nest, or follow each other."""
        open_until: list[int] = []
        for event in sorted(slices, key=lambda event: (event["ts"], -event["dur"])):
            while open_until and open_until[-1] <= event["ts"]:
                open_until.pop()
            end = event["ts"] + event["dur"]
            assert not open_until or end <= open_until[-1], f"{event['name']} crosses another slice"
            open_until.append(end)


def check(document: dict[str, Any]) -> Viewer:
    """Everything a trace has to keep, against the document alone."""
    viewer = Viewer(trace(document)["traceEvents"])
    stage = {node: k for k, nodes in enumerate(document["stages"]) for node in nodes}
    process = {f"{node} (stage {k})": node for node, k in stage.items()}
    node = {pid: process[name] for pid, name in viewer.processes.items()}
    assert sorted(node.values()) == sorted(stage)
    computed: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for (pid, _), slices in viewer.slices.items():
        for event in slices:
            if event["cat"] in ("forward", "loss", "backward"):
                place = (event["ts"], event["ts"] + event["dur"])
                computed[node[pid]].append((event["name"], event["args"]["stage"], *place))
    for name, actions in document["actions"].items():
        expected = [(f"{a['op']}{a['microbatch']}", a["stage"], a["start"], a["end"]) for a in actions]
        assert sorted(computed[name]) == sorted(expected)
    check_transfers(document, viewer, node)
    check_counters(document, viewer, node)
    return viewer


def check_transfers(document: dict[str, Any], viewer: Viewer, node: dict[int, str]) -> None:
    """Each input is sent once and received once; an arrow leads from the one to the other."""
    inputs = {
        (name, action["op"], action["microbatch"]): action
        for name, actions in document["actions"].items()
        for action in actions
        if "from" in action
    }
    ends = {
        (name, action["op"], action["microbatch"]): action["end"]
        for name, actions in document["actions"].items()
        for action in actions
    }
    assert len(viewer.arrows) == len(inputs)
    seen = set()
    for arrow in viewer.arrows.values():
        (sender, sent), (receiver, received) = arrow["s"], arrow["f"]
        assert (viewer.threads[sender][:4], viewer.threads[receiver][:7]) == ("send", "receive")
        says = received["args"]
        assert (node[sender[0]], node[receiver[0]]) == (says["from"], says["to"])
        assert (sent["ts"], sent["dur"]) == (received["ts"], received["dur"])
        microbatch = says["microbatch"]
        assert sent["ts"] == ends[says["from"], sent["name"][0], microbatch]
        used = [
            key
            for key, action in inputs.items()
            if key[0] == says["to"]
            and key[2] == microbatch
            and action["from"] == says["from"]
            and action["start"] == received["ts"] + received["dur"] + says["waits"]
        ]
        assert used
        assert says["waits"] >= 0
        seen.update(used)
    assert seen == set(inputs)


def check_counters(document: dict[str, Any], viewer: Viewer, node: dict[int, str]) -> None:
    """The counter begins and ends at 0, never exceeds the slots, and is right wherever it changes."""
    for pid, events in viewer.counters.items():
        actions = document["actions"][node[pid]]
        assert events[0]["ts"] == 0
        assert events[-1]["args"]["in flight"] == 0
        assert all(a["ts"] < b["ts"] for a, b in pairwise(events))
        assert len({sum(event["args"].values()) for event in events}) == 1
        for event in events:
            begun = sum(a["op"] == "F" and a["start"] <= event["ts"] for a in actions)
            ended = sum(a["op"] == "B" and a["end"] <= event["ts"] for a in actions)
            assert event["args"]["in flight"] == begun - ended
            assert event["args"]["free slots"] >= 0


def test_by_hand() -> None:
    """Three microbatches, one node a stage: a thread of each kind, and three slots."""
    viewer = check(tiny())
    assert viewer.processes == {1: "a (stage 0)", 2: "b (stage 1)"}
    assert list(viewer.threads.values())[:3] == ["forward", "loss", "backward"]
    assert "loss" not in [name for (pid, _), name in viewer.threads.items() if pid == 2]
    first = viewer.counters[1][0]
    assert first["args"] == {"in flight": 1, "free slots": 2}


@pytest.mark.parametrize("name", ["geo-20", "small-8", "full-pipeline-12", "uneven-24"])
def test_shipped(name: str) -> None:
    check(solved_document(name))


def test_random_schedules() -> None:
    for document in random_documents(20):
        check(document)


def test_transfers_under_way_together_have_lanes_of_their_own() -> None:
    """d0 sends all its microbatches at 100, 200, 300 ms; transfers of half a second overlap."""
    slow = PERIODIC.replace("overhead: 350 ms", "overhead: 5 s")
    viewer = check(solved_document(slow))
    assert "send 2" in viewer.threads.values()
    assert "receive 2" in viewer.threads.values()


def test_a_viewer_sees_what_crosses() -> None:
    """The validator of these tests can fail."""
    crossing = [
        {"ph": "M", "name": "process_name", "pid": 1, "args": {"name": "a (stage 0)"}},
        {"ph": "M", "name": "thread_name", "pid": 1, "tid": 2, "args": {"name": "send"}},
        {"ph": "X", "cat": "send", "name": "x", "pid": 1, "tid": 2, "ts": 0, "dur": 5},
        {"ph": "X", "cat": "send", "name": "y", "pid": 1, "tid": 2, "ts": 3, "dur": 5},
    ]
    with pytest.raises(AssertionError, match="crosses"):
        Viewer(crossing)


def test_the_all_reduce_ends_with_the_iteration() -> None:
    document = solved_document("gpus-20")
    viewer = check(document)
    ends = [
        event["ts"] + event["dur"]
        for slices in viewer.slices.values()
        for event in slices
        if event["cat"] == "all-reduce"
    ]
    assert max(ends) == document["iteration_time"] == trace(document)["otherData"]["iteration_time"]
    assert len(ends) == len([n for nodes in document["stages"] if len(nodes) > 1 for n in nodes])


def test_an_idle_node_has_its_process() -> None:
    """One microbatch visits one of the two nodes of stage 1: the other has no threads, and no slot taken."""
    viewer = check(solved_document(IDLE))
    (idle,) = set(viewer.processes) - {pid for pid, _ in viewer.threads}
    assert viewer.processes[idle].endswith("(stage 1)")
    assert [event["args"]["in flight"] for event in viewer.counters[idle]] == [0]
