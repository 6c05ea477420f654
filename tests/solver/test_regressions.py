"""What once went wrong, each with a case of its own."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from random_topologies import random_topology
from solver_cases import no_limit, topology

import skipsched
from skipsched import rings
from skipsched.bounds import best_bound
from skipsched.clock import Clock, OutOfTime, TooLarge
from skipsched.instance import Instance
from skipsched.routes import model
from skipsched.routes.choose import choose_paths
from skipsched.schedule.plan import allocation_from


def test_a_cause_is_named_though_the_relaxed_orders_are_too_many() -> None:
    # Twenty of 64 stages with five swaps over five: without max_jump the orders pass every limit.
    nodes = "".join(f"  - {{id: n{k}, forward_time: 1 s, memory: 1, stage: {k}}}\n" for k in range(64))
    text = f"""skipsched: 1
name: many-orders
nodes:
{nodes}network: {{default: {{latency: 1 ms, bandwidth: 1 GB/s}}}}
workload: {{stages: 64, stage_sizes: {[1] * 64}, microbatches: 1, activation: 1 MB}}
rules: {{path_length: 20, max_swaps: 5, max_swap_distance: 5, max_jump: 1, cover: true}}
"""
    result = skipsched.solve(text, deterministic=True, time_limit=5)
    assert result.cause is not None
    assert "jump" in result.cause.rules
    assert not result.cause.irreducible
    assert "not all could be tried without" in result.cause.message


def test_a_gap_of_zero_is_no_rounded_zero() -> None:
    for seed in range(60):
        result = skipsched.solve(random_topology(random.Random(seed)), deterministic=True, time_limit=0.3)
        assert result.stop_reason != "gap", seed


RINGED = "a stage=0, " + ", ".join(f"{name} stage=1" for name in "bcdefghij")


def test_a_hint_keeps_its_better_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nine nodes: beyond the size for which the best ring is found again.
    loaded = topology(RINGED, "1 9", workload="microbatches=2, gradient=8 MB")
    first = skipsched.solve(loaded, deterministic=True, time_limit=1).schedule
    assert first is not None
    monkeypatch.setattr(rings, "_good", lambda hops: [*range(0, len(hops), 2), *range(1, len(hops), 2)])
    second = skipsched.solve(loaded, deterministic=True, time_limit=1, hint=first).schedule
    assert second is not None
    assert second.document["iteration_time"] <= first.document["iteration_time"]


def test_the_bound_of_a_kept_allocation_is_that_of_the_restricted_problem() -> None:
    tables = Instance.of(skipsched.load_topology("geo-20"))
    first = skipsched.solve("geo-20", deterministic=True, time_limit=1).schedule
    assert first is not None
    result = skipsched.solve("geo-20", deterministic=True, time_limit=1, allocation_from=first)
    stages = allocation_from(first.document, tables)
    restricted = best_bound(replace(tables, allowed=tuple((stage,) for stage in stages)))
    assert result.lower_bound is not None
    assert result.lower_bound >= restricted.value
    assert restricted.value > best_bound(tables).value


def test_only_nodes_that_may_emit_count_towards_the_most_actions() -> None:
    # 200 x 10000 microbatches of nodes that are pinned to stage 1 are never emitted.
    loaded = skipsched.load_topology("""skipsched: 1
name: pinned
nodes:
  - {id: a, forward_time: 1 s, memory: 1, stage: 0, microbatches: 1}
  - {id: "b{}", count: 200, forward_time: 1 s, memory: 1, stage: 1, microbatches: 10000}
network: {default: {latency: 1 ms, bandwidth: 1 GB/s}}
workload: {stages: 2, data_nodes: 1, microbatches: 1, activation: 1 MB}
""")
    assert len(loaded.nodes) == 201


def test_a_model_too_large_for_memory_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "_MOST_TERMS", 3)
    with pytest.raises(TooLarge):
        model.RoutesModel(Instance.of(topology("a, b, c", "1 1 1")), no_limit())


class _Ending(Clock):
    """A clock that runs out after a number of calls."""

    def __init__(self, calls: int) -> None:
        super().__init__(float("inf"))
        self._calls = calls

    def spend(self, steps: int) -> None:  # noqa: ARG002
        self._calls -= 1
        if self._calls < 0:
            raise OutOfTime


def test_paths_that_keep_the_rules_outlive_the_clock() -> None:
    # Six path slots: the first pass takes six calls, the clock ends while they are bettered.
    tables = Instance.of(topology("a, b, c, d", "2 2", workload="microbatches=3"))
    routes = choose_paths(tables, (0, 0, 1, 1), 1.0, _Ending(8))
    assert routes is not None
    assert len(routes.paths) == 6
    with pytest.raises(OutOfTime):
        choose_paths(tables, (0, 0, 1, 1), 1.0, _Ending(4))


def test_one_forward_one_backward_is_found() -> None:
    """Two pipelines of four equal stages, 8 microbatches each, four slots, no latency to speak of.

    The last stage alternates F (1 s) and B (2 s): 8 x 3 s, after 3 s of forwards of the stages before it and
    followed by 3 x 2 s of their backwards: 33 s. A node that never waits for a backward that is just about to
    arrive takes 38 s.
    """
    result = skipsched.solve(
        """skipsched: 1
name: one-forward-one-backward
nodes:
  - {id: "n{}", count: 8, forward_time: 1 s, memory: 4}
network: {default: {latency: 0, bandwidth: 10 GiB/s}}
workload: {stages: 4, stage_sizes: [2, 2, 2, 2], microbatches: 8, activation: 1 MiB}
rules: {max_swaps: 0}
""",
        deterministic=True,
        time_limit=5,
    )
    assert result.schedule is not None
    assert result.schedule.document["iteration_time"] < 33_010_000
