"""Schedules built by hand for the tests of the checker, with a replay as plain as can be."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from skipsched.check import Violation, check_schedule
from skipsched.instance import Instance
from skipsched.topology.load import load_topology
from skipsched.topology.model import Topology

Document = dict[str, Any]
Action = tuple[str, int, str]  # operation, microbatch, node

#: More digits than Python prints.
ENDLESS = 10**5000

#: Two nodes, two stages, three microbatches. Bandwidth is such that a transfer takes the latency alone.
TINY = """
skipsched: 1
name: tiny
nodes:
  - {id: a, forward_time: 1 s, memory: 3}
  - {id: b, forward_time: 2 s, memory: 3}
network: {default: {latency: 0 s, bandwidth: 1 GB/s}}
workload:
  stages: 2
  stage_sizes: [1, 1]
  microbatches: 3
  activation: 1 B
  backward_ratio: 2
  loss_ratio: 0.5
  action_overhead: 0
rules: {}
"""
TINY_STAGES = [["a"], ["b"]]
TINY_PATHS = [["a", "b"]] * 3
TINY_ORDERS = {"a": "F0 F1 F2 L0 L1 L2 B0 B1 B2", "b": "F0 F1 F2 B0 B1 B2"}

#: Four stages of two nodes each, paths of three stages, three microbatches for each of two data nodes.
WIDE = """
skipsched: 1
name: wide
nodes:
  - {id: "d{}", count: 2, forward_time: 100 ms, memory: 2}
  - {id: "a{}", count: 2, forward_time: 100 ms, memory: 2}
  - {id: "b{}", count: 2, forward_time: 150 ms, memory: 2}
  - {id: "c{}", count: 2, forward_time: 120 ms, memory: 2}
network: {default: {latency: 10 ms, bandwidth: 1 GB/s}}
workload:
  stages: 4
  stage_sizes: [2, 2, 2, 2]
  microbatches: 3
  activation: 1 MB
rules: {path_length: 3}
"""
WIDE_STAGES = [["d0", "d1"], ["a0", "a1"], ["b0", "b1"], ["c0", "c1"]]
WIDE_PATHS = [
    ["d0", "a0", "b0"],
    ["d1", "a1", "b1"],
    ["d0", "b0", "c0"],
    ["d1", "b1", "c1"],
    ["d0", "a0", "c0"],
    ["d1", "a1", "c1"],
]


@cache
def judged_by(text: str) -> tuple[Topology, Instance]:
    """The topology of a text, and its tables."""
    topology = load_topology(text)
    return topology, Instance.of(topology)


def violations(document: Any, text: str) -> list[Violation]:
    """What the checker says of a document."""
    return check_schedule(document, *judged_by(text))


def rules(document: Any, text: str) -> list[str]:
    """The rules that a document breaks, each once, as first reported."""
    return list(dict.fromkeys(violation.rule for violation in violations(document, text)))


def chain(microbatch: int, path: Sequence[str]) -> list[Action]:
    """The actions of one microbatch."""
    forward = [("F", microbatch, node) for node in path]
    backward = [("B", microbatch, node) for node in reversed(path)]
    return [*forward, ("L", microbatch, path[0]), *backward]


def one_by_one(paths: Sequence[Sequence[str]]) -> dict[str, list[Action]]:
    """An order that runs one microbatch at a time: it never deadlocks and needs one slot."""
    lists: dict[str, list[Action]] = {}
    for microbatch, path in enumerate(paths):
        for action in chain(microbatch, path):
            lists.setdefault(action[2], []).append(action)
    return lists


def written(orders: Mapping[str, str]) -> dict[str, list[Action]]:
    """Lists of actions from their short form: ``F0 F1 L0``."""
    return {node: [(word[0], int(word[1:]), node) for word in text.split()] for node, text in orders.items()}


def schedule(
    text: str,
    stages: Sequence[Sequence[str]],
    paths: Sequence[Sequence[str]],
    orders: Mapping[str, str] | Mapping[str, list[Action]] | None = None,
    rings: Sequence[Sequence[str]] | None = None,
) -> Document:
    """A schedule whose every figure follows from its plan; the plan is taken as it is, whatever it breaks."""
    topology, instance = judged_by(text)
    lists: dict[str, list[Action]] = one_by_one(paths) if orders is None else {}
    for node, listed in (orders or {}).items():
        lists[node] = written({node: listed})[node] if isinstance(listed, str) else list(listed)
    stage = {node: k for k, nodes in enumerate(stages) for node in nodes}
    durations = _durations(instance, stage, paths)
    start = _starts(instance, paths, lists, durations)
    end = {action: start[action] + durations[action] for action in start}
    iteration = _iteration_time(instance, stages, stage, end, rings)
    document = {
        "format": "skipsched.schedule/1",
        "topology": {
            "name": topology.name,
            "sha256": topology.sha256,
            "document": copy.deepcopy(dict(topology.document)),
        },
        "solver": {
            "version": "0.1.0",
            "status": "FEASIBLE",
            "stop_reason": "time_limit",
            "seed": 0,
            "workers": 2,
            "wall_time": 1.5,
            "restricted_to": [],
        },
        "iteration_time": iteration,
        "makespan": max(end.values(), default=0),
        "lower_bound": None,
        "bound_kind": None,
        "gap": None,
        "bubble_ratio": _bubble_ratio(sum(durations.values()), instance.nodes * iteration),
        "stages": [list(nodes) for nodes in stages],
        "microbatches": [
            {"id": i, "data_node": path[0], "path": list(path), "stages": [stage[node] for node in path]}
            for i, path in enumerate(paths)
        ],
        "actions": {
            node: [_entry(action, paths, stage, start, end) for action in lists.get(node, [])]
            for node in instance.node_ids
        },
    }
    if rings is not None:
        document["rings"] = [list(ring) for ring in rings]
    return document


def _durations(
    instance: Instance, stage: Mapping[str, int], paths: Sequence[Sequence[str]]
) -> dict[Action, int]:
    index = {node: n for n, node in enumerate(instance.node_ids)}
    found = {}
    for microbatch, path in enumerate(paths):
        for op, _, node in chain(microbatch, path):
            n = index[node]
            tables = {"F": instance.forward[n][stage[node]], "B": instance.backward[n][stage[node]]}
            found[op, microbatch, node] = tables.get(op, instance.loss[n])
    return found


def _starts(
    instance: Instance,
    paths: Sequence[Sequence[str]],
    lists: Mapping[str, list[Action]],
    durations: Mapping[Action, int],
) -> dict[Action, int]:
    """Starts by pushing them later until nothing is too early; given up after as many rounds as actions.

    What is given up deadlocks, or moves actions over missing links: then the times mean nothing.
    """
    index = {node: n for n, node in enumerate(instance.node_ids)}
    waits: list[tuple[Action, Action, int]] = []
    for microbatch, path in enumerate(paths):
        for one, two in pairwise(chain(microbatch, path)):
            waits.append((one, two, instance.transfer[index[one[2]]][index[two[2]]]))
    for actions in lists.values():
        waits += [(one, two, instance.overhead) for one, two in pairwise(actions)]
    # Chain by chain is the order in which `one_by_one` runs them: then one round is enough.
    rank = {action: position for position, action in enumerate(durations)}
    waits.sort(key=lambda wait: rank[wait[1]])
    start = dict.fromkeys(durations, 0)
    for _ in range(len(durations) + 1):
        moved = False
        for one, two, delay in waits:
            earliest = start[one] + durations[one] + delay
            if earliest > start[two]:
                start[two], moved = earliest, True
        if not moved:
            break
    return start


def _iteration_time(
    instance: Instance,
    stages: Sequence[Sequence[str]],
    stage: Mapping[str, int],
    end: Mapping[Action, int],
    rings: Sequence[Sequence[str]] | None,
) -> int:
    worst = 0
    for k in range(len(stages)):
        last = max((time for (op, _, node), time in end.items() if op == "B" and stage[node] == k), default=0)
        ring = [instance.node_ids.index(node) for node in rings[k]] if rings is not None else []
        hops = [instance.allreduce.hop(k, len(ring), a, b) for a, b in pairwise([*ring, *ring[:1]])]
        worst = max(worst, last + max(hops, default=0))
    return worst


def _bubble_ratio(work: int, available: int) -> float:
    return round(1 - work / available, 4) if available else 0.0


def _entry(
    action: Action,
    paths: Sequence[Sequence[str]],
    stage: Mapping[str, int],
    start: Mapping[Action, int],
    end: Mapping[Action, int],
) -> Document:
    op, microbatch, node = action
    entry: Document = {"op": op, "microbatch": microbatch, "stage": stage[node]}
    entry |= {"start": start[action], "end": end[action]}
    actions = chain(microbatch, paths[microbatch])
    position = actions.index(action)
    if position > 0:
        entry["from"] = actions[position - 1][2]
    if position < len(actions) - 1:
        entry["to"] = actions[position + 1][2]
    return entry


def tiny(**orders: str) -> Document:
    """A valid schedule of TINY, its lists as given."""
    return schedule(TINY, TINY_STAGES, TINY_PATHS, TINY_ORDERS | orders)


def wide(paths: Sequence[Sequence[str]] = WIDE_PATHS, text: str = WIDE) -> Document:
    """A schedule of WIDE that runs one microbatch at a time on the paths given."""
    return schedule(text, WIDE_STAGES, paths)


def values(document: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value of a document below its root, with the keys that lead to it."""
    if at:
        yield at, document
    if isinstance(document, dict):
        for key, value in document.items():
            yield from values(value, (*at, key))
    elif isinstance(document, list):
        for position, value in enumerate(document):
            yield from values(value, (*at, position))


def changed(document: Document, at: Sequence[str | int], value: Any) -> Document:
    """A copy of a document with another value in one place."""
    copied = copy.deepcopy(document)
    target: Any = copied
    for key in at[:-1]:
        target = target[key]
    target[at[-1]] = value
    return copied


def without(document: Document, at: Sequence[str | int]) -> Document:
    """A copy of a document without one of its values."""
    copied = copy.deepcopy(document)
    target: Any = copied
    for key in at[:-1]:
        target = target[key]
    del target[at[-1]]
    return copied
