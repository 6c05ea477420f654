"""Replay: hand-computed times, deadlocks whose cycle is one, and agreement with the checker's own replay."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from solver_cases import (
    broken_by_checker,
    instance,
    order_of,
    random_case,
    random_order,
    random_routes,
    scheduled,
    slots_kept,
    untimed,
)

from skipsched.plan import Actions, Plan, Routes
from skipsched.timing import Deadlock, replay

ROUTES = Routes((0, 1), ((0, 1),) * 3)
#: Whether random plans keep these rules is left to chance; they have no bearing on times.
NO_CONCERN = {"memory", "even-stages", "even-nodes", "cover", "path-period"}


def actions_of(*, slow_links: bool = False) -> Actions:
    """Two stages, three microbatches: F 10 ms, L 5 ms, B 20 ms on a; F 20 ms, B 40 ms on b.

    Lags are 0, or 2 ms from a to b and 3 ms back.
    """
    tables = instance(
        "a stage=0, b stage=1 layer_time=20ms", "1 1", workload="microbatches=3, loss_ratio=0.5"
    )
    actions = Actions.of(tables, ROUTES)
    assert actions.duration[:5] == [10_000, 20_000, 5_000, 40_000, 20_000]
    lags = [0, 2_000, 3_000, 2_000, 3_000] if slow_links else [0] * 5
    return Actions(5, actions.node, actions.duration, lags * 3)


def ends(rows: tuple[str, str], *, slow_links: bool = False, overhead: int = 0) -> list[list[float]]:
    """The ends of each node's actions in milliseconds, in its order."""
    actions = actions_of(slow_links=slow_links)
    order = order_of(actions, *rows)
    end = replay(actions, order, overhead)
    return [[end[action] / 1000 for action in sequence] for sequence in order]


class TestByHand:
    ALL_FORWARD = ("F0 F1 F2 L0 L1 L2 B0 B1 B2", "F0 F1 F2 B0 B1 B2")

    def test_without_latency(self) -> None:
        # b: F 10-30, 30-50, 50-70; it is busy when the losses are done (35, 55, 75), so B 70-110, 110-150 and
        # 150-190; each B on a follows the one on b by 20.
        assert ends(self.ALL_FORWARD) == [
            [10, 20, 30, 35, 55, 75, 130, 170, 210],
            [30, 50, 70, 110, 150, 190],
        ]

    def test_with_latency(self) -> None:
        # F of b from 10 + 2 on: 32, 52, 72. Losses: 35-40, 55-60, 75-80. The first gradient is at b by 42,
        # but b is taken until 72: B to 112, 152, 192, and each 3 + 20 later the one on a.
        assert ends(self.ALL_FORWARD, slow_links=True) == [
            [10, 20, 30, 40, 60, 80, 135, 175, 215],
            [32, 52, 72, 112, 152, 192],
        ]

    def test_with_overhead(self) -> None:
        # Overhead 1. a: F 0-10, 11-21, 22-32, free at 33. b: F 10-30, 31-51, 52-72, free at 73: outputs leave
        # before the overhead. Losses: 33-38 (a is taken until 33), 51-56, 72-77. B of b: 73-113, 114-154,
        # 155-195; B of a right after each.
        assert ends(self.ALL_FORWARD, overhead=1000) == [
            [10, 21, 32, 38, 56, 77, 133, 174, 215],
            [30, 51, 72, 113, 154, 195],
        ]

    def test_overhead_of_the_last_action_counts_for_nothing(self) -> None:
        actions = actions_of()
        one = Actions(5, actions.node[:5], actions.duration[:5], actions.lag[:5])
        # F 0-10; F 10-30; L 30-35; B 35-75 on b, taken until 30 + 5; B 75-95 on a.
        assert replay(one, order_of(one, "F0 L0 B0", "F0 B0"), 5000) == [
            10_000,
            30_000,
            35_000,
            75_000,
            95_000,
        ]

    def test_one_microbatch_at_a_time(self) -> None:
        # 10 + 2 + 20 + 3 + 5 + 2 + 40 + 3 + 20 = 105 for each.
        assert ends(("F0 L0 B0 F1 L1 B1 F2 L2 B2", "F0 B0 F1 B1 F2 B2"), slow_links=True) == [
            [10, 40, 105, 115, 145, 210, 220, 250, 315],
            [32, 82, 137, 187, 242, 292],
        ]

    def test_a_node_waits_for_the_action_it_is_told_to_run(self) -> None:
        # b runs microbatch 2 first: it waits for F2 of a until 30, though F0 arrived at 10.
        assert ends(("F0 F1 F2 L2 L0 L1 B0 B1 B2", "F2 F0 F1 B0 B1 B2")) == [
            [10, 20, 30, 55, 75, 95, 150, 190, 230],
            [50, 70, 90, 130, 170, 210],
        ]

    def test_nothing_to_do(self) -> None:
        assert replay(Actions(5, [], [], []), [[], []], 0) == []


class TestDeadlock:
    @pytest.mark.parametrize(
        "rows",
        [
            ("B0 F0 L0 F1 L1 B1 F2 L2 B2", "F0 B0 F1 B1 F2 B2"),  # a waits for itself
            ("F0 L0 B0 F1 L1 B1 F2 L2 B2", "F1 F0 B0 B1 F2 B2"),  # a wants B0 done, b wants F1 first
            ("F0 F1 F2 L0 L1 L2 B0 B1 B2", "F0 F1 B0 B1 B2 F2"),  # b waits for itself, around a
        ],
    )
    def test_the_cycle_is_a_cycle(self, rows: tuple[str, str]) -> None:
        actions = actions_of()
        order = order_of(actions, *rows)
        with pytest.raises(Deadlock) as caught:
            replay(actions, order, 0)
        assert_cycle(actions, order, caught.value.cycle)

    def test_of_the_smallest_cycle_every_action_is_named(self) -> None:
        actions = actions_of()
        order = order_of(actions, "F0 L0 B0 F1 L1 B1 F2 L2 B2", "F1 F0 B0 B1 F2 B2")
        with pytest.raises(Deadlock) as caught:
            replay(actions, order, 0)
        # L0 waits for F0 on b (1), which stands behind F1 there (6); that waits for F1 on a (5), which stands
        # behind L0 (2).
        assert sorted(caught.value.cycle) == [1, 2, 5, 6]


def assert_cycle(actions: Actions, order: list[list[int]], cycle: list[int]) -> None:
    """Every action waits for the next: for its input, or for one that stands before it on its node."""
    place = {action: (node, i) for node, sequence in enumerate(order) for i, action in enumerate(sequence)}
    assert len(cycle) > 1
    assert len(set(cycle)) == len(cycle)
    for action, awaited in pairwise([*cycle, cycle[0]]):
        is_input = action % actions.per_microbatch > 0 and awaited == action - 1
        (node, i), (other, j) = place[action], place[awaited]
        assert is_input or (node == other and j < i)


@pytest.mark.parametrize("chunk", range(5))
def test_agrees_with_the_checker_on_random_plans(chunk: int) -> None:
    replayed = 0
    for seed in range(80 * chunk, 80 * chunk + 80):
        rng = Random(seed)
        loaded, tables = random_case(seed)
        routes = random_routes(rng, tables)
        if routes is None:
            continue
        actions = Actions.of(tables, routes)
        order = random_order(rng, actions, tables.nodes)
        candidate = scheduled(tables, Plan(routes, tuple(map(tuple, order))))
        broken = broken_by_checker(loaded, tables, candidate)
        assert broken <= NO_CONCERN, (seed, broken)
        assert ("memory" not in broken) == slots_kept(tables, routes, actions, order), seed
        replayed += 1
    assert replayed > 30


@pytest.mark.parametrize("chunk", range(5))
def test_agrees_with_the_checker_on_deadlocks(chunk: int) -> None:
    outcomes = {True: 0, False: 0}
    for seed in range(80 * chunk, 80 * chunk + 80):
        rng = Random(seed)
        loaded, tables = random_case(seed)
        routes = random_routes(rng, tables)
        if routes is None:
            continue
        actions = Actions.of(tables, routes)
        order = random_order(rng, actions, tables.nodes)
        for _ in range(rng.randint(1, 3)):
            sequence = rng.choice([sequence for sequence in order if sequence])
            sequence.insert(rng.randrange(len(sequence)), sequence.pop(rng.randrange(len(sequence))))
        plan = Plan(routes, tuple(map(tuple, order)))
        try:
            replay(actions, order, tables.overhead)
        except Deadlock as deadlock:
            assert_cycle(actions, order, deadlock.cycle)
            assert "deadlock" in broken_by_checker(loaded, tables, untimed(tables, plan)), seed
            outcomes[True] += 1
        else:
            assert broken_by_checker(loaded, tables, scheduled(tables, plan)) <= NO_CONCERN, seed
            outcomes[False] += 1
    assert min(outcomes.values()) > 5, outcomes
