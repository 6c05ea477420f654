"""Settling: times computed where they changed are those of a replay; deadlocks and limits end it."""

from __future__ import annotations

from random import Random

import pytest
from exact_cases import constructed
from search_cases import Chain, assert_times, described, random_chain, rows_of
from solver_cases import instance, order_of, scheduled

from skipsched.plan import Actions, Plan, Routes
from skipsched.search.edit import forget, keep_row, take_back
from skipsched.search.state import LAST, NOWHERE, TIME, TOTAL, State
from skipsched.search.times import settle, touch_rows
from skipsched.timing import Deadlock, replay


def exchanged(chain: Chain, node: int, place: int) -> None:
    """Exchange two neighbours in a node's row."""
    keep_row(chain.state, node)
    row = chain.state.row[node]
    row[place], row[place + 1] = int(row[place + 1]), int(row[place])


def deadlocks(chain: Chain) -> bool:
    routes = chain.found.scheduled(chain.tables).plan.routes
    assert [tuple(path) for path in chain.state.path.tolist()] == list(routes.paths)
    try:
        replay(Actions.of(chain.tables, routes), rows_of(chain.state), chain.tables.overhead)
    except Deadlock:
        return True
    return False


@pytest.mark.parametrize("chunk", range(4))
def test_it_gives_the_times_of_a_replay_or_refuses_a_deadlock(chunk: int) -> None:
    settled = refused = 0
    for seed in range(30 * chunk, 30 * chunk + 30):
        made = random_chain(seed)
        if made is None:
            continue
        _, chain = made
        rng, state = Random(seed), chain.state
        for _ in range(6):
            before = described(state)
            time, total, last = (int(state.figure[at]) for at in (TIME, TOTAL, LAST))
            for _ in range(rng.randint(1, 4)):
                node = rng.randrange(chain.tables.nodes)
                if state.length[node] > 1:
                    exchanged(chain, node, rng.randrange(int(state.length[node]) - 1))
            touch_rows(state)
            if settle(chain.problem, state, NOWHERE):
                assert_times(chain.tables, state)
                forget(state)
                settled += 1
            else:
                assert deadlocks(chain)
                take_back(chain.problem, state, time, total, last)
                assert described(state) == before
                refused += 1
    assert settled > 10
    assert refused > 10


def test_from_scratch_every_action_is_computed_once() -> None:
    tables = instance("a stage=0 memory=2, b memory=2, c memory=2", "1 1 1", workload="microbatches=3")
    first = constructed(tables)
    chain = Chain.begun(tables, first)
    assert_times(tables, chain.state)
    # Nothing is left to compute.
    assert settle(chain.problem, chain.state, NOWHERE)
    state = State.of(tables, first)
    assert (state.start + state.duration).tolist() == list(first.end)


def test_a_plan_at_the_limit_is_settled_and_one_beyond_is_not() -> None:
    tables = instance(
        "a stage=0 memory=2, b, c", "1 2", workload="microbatches=3, gradient=8 kB", rules="path_length=2"
    )
    first = constructed(tables)
    chain = Chain.begun(tables, first)
    time = first.objective.iteration_time
    assert settle(chain.problem, State.of(tables, first), time)
    assert not settle(chain.problem, State.of(tables, first), time - 1)


def test_swapping_what_waits_for_each_other_is_refused() -> None:
    # F0 goes over b, then c, F1 over c, then b: both nodes cannot first do what comes second.
    tables = instance(
        "a stage=0 memory=2, b stage=1 memory=2, c stage=2 memory=2", "1 1 1", workload="microbatches=2"
    )
    routes = Routes((0, 1, 2), ((0, 1, 2), (0, 2, 1)))
    actions = Actions.of(tables, routes)
    order = order_of(actions, "F0 F1 L0 L1 B0 B1", "F0 F1 B0 B1", "F1 F0 B0 B1")
    chain = Chain.begun(tables, scheduled(tables, Plan(routes, tuple(map(tuple, order)))))
    for nodes, works in (((1,), True), ((2,), True), ((1, 2), False)):
        state, before = chain.state, described(chain.state)
        time, total, last = (int(state.figure[at]) for at in (TIME, TOTAL, LAST))
        for node in nodes:
            exchanged(chain, node, 0)
        touch_rows(state)
        assert settle(chain.problem, state, NOWHERE) == works
        assert deadlocks(chain) != works
        take_back(chain.problem, state, time, total, last)
        assert described(state) == before
