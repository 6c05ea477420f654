"""Which changes are tried, what each changes, and what may be said of it."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from insight_cases import explanation_of, planned, random_opened
from random_topologies import random_topology
from solver_cases import topology

from skipsched.bounds import Bound
from skipsched.conflict import applied
from skipsched.conflict.change import value_at
from skipsched.insight.candidates import WhatIf, candidates
from skipsched.insight.critical import critical_path, starts
from skipsched.insight.loads import link_loads, node_loads
from skipsched.insight.outcome import Outcome, Reference, Solved, Verdict
from skipsched.insight.prospect import Prospect
from skipsched.insight.rows import LinkRows
from skipsched.insight.trials import Unchanged
from skipsched.instance import Instance
from skipsched.opened import Opened
from skipsched.plan import Routes
from skipsched.schedule import Schedule
from skipsched.text.quantities import RATE, TIME, quantity
from skipsched.topology.load import load_document, load_topology

TWICE = Routes((0, 1), ((0, 1), (0, 1)))
#: Two data nodes, each with one slot and two microbatches, which share the node of the other stage.
ROWS = ("F0 L0 B0 F1 L1 B1", "F2 L2 B2 F3 L3 B3", "F0 F2 B0 B2 F1 F3 B1 B3")
FOUR = Routes((0, 0, 1), ((0, 2), (0, 2), (1, 2), (1, 2)))


def found(schedule: Schedule, opened: Opened) -> dict[str, WhatIf]:
    """The changes of a schedule by what they say."""
    explanation = explanation_of(schedule, opened)
    made = candidates(opened, explanation.nodes, explanation.links, explanation.steps)
    return {what_if.says: what_if for what_if in made}


def fields(what_if: WhatIf) -> dict[str, tuple[object, object]]:
    return {change.field: (change.old, change.new) for change in what_if.changes}


class TestRows:
    """Which row holds: both nodes, node and location, location and node, both locations, the default."""

    TEXT = """
skipsched: 1
name: rows
nodes:
  - {id: a, location: X, forward_time: 10 ms, memory: 1}
  - {id: b, location: X, forward_time: 10 ms, memory: 1}
  - {id: c, location: Y, forward_time: 10 ms, memory: 1}
  - {id: d, forward_time: 10 ms, memory: 1}
network:
  default: {latency: 1 ms, bandwidth: 1 MB/s}
  links:
    - {between: [X, Y], latency: 1 ms, bandwidth: 2 MB/s}
    - {from: a, to: Y, latency: 1 ms, bandwidth: 3 MB/s}
    - {between: [a, c], latency: 1 ms, bandwidth: 4 MB/s}
    - {from: Y, to: b, latency: 1 ms, bandwidth: 5 MB/s}
    - {between: [X, X], latency: 1 ms, bandwidth: 6 MB/s}
workload: {stages: 2, data_nodes: 1, microbatches: 1, activation: 1 B}
"""

    @pytest.mark.parametrize(
        ("source", "target", "field", "name"),
        [
            ("a", "c", "network.links[2]", "a - c"),
            ("c", "a", "network.links[2]", "a - c"),
            ("b", "c", "network.links[0]", "X - Y"),
            ("c", "b", "network.links[3]", "Y to b"),
            ("a", "b", "network.links[4]", "X - X"),
            ("a", "d", "network.default", "default link"),
        ],
    )
    def test_the_most_specific_one(self, source: str, target: str, field: str, name: str) -> None:
        loaded = load_topology(self.TEXT)
        ids = [node.id for node in loaded.nodes]
        row = LinkRows(loaded).between(ids.index(source), ids.index(target))
        assert (row.field, row.name) == (field, name)

    @settings(max_examples=50, deadline=None)
    @given(st.integers(0, 2**32))
    def test_its_figures_are_those_of_the_link(self, seed: int) -> None:
        loaded = load_topology(random_topology(Random(seed)))
        rows = LinkRows(loaded)
        for a, source in enumerate(loaded.nodes):
            for b, target in enumerate(loaded.nodes):
                link = loaded.network.link(source, target)
                if a == b or link is None:
                    continue
                row = rows.between(a, b)
                figures = value_at(loaded.document, row.field)
                assert quantity(figures["bandwidth"], RATE) == link.bandwidth
                assert quantity(figures["latency"], TIME) == link.latency


class TestCandidates:
    def test_of_a_small_schedule(self) -> None:
        """Each data node has one slot. Of the critical path b computes 50 ms, a 10, c 110."""
        small = topology("a, b, c memory=2", "2 1", workload="microbatches=2")
        changes = found(*planned(small, FOUR, *ROWS))
        assert list(changes) == [
            "one more slot on each node of stage 0",
            "2 x bandwidth: default link",
            "c twice as fast",
            "one more slot on b",  # the critical path waits for it, and not for a slot of a
            "b twice as fast",
            "one more slot on a",
            "a twice as fast",
        ]
        assert fields(changes["one more slot on each node of stage 0"]) == {
            "nodes[0].memory": ("1", "2"),
            "nodes[1].memory": ("1", "2"),
        }
        assert fields(changes["2 x bandwidth: default link"]) == {
            "network.default.bandwidth": ("1 MB/s", "2 MB/s")
        }
        assert fields(changes["c twice as fast"]) == {"nodes[2].layer_time": ("10ms", "5 ms")}

    def test_without_a_node_its_stage_is_smaller(self) -> None:
        """Of stage 1 c has least to do; with two nodes left b could go as well, but d holds stage 2 alone."""
        small = topology("a, b, c, d", "1 2 1", workload="microbatches=2", rules="path_length=2")
        routes = Routes((0, 1, 1, 2), ((0, 1), (0, 3)))
        changes = found(*planned(small, routes, "F0 L0 B0 F1 L1 B1", "F0 B0", "", "F1 B1"))
        without = changes["without c"]
        assert fields(without) == {
            "nodes[2]": (small.document["nodes"][2], None),
            "workload.stage_sizes[1]": ("2", "1"),
        }
        assert without.removed == "c"
        assert [node.id for node in without.topology.nodes] == ["a", "b", "d"]
        assert without.topology.workload.stage_sizes == (1, 1, 1)
        assert not {"without a", "without b", "without d"} & set(changes)

    def test_ends_of_the_slowest_hop_may_go(self) -> None:
        """The ring of b, c and d is slow for d alone, both ways."""
        small = topology("a, b, c, d", "1 3", workload="gradient=[0 B, 30000 B]", links="ab ac ad bc")
        document = {**small.document}
        slow = {"latency": "0.1 ms", "bandwidth": "100 kB/s"}
        more = [{"between": ["d", node]} | slow for node in "bc"]
        document["network"] = {"links": [*document["network"]["links"], *more]}
        routes = Routes((0, 1, 1, 1), ((0, 1),))
        changes = found(*planned(load_document(document), routes, "F0 L0 B0", "F0 B0", "", ""))
        assert [says for says in changes if says.startswith("without")] == [
            "without d",
            "without c",
            "without b",
        ]

    def test_a_stage_fewer_skipped(self) -> None:
        """Written as the topology writes it, and not where there is none skipped."""
        small = topology("a, b, c", "1 1 1", rules="skip_ratio=1/3")
        routes = Routes((0, 1, 2), ((0, 1),))
        changes = found(*planned(small, routes, "F0 L0 B0", "F0 B0", ""))
        assert fields(changes["one stage fewer skipped: paths of 3"]) == {"rules.skip_ratio": ("1/3", "0/3")}
        full = topology("a, b", "1 1", workload="microbatches=2")
        kinds = {what_if.kind for what_if in found(*planned(full, TWICE, *ROWS[:1], "F0 B0 F1 B1")).values()}
        assert "stage" not in kinds

    def test_what_the_program_does_not_handle_is_not_tried(self) -> None:
        """A bandwidth of 10^18 B/s is the most that is read; twice that is refused."""
        small = topology("a, b", "1 1")
        document = {**small.document, "network": {"default": {"latency": "1 ms", "bandwidth": "1e18 B/s"}}}
        changes = found(*planned(load_document(document), Routes((0, 1), ((0, 1),)), "F0 L0 B0", "F0 B0"))
        assert list(changes) == ["a twice as fast", "b twice as fast"]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32))
def test_every_change_is_what_it_says(seed: int) -> None:
    opened = random_opened(seed)
    if opened is None:
        return
    loaded = opened.topology
    made = changes_of(opened)
    for kind in ("slot", "bandwidth", "speed", "without", "stage"):
        assert sum(what_if.kind == kind for what_if in made) <= 3
    for what_if in made:
        assert load_document(applied(loaded.document, what_if.changes)).sha256 == what_if.topology.sha256
        assert what_if.topology.sha256 != loaded.sha256
        _is_what_it_says(what_if, opened, Instance.of(what_if.topology))
    assert len({what_if.says for what_if in made}) == len(made)


def changes_of(opened: Opened) -> list[WhatIf]:
    """The changes of a random schedule, which may break rules about all paths together."""
    why = starts(opened.instance, opened.scheduled)
    steps = critical_path(opened.scheduled, why)
    nodes = node_loads(opened.instance, opened.scheduled, why, steps)
    return candidates(opened, nodes, link_loads(opened, steps), steps)


def _is_what_it_says(what_if: WhatIf, opened: Opened, changed: Instance) -> None:
    tables, allocation = opened.instance, opened.scheduled.plan.routes.allocation
    places = [_node_of(change.field) for change in what_if.changes]
    match what_if.kind:
        case "slot":
            for node in places:
                stage = allocation[node]
                assert changed.slots[node][stage] == tables.slots[node][stage] + 1
            assert changed.transfer == tables.transfer
        case "speed":
            (node,) = places
            for old, new in zip(tables.forward[node], changed.forward[node], strict=True):
                assert abs(2 * new - old) <= 1
        case "bandwidth":
            (change,) = what_if.changes
            assert quantity(change.new, RATE) == 2 * quantity(change.old, RATE)
            for before, after in zip(tables.transfer, changed.transfer, strict=True):
                assert all(b <= a for a, b in zip(before, after, strict=True))
        case "without":
            assert changed.nodes == tables.nodes - 1
            gone = tables.node_ids.index(what_if.removed or "")
            assert allocation[gone] > 0
            assert allocation.count(allocation[gone]) > 1
        case "stage":
            assert changed.path_length == tables.path_length + 1


def _node_of(field: str) -> int:
    return int(field.partition("[")[2].partition("]")[0] or 0)


def outcome(bound: int, solved: Solved | None = None, kept: int | None = 1000, says: str = "") -> Outcome:
    what_if = WhatIf("slot", says, (), topology("a, b", "1 1"))
    return Outcome(what_if, Bound(bound, "load"), kept, solved)


class TestVerdicts:
    """An iteration of 1000, of which 40 are noise; nothing is faster than 900."""

    @pytest.mark.parametrize(
        ("time", "spread", "bound", "expected"),
        [
            (959, 0, 800, "gain"),
            (960, 0, 800, "none found"),
            (901, 100, 800, "none found"),  # seeds differ by more
            (899, 100, 800, "gain"),  # proved: the unchanged topology has nothing below 900
            (1000, 0, 1000, "cannot help"),
            (1040, 0, 800, "none found"),
            (1041, 0, 800, "cost"),
            (1020, 0, 1001, "cost"),  # proved
        ],
    )
    def test_of_what_was_solved(self, time: int, spread: int, bound: int, expected: Verdict) -> None:
        solved = Solved(time, False, Reference(1000, spread))
        assert outcome(bound, solved).verdict(best=1000, bound=900) == expected

    def test_of_what_was_not(self) -> None:
        assert outcome(999).verdict(1000, 900) == "not re-solved"
        assert outcome(1000).verdict(1000, 900) == "cannot help"
        reference = Reference(1000, 0)
        assert outcome(800, Solved(None, True, reference)).verdict(1000, 900) == "infeasible"
        assert outcome(800, Solved(None, False, reference)).verdict(1000, 900) == "nothing found"


def test_the_ranks() -> None:
    """Gains by their size, then what is open by what keeping the order brings, then prices."""
    reference, nothing = Reference(1000, 0), Solved(None, True, Reference(1000, 0))
    known = {
        "costs": outcome(800, Solved(1100, False, reference)),
        "costs more": outcome(800, Solved(1200, False, reference)),
        "nothing": outcome(1000),
        "open": outcome(800),
        "open, and better at once": outcome(800, kept=990),
        "open, and no schedule": outcome(800, kept=None),
        "gains": outcome(800, Solved(950, False, reference)),
        "gains more": outcome(800, Solved(850, False, reference)),
        "is not possible": outcome(800, nothing),
    }
    named = [
        Outcome(WhatIf("slot", says, (), o.what_if.topology), o.bound, o.kept, o.solved)
        for says, o in known.items()
    ]
    ranked = Prospect(named, Unchanged(1000, Bound(900, "model")), 30.0, 0, False).ranked
    assert [o.what_if.says for o in ranked] == [
        "gains more",
        "gains",
        "open, and better at once",
        "open",
        "open, and no schedule",
        "nothing",
        "costs",
        "costs more",
        "is not possible",
    ]
