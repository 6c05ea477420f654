"""The cheapest paths at any prices, against all paths of all allocations."""

from __future__ import annotations

from itertools import islice, pairwise
from random import Random

import numpy as np
import pytest
from bounds.alike_cases import alike_topology
from brute_force import allocations, paths
from solver_cases import instance, no_limit, random_case

from skipsched.bounds.alike import Classes
from skipsched.bounds.priced_paths import PricedPaths
from skipsched.instance import Instance

MS = 1000


def trip(tables: Instance, allocation: tuple[int, ...], path: tuple[int, ...]) -> int:
    """Microseconds of a round trip."""
    work = sum(tables.forward[n][allocation[n]] + tables.backward[n][allocation[n]] for n in path)
    hops = sum(tables.transfer[a][b] + tables.transfer[b][a] for a, b in pairwise((*path, path[0])))
    return work + hops + tables.loss[path[0]]


@pytest.mark.parametrize("chunk", range(4))
def test_no_path_is_cheaper(chunk: int) -> None:
    seen = 0
    for seed in range(40 * chunk, 40 * chunk + 40):
        rng = Random(seed)
        tables = Instance.of(alike_topology(rng)) if seed % 2 else random_case(seed)[1]
        classes = Classes(tables, no_limit())
        of = {n: c for c, nodes in enumerate(classes.members) for n in nodes}
        rates = np.array([rng.randrange(5) for _ in classes.first])
        prices = np.array(
            [
                [rng.choice((-(10**5), 0, 10, 10**4, 10**6)) for _ in range(tables.stages)]
                for _ in classes.first
            ]
        )
        found = PricedPaths(tables, classes, no_limit()).cheapest(rates, prices)
        for allocation in islice(allocations(tables), 5):
            for d in (n for n, stage in enumerate(allocation) if stage == 0):
                for nodes in set(paths(tables, allocation, d, list(tables.orders))):
                    price = int(rates[of[d]]) * trip(tables, allocation, nodes)
                    price += sum(int(prices[of[n], allocation[n]]) for n in nodes[1:])
                    path = found[of[d]]
                    assert path is not None
                    assert path.price <= price
                    seen += 1
        for c, path in enumerate(found):
            if path is not None:
                visited = [c, *(other for other, _ in path.visits), c]
                assert path.price == rates[c] * path.trip + sum(int(prices[visit]) for visit in path.visits)
                assert tables.orders.accepts((0, *(stage for _, stage in path.visits)))
                assert all(classes.counts[a] > 1 for a, b in pairwise(visited) if a == b)
                assert all(
                    classes.counts[a] > 1 for a, b in zip(visited[1:], visited[3:-1], strict=False) if a == b
                )
                assert classes.counts[c] > 1 or c not in visited[1:-1]
    assert seen > 100


def test_no_node_is_visited_again_at_once() -> None:
    # F 10, B 20 ms, transfers of 1 ms. Free of charge a would go to b and c, and to b again if it could.
    tables = instance("a, b, c, d layer_time=100ms", "1 1 1 1")
    classes = Classes(tables, no_limit())
    assert classes.members == [[0, 1, 2], [3]]
    first, _ = PricedPaths(tables, classes, no_limit()).cheapest(
        np.array([1, 1]), np.zeros((2, 4), dtype=np.int64)
    )
    assert first is not None
    # Of the three alike one is the data node, so that two are left for three visits.
    assert first.trip == (3 * 30 + 300 + 8) * MS
    assert sorted(c for c, _ in first.visits) == [0, 0, 1]
