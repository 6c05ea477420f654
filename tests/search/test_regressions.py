"""What once went wrong in the search, in its smallest form."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from dataclasses import replace

import pytest
from exact_cases import constructed
from search_cases import HOT, Chain, assert_sound, rows_of
from solver_cases import topology

from skipsched import solve, validate
from skipsched.clock import Clock
from skipsched.instance import Instance, has_instant_actions
from skipsched.search.anneal import MOVES
from skipsched.search.compiled import code_folder
from skipsched.search.compiling import Compiling
from skipsched.search.improve import Improver
from skipsched.search.ring import hop
from skipsched.search.state import LAST, TIME
from skipsched.topology.load import load_topology

#: Nobody executes stage 2, and its two nodes average 8 MB: 2 * (0.1 ms + 8 MB / 2 / (1 B/us)) = 8.0002 s.
#: Everything else is over after 0.06 s, so that no action sets the iteration time.
IDLE = topology(
    "a stage=0, b stage=1, c stage=2, d stage=2",
    "1 1 2",
    workload="microbatches=1, gradient=8 MB",
    rules="path_length=2, max_jump=1, even_stages=false",
)
#: Stages 1 and 2 take no time, nor does the way between them: a cycle of their actions never ends later.
INSTANT = load_topology("""
skipsched: 1
name: instant
nodes:
  - {id: a, layer_time: 10 ms, memory: 2, stage: 0}
  - {id: b, layer_time: 0.0001 ms, memory: 2, stage: 1}
  - {id: c, layer_time: 0.0001 ms, memory: 2, stage: 2}
network: {default: {latency: 0 s, bandwidth: 1000 GB/s}}
workload: {stages: 3, stage_sizes: [1, 1, 1], layers: 3, samples_per_microbatch: 1, microbatches: 2,
           activation: 1 B}
""")


@pytest.fixture
def fresh_code_folder() -> Iterator[None]:
    code_folder.cache_clear()
    yield
    code_folder.cache_clear()


@pytest.mark.parametrize("move", MOVES)
def test_moves_where_an_idle_stage_sets_the_iteration_time(move: str) -> None:
    tables = Instance.of(IDLE)
    chain = Chain.begun(tables, constructed(tables))
    assert (chain.state.figure[TIME], chain.state.figure[LAST]) == (8_000_200, -1)
    for _ in range(20):
        chain.moved(move, HOT)
        assert sorted(action for row in rows_of(chain.state) for action in row) == list(range(5))
        assert_sound(IDLE, chain)


def test_actions_that_take_no_time_are_not_searched_by_chains() -> None:
    # A cycle of them would not make any time rise, so that it would look like an order.
    tables, clock = Instance.of(INSTANT), Clock(1.0, deterministic=True)
    improver = Improver(tables, clock, 1, 0, iter(()), iter(()))
    improver.step(constructed(tables))
    assert not improver.has_waited
    assert "swap" not in improver.neighbourhoods()
    assert has_instant_actions(tables)
    assert not has_instant_actions(replace(tables, overhead=1))
    assert not has_instant_actions(Instance.of(IDLE))


def test_a_topology_with_actions_that_take_no_time_is_solved() -> None:
    result = solve(INSTANT, deterministic=True, time_limit=1)
    assert result.schedule is not None
    assert validate(result.schedule) == []


@pytest.mark.usefixtures("fresh_code_folder")
def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    # As in a container that runs under a number nobody has given a name.
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert code_folder().is_dir()
    Compiling().is_ready()


def test_a_ring_whose_all_reduce_ends_half_way_between_two_microseconds() -> None:
    # 2 * 3 * (23.25 us + 428,476 B / 4 / (3 B/us)) = 214,377.5 us exactly, rounded half up; a third of a
    # microsecond a byte is no float.
    tables = Instance.of(
        load_topology("""
skipsched: 1
name: half
nodes:
  - {id: z, layer_time: 10 ms, memory: 1, stage: 0}
  - {id: "n{}", count: 4, layer_time: 10 ms, memory: 1}
network: {default: {latency: 23.25 us, bandwidth: 3 MB/s}}
workload: {stages: 2, stage_sizes: [1, 4], layers: 2, samples_per_microbatch: 1, microbatches: 1,
           activation: 1 B, gradient: 428476 B}
""")
    )
    chain = Chain.begun(tables, constructed(tables))
    assert tables.allreduce.hop(1, 4, 1, 2) == 214_378
    assert hop(chain.problem, 1, 4, 1, 2) == 214_378
