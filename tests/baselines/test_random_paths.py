"""Random paths: they keep every rule, are found wherever there are any, and are random."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from brute_force import allocations, feasible, members
from solver_cases import broken_rules, instance, no_limit, random_case

from skipsched.baselines.random_paths import random_routes
from skipsched.clock import Clock, OutOfTime
from skipsched.instance import Instance
from skipsched.plan import Routes


@pytest.mark.parametrize("chunk", range(4))
def test_found_wherever_there_are_any(chunk: int) -> None:
    outcomes = {True: 0, False: 0}
    for seed in range(40 * chunk, 40 * chunk + 40):
        _, tables = random_case(seed)
        found = list(allocations(tables))
        for allocation in Random(seed).sample(found, min(3, len(found))):
            routes = random_routes(tables, allocation, seed, no_limit())
            emitted = sum(tables.microbatches[d] for d in members(allocation, 0))
            exist = emitted > 0 and feasible(tables.restricted_to(allocation))
            assert (routes is not None) == exist, seed
            outcomes[exist] += 1
            if routes is not None:
                assert routes.allocation == allocation
                assert not list(broken_rules(tables, routes)), seed
    assert min(outcomes.values()) > 3


SKIPPING = "microbatches=12"


def tables_with(rules: str) -> Instance:
    """A data node, and three stages of two nodes; paths leave one stage out."""
    return instance("a, b, c, d, e, f, g", "1 2 2 2", workload=SKIPPING, rules=f"path_length=3, {rules}")


ALLOCATION = (0, 1, 1, 2, 2, 3, 3)


def routes_of(tables: Instance, seed: int) -> Routes:
    routes = random_routes(tables, ALLOCATION, seed, no_limit())
    assert routes is not None
    return routes


def test_equal_seeds_alone_give_equal_paths() -> None:
    tables = tables_with("even_stages=true")
    assert routes_of(tables, 1) == routes_of(tables, 1)
    assert len({routes_of(tables, seed).paths for seed in range(5)}) == 5


def test_every_order_and_node_is_as_likely() -> None:
    # Orders: 12 13 23 and, swapped, 21 31 32 where a distance of two is allowed too; 12 * 50 paths.
    tables = tables_with("even_stages=false, max_swaps=2, max_swap_distance=2")
    paths = [path for seed in range(50) for path in routes_of(tables, seed).paths]
    orders = Counter(tuple(ALLOCATION[node] for node in path) for path in paths)
    assert set(orders) == set(tables.orders)
    expected = len(paths) / len(orders)
    assert all(0.6 * expected < count < 1.4 * expected for count in orders.values())
    nodes = Counter(node for path in paths for node in path[1:])
    assert max(nodes.values()) < 1.4 * min(nodes.values())


def test_even_stages_and_nodes() -> None:
    # 12 microbatches execute 24 times, 8 a stage; by chance alone or over nodes this is not so.
    even = Counter(
        ALLOCATION[n] for path in routes_of(tables_with("even_stages=true"), 0).paths for n in path
    )
    assert [even[stage] for stage in (1, 2, 3)] == [8, 8, 8]
    tables = tables_with("even_stages=true, even_nodes=true")
    nodes = Counter(n for path in routes_of(tables, 0).paths for n in path[1:])
    assert set(nodes.values()) == {4}


def test_no_time() -> None:
    with pytest.raises(OutOfTime):
        random_routes(tables_with("even_stages=true"), ALLOCATION, 0, Clock(0.0))
