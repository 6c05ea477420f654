"""Solved schedules, changed by chance: every change is refused, and for the right reason."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import TypeVar

import pytest
from brute_force import feasible, order_allowed
from check_cases import Action, Document, chain, judged_by, rules, schedule
from cli_cases import solved_document
from random_topologies import random_topology

#: Every rule about single paths matters, and so do rings: in stage 1, every second hop is slow.
MIXED = """
skipsched: 1
name: mixed
nodes:
  - {id: "d{}", count: 2, forward_time: 30 ms, memory: 2, location: here}
  - {id: "m{}", count: 4, forward_time: 50 ms, memory: 2, location: here, stage: 1}
  - {id: "x{}", count: 4, forward_time: 40 ms, memory: 1, location: there}
network:
  overhead: 3 ms
  default: {latency: 10 ms, bandwidth: 1 Gbit/s}
  links:
    - {between: [m0, m1], latency: 400 ms, bandwidth: 10 Mbit/s}
    - {between: [m2, m3], latency: 300 ms, bandwidth: 10 Mbit/s}
workload:
  stages: 5
  stage_sizes: [2, 4, 2, 1, 1]
  microbatches: 5
  activation: 1 MB
  action_overhead: 7 ms
  loss_ratio: 0.5
  gradient: [1 MB, 4 MB, 1 MB, 0, 1 MB]
rules: {path_length: 4, max_swaps: 1, max_jump: 2}
"""
T = TypeVar("T")
SHIPPED = ["small-8", "cluster-20", "uneven-24", "full-pipeline-12"]
RANDOM = 6
TRIES = 12


@cache
def topologies() -> list[str]:
    """Shipped ones, one made for it, and random ones with gradients and overhead."""
    texts = [*SHIPPED, MIXED]
    seed = 0
    while len(texts) < len(SHIPPED) + 1 + RANDOM:
        text = random_topology(Random(f"mutations {seed}"), {"gradients", "action-overhead", "short-paths"})
        if feasible(judged_by(text)[1]):
            texts.append(text)
        seed += 1
    return texts


class Changed:
    """A copy of a schedule to be changed, and chance."""

    def __init__(self, text: str, rng: Random) -> None:
        self.text = text
        self.rng = rng
        self.document = copy.deepcopy(solved_document(text))
        self.stages: list[list[str]] = self.document["stages"]
        self.stage = {node: k for k, members in enumerate(self.stages) for node in members}
        self.microbatches: list[Document] = self.document["microbatches"]
        self.actions: dict[str, list[Document]] = self.document["actions"]
        self.nodes: list[str] = list(self.actions)

    def busy(self) -> list[Document]:
        """The actions of a node that has some."""
        return self.rng.choice([rows for rows in self.actions.values() if rows])

    def action(self) -> Document:
        return self.rng.choice(self.busy())

    def microbatch(self) -> Document:
        return self.rng.choice(self.microbatches)

    def other(self, node: str) -> str:
        """A node other than one, which any topology has."""
        return self.rng.choice([name for name in self.nodes if name != node])

    def one(self, items: list[T]) -> T:
        """Any of some items, or `NotHere` if there are none."""
        if not items:
            raise NotHere
        return self.rng.choice(items)


class NotHere(Exception):
    """The change does not exist for this schedule."""


Mutation = Callable[[Changed], None]


@dataclass(frozen=True)
class Case:
    """A change, and the rules of which one at least must be reported."""

    change: Mutation
    right: frozenset[str]


CASES: dict[str, Case] = {}


def reported_as(*right: str) -> Callable[[Mutation], Mutation]:
    """Enter a change under its name."""

    def enter(change: Mutation) -> Mutation:
        CASES[change.__name__] = Case(change, frozenset(right))
        return change

    return enter


@reported_as("times", "deadlock")
def two_neighbours_exchanged(changed: Changed) -> None:
    rows = changed.busy()
    places = [i for i in range(len(rows) - 1) if rows[i]["start"] < rows[i + 1]["end"]]
    i = changed.one(places)
    rows[i], rows[i + 1] = rows[i + 1], rows[i]


@reported_as("times", "deadlock")
def an_action_moved_to_the_front(changed: Changed) -> None:
    rows = changed.busy()
    rows.insert(0, rows.pop(changed.one(list(range(1, len(rows))))))


@reported_as("times")
def a_start_moved_by_a_microsecond(changed: Changed) -> None:
    changed.action()["start"] += changed.rng.choice((-1, 1))


@reported_as("times")
def an_end_moved_by_a_microsecond(changed: Changed) -> None:
    changed.action()["end"] += changed.rng.choice((-1, 1))


@reported_as("times")
def everything_moved_by_a_microsecond(changed: Changed) -> None:
    for rows in changed.actions.values():
        for row in rows:
            row["start"] += 1
            row["end"] += 1


@reported_as("times")
def a_time_that_is_no_integer(changed: Changed) -> None:
    row = changed.action()
    row["start"] = changed.rng.choice([float(row["start"]), str(row["start"]), None, True])


@reported_as("route")
def an_input_from_elsewhere(changed: Changed) -> None:
    row = changed.action()
    row["from"] = changed.other(row.get("from", ""))


@reported_as("route")
def an_output_to_elsewhere(changed: Changed) -> None:
    row = changed.action()
    row["to"] = changed.other(row.get("to", ""))


@reported_as("route")
def an_output_to_nobody(changed: Changed) -> None:
    row = changed.action()
    del row[changed.one([key for key in ("from", "to") if key in row])]


@reported_as("route")
def an_output_to_an_unknown_node(changed: Changed) -> None:
    changed.action()["to"] = "nobody"


@reported_as("actions")
def an_action_of_another_stage(changed: Changed) -> None:
    row = changed.action()
    row["stage"] += changed.rng.choice((-1, 1))


@reported_as("actions")
def an_action_of_another_kind(changed: Changed) -> None:
    row = changed.action()
    row["op"] = changed.rng.choice([op for op in ("F", "L", "B", "W") if op != row["op"]])


@reported_as("actions")
def an_action_of_another_microbatch(changed: Changed) -> None:
    row = changed.action()
    row["microbatch"] = (row["microbatch"] + 1) % (len(changed.microbatches) + 1)


@reported_as("actions")
def an_action_left_out(changed: Changed) -> None:
    rows = changed.busy()
    rows.pop(changed.rng.randrange(len(rows)))


@reported_as("actions")
def an_action_doubled(changed: Changed) -> None:
    rows = changed.busy()
    rows.insert(changed.rng.randrange(len(rows) + 1), dict(changed.rng.choice(rows)))


@reported_as("actions")
def an_action_on_another_node(changed: Changed) -> None:
    rows = changed.busy()
    node = changed.one([name for name, other in changed.actions.items() if other is not rows])
    changed.actions[node].append(rows.pop())


@reported_as("actions")
def a_node_without_an_entry(changed: Changed) -> None:
    del changed.actions[changed.rng.choice(changed.nodes)]


@reported_as("actions")
def an_entry_of_an_unknown_node(changed: Changed) -> None:
    changed.actions["nobody"] = []


@reported_as("microbatches")
def a_microbatch_of_another_stage(changed: Changed) -> None:
    stages = changed.microbatch()["stages"]
    stages[changed.rng.randrange(len(stages))] += changed.rng.choice((-1, 1))


@reported_as("microbatches")
def a_microbatch_left_out(changed: Changed) -> None:
    changed.microbatches.remove(changed.microbatch())


@reported_as("microbatches")
def a_microbatch_doubled(changed: Changed) -> None:
    changed.microbatches.append(dict(changed.microbatch()))


@reported_as("microbatches")
def a_microbatch_too_many(changed: Changed) -> None:
    changed.microbatches.append(changed.microbatch() | {"id": len(changed.microbatches)})


@reported_as("microbatches")
def a_microbatch_renumbered(changed: Changed) -> None:
    changed.microbatch()["id"] += len(changed.microbatches)


@reported_as("first-stage", "microbatches")
def a_microbatch_of_another_data_node(changed: Changed) -> None:
    entry = changed.microbatch()
    entry["data_node"] = changed.other(entry["data_node"])


@reported_as("microbatches")
def a_path_over_an_unknown_node(changed: Changed) -> None:
    path = changed.microbatch()["path"]
    path[changed.rng.randrange(len(path))] = "nobody"


@reported_as("actions")
def a_path_over_another_node_of_the_stage(changed: Changed) -> None:
    path = changed.microbatch()["path"]
    at = changed.rng.randrange(1, len(path))
    path[at] = changed.one([node for node in changed.stages[changed.stage[path[at]]] if node != path[at]])


@reported_as("microbatches")
def a_path_over_a_node_of_another_stage(changed: Changed) -> None:
    path = changed.microbatch()["path"]
    at = changed.rng.randrange(1, len(path))
    path[at] = changed.one([node for node in changed.nodes if changed.stage[node] != changed.stage[path[at]]])


@reported_as("path-length")
def a_path_through_a_stage_twice(changed: Changed) -> None:
    entry = changed.microbatch()
    path, stages = entry["path"], entry["stages"]
    if len(path) < 3:
        raise NotHere
    at, again = changed.rng.sample(range(1, len(path)), 2)
    stages[at] = stages[again]
    path[at] = changed.rng.choice(changed.stages[stages[at]])


@reported_as("path-length")
def a_path_cut_short(changed: Changed) -> None:
    entry = changed.microbatch()
    entry["path"].pop()
    entry["stages"].pop()


@reported_as("first-stage")
def a_path_back_to_the_first_stage(changed: Changed) -> None:
    entry = changed.microbatch()
    at = changed.rng.randrange(1, len(entry["path"]))
    entry["path"][at], entry["stages"][at] = changed.rng.choice(changed.stages[0]), 0


@reported_as("first-stage")
def a_path_that_begins_elsewhere(changed: Changed) -> None:
    entry = changed.microbatch()
    for key in ("path", "stages"):
        entry[key][0], entry[key][1] = entry[key][1], entry[key][0]


@reported_as("swap", "jump")
def a_path_in_an_order_that_is_not_allowed(changed: Changed) -> None:
    entry = changed.microbatch()
    path = entry["path"][1:]
    changed.rng.shuffle(path)
    stages = [0, *(changed.stage[node] for node in path)]
    if order_allowed(stages, judged_by(changed.text)[1].rules):
        raise NotHere
    entry["path"][1:], entry["stages"] = path, stages


@reported_as("allocation")
def a_node_in_no_stage(changed: Changed) -> None:
    members = changed.one([members for members in changed.stages if members])
    members.pop()


@reported_as("allocation")
def a_node_in_two_stages(changed: Changed) -> None:
    changed.stages[-1].append(changed.rng.choice(changed.stages[0]))


@reported_as("allocation")
def an_unknown_node_in_a_stage(changed: Changed) -> None:
    changed.rng.choice(changed.stages)[0] = "nobody"


@reported_as("allocation")
def a_stage_too_many(changed: Changed) -> None:
    changed.stages.append([])


@reported_as("makespan")
def another_makespan(changed: Changed) -> None:
    changed.document["makespan"] += changed.rng.choice((-1, 1))


@reported_as("objective")
def another_iteration_time(changed: Changed) -> None:
    changed.document["iteration_time"] += changed.rng.choice((-1, 1))


@reported_as("gap")
def another_gap(changed: Changed) -> None:
    changed.document["gap"] = round(changed.document["gap"] + changed.rng.choice((-0.0001, 0.0001)), 4)


@reported_as("gap")
def no_gap_to_a_bound(changed: Changed) -> None:
    changed.document["gap"] = None


@reported_as("bubble-ratio")
def another_bubble_ratio(changed: Changed) -> None:
    ratio = changed.document["bubble_ratio"]
    changed.document["bubble_ratio"] = round(ratio + changed.rng.choice((-0.0001, 0.0001)), 4)


@reported_as("bound")
def a_bound_above_the_iteration_time(changed: Changed) -> None:
    changed.document["lower_bound"] = changed.document["iteration_time"] + 1
    changed.document["gap"] = 0.0


@reported_as("bound")
def a_bound_without_a_name(changed: Changed) -> None:
    changed.document["bound_kind"] = None


@reported_as("status")
def optimal_without_proof(changed: Changed) -> None:
    if changed.document["lower_bound"] == changed.document["iteration_time"]:
        raise NotHere
    changed.document["solver"]["status"] = "OPTIMAL"


@reported_as("status")
def optimal_without_a_bound(changed: Changed) -> None:
    changed.document |= {"lower_bound": None, "bound_kind": None, "gap": None}
    changed.document["solver"]["status"] = "OPTIMAL"


@reported_as("status")
def a_status_that_has_no_schedule(changed: Changed) -> None:
    changed.document["solver"]["status"] = changed.rng.choice(["INFEASIBLE", "UNKNOWN", "optimal", ""])


@reported_as("topology")
def another_hash(changed: Changed) -> None:
    digits = changed.document["topology"]["sha256"]
    at = changed.rng.randrange(64)
    other = changed.rng.choice([digit for digit in "0123456789abcdef" if digit != digits[at]])
    changed.document["topology"]["sha256"] = digits[:at] + other + digits[at + 1 :]


@reported_as("topology")
def another_document_under_the_same_hash(changed: Changed) -> None:
    changed.document["topology"]["document"]["name"] += "x"


@reported_as("ring")
def a_ring_with_a_wrong_node(changed: Changed) -> None:
    ring = changed.one(changed.document.get("rings", []))
    ring[changed.rng.randrange(len(ring))] = changed.other(ring[0]) if len(ring) == 1 else "nobody"


@reported_as("ring")
def a_ring_without_a_node(changed: Changed) -> None:
    changed.one(changed.document.get("rings", [])).pop()


@reported_as("ring")
def no_rings(changed: Changed) -> None:
    if "rings" not in changed.document:
        raise NotHere
    del changed.document["rings"]


@reported_as("ring")
def rings_of_nothing(changed: Changed) -> None:
    if "rings" in changed.document:
        raise NotHere
    changed.document["rings"] = changed.stages


@reported_as("format")
def a_key_left_out(changed: Changed) -> None:
    keys = [key for key in changed.document if key != "rings"]
    del changed.document[changed.rng.choice(keys)]


@reported_as("format")
def another_format(changed: Changed) -> None:
    changed.document["format"] = "skipsched.schedule/2"


#: Changes of one figure that nothing else follows from: no other rule may be reported.
ALONE = [
    an_input_from_elsewhere,
    an_output_to_nobody,
    an_action_of_another_stage,
    a_microbatch_of_another_stage,
    another_makespan,
    another_iteration_time,
    another_gap,
    another_bubble_ratio,
    a_bound_above_the_iteration_time,
    optimal_without_proof,
    another_hash,
]


def test_what_is_changed_is_valid() -> None:
    for text in topologies():
        assert rules(solved_document(text), text) == []


@pytest.mark.parametrize("name", CASES)
def test_a_change_is_refused_for_the_right_reason(name: str) -> None:
    case = CASES[name]
    done = 0
    for number, text in enumerate(topologies()):
        for seed in range(TRIES):
            changed = Changed(text, Random(f"{name} {number} {seed}"))
            try:
                case.change(changed)
            except NotHere:
                continue
            done += 1
            found = rules(changed.document, text)
            assert case.right & set(found), (number, seed, found)
            assert case.change not in ALONE or case.right == set(found), (number, seed, found)
    assert done >= TRIES


def rows_of(document: Document) -> dict[str, list[Action]]:
    return {
        node: [(row["op"], row["microbatch"], node) for row in rows]
        for node, rows in document["actions"].items()
    }


def test_the_times_of_every_schedule_are_those_of_a_plain_replay() -> None:
    for text in topologies():
        document = solved_document(text)
        paths = [entry["path"] for entry in document["microbatches"]]
        plain = schedule(text, document["stages"], paths, rows_of(document), document.get("rings"))
        for key in ("actions", "iteration_time", "makespan", "microbatches"):
            assert plain[key] == document[key], key


def crowded(document: Document, group: set[int]) -> dict[str, list[Action]]:
    """Lists that run a group of microbatches side by side, all F before all B, the others one by one.

    No list deadlocks: all follow one order of all actions.
    """
    chains = [chain(entry["id"], entry["path"]) for entry in document["microbatches"]]
    together = [chains[number] for number in sorted(group)]
    alone = [actions for number, actions in enumerate(chains) if number not in group]
    order = [action for op in "FLB" for actions in together for action in actions if action[0] == op]
    order += [action for actions in alone for action in actions]
    lists: dict[str, list[Action]] = {name: [] for name in document["actions"]}
    for action in order:
        lists[action[2]].append(action)
    return lists


def test_one_slot_too_many_in_flight_breaks_memory_alone() -> None:
    tried = 0
    for text in topologies():
        document, (_, instance) = solved_document(text), judged_by(text)
        paths = [entry["path"] for entry in document["microbatches"]]
        for node, name in enumerate(instance.node_ids):
            stage = next(k for k, members in enumerate(document["stages"]) if name in members)
            slots = instance.slots[node][stage]
            visits = [number for number, path in enumerate(paths) if name in path]
            if len(visits) <= slots:
                continue
            group = set(Random(name).sample(visits, slots + 1))
            lists = crowded(document, group)
            full = schedule(text, document["stages"], paths, lists, document.get("rings"))
            assert rules(full, text) == ["memory"], name
            tried += 1
    assert tried > 20


def test_another_order_of_a_ring_counts_by_its_cost() -> None:
    cheaper_kept = dearer_refused = 0
    for text in (MIXED, "uneven-24"):
        document = solved_document(text)
        paths = [entry["path"] for entry in document["microbatches"]]
        for seed in range(40):
            rng = Random(seed)
            rings = copy.deepcopy(document["rings"])
            rng.shuffle(rng.choice([ring for ring in rings if len(ring) > 3]))
            true = schedule(text, document["stages"], paths, rows_of(document), rings)["iteration_time"]
            found = rules(document | {"rings": rings}, text)
            if true == document["iteration_time"]:
                assert found == []
                cheaper_kept += 1
            else:
                assert "objective" in found
                dearer_refused += 1
    assert cheaper_kept
    assert dearer_refused
