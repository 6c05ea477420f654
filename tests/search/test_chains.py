"""Chains: each better schedule handed out, what the moves did counted, ended when asked to."""

from __future__ import annotations

from itertools import islice

import pytest
from cli_cases import call
from exact_cases import bundled, constructed
from solver_cases import random_case

import skipsched
from skipsched.clock import NO_LIMIT, Clock
from skipsched.construct import constructed as by_allocation
from skipsched.instance import Instance
from skipsched.routes.blocks import allocations_in_blocks
from skipsched.scheduled import Scheduled
from skipsched.search import audition, chains
from skipsched.search.anneal import MOVES
from skipsched.search.audition import Audition
from skipsched.search.chains import Chains
from skipsched.search.chance import chance_of
from skipsched.search.cooling import Cooling
from skipsched.topology.load import load_topology


@pytest.fixture(autouse=True)
def short_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains, "_ROUND", 250_000)
    monkeypatch.setattr(chains, "_ROUND_IN_PLANS", 100)


def test_schedules_get_better_and_gains_add_up() -> None:
    tables = bundled("geo-20")
    first = best = constructed(tables)
    search = Chains(tables, Clock(1.0, deterministic=True), 1, 0, first, 0.1, iter(()), iter(()))
    while not search.are_cold():
        better = search.step(best)
        if better is not None:
            assert better.objective < best.objective
            best = better
    assert best.objective < first.objective
    done = search.neighbourhoods()
    assert list(done) == list(MOVES)
    for name, each in done.items():
        assert each.tried >= each.accepted >= 0, name
        assert each.gained >= 0, name
        assert each.seconds >= 0, name
    # One chain, which never began anew: what it gained is what it found.
    assert search._cooling.cycles == 1
    gained = sum(each.gained for each in done.values())
    assert gained == first.objective.iteration_time - best.objective.iteration_time


def test_two_chains_differ_and_each_counts() -> None:
    tables = bundled("small-8")
    first = constructed(tables)
    one, two = (
        Chains(tables, Clock(1.0, deterministic=True), n, 0, first, 0.5, iter(()), iter(())) for n in (1, 2)
    )
    found = [search.step(first) for search in (one, two)]
    tried = [sum(each.tried for each in search.neighbourhoods().values()) for search in (one, two)]
    assert tried[1] > 1.5 * tried[0]
    assert found[0] is not None
    assert found[1] is not None
    assert found[1].objective <= found[0].objective


def test_chains_may_begin_after_their_end() -> None:
    """The clock goes on, or is stopped, after the end was set: 1.0 - 1.5 s of work have no square root."""
    tables = bundled("small-8")
    clock = Clock(1.0, deterministic=True)
    clock.spend_seconds(1.5)
    search = Chains(tables, clock, 1, 0, constructed(tables), 1.0, iter(()), iter(()))
    assert search._cooling == Cooling(1, 0.0)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_finds_the_same(seed: int) -> None:
    tables = bundled("small-8")
    first = constructed(tables)
    plans = []
    for _ in range(2):
        search = Chains(tables, Clock(1.0, deterministic=True), 2, seed, first, 0.5, iter(()), iter(()))
        found = search.step(first)
        assert found is not None
        plans.append(found.plan)
    assert plans[0] == plans[1]


def test_a_stopped_clock_ends_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    # A round that would go on for years.
    monkeypatch.setattr(chains, "_ROUND", 10**18)
    tables = bundled("small-8")
    clock = Clock(1e9, deterministic=True)
    first = constructed(tables)
    search = Chains(tables, clock, 2, 0, first, 1e9, iter(()), iter(()))
    clock.stop()
    search.step(first)
    assert sum(each.tried for each in search.neighbourhoods().values()) > 0


def test_nothing_is_handed_out_that_is_no_better() -> None:
    # One node a stage and one microbatch: no move changes anything.
    _, tables = random_case(0, {"one-node-per-stage"})
    clock = Clock(1.0, deterministic=True)
    best = constructed(tables)
    search = Chains(tables, clock, 1, 0, best, 1.0, iter(()), iter(()))
    for _ in range(20):
        found = search.step(best)
        assert found is None or found.objective < best.objective
        best = found or best
    assert search.step(best) is None


GRADIENTS = """
skipsched: 1
name: volunteers
nodes:
  - {id: "a{}", count: 5, forward_time: 40 ms, memory: 2, location: Ayr}
  - {id: "b{}", count: 5, forward_time: 55 ms, memory: 3, location: Bonn}
network:
  default: {latency: 20 ms, bandwidth: 200 Mbit/s}
  links:
    - {between: [Ayr, Ayr], latency: 1 ms, bandwidth: 1 Gbit/s}
workload: {stages: 4, data_nodes: 2, microbatches: 6, activation: 1 MB, gradient: 4 MB}
rules: {path_length: 3}
"""


def test_counted_work_finds_the_same_whatever_the_workers() -> None:
    loaded = load_topology(GRADIENTS)
    texts = set()
    for workers in (1, 2, 4):
        result = skipsched.solve(loaded, deterministic=True, time_limit=1, workers=workers)
        assert result.stop_reason == "time_limit"
        assert result.schedule is not None
        texts.add(result.schedule.text())
        done = result.statistics.neighbourhoods
        assert all(done[move].tried > 0 for move in MOVES)
    assert len(texts) == 1


def test_stats_print_what_each_neighbourhood_did() -> None:
    ran = call("solve", "-", "--deterministic", "--time-limit", "1", "--quiet", "--stats", stdin=GRADIENTS)
    assert ran.code == 0
    lines = [line.split() for line in ran.err.splitlines() if line.strip()]
    assert ["neighbourhood", "tried", "accepted", "gained", "seconds"] in lines
    rows = {line[0]: line[1:] for line in lines if line[0] in MOVES}
    assert list(rows) == list(MOVES)
    for name, row in rows.items():
        tried, accepted = (int(word.replace(",", "")) for word in row[:2])
        assert tried >= accepted >= 0, name
        assert tried > 0, name


def test_every_second_chain_begins_from_a_plan_apart() -> None:
    """Of three plans one was not found; the others are bettered a little before one of them is taken."""
    tables = bundled("islands-8")
    best = constructed(tables)
    apart = plans_apart(tables)
    better, worse = (choose(apart, key=lambda plan: plan.objective) for choose in (min, max))
    assert better.objective < worse.objective
    time = best.objective.iteration_time
    for count in (1, 3):
        clock = Clock(1.0, deterministic=True)
        plans = iter([worse, None, better])
        search = Chains(tables, clock, count, 0, best, 1.0, iter(()), plans)
        begun = [chain._found.value[0] for chain in search._chains]
        assert begun[::2] == [time] * len(begun[::2])
        assert all(apart <= better.objective.iteration_time for apart in begun[1::2])
        # A chain alone hears nobody.
        assert (next(plans, None) is worse) == (count == 1)
        assert (clock.spent() > 0) == (count > 1)


def plans_apart(tables: Instance) -> list[Scheduled]:
    """Some plans that were found at once on allocations in blocks."""
    blocks = allocations_in_blocks(tables, NO_LIMIT, 0)
    return [plan for plan in islice(by_allocation(tables, blocks, NO_LIMIT), 20) if plan is not None]


def test_an_audition_hears_until_its_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time at all holds one plan, a tenth of a second some of forty, ten seconds hold them all."""
    monkeypatch.setattr(audition, "_WORK", 500_000)
    tables = bundled("islands-8")
    plans = 2 * plans_apart(tables)
    heard = []
    for seconds in (0.0, 0.1, 10.0):
        clock, left = Clock(100.0, deterministic=True), iter(plans)
        best = Audition(tables, clock, left, chance_of(0, 0)).best(seconds)
        assert best is not None
        heard.append((len(plans) - len(list(left)), best.objective.iteration_time))
        assert clock.spent() >= seconds or heard[-1][0] == len(plans)
    few, some, every = heard
    assert few[0] == 1
    assert some[0] < every[0] == len(plans)
    assert every[1] < few[1]
    assert every[1] < min(plan.objective.iteration_time for plan in plans), "each was bettered"


def test_an_audition_of_nobody() -> None:
    tables = bundled("islands-8")
    heard = Audition(tables, Clock(1.0, deterministic=True), iter([None, None]), chance_of(0, 0))
    assert heard.best(1.0) is None
    assert heard.best(1.0) is None
