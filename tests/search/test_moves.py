"""Moves: after each, taken or refused, the state is the plan it says it is, and the plan keeps all rules."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_topologies import FEATURES
from search_cases import COLD, HOT, WARM, assert_sound, described, random_chain

from skipsched.search.anneal import MOVES

seeds = st.integers(0, 100_000)
temperatures = st.sampled_from([COLD, WARM, HOT])


@settings(max_examples=100, deadline=None)
@given(seeds, temperatures, st.integers(1, 30))
def test_all_moves_together_leave_a_sound_state(seed: int, temperature: int, moves: int) -> None:
    made = random_chain(seed)
    assume(made is not None)
    assert made is not None
    loaded, chain = made
    for _ in range(moves):
        before = described(chain.state)
        if chain.moved(temperature=temperature):
            assert_sound(loaded, chain)
        else:
            assert described(chain.state) == before


@pytest.mark.parametrize("move", MOVES)
@settings(max_examples=30, deadline=None)
@given(seeds, temperatures)
def test_each_move_alone_leaves_a_sound_state(move: str, seed: int, temperature: int) -> None:
    made = random_chain(seed)
    assume(made is not None)
    assert made is not None
    loaded, chain = made
    for _ in range(12):
        before = described(chain.state)
        if chain.moved(move, temperature):
            assert_sound(loaded, chain)
        else:
            assert described(chain.state) == before


@pytest.mark.parametrize("feature", sorted(FEATURES))
def test_with_every_feature_some_moves_are_accepted_and_some_refused(feature: str) -> None:
    accepted = refused = 0
    for seed in range(16):
        # With others beside it, and room for more than one answer.
        made = random_chain(seed, {feature, "free-sizes"} | ({"gradients"} if seed % 2 else set()))
        if made is None:
            continue
        loaded, chain = made
        for _ in range(12):
            before = described(chain.state)
            if chain.moved(temperature=HOT):
                assert_sound(loaded, chain)
                accepted += described(chain.state) != before
            else:
                assert described(chain.state) == before
                refused += 1
    assert accepted > 10
    assert refused > 10


@pytest.mark.parametrize("move", MOVES)
def test_each_move_is_accepted_and_refused(move: str) -> None:
    changed = refused = 0
    for seed in range(70):
        made = random_chain(seed)
        if made is None:
            continue
        _, chain = made
        for turn in range(8):
            before = described(chain.state)
            accepted = chain.moved(move, HOT if turn < 6 else COLD)
            changed += accepted and described(chain.state) != before
            refused += not accepted
    assert changed > 4
    assert refused > 4


def test_the_best_plan_on_the_way_is_kept_whole() -> None:
    bettered = 0
    for seed in range(30):
        made = random_chain(seed)
        if made is None:
            continue
        _, chain = made
        best = chain.found.scheduled(chain.tables).objective
        for _ in range(40):
            chain.moved(temperature=WARM)
            found = chain.found.scheduled(chain.tables).objective
            # Rings found for the nodes may beat the chain's own, by which it judges.
            assert found.iteration_time <= chain.found.value[0]
            assert found.total_completion == chain.found.value[1]
            bettered += found < best
            best = found
    assert bettered > 10
