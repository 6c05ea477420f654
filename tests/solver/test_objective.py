"""The objective: iteration time with all-reduce, ties, and stages that do nothing."""

from __future__ import annotations

from itertools import combinations

from solver_cases import instance, order_of, scheduled

from skipsched.objective import Objective
from skipsched.plan import Actions, Plan, Routes

#: One microbatch through stages 0, 1, 2: F, L of no length, B. Ends are chosen at will.
ROUTES = Routes((0, 1, 2), ((0, 1, 2),))
ACTIONS = Actions(7, [0, 1, 2, 0, 2, 1, 0], [1] * 7, [0] * 7)
END = [10, 20, 30, 40, 50, 60, 70]


def value(allreduce: list[int], end: list[int] = END) -> Objective:
    return Objective.of(ROUTES, ACTIONS, end, allreduce)


class TestAllReduce:
    """Last B: 70 on stage 0, 60 on stage 1, 50 on stage 2."""

    def test_without(self) -> None:
        assert value([0, 0, 0]) == Objective(70, 70, 70)

    def test_the_first_stage_pays_after_its_last_backward(self) -> None:
        assert value([5, 0, 0]).iteration_time == 75

    def test_other_stages_pay_beside_what_still_runs(self) -> None:
        assert value([0, 10, 20]).iteration_time == 70
        assert value([0, 11, 20]).iteration_time == 71
        assert value([0, 10, 23]).iteration_time == 73

    def test_it_is_no_part_of_the_makespan(self) -> None:
        assert value([5, 0, 0]).makespan == 70
        assert value([5, 0, 0]).total_completion == 70


def test_an_idle_stage_ends_at_0_but_pays() -> None:
    routes = Routes((0, 1, 2), ((0, 1),))
    actions = Actions(5, [0, 1, 0, 1, 0], [1] * 5, [0] * 5)
    assert Objective.of(routes, actions, [10, 20, 30, 40, 50], [0, 0, 49]).iteration_time == 50
    assert Objective.of(routes, actions, [10, 20, 30, 40, 50], [0, 0, 51]).iteration_time == 51


def test_an_idle_node_changes_nothing() -> None:
    routes = Routes((0, 1, 1), ((0, 1),))
    actions = Actions(5, [0, 1, 0, 1, 0], [1] * 5, [0] * 5)
    assert Objective.of(routes, actions, [10, 20, 30, 40, 50], [0, 7]) == Objective(50, 50, 50)


def test_the_loss_ends_no_stage() -> None:
    # Only B count: a loss that ends last (it cannot, but times are given here) leaves the iteration alone.
    assert value([0, 0, 0], [10, 20, 30, 99, 50, 60, 70]).iteration_time == 70


def test_ties_go_to_the_smaller_sum_of_last_backward_ends() -> None:
    ordered = [Objective(10, 30, 8), Objective(10, 31, 7), Objective(11, 5, 5)]
    assert ordered == sorted(ordered)
    assert all(a < b for a, b in combinations(ordered, 2))


def test_of_replayed_orders() -> None:
    # a is the data node, b runs both microbatches: F 10, L 0, B 20 ms, transfers 1 ms.
    tables = instance("a stage=0 memory=2, b stage=1 memory=2", "1 1", workload="microbatches=2")
    routes = Routes((0, 1), ((0, 1), (0, 1)))
    actions = Actions.of(tables, routes)

    def of(a: str, b: str) -> Objective:
        order = order_of(actions, a, b)
        return scheduled(tables, Plan(routes, tuple(map(tuple, order)))).objective

    # b: F 11-21, 21-31, B 31-51, 51-71. a: B 52-72, 72-92.
    assert of("F0 F1 L0 L1 B0 B1", "F0 F1 B0 B1") == Objective(92_000, 164_000, 92_000)
    # b waits for the first loss: F 11-21, B 23-43, F 43-53. a: B 44-64, and only then L1. b: B 65-85.
    # a: B 86-106.
    assert of("F0 F1 L0 B0 L1 B1", "F0 B0 F1 B1") == Objective(106_000, 170_000, 106_000)
