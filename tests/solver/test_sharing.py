"""How neighbourhoods share out the stages: estimates worked out by hand."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from solver_cases import instance, no_limit

from skipsched.instance import Instance
from skipsched.routes.estimate import Estimate
from skipsched.routes.sharing import Sharings, Ways, sizes_within
from skipsched.topology.load import load_topology


class TestWays:
    """Stages 0, 1 and 2; paths of two stages."""

    HOP = ((0.0, 10.0, 30.0), (10.0, 0.0, 5.0), (30.0, 5.0, 0.0))

    def test_both_stages_alike(self) -> None:
        # To 1 and home 20, and 1 more there; to 2 and home 60, and 2 more there: half of each.
        tables = instance("a, b, c", "1 1 1", rules="path_length=2", workload="microbatches=2")
        assert Ways(tables, no_limit()).least(self.HOP, (0.0, 1.0, 2.0)) == pytest.approx((21 + 62) / 2)

    def test_only_the_nearer_one(self) -> None:
        tables = instance("a, b, c", "1 1 1", rules="path_length=2, even_stages=false")
        assert Ways(tables, no_limit()).least(self.HOP, (0.0, 1.0, 2.0)) == pytest.approx(21)

    def test_the_better_of_two_orders(self) -> None:
        # Straight on 10 + 5 + 100; with a swap 1 + 5 + 10.
        dear = ((0.0, 10.0, 1.0), (10.0, 0.0, 5.0), (100.0, 5.0, 0.0))
        straight = instance("a, b, c", "1 1 1", rules="max_swaps=0")
        swapping = instance("a, b, c", "1 1 1", rules="max_swaps=1")
        assert Ways(straight, no_limit()).least(dear, (0.0, 0.0, 0.0)) == pytest.approx(10 + 5 + 100)
        assert Ways(swapping, no_limit()).least(dear, (0.0, 0.0, 0.0)) == pytest.approx(1 + 5 + 10)

    def test_no_even_paths(self) -> None:
        # Nothing but 0 1: a jump of two is not allowed, so stage 2 is never executed.
        tables = instance("a, b, c", "1 1 1", rules="path_length=2, max_jump=1")
        assert not Ways(tables, no_limit()).known


def islands() -> Instance:
    """Home's four nodes, two of them for data, are near to Near's three and far from Far's six."""
    return Instance.of(
        load_topology("""
skipsched: 1
name: islands
nodes:
  - {id: "d{}", count: 2, location: Home, layer_time: 1 ms, memory: 2, stage: 0}
  - {id: "h{}", count: 2, location: Home, layer_time: 1 ms, memory: 2}
  - {id: "n{}", count: 3, location: Near, layer_time: 1 ms, memory: 2}
  - {id: "f{}", count: 6, location: Far, layer_time: 1 ms, memory: 2}
network:
  default: {latency: 1 ms, bandwidth: 10 GB/s}
  links:
    - {between: [Home, Near], latency: 10 ms, bandwidth: 1 GB/s}
    - {between: [Home, Far], latency: 200 ms, bandwidth: 1 GB/s}
    - {between: [Near, Far], latency: 200 ms, bandwidth: 1 GB/s}
workload:
  {stages: 5, layers: 5, data_nodes: 2, samples_per_microbatch: 1, microbatches: 4, activation: 1 kB,
   gradient: 1 MB}
rules: {path_length: 3}
""")
    )


HOME, NEAR, FAR = range(4), range(4, 7), range(7, 13)


def chosen(tables: Instance, turns: int, seed: int) -> list[tuple[tuple[int, ...], ...]]:
    sharings = Sharings(tables, Estimate(tables), random.Random(seed), no_limit())
    return [sharings.next([HOME, NEAR, FAR]) for _ in range(turns)]


@pytest.mark.parametrize("seed", range(3))
def test_few_paths_lead_far(seed: int) -> None:
    """Two of Home's nodes are pinned. With three of four stages at Far, all paths would go there."""
    for home, _, far in chosen(islands(), 5, seed):
        assert 0 in home
        assert 1 <= len(far) <= 2


def test_all_stages_are_shared_out_once() -> None:
    for sharing in chosen(islands(), 40, 0):
        assert sorted(stage for stages in sharing for stage in stages) == list(range(5))
        # The one of given size is first, so that the others get what it leaves.
        assert all(0 not in stages[1:] for stages in sharing)


def test_close_ones_take_turns() -> None:
    counts = Counter(tuple(map(frozenset, sharing)) for sharing in chosen(islands(), 60, 0))
    assert len(counts) > 5
    assert max(counts.values()) < 20


def test_sizes_by_what_is_left() -> None:
    # Of ten nodes two are for data; the others go to stages 1 and 2, whose likely sizes are alike.
    tables = instance("a, b, c, d, e, f, g, h, i, j", 2, stages=3)
    assert sizes_within(tables, Estimate(tables), 10, (0, 1, 2)) == [2, 4, 4]
    assert sizes_within(tables, Estimate(tables), 5, (2,)) == [5]
    assert sizes_within(tables, Estimate(tables), 2, (0, 1)) == [2, 0]
