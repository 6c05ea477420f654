"""Repairs from end to end: by hand, and on random topologies."""

from __future__ import annotations

import json
from copy import deepcopy
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from repair_cases import paths_of, random_schedule, repaired, solved, stages_of
from solver_cases import topology

from skipsched import InputError, Schedule, Topology, load_topology, repair_schedule, solve
from skipsched.clock import NO_LIMIT
from skipsched.instance import Instance
from skipsched.repair.left import NothingLeft, left_without
from skipsched.routes.find import Infeasible, find_routes
from skipsched.topology.derive import stage_memories
from skipsched.topology.load import load_document

seeds = st.integers(0, 100_000)


def schedule_of(found: Topology) -> Schedule:
    schedule = solve(found, gap=1, deterministic=True).schedule
    assert schedule is not None
    return schedule


def changed(found: Topology, section: str, **values: Any) -> Topology:
    """The topology with some values of a section changed; None takes one out."""
    document: dict[str, Any] = deepcopy(dict(found.document))
    document[section].update(values)
    document[section] = {key: value for key, value in document[section].items() if value is not None}
    return load_document(document)


class TestNodesLeave:
    def test_a_stage_with_others_has_one_node_fewer(self) -> None:
        """Every node but c keeps its stage; c's microbatches need another path, the others keep theirs."""
        schedule = schedule_of(topology("a stage=0, b, c, d", "1 3", workload="microbatches=6"))
        ways = paths_of(schedule)
        result = repaired(schedule, "c")
        assert result.schedule is not None
        assert result.report is not None
        assert result.schedule.document["stages"] == [["a"], ["b", "d"]]
        assert result.schedule.document["topology"]["document"]["workload"]["stage_sizes"] == ["1", "2"]
        found = result.report.microbatches
        assert (found.kept, found.forced, found.changed) == (
            6 - ways.count(("a", "c")),
            ways.count(("a", "c")),
            0,
        )
        assert result.report.copies == ()
        assert result.schedule.document["solver"]["restricted_to"] == ["allocation"]

    def test_microbatches_go_with_the_data(self) -> None:
        found = topology("a microbatches=2, b microbatches=3, c stage=1", "2 1")
        result = repaired(schedule_of(found), "b")
        assert result.report is not None
        (left,) = result.report.left
        assert (left.node, left.microbatches) == ("b", 3)
        assert (result.report.microbatches.before, result.report.microbatches.after) == (5, 2)
        assert result.report.microbatches.kept == 2

    def test_a_stage_without_nodes_gets_one_from_another(self) -> None:
        """Only d may move to stage 1: b and c are pinned."""
        found = topology("a stage=0, b stage=2, c stage=2, d, e stage=1", "1 1 3")
        result = repaired(schedule_of(found), "e")
        assert result.schedule is not None
        assert result.report is not None
        assert result.schedule.document["stages"] == [["a"], ["d"], ["b", "c"]]
        assert result.schedule.document["topology"]["document"]["workload"]["stage_sizes"] == ["1", "1", "2"]
        assert [(moved.node, moved.before, moved.after) for moved in result.report.moved] == [("d", 2, 1)]

    def test_who_moves_is_who_is_best_placed(self) -> None:
        """Sizes 1 1 3, stage 1 loses its node: c is as quick as the others, b and d ten times slower."""
        found = topology(
            "a stage=0, b layer_time=100ms, c, d layer_time=100ms, e stage=1",
            "1 1 3",
            workload="microbatches=4",
        )
        result = repaired(schedule_of(found), "e")
        assert result.report is not None
        assert [moved.node for moved in result.report.moved] == ["c"]

    def test_the_only_data_node_leaves(self) -> None:
        result = repaired(schedule_of(topology("a stage=0, b, c", "1 2")), "a")
        assert result.report is not None
        ((moved,), (copy,)) = result.report.moved, result.report.copies
        assert (moved.before, moved.after) == (1, 0)
        # Whoever held the first stage is gone: its layers are in no node's memory.
        assert (copy.stage, copy.source) == (0, None)
        assert result.report.microbatches.new == 1

    @pytest.mark.parametrize("gone", [("a", "b", "c"), ("a", "b")])
    def test_too_few_are_left(self, gone: tuple[str, ...]) -> None:
        result = repaired(schedule_of(topology("a, b, c", "1 2")), *gone)
        assert result.schedule is None
        assert result.cause is not None

    def test_pins_that_leave_nobody(self) -> None:
        result = repaired(schedule_of(topology("a, b stage=1, c stage=1", "1 2")), "a")
        assert result.cause is not None
        assert "pinned" in result.cause.message

    def test_the_same_twice(self) -> None:
        schedule = schedule_of(topology("a stage=0, b, c", "1 2"))
        assert repaired(schedule, "b", "b").report == repaired(schedule, "b").report

    def test_links_that_are_left_may_not_do(self) -> None:
        """Of stage 1 only c is linked with b, whom every path visits."""
        found = topology("a stage=0, b stage=2, c stage=1, d stage=1", "1 2 1", links="ac bc ad ab")
        result = repaired(schedule_of(found), "c")
        assert result.cause is not None
        assert "link" in result.cause.rules

    def test_who_must_move_for_a_ring(self) -> None:
        """From b to d there is no link: without c stage 1 has no ring, unless one node each is exchanged."""
        found = topology(
            "a stage=0, b, c, d, e, f",
            "1 3 2",
            links="ab ac ad ae af b>c c>d d>b be de ef df",
            workload="gradient=8 B",
            rules="path_length=2",
        )
        schedule = schedule_of(found)
        assert schedule.document["stages"] == [["a"], ["b", "c", "d"], ["e", "f"]]
        result = repaired(schedule, "c")
        assert result.schedule is not None
        assert result.report is not None
        assert sorted(result.schedule.document["stages"][1:]) == [["b", "e"], ["d", "f"]]
        assert len(result.report.moved) == 2

    def test_memory_in_bytes_gives_the_bytes_to_copy(self) -> None:
        """What one node alone held is in no memory any more; back again, it has it from whoever took it."""
        found = load_topology("bytes-16")
        schedule = schedule_of(found)
        (alone,) = schedule.document["stages"][7]
        gone = repaired(schedule, alone)
        assert gone.schedule is not None
        assert gone.report is not None
        (copy,) = gone.report.copies
        assert (copy.stage, copy.source, copy.time) == (7, None, None)
        memories = stage_memories(found.workload)
        assert memories is not None
        assert copy.size == memories[7].state
        back = repaired(gone.schedule, topology=found)
        assert back.report is not None
        assert {copy.node for copy in back.report.copies} >= {alone}
        assert all(copy.size and copy.source and copy.time for copy in back.report.copies)

    @pytest.mark.parametrize("name", ["full-pipeline-12", "small-8", "uneven-24"])
    def test_shipped_instances(self, name: str) -> None:
        schedule = solved(load_topology_text(name))
        assert schedule is not None
        for stage in schedule.document["stages"][:2]:
            result = repaired(schedule, stage[0])
            assert result.schedule is not None
            assert result.report is not None
            assert result.report.moved == ()


def load_topology_text(name: str) -> str:
    """A shipped topology as text."""
    return json.dumps(load_topology(name).document) + "\n"


def layered(nodes: str) -> Topology:
    """Three stages of one, five and one layers, one data node, and free sizes."""
    layers = {"layers": None, "stage_layers": ["1", "5", "1"]}
    return changed(topology(nodes, 1, stages=3), "workload", **layers, microbatches="6")


class TestAnotherTopology:
    base = topology("a stage=0, b, c, d", "1 3", workload="microbatches=4, backward_ratio=1")

    def test_nothing_has_changed(self) -> None:
        schedule = schedule_of(self.base)
        result = repaired(schedule, topology=self.base)
        assert result.report is not None
        assert result.report.after <= result.report.before
        assert (result.report.left, result.report.came, result.report.copies) == ((), (), ())
        assert result.report.microbatches.forced == 0

    def test_a_node_comes_where_there_is_room(self) -> None:
        schedule = schedule_of(self.base)
        wider = topology("e, a stage=0, b, c, d", "1 4", workload="microbatches=4, backward_ratio=1")
        result = repaired(schedule, topology=wider)
        assert result.report is not None
        ((came,), (copy,)) = result.report.came, result.report.copies
        assert (came.node, came.stage) == ("e", 1)
        assert copy.source in ("b", "c", "d")
        assert result.report.microbatches.forced == 0

    def test_a_node_goes_where_it_helps(self) -> None:
        """Sizes are free: stage 1 has five layers, stage 2 one."""
        nodes = "a stage=0, b stage=1, c stage=2"
        schedule = schedule_of(layered(nodes))
        result = repaired(schedule, topology=layered(f"{nodes}, d"))
        assert result.report is not None
        (came,) = result.report.came
        assert (came.node, came.stage) == ("d", 1)

    def test_figures_that_changed_are_obeyed(self) -> None:
        schedule = schedule_of(self.base)
        slower = changed(self.base, "network", overhead="50 ms")
        result = repaired(schedule, topology=slower)
        assert result.report is not None
        assert result.report.after > result.report.before

    def test_memory_that_shrank(self) -> None:
        """What three slots allow at once, one does not: another order is needed, not other paths."""
        base = topology("a stage=0 memory=3, b memory=3", "1 1", workload="microbatches=6")
        schedule = schedule_of(base)
        result = repaired(schedule, topology=topology("a stage=0, b", "1 1", workload="microbatches=6"))
        assert result.report is not None
        assert result.report.microbatches.kept == 6

    def test_a_link_that_is_gone(self) -> None:
        base = topology("a stage=0, b, c", "1 2", links="ab ac", workload="microbatches=4")
        schedule = schedule_of(base)
        result = repaired(
            schedule, topology=topology("a stage=0, b, c", "1 2", links="ab bc", workload="microbatches=4")
        )
        assert result.report is not None
        assert result.report.microbatches.forced == paths_of(schedule).count(("a", "c"))

    def test_more_and_fewer_microbatches(self) -> None:
        schedule = schedule_of(self.base)
        for count, new in ((7, 3), (2, 0)):
            other = changed(self.base, "workload", microbatches=str(count))
            result = repaired(schedule, topology=other)
            assert result.report is not None
            found = result.report.microbatches
            assert (found.after, found.new, found.forced) == (count, new, 0)

    def test_rules_that_changed(self) -> None:
        base = topology("a stage=0, b stage=1, c stage=2", "1 1 1", rules="path_length=2, max_jump=2")
        schedule = schedule_of(changed(base, "workload", microbatches="4"))
        longer = changed(schedule.topology(), "rules", path_length="3")
        result = repaired(schedule, topology=longer)
        assert result.report is not None
        assert result.report.microbatches.forced == 4

    @pytest.mark.parametrize(
        "values", [{"layers": "4"}, {"stages": "3", "stage_sizes": ["1", "2", "1"], "layers": "3"}]
    )
    def test_another_cut_of_the_model_is_no_repair(self, values: dict[str, Any]) -> None:
        with pytest.raises(InputError, match="cut into other stages"):
            repair_schedule(schedule_of(self.base), topology=changed(self.base, "workload", **values))

    def test_an_infeasible_one(self) -> None:
        torn = topology(
            "a stage=0, b, c, d", "1 3", links="bc cd", workload="microbatches=4, backward_ratio=1"
        )
        result = repaired(schedule_of(self.base), topology=torn)
        assert result.cause is not None
        assert result.cause.rules


def test_either_nodes_or_a_topology() -> None:
    schedule = schedule_of(topology("a stage=0, b, c", "1 2"))
    with pytest.raises(ValueError, match="either"):
        repair_schedule(schedule)
    with pytest.raises(ValueError, match="either"):
        repair_schedule(schedule, without=["b"], topology=schedule.topology())
    with pytest.raises(ValueError, match="time_limit"):
        repair_schedule(schedule, without=["b"], time_limit=0)


def test_a_schedule_that_is_not_valid() -> None:
    document = deepcopy(dict(schedule_of(topology("a stage=0, b, c", "1 2")).document))
    document["iteration_time"] += 1
    with pytest.raises(InputError):
        repair_schedule(Schedule(document), without=["b"])


def test_the_same_on_every_run() -> None:
    schedule = solved(load_topology_text("small-8"))
    assert schedule is not None
    first, second = (repaired(schedule, "iowa0") for _ in "ab")
    assert first.schedule is not None
    assert second.schedule is not None
    assert first.schedule.text() == second.schedule.text()


def stays_possible(left: Topology, before: dict[str, int]) -> bool:
    """Whether there are routes with every node where it was."""
    tables = Instance.of(left)
    allocation = [before[node] for node in tables.node_ids]
    sizes = [allocation.count(stage) for stage in range(tables.stages)]
    if not all(map(int.__le__, tables.min_sizes, sizes)) or not all(map(int.__le__, sizes, tables.max_sizes)):
        return False
    if any(stage not in may for stage, may in zip(allocation, tables.allowed, strict=True)):
        return False
    try:
        find_routes(tables.restricted_to(allocation), NO_LIMIT, 1)
    except Infeasible:
        return False
    return True


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_a_node_leaves_and_comes_back(seed: int) -> None:
    schedule = random_schedule(seed)
    assume(schedule is not None)
    assert schedule is not None
    before = stages_of(schedule)
    node = Random(seed).choice(sorted(before))
    whole = schedule.topology()
    try:
        left = left_without(whole, before, [node])
    except NothingLeft:
        assert repaired(schedule, node).cause is not None
        return
    result = repaired(schedule, node)
    if result.schedule is None:
        # Nothing was kept back: there is none.
        assert result.cause is not None
        assert solve(left, gap=1, deterministic=True).status == "INFEASIBLE"
        return
    assert result.report is not None
    assert set(stages_of(result.schedule)) == set(before) - {node}
    if stays_possible(left, before):
        assert result.report.moved == ()
    back = repaired(result.schedule, topology=whole)
    assert back.schedule is not None
    assert back.report is not None
    assert [came.node for came in back.report.came] == [node]
