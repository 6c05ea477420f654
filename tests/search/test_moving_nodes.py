"""Rings of stages whose nodes change: the program's own all-reduce, or refused where a link is missing."""

from __future__ import annotations

import pytest
from exact_cases import constructed
from search_cases import HOT, Chain, assert_sound, described, random_chain, ring_of
from solver_cases import instance, topology

from skipsched.instance import Instance
from skipsched.rings import ring_through
from skipsched.search.edit import move_node, take_back
from skipsched.search.ring import join_ring, leave_ring, renew_allreduce
from skipsched.search.state import LAST, TIME, TOTAL

FEATURES = [
    {"gradients", "free-sizes"},
    {"gradients", "free-sizes", "asymmetric-links"},
    {"gradients", "missing-links", "asymmetric-links"},
]


@pytest.mark.parametrize("features", FEATURES)
def test_every_node_moved_to_every_stage_and_back(features: set[str]) -> None:
    closed = refused = 0
    for seed in range(40):
        made = random_chain(seed, features)
        if made is None:
            continue
        _, chain = made
        state, tables = chain.state, chain.tables
        before = described(state)
        time, total, last = (int(state.figure[at]) for at in (TIME, TOTAL, LAST))
        for node, old in enumerate(state.allocation.tolist()):
            staying = [n for n in ring_of(state, node) if n != node]
            for stage in set(range(tables.stages)) - {old}:
                if not staying:
                    continue
                member = state.allocation.tolist().index(stage)
                move_node(chain.problem, state, node, stage, member)
                assert set(ring_of(state, staying[0])) == set(staying)
                assert node in ring_of(state, member)
                for one in (staying[0], node):
                    ring = ring_through(tables, int(state.allocation[one]), ring_of(state, one))
                    assert renew_allreduce(chain.problem, state, one) == (ring is not None)
                    if ring is None:
                        refused += 1
                    else:
                        assert state.allreduce[state.allocation[one]] == ring.allreduce
                        closed += 1
                take_back(chain.problem, state, time, total, last)
                assert described(state) == before
    assert closed > 30
    assert (refused > 10) == ("missing-links" in features)


def ringed(links: str) -> Chain:
    tables = instance(
        "z stage=0, a stage=1, b stage=1, c stage=1", "1 3", links=links, workload="gradient=3 kB"
    )
    return Chain.begun(tables, constructed(tables))


def test_who_joins_goes_between_those_that_it_is_linked_with() -> None:
    # The only ring is a, b, c: c, which left, can come back between b and a alone.
    chain = ringed("za zb zc a>b b>c c>a b>a")
    assert ring_of(chain.state, 1) == [1, 2, 3]
    leave_ring(chain.state, 3)
    assert ring_of(chain.state, 1) == [1, 2]
    assert ring_of(chain.state, 3) == [3]
    join_ring(chain.problem, chain.state, 3, 1)
    assert ring_of(chain.state, 1) == [1, 2, 3]
    assert renew_allreduce(chain.problem, chain.state, 1)
    # 2 * (3 - 1) * (0.1 ms + 3 kB / 3 / (1 B/us))
    assert chain.state.allreduce[1] == 4 * (100 + 1000)


def test_a_ring_that_cannot_be_closed_is_refused() -> None:
    chain = ringed("za zb zc a>b b>c c>a")
    leave_ring(chain.state, 3)
    chain.state.size[1] = 2
    # Without c there is no way from b back to a.
    assert not renew_allreduce(chain.problem, chain.state, 1)


def test_stages_of_one_node_exchange_theirs() -> None:
    loaded = topology("z stage=0, a layer_time=9ms, b", "1 1 1", workload="microbatches=2, gradient=8 kB")
    tables = Instance.of(loaded)
    chain = Chain.begun(tables, constructed(tables))
    seen = set()
    for _ in range(60):
        chain.moved("exchange", HOT)
        assert_sound(loaded, chain)
        assert chain.state.allreduce.tolist() == [0, 0, 0]
        seen.add(tuple(chain.state.allocation.tolist()))
    assert seen == {(0, 1, 2), (0, 2, 1)}


def test_a_node_is_given_to_a_stage_of_one_but_no_stage_is_left_without() -> None:
    loaded = topology(
        "z stage=0, a, b, c", 1, stages=3, workload="microbatches=3, gradient=8 kB", rules="path_length=3"
    )
    tables = Instance.of(loaded)
    chain = Chain.begun(tables, constructed(tables))
    sizes = set()
    for _ in range(200):
        chain.moved("give", HOT)
        assert_sound(loaded, chain)
        sizes.add(tuple(chain.state.size.tolist()))
    assert sizes == {(1, 1, 2), (1, 2, 1)}


def test_pins_and_sizes_are_kept() -> None:
    pinned = topology("z stage=0, a stage=1, b stage=1, c stage=2", 1, stages=3, workload="microbatches=3")
    sized = topology("z stage=0, a, b, c", "1 2 1", workload="microbatches=3")
    for loaded, move, accepted in ((pinned, "exchange", 0), (pinned, "give", 0), (sized, "give", 0)):
        tables = Instance.of(loaded)
        chain = Chain.begun(tables, constructed(tables))
        assert sum(chain.moved(move, HOT) for _ in range(100)) == accepted
    chain = Chain.begun(Instance.of(sized), constructed(Instance.of(sized)))
    assert any(chain.moved("exchange", HOT) for _ in range(100))
