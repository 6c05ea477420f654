"""The automaton of stage orders against the statement of the rules, order by order."""

from __future__ import annotations

from itertools import permutations, product

import pytest

from skipsched.orders import TooManyOrdersError, stage_orders
from skipsched.topology import limits


def allowed(order: tuple[int, ...], max_swaps: int, max_swap_distance: int, max_jump: int) -> bool:
    """The rules `swap` and `jump`, word by word."""
    frontier = swapped = 0
    for stage in order[1:]:
        if stage > frontier:
            if stage - frontier > max_jump:
                return False
            frontier = stage
            continue
        if frontier - stage > max_swap_distance:
            return False
        swapped += frontier - stage
    return swapped <= max_swaps


@pytest.mark.parametrize("stages", range(2, 7))
def test_exactly_the_allowed_orders(stages: int) -> None:
    for length in range(2, stages + 1):
        candidates = [(0, *rest) for rest in permutations(range(1, stages), length - 1)]
        for swaps, distance, jump in product(range(7), range(1, 5), range(1, stages + 1)):
            orders = stage_orders(stages, length, swaps, distance, jump, most_states=10_000)
            expected = [order for order in candidates if allowed(order, swaps, distance, jump)]
            assert list(orders) == sorted(expected)
            assert orders.empty == (not expected)
            assert orders.stages == {stage for order in expected for stage in order}
            for order in candidates[:: max(1, len(candidates) // 20)]:
                assert orders.accepts(order) == (order in expected)


def test_the_automaton_is_layered_and_has_no_dead_end() -> None:
    orders = stage_orders(8, 6, 4, 2, 3, most_states=10_000)
    assert [state for layer in orders.layers for state in layer] == list(range(len(orders.stage)))
    for layer, after in zip(orders.layers, orders.layers[1:], strict=False):
        for state in layer:
            assert orders.successors[state]
            assert set(orders.successors[state]) <= set(after)
            stages = [orders.stage[s] for s in orders.successors[state]]
            assert stages == sorted(stages)


def test_other_lengths_and_starts_are_not_accepted() -> None:
    orders = stage_orders(4, 3, 2, 1, 4, most_states=100)
    assert orders.accepts((0, 2, 1))
    assert not orders.accepts((0, 2))
    assert not orders.accepts((0, 2, 1, 3))
    assert not orders.accepts((2, 1, 3))
    assert not stage_orders(4, 3, 0, 1, 1, most_states=100).accepts((0, 1, 3))


def test_the_full_pipeline() -> None:
    assert list(stage_orders(64, 64, 0, 1, 4, most_states=100)) == [tuple(range(64))]


def test_no_order_at_all() -> None:
    """Of ten stages in steps of one, three cannot reach further than the third: still an order. None is empty
    only where a path is longer than what its jumps and swaps can fill, which distinct stages never are."""
    assert list(stage_orders(10, 3, 0, 1, 1, most_states=100)) == [(0, 1, 2)]


def test_too_many_orders_are_refused_early() -> None:
    with pytest.raises(TooManyOrdersError):
        stage_orders(64, 32, 60, 60, 63, most_states=limits.MAX_ORDER_STATES)


def test_a_budget_that_cannot_be_exhausted_costs_nothing() -> None:
    free = stage_orders(40, 30, 10**9, 2, 4, most_states=limits.MAX_ORDER_STATES)
    enough = stage_orders(40, 30, 2 * 30, 2, 4, most_states=limits.MAX_ORDER_STATES)
    assert free == enough
