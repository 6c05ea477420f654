"""First come, first served: by hand, and beside a simulator that follows the rule as it is written."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from simulate_cases import case, random_plan, simulated, slow_fifo

from skipsched.insight.conditions import Conditions, Slowed, Stragglers
from skipsched.insight.durations import Durable
from skipsched.insight.fifo import Fifo
from skipsched.insight.jitter import Luck


def test_what_arrived_first_goes_first() -> None:
    # Two data nodes share the one slot of c; in the schedule b's microbatch goes first.
    rows = ("F0 L0 B0", "F1 L1 B1", "F1 B1 F0 B0")
    plan = case("a, b layer_time=20ms, c", "2 1", ((0, 2), (1, 2)), *rows, workload="microbatches=1")
    # c: F1 21-31, B1 33-53, F0 53-63, B0 65-85; b: B1 54-94; a: B0 86-106.
    assert simulated(plan).times == [106_000] * 3
    # c: F0 11-21, B0 23-43, F1 43-53, B1 55-75; b: B1 76-116.
    assert simulated(plan, policy="fifo").times == [116_000] * 3


class TestEmission:
    """One data node with two slots and three microbatches; F 10 ms, L 0, B 20 ms, transfers 1 ms."""

    ROWS = ("F0 F1 L0 L1 B0 B1 F2 L2 B2", "F0 F1 B0 B1 F2 B2")

    def test_one_microbatch_for_each_slot_at_once(self) -> None:
        plan = case("a memory=2, b memory=2", "1 1", 3 * ((0, 1),), *self.ROWS, workload="microbatches=3")
        found = simulated(plan, policy="fifo")
        # a: F0 0-10, F1 10-20; b: F0 11-21, F1 21-31; L0 22, L1 32; b: B0 31-51 (arrived 23), B1 51-71;
        # a: B0 52-72, whose slot F2 gets; it is at hand from 72, when B1 arrives, which goes first: 72-92;
        # F2 92-102; b: 103-113; L2 114; b: B2 115-135; a: B2 136-156.
        assert found.times == [156_000] * 3

    def test_in_the_order_of_the_schedule(self) -> None:
        # The second microbatch takes the slow way and is emitted first.
        rows = ("F1 L1 B1 F0 L0 B0", "F0 B0", "F1 B1")
        plan = case("a, b, c layer_time=40ms", "1 2", ((0, 1), (0, 2)), *rows, workload="microbatches=2")
        lost = Conditions(0, 0, lost=frozenset("b"))
        # With one slot the first to leave comes home; the other way about none would.
        assert simulated(plan, lost, "fifo").finished == [1, 1, 1]


def test_a_lock_up_is_counted() -> None:
    # Each microbatch holds the slot that the other one needs next.
    rows = ("F0 L0 B0 F1 L1 B1", "F0 B0 F1 B1", "F0 B0 F1 B1")
    paths = ((0, 1, 2), (0, 2, 1))
    plan = case("d memory=2, a, b", "1 1 1", paths, *rows, workload="microbatches=2")
    assert simulated(plan).times == [plan[2].objective.iteration_time] * 3
    locked = simulated(plan, policy="fifo")
    assert (locked.times, locked.finished, locked.runs) == ([], [0, 0, 0], 3)
    assert (locked.mean, locked.quantile(0.5)) == (None, None)
    # With one slot on the data node there is one microbatch at a time.
    plan = case("d, a, b", "1 1 1", paths, *rows, workload="microbatches=2")
    assert simulated(plan, policy="fifo").times == simulated(plan).times


def test_a_lost_node_keeps_only_those_who_visit_it() -> None:
    paths = ((0, 1), (0, 2))
    rows = ("F0 F1 L0 L1 B0 B1", "F0 B0", "F1 B1")
    plan = case("a memory=2, b, c", "1 2", paths, *rows, workload="microbatches=2")
    lost = Conditions(0, 0, lost=frozenset("b"))
    # In order the data node waits for the first microbatch's loss for ever.
    assert simulated(plan, lost).finished == [0, 0, 0]
    assert simulated(plan, lost, "fifo").finished == [1, 1, 1]
    assert simulated(plan, Conditions(0, 0, lost=frozenset("a")), "fifo").finished == [0, 0, 0]


@given(st.integers(0, 2**32))
@settings(deadline=None)
def test_the_same_as_by_the_rule(seed: int) -> None:
    plan = random_plan(seed)
    if plan is None:
        return
    loaded, tables, scheduled = plan
    lost = frozenset(tables.node_ids[:1]) if seed % 4 == 0 else frozenset()
    conditions = Conditions(0.5, 0.5, stragglers=Stragglers(0.2, 3), lost=lost)
    slowed = Slowed.of(conditions, loaded, tables)
    durations = Durable(tables, scheduled, conditions, slowed, Luck(seed % 1000)).draw(range(3))
    ran = Fifo(tables, scheduled).run(durations)
    for run in range(3):
        assert ran.end[:, run].tolist() == slow_fifo(tables, scheduled, durations, run)


@given(st.integers(0, 2**32))
def test_nodes_keep_slots_and_do_one_thing_at_a_time(seed: int) -> None:
    plan = random_plan(seed)
    if plan is None:
        return
    _, tables, scheduled = plan
    conditions = Conditions(0.5, 0.5)
    durations = Durable(tables, scheduled, conditions, Slowed.of(conditions, plan[0], tables), Luck(0)).draw(
        range(2)
    )
    end = Fifo(tables, scheduled).run(durations).end
    actions = scheduled.actions
    for run in range(2):
        for node, row in enumerate(scheduled.plan.order):
            slots = tables.slots[node][scheduled.plan.routes.allocation[node]]
            begun = {a: end[a, run] - durations.computing[a, run] for a in row if end[a, run] < math.inf}
            free, held = 0.0, 0
            for action in sorted(begun, key=lambda a: (begun[a], end[a, run])):
                assert begun[action] >= free
                free = end[action, run] + tables.overhead
                held += {"F": 1, "L": 0, "B": -1}[actions.operation(action)]
                assert held <= slots
