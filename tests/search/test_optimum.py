"""Chains alone, with neither windows nor a proof, against the optimum of an exhaustive search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from exact_cases import constructed
from solver_cases import broken_by_checker, no_limit, optimum, random_case, tiny

from skipsched.bounds import best_bound, model_bound
from skipsched.clock import Clock
from skipsched.construct import constructed as fresh
from skipsched.instance import Instance
from skipsched.routes.allocate import allocations
from skipsched.scheduled import Scheduled
from skipsched.search import chains
from skipsched.search.chains import Chains

#: A hundred and some of these topologies are small enough.
SEEDS = 432


@dataclass(frozen=True)
class Outcome:
    """Iteration times in microseconds: at first, by the chains, and the smallest there is."""

    seed: int
    first: int
    found: int
    least: int


def searched(tables: Instance, first: Scheduled, seconds: float, seed: int = 0) -> Scheduled:
    """What one chain makes of a schedule in some counted seconds."""
    clock = Clock(seconds, deterministic=True)
    others = fresh(tables, allocations(tables, clock, seed), clock)
    chain = Chains(tables, clock, 1, seed, first, seconds, others, iter(()))
    best = first
    while not chain.are_cold():
        better = chain.step(best)
        if better is not None:
            assert better.objective < best.objective
            best = better
    return best


def outcomes(seeds: range, seconds: float, count: int) -> Iterator[Outcome]:
    """The first so many of the topologies that are small enough."""
    for seed in seeds:
        tables = tiny(seed)
        if tables is None:
            continue
        if count == 0:
            return
        count -= 1
        loaded, _ = random_case(seed)
        first = constructed(tables)
        found = searched(tables, first, seconds)
        assert broken_by_checker(loaded, tables, found) == set(), seed
        time = found.objective.iteration_time
        # A microsecond more to beat: the exhaustive search has to find it by itself.
        least = optimum(tables, time + 1)
        bound = best_bound(tables, no_limit())
        assert bound.value <= least, seed
        assert model_bound(tables, bound, time, no_limit()).value <= least, seed
        yield Outcome(seed, first.objective.iteration_time, time, least)


def test_chains_alone_find_the_optimum_but_for_one_of_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    # Short rounds, so that there is cooling in little time.
    monkeypatch.setattr(chains, "_ROUND", 50_000)
    found = list(outcomes(range(SEEDS), 0.05, 10))
    assert len(found) == 10
    assert sum(each.found == each.least for each in found) >= 9
    assert any(each.found < each.first for each in found)


@pytest.mark.slow
def test_chains_alone_find_the_optimum_of_95_in_a_hundred() -> None:
    found = list(outcomes(range(SEEDS), 0.5, 100))
    assert len(found) == 100
    reached = sum(each.found == each.least for each in found)
    missed = [each for each in found if each.found > each.least]
    print(f"\n{reached} of 100 optimal; not: {missed}")  # noqa: T201
    at_once = sum(each.first == each.least for each in found)
    print(f"{at_once} of 100 were optimal at once")  # noqa: T201
    assert reached >= 95
