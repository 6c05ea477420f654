"""Why actions start when they do, and the critical path: worked out by hand, and over random plans."""

from __future__ import annotations

import itertools
from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from solver_cases import instance, order_of, random_case, random_scheduled, scheduled

from skipsched.insight.critical import critical_path, last_action, starts
from skipsched.instance import Instance
from skipsched.plan import Actions, Plan, Routes
from skipsched.scheduled import Scheduled


def planned(tables: Instance, paths: tuple[tuple[int, ...], ...], *rows: str) -> Scheduled:
    routes = Routes((0, 1), paths)
    order = order_of(Actions.of(tables, routes), *rows)
    return scheduled(tables, Plan(routes, tuple(map(tuple, order))))


class TestByHand:
    """Two stages of a node each: forward 10 ms, backward 20 ms, loss 0, a transfer 1 ms."""

    def test_one_slot(self) -> None:
        # Each microbatch: F 0-10, F 11-21, L 22, B 23-43, B 44-64; then the second gets the slot.
        tables = instance("a, b", "1 1", workload="microbatches=2")
        case = planned(tables, ((0, 1), (0, 1)), "F0 L0 B0 F1 L1 B1", "F0 B0 F1 B1")
        why = starts(tables, case)
        assert [start.cause for start in why] == ["nothing", *4 * ["input"], "slot", *4 * ["input"]]
        assert (why[5].after, why[5].waited, why[5].full) == (4, 64_000, 64_000)
        steps = critical_path(case, why)
        assert "".join(step.kind[0] for step in steps) == 2 * "FtFtLtBtB"
        assert [step.cause for step in steps if step.kind == "F"] == ["nothing", "input", "slot", "input"]

    def test_two_slots(self) -> None:
        # With room for both, the second forward waits for the node alone, 10 ms.
        tables = instance("a memory=2, b memory=2", "1 1", workload="microbatches=2")
        case = planned(tables, ((0, 1), (0, 1)), "F0 F1 L0 L1 B0 B1", "F0 F1 B0 B1")
        why = starts(tables, case)
        assert (why[5].cause, why[5].after, why[5].waited, why[5].full) == ("node", 0, 10_000, 0)

    def test_full_only_part_of_the_wait(self) -> None:
        # A slot is free from 0 to 10; both are taken until the first backward ends at 65.
        tables = instance("a memory=2, b memory=2", "1 1", workload="microbatches=3")
        case = planned(tables, 3 * ((0, 1),), "F0 F1 L0 L1 B0 F2 B1 L2 B2", "F0 F1 B0 B1 F2 B2")
        third = starts(tables, case)[10]
        assert third.cause == "slot"
        assert third.full == third.start - 10_000

    def test_overhead(self) -> None:
        tables = instance("a memory=2, b memory=2", "1 1", workload="microbatches=2, action_overhead=3 ms")
        case = planned(tables, ((0, 1), (0, 1)), "F0 F1 L0 L1 B0 B1", "F0 F1 B0 B1")
        kinds = [step.kind for step in critical_path(case, starts(tables, case))]
        assert "overhead" in kinds

    def test_allreduce_of_an_idle_stage(self) -> None:
        # Paths of two stages of three leave one out; its gradients take longer than all else.
        tables = instance(
            "a, b, c, d",
            "1 1 2",
            workload="gradient=[0 B, 0 B, 1 MB]",
            rules="path_length=2, even_stages=false",
        )
        routes = Routes((0, 1, 2, 2), ((0, 1),))
        order = order_of(Actions.of(tables, routes), "F0 L0 B0", "F0 B0", "", "")
        case = scheduled(tables, Plan(routes, tuple(map(tuple, order))))
        assert last_action(case) is None
        (step,) = critical_path(case, starts(tables, case))
        assert (step.kind, step.action, step.end) == ("all-reduce", None, case.objective.iteration_time)


@given(st.integers(0, 2**32))
def test_the_path_is_whole(seed: int) -> None:
    """Its steps follow each other from 0 to the iteration time, and last what they stand for."""
    _, tables = random_case(seed)
    case = random_scheduled(Random(seed), tables)
    if case is None or not case.keeps_slots(tables):
        return
    actions = case.actions
    why = starts(tables, case)
    steps = critical_path(case, why)
    assert steps[0].begin == 0
    assert steps[-1].end == case.objective.iteration_time
    assert all(one.end == other.begin for one, other in itertools.pairwise(steps))
    for step in steps:
        if step.action is None or step.kind == "all-reduce":
            continue
        lasts = {"transfer": actions.lag[step.action], "overhead": tables.overhead}
        assert step.end - step.begin == lasts.get(step.kind, actions.duration[step.action])
    for start in why:
        assert 0 <= start.full <= start.waited
        assert (start.waited == 0) == (start.cause in ("nothing", "input"))


@given(st.integers(0, 2**32))
def test_enough_slots_end_waiting_for_them(seed: int) -> None:
    _, tables = random_case(seed)
    tables = replace(tables, slots=tuple(tuple(99 for _ in row) for row in tables.slots))
    case = random_scheduled(Random(seed), tables)
    if case is None:
        return
    assert not any(start.full or start.cause == "slot" for start in starts(tables, case))
