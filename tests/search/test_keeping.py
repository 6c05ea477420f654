"""Paths that a search is to keep: counted after every move, left only for their price, taken again."""

from __future__ import annotations

from random import Random

from exact_cases import random_schedule
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from search_cases import HOT, WARM, Chain, assert_sound
from solver_cases import instance, random_case

from skipsched.clock import Clock
from skipsched.construct import construct
from skipsched.instance import Instance
from skipsched.plan import Routes
from skipsched.routes.find import find_routes
from skipsched.scheduled import Scheduled
from skipsched.search.chain import begun
from skipsched.search.chains import Chains
from skipsched.search.chance import chance_of
from skipsched.search.found import Found
from skipsched.search.keeping import ANY_PATHS, Keeping
from skipsched.search.state import LEFT, TIME


def by_data_node(routes: Routes) -> dict[int, list[tuple[int, ...]]]:
    paths: dict[int, list[tuple[int, ...]]] = {}
    for path in routes.paths:
        paths.setdefault(path[0], []).append(path)
    return paths


def kept_chain(tables: Instance, first: Scheduled, keeping: Keeping, seed: int = 0) -> Chain:
    problem, state = begun(tables, first, keeping)
    return Chain(tables, problem, state, Found.of(state), chance_of(seed, 0))


class TestKeeping:
    """By hand: data node 0 has the paths 0-1, 0-1 and 0-2; data node 3 has one that nobody minds."""

    keeping = Keeping({0: [(0, 1), (0, 1), (0, 2)]}, price=10)

    def test_the_same_paths_in_another_order_are_kept(self) -> None:
        routes = Routes((0, 1, 1, 0), ((0, 2), (0, 1), (0, 1), (3, 1)))
        assert self.keeping.left(routes) == 0
        assert self.keeping.homes(routes) == [*routes.paths[:3], None]

    def test_every_path_that_nobody_takes_is_left(self) -> None:
        routes = Routes((0, 1, 1, 0), ((0, 2), (0, 2), (0, 1), (3, 1)))
        assert self.keeping.left(routes) == 1
        # The second one has the path that is due to it yet.
        assert self.keeping.homes(routes) == [(0, 2), (0, 1), (0, 1), None]

    def test_nothing_to_keep(self) -> None:
        routes = Routes((0, 1), ((0, 1),))
        assert ANY_PATHS.left(routes) == 0
        assert ANY_PATHS.homes(routes) == [None]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([WARM, HOT]), st.integers(1, 25))
def test_what_was_left_is_counted(seed: int, temperature: int, moves: int) -> None:
    loaded, tables = random_case(seed)
    first = random_schedule(Random(seed), tables)
    assume(first is not None)
    assert first is not None
    fixed = tables.restricted_to(first.plan.routes.allocation)
    keeping = Keeping(by_data_node(first.plan.routes), price=7)
    chain = kept_chain(fixed, first, keeping, seed)
    homes = keeping.homes(first.plan.routes)
    for _ in range(moves):
        chain.moved(temperature=temperature)
        away = sum(tuple(path) != home for path, home in zip(chain.state.path.tolist(), homes, strict=True))
        assert chain.state.figure[LEFT] == 7 * away
    routes = assert_sound(loaded, chain).plan.routes
    # Which of a data node's microbatches takes a path does not matter in the end.
    assert 7 * keeping.left(routes) <= chain.state.figure[LEFT]
    assert routes.allocation == first.plan.routes.allocation


def first_schedule(tables: Instance) -> Scheduled:
    clock = Clock(1e9, deterministic=True)
    return next(construct(tables, find_routes(tables, clock, 1), [], clock, 0))


def searched(tables: Instance, first: Scheduled, keeping: Keeping) -> Scheduled:
    clock = Clock(1e9, deterministic=True)
    chains = Chains(tables, clock, 1, 0, first, 0.3, iter(()), iter(()), keeping)
    best = first
    while not chains.are_cold():
        best = chains.step(best) or best
    return best


class TestPrices:
    """Two slow nodes and two fast ones on stage 1, and all paths over the slow ones at first."""

    tables = instance(
        "a, b layer_time=90ms, c layer_time=90ms, d, e",
        "1 4",
        workload="microbatches=4, backward_ratio=1",
        rules="even_stages=false",
    )

    def begun(self) -> Scheduled:
        slow = Routes((0, 1, 1, 1, 1), ((0, 1), (0, 2), (0, 1), (0, 2)))
        clock = Clock(1e9, deterministic=True)
        return next(construct(self.tables, slow, [], clock, 0))

    def test_a_low_price_is_paid(self) -> None:
        first = self.begun()
        keeping = Keeping(by_data_node(first.plan.routes), price=1)
        best = searched(self.tables, first, keeping)
        assert keeping.left(best.plan.routes) == 4
        assert best.objective.iteration_time < first.objective.iteration_time

    def test_a_high_price_is_not(self) -> None:
        first = self.begun()
        keeping = Keeping(by_data_node(first.plan.routes), price=10**9)
        best = searched(self.tables, first, keeping)
        assert keeping.left(best.plan.routes) == 0


def test_a_path_that_was_left_is_taken_again() -> None:
    """It begins away from home, where all paths are as quick: the price alone calls it back."""
    tables = instance("a, b, c, d", "1 3", workload="microbatches=3", rules="even_stages=false")
    routes = Routes((0, 1, 1, 1), ((0, 1), (0, 2), (0, 3)))
    clock = Clock(1e9, deterministic=True)
    first = next(construct(tables, routes, [], clock, 0))
    keeping = Keeping({0: [(0, 1), (0, 1), (0, 1)]}, price=10**9)
    chain = kept_chain(tables, first, keeping)
    assert chain.state.figure[LEFT] == 2 * 10**9
    for _ in range(200):
        chain.moved("refit")
    assert chain.state.figure[LEFT] == 0
    assert keeping.worth(chain.found.scheduled(tables))[0] == chain.found.value[TIME]
