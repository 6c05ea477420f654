"""Random infeasible topologies with what comes up seldom by itself: bytes, pins, own numbers, rings."""

from __future__ import annotations

from random import Random

import pytest
from brute_force import feasible
from conflict_cases import assert_explained
from random_topologies import draw_features, random_topology
from solver_cases import no_limit

from skipsched.conflict import explain
from skipsched.instance import Instance
from skipsched.topology.load import load_topology

CHUNKS = 4
PER_CHUNK = 25
#: Four of these are added to what is drawn.
SELDOM = (
    "cover",
    "even-nodes",
    "gradients",
    "memory-in-bytes",
    "missing-links",
    "own-microbatches",
    "path-period",
    "pins",
    "slots-of-1",
)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_cause_and_change_hold_against_plain_enumeration(chunk: int) -> None:
    explained = 0
    for seed in range(PER_CHUNK * chunk, PER_CHUNK * (chunk + 1)):
        rng = Random(seed)
        features = draw_features(rng).union(rng.sample(SELDOM, 4))
        loaded = load_topology(random_topology(rng, features))
        if not feasible(Instance.of(loaded)):
            assert_explained(loaded, explain(loaded, no_limit(), 1), seed)
            explained += 1
    assert explained >= PER_CHUNK // 3
