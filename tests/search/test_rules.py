"""The rules as the search checks them: the same answers as plain statements, some of each."""

from __future__ import annotations

import itertools

import brute_force
import pytest
from exact_cases import constructed
from search_cases import Chain
from solver_cases import instance, order_of, scheduled

from skipsched.instance import Instance
from skipsched.plan import Actions, Plan, Routes
from skipsched.search.edit import forget, keep_path
from skipsched.search.rules import keeps_load, keeps_order, keeps_slots


def chain_of(tables: Instance) -> Chain:
    return Chain.begun(tables, constructed(tables))


@pytest.mark.parametrize("swaps", [0, 1, 2, 3])
@pytest.mark.parametrize("distance", [1, 2])
@pytest.mark.parametrize("jump", [1, 2, 3])
def test_orders_are_those_of_swap_and_jump(swaps: int, distance: int, jump: int) -> None:
    rules = f"path_length=4, max_swaps={swaps}, max_swap_distance={distance}, max_jump={jump}"
    tables = instance("a stage=0, b stage=1, c stage=2, d stage=3, e stage=4", "1 1 1 1 1", rules=rules)
    # The first path of the construction is enough of a plan; rules are asked of other ones in its place.
    routes = Routes((0, 1, 2, 3, 4), (next(path for path in itertools.permutations(range(5), 4)),))
    actions = Actions.of(tables, routes)
    order = order_of(actions, "F0 L0 B0", "F0 B0", "F0 B0", "F0 B0", "")
    chain = Chain.begun(tables, scheduled(tables, Plan(routes, tuple(map(tuple, order)))))
    kept = 0
    for path in itertools.permutations(range(1, 5), 3):
        chain.state.path[0] = [0, *path]
        expected = brute_force.order_allowed((0, *path), tables.rules)
        assert keeps_order(chain.problem, chain.state, 0) == expected, path
        kept += expected
    assert 0 < kept < 24


@pytest.mark.parametrize("path", [(0, 1, 1), (0, 1, 2), (0, 0, 3)])
def test_no_stage_twice_and_the_first_never_again(path: tuple[int, ...]) -> None:
    tables = instance(
        "a stage=0, b stage=1, c stage=1, d stage=2",
        "1 2 1",
        workload="microbatches=1",
        rules="path_length=3",
    )
    chain = chain_of(tables)
    chain.state.path[0] = (0, 1, 3)
    assert keeps_order(chain.problem, chain.state, 0)
    chain.state.path[0] = path
    assert not keeps_order(chain.problem, chain.state, 0)


@pytest.mark.parametrize(
    ("row", "slots", "kept"),
    [
        ("F0 F1 B0 B1", 2, True),
        ("F0 F1 B0 B1", 1, False),
        ("F0 B0 F1 B1", 1, True),
        ("F0 B0 F1 F2 B1 B2", 1, False),
    ],
)
def test_slots_are_counted_along_the_row(row: str, slots: int, kept: bool) -> None:
    count = len(row.split()) // 2
    tables = instance(
        f"a stage=0 memory=3, b stage=1 memory={slots}", "1 1", workload=f"microbatches={count}"
    )
    chain = chain_of(tables)
    actions = Actions.of(tables, Routes((0, 1), ((0, 1),) * count))
    chain.state.row[1, : 2 * count] = order_of(actions, "", row)[1]
    assert keeps_slots(chain.problem, chain.state, 1) == kept


@pytest.mark.parametrize(
    ("rule", "executed", "kept"),
    [("true", (2, 1, 1), True), ("true", (2, 2, 0), False), ("false", (2, 2, 0), True)],
)
def test_even_stages(rule: str, executed: tuple[int, ...], kept: bool) -> None:
    tables = instance(
        "a stage=0, b stage=1, c stage=2",
        "1 1 1",
        workload="microbatches=2",
        rules=f"path_length=2, even_stages={rule}",
    )
    chain = chain_of(tables)
    chain.state.executed[:] = executed
    assert keeps_load(chain.problem, chain.state) == kept


@pytest.mark.parametrize(
    ("rule", "carried", "kept"),
    [("true", (3, 2, 1), True), ("true", (3, 3, 0), False), ("false", (3, 3, 0), True)],
)
def test_even_nodes(rule: str, carried: tuple[int, ...], kept: bool) -> None:
    tables = instance(
        "a stage=0, b stage=1, c stage=1", "1 2", workload="microbatches=3", rules=f"even_nodes={rule}"
    )
    chain = chain_of(tables)
    chain.state.carried[:] = carried
    assert keeps_load(chain.problem, chain.state) == kept


@pytest.mark.parametrize(
    ("rule", "covering", "kept"),
    [("true", (2, 1, 1), True), ("true", (2, 2, 0), False), ("false", (2, 2, 0), True)],
)
def test_cover_of_the_data_nodes_that_were_changed(rule: str, covering: tuple[int, ...], kept: bool) -> None:
    tables = instance(
        "a stage=0, b stage=1, c stage=2",
        "1 1 1",
        workload="microbatches=2",
        rules=f"path_length=2, cover={rule}",
    )
    chain = chain_of(tables)
    chain.state.covering[0] = covering
    assert keeps_load(chain.problem, chain.state)
    keep_path(chain.problem, chain.state, 0)
    assert keeps_load(chain.problem, chain.state) == kept
    forget(chain.state)
