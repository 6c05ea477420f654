"""GPipe and 1F1B: orders and times by hand; on random topologies neither deadlocks nor passes its slots."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from brute_force import allocations, members
from hypothesis import given, settings
from hypothesis import strategies as st
from solver_cases import instance, order_of, random_case, scheduled

from skipsched.baselines.arrangement import NoPipelines, straight_pipelines
from skipsched.baselines.full_pipeline import full_routes, gpipe, one_forward_one_backward
from skipsched.instance import Instance
from skipsched.plan import Actions, Plan, Routes

MS = 1000


def line(stages: int, *slots: int) -> tuple[Instance, Routes]:
    """Three microbatches through one node a stage: F 10, L 5, B 20 and transfers of 1 ms."""
    nodes = ", ".join(f"{'abc'[k]} stage={k} memory={slots[k]}" for k in range(stages))
    sizes = " ".join("1" * stages)
    tables = instance(nodes, sizes, workload="microbatches=3, loss_ratio=0.5", rules="max_swaps=0")
    allocation = tuple(range(stages))
    return tables, full_routes(tables, allocation, straight_pipelines(tables, allocation))


def assert_order(tables: Instance, plan: Plan, milliseconds: int, *rows: str) -> None:
    order = order_of(Actions.of(tables, plan.routes), *rows)
    assert [list(row) for row in plan.order] == order
    assert scheduled(tables, plan).objective.iteration_time == milliseconds * MS


#: One at a time: 10 + 1 + 10 + 1 + 5 + 1 + 20 + 1 + 20 = 69, three times.
ONE_SLOT = (207, "F0 L0 B0 F1 L1 B1 F2 L2 B2", "F0 B0 F1 B1 F2 B2")


class TestGPipe:
    @pytest.mark.parametrize("slots", [(1, 1), (1, 3), (3, 1)])
    def test_one_slot(self, slots: tuple[int, int]) -> None:
        tables, routes = line(2, *slots)
        assert_order(tables, gpipe(tables, routes), *ONE_SLOT)

    @pytest.mark.parametrize("slots", [(2, 2), (3, 2)])
    def test_two_slots(self, slots: tuple[int, int]) -> None:
        # a: F 0-10-20, L 22-27 and 32-37. b: F 11-21-31, B 31-51-71. a: B 52-72-92. Then 2 alone: 92 + 69.
        tables, routes = line(2, *slots)
        assert_order(tables, gpipe(tables, routes), 161, "F0 F1 L0 L1 B0 B1 F2 L2 B2", "F0 F1 B0 B1 F2 B2")

    def test_three_slots(self) -> None:
        # a: F 0-30, L 30-35-40 and 42-47. b: F 11-41, B 41-61-81-101. a: B 62-82-102-122.
        tables, routes = line(2, 3, 3)
        assert_order(tables, gpipe(tables, routes), 122, "F0 F1 F2 L0 L1 L2 B0 B1 B2", "F0 F1 F2 B0 B1 B2")

    def test_three_stages(self) -> None:
        # b: F 11-41. c: F 22-52, B 52-72-92-112 (losses 33-38, 43-48, 53-58). b: B 73-93-113-133. a: 94-154.
        tables, routes = line(3, 3, 3, 3)
        rows = ("F0 F1 F2 L0 L1 L2 B0 B1 B2", "F0 F1 F2 B0 B1 B2", "F0 F1 F2 B0 B1 B2")
        assert_order(tables, gpipe(tables, routes), 154, *rows)


class TestOneForwardOneBackward:
    @pytest.mark.parametrize("slots", [(1, 1), (1, 3)])
    def test_one_slot(self, slots: tuple[int, int]) -> None:
        tables, routes = line(2, *slots)
        assert_order(tables, one_forward_one_backward(tables, routes), *ONE_SLOT)

    def test_two_slots_and_one(self) -> None:
        # b: F0 11-21, B0 28-48, F1 48-58. a: F0 0-10, F1 10-20, L0 22-27, B0 49-69, then L1, there since 59,
        # 69-74, F2 74-84. b: B1, there at 75, before F2, 75-95, F2 95-105. a: B1 96-116, L2 116-121.
        # b: B2 122-142. a: B2 143-163.
        tables, routes = line(2, 2, 1)
        rows = ("F0 F1 L0 B0 L1 F2 B1 L2 B2", "F0 B0 F1 B1 F2 B2")
        assert_order(tables, one_forward_one_backward(tables, routes), 163, *rows)

    @pytest.mark.parametrize("slots", [(2, 2), (2, 3)])
    def test_two_slots(self, slots: tuple[int, int]) -> None:
        # b: F 11-31. a: F 0-20, L0 22-27, L1 32-37. b: B0 31-51, B1 51-71. a: B0 52-72, and since B1 is there
        # at 72 it goes before F2: B1 72-92, F2 92-102. Then 2 alone: 92 + 69.
        tables, routes = line(2, *slots)
        rows = ("F0 F1 L0 L1 B0 B1 F2 L2 B2", "F0 F1 B0 B1 F2 B2")
        assert_order(tables, one_forward_one_backward(tables, routes), 161, *rows)

    def test_three_slots(self) -> None:
        # a: F 0-30, then L0, there since 22, 30-35, L1 35-40. b: F0 F1 11-31, and no third one in flight on
        # the last stage: B0 36-56, then B1, there since 41, 56-76, F2 76-86. a: B0 57-77, B1 77-97, L2, there
        # since 87, 97-102. b: B2 103-123. a: B2 124-144.
        tables, routes = line(2, 3, 3)
        rows = ("F0 F1 F2 L0 L1 B0 B1 L2 B2", "F0 F1 B0 B1 F2 B2")
        assert_order(tables, one_forward_one_backward(tables, routes), 144, *rows)

    def test_three_stages_with_one_slot(self) -> None:
        # One at a time: 3 forwards, a loss, 3 backwards and 6 transfers, 30 + 5 + 60 + 6 = 101, three times.
        tables, routes = line(3, 1, 1, 1)
        rows = ("F0 L0 B0 F1 L1 B1 F2 L2 B2", "F0 B0 F1 B1 F2 B2", "F0 B0 F1 B1 F2 B2")
        assert_order(tables, one_forward_one_backward(tables, routes), 303, *rows)

    def test_three_stages_with_two_slots(self) -> None:
        # a: F 0-20. b: F 11-31. c: F 22-42. a: L0 33-38, L1 43-48. c: B0 42-62, B1 62-82. b: B0 63-83,
        # B1 83-103. a: B0 84-104, and B1, there at 104, before F2: 104-124. Then 2 alone: 124 + 101.
        # In turns: c would let B1 wait for F2, which a can emit at 104 at the earliest.
        tables, routes = line(3, 2, 2, 2)
        rows = ("F0 F1 L0 L1 B0 B1 F2 L2 B2", "F0 F1 B0 B1 F2 B2", "F0 F1 B0 B1 F2 B2")
        assert_order(tables, one_forward_one_backward(tables, routes), 225, *rows)

    def test_three_stages_with_three_slots(self) -> None:
        # a: F 0-30. b: F 11-41. c: F0 F1 22-42, B0, there since 39, 42-62, B1, there since 49, 62-82, and
        # only then F2 82-92. a: L0 33-38, L1 43-48. b: B0 63-83, B1 83-103. a: B0 84-104, then L2, there
        # since 93, 104-109, before B1 109-129. c: B2 110-130. b: B2 131-151. a: B2 152-172.
        tables, routes = line(3, 3, 3, 3)
        rows = ("F0 F1 F2 L0 L1 B0 L2 B1 B2", "F0 F1 F2 B0 B1 B2", "F0 F1 B0 B1 F2 B2")
        assert_order(tables, one_forward_one_backward(tables, routes), 172, *rows)

    def test_few_slots_on_the_way_bind_those_behind(self) -> None:
        # b has one slot: c, with three, could start no second one before b has the first one's B.
        tables, routes = line(3, 3, 1, 3)
        plan = one_forward_one_backward(tables, routes)
        rows = [" ".join(words(tables, plan, node)) for node in (1, 2)]
        assert rows == ["F0 B0 F1 B1 F2 B2"] * 2
        on_a = " ".join(word for word in words(tables, plan, 0) if word[0] != "L")
        assert on_a == "F0 F1 F2 B0 B1 B2"


def words(tables: Instance, plan: Plan, node: int) -> list[str]:
    actions = Actions.of(tables, plan.routes)
    return [f"{actions.operation(a)}{a // actions.per_microbatch}" for a in plan.order[node]]


class TestFullRoutes:
    TABLES = instance("a, b microbatches=2, c, d microbatches=0, e", "3 2", workload="microbatches=1")

    def test_data_node_by_data_node(self) -> None:
        # Data nodes a, b and d; d emits nothing. Pipelines may come in any order.
        routes = full_routes(self.TABLES, (0, 0, 1, 0, 1), [(1, 2), (0, 4)])
        assert routes == Routes((0, 0, 1, 0, 1), ((0, 4), (1, 2), (1, 2)))

    def test_an_idle_pipeline(self) -> None:
        tables = replace(self.TABLES, microbatches=(0, 2, 0, 0, 0))
        routes = full_routes(tables, (0, 0, 1, 0, 1), [(1, 2), (0, 4)])
        assert routes.paths == ((1, 2), (1, 2))
        for order in (gpipe, one_forward_one_backward):
            assert [bool(row) for row in order(tables, routes).order] == [False, True, True, False, False]

    def test_a_data_node_without_a_pipeline(self) -> None:
        with pytest.raises(ValueError, match="b emits"):
            full_routes(self.TABLES, (0, 0, 1, 0, 1), [(0, 2), (3, 4)])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_no_deadlock_and_no_slot_too_many(seed: int) -> None:
    rng = Random(seed)
    _, tables = random_case(seed)
    rules = replace(tables.rules, path_length=tables.stages)
    tables = replace(tables, rules=rules)
    found = next(iter(allocations(tables)), None)
    if found is None:
        return
    try:
        pipelines = straight_pipelines(tables, found)
    except NoPipelines:
        return
    heads = {pipeline[0] for pipeline in pipelines}
    emitted = tuple(rng.randint(1, 9) if n in heads else 0 for n in range(tables.nodes))
    tables = replace(tables, microbatches=emitted)
    routes = full_routes(tables, found, pipelines)
    actions = Actions.of(tables, routes)
    assert [path[0] for path in routes.paths] == [d for d in members(found, 0) for _ in range(emitted[d])]
    for order in (gpipe, one_forward_one_backward):
        plan = order(tables, routes)
        for node, row in enumerate(plan.order):
            assert sorted(row) == [a for a, where in enumerate(actions.node) if where == node]
        assert scheduled(tables, plan).keeps_slots(tables)


def test_actions_that_take_no_time() -> None:
    # 0.1 us is rounded to 0, and so are transfers: everything starts at once, and its order has no cycle.
    tables = instance(
        "a memory=3 layer_time=0.1us, b memory=3 layer_time=0.1us, c memory=3 layer_time=0.1us",
        "1 1 1",
        workload="microbatches=5",
    )
    tables = replace(tables, transfer=((0,) * 3,) * 3)
    routes = full_routes(tables, (0, 1, 2), [(0, 1, 2)])
    assert scheduled(tables, one_forward_one_backward(tables, routes)).objective.iteration_time == 0
