"""A thousand random topologies: solved and valid, or infeasible for a cause, as plain enumeration says."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from brute_force import feasible
from conflict_cases import assert_explained
from random_topologies import SHARES, features_of, random_topology

import skipsched
from skipsched.instance import Instance
from skipsched.topology.load import load_topology

SEEDS = 1000
CHUNKS = 20
PER_CHUNK = SEEDS // CHUNKS
#: Chunks of the quick suite; the others are slow tests.
QUICK = 10
#: Counted seconds of a search.
SEARCHED = 0.2


@pytest.mark.parametrize(
    "chunk", [*range(QUICK), *(pytest.param(chunk, marks=pytest.mark.slow) for chunk in range(QUICK, CHUNKS))]
)
def test_solved_or_infeasible(chunk: int) -> None:
    for seed in range(PER_CHUNK * chunk, PER_CHUNK * (chunk + 1)):
        topology = load_topology(random_topology(Random(seed)))
        tables = Instance.of(topology)
        result = skipsched.solve(topology, deterministic=True, gap=1)
        if feasible(tables):
            assert_solved(result, seed)
            continue
        assert result.status == "INFEASIBLE", seed
        assert result.schedule is None
        assert result.cause is not None
        assert_explained(topology, result.cause, seed)


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_solved_by_the_search(chunk: int) -> None:
    """To the end of a limit: what has no optimum proved by then has been searched, but for a few."""
    not_searched = 0
    for seed in range(PER_CHUNK * chunk, PER_CHUNK * (chunk + 1)):
        topology = load_topology(random_topology(Random(seed)))
        if feasible(Instance.of(topology)):
            result = skipsched.solve(topology, deterministic=True, time_limit=SEARCHED)
            tried = any(done.tried for done in result.statistics.neighbourhoods.values())
            not_searched += result.status != "OPTIMAL" and not tried
            if result.status != "UNKNOWN":
                assert_solved(result, seed)
    assert not_searched <= 2


def assert_solved(result: skipsched.Result, seed: int) -> None:
    """There is a valid schedule, no bound above it, and it is called optimal if its bound says so."""
    assert result.status in ("OPTIMAL", "FEASIBLE"), seed
    assert result.schedule is not None
    assert skipsched.validate(result.schedule) == [], seed
    assert result.lower_bound is not None
    time: int = result.schedule.document["iteration_time"]
    assert result.lower_bound <= time
    assert (result.status == "OPTIMAL") == (result.lower_bound == time)


def test_every_feature_comes_up_as_often_as_stated_both_ways() -> None:
    seen: Counter[str] = Counter()
    solvable: Counter[str] = Counter()
    for seed in range(SEEDS):
        text = random_topology(Random(seed))
        features = features_of(text)
        seen.update(features)
        if feasible(Instance.of(load_topology(text))):
            solvable.update(features)
    for feature, share in SHARES.items():
        # Four standard deviations of a thousand draws.
        assert abs(seen[feature] - SEEDS * share) <= 4 * (SEEDS * share * (1 - share)) ** 0.5, feature
        assert solvable[feature] >= 20, feature
        assert seen[feature] - solvable[feature] >= 20, feature
