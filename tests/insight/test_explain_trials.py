"""Trying changes: exact where the order is kept, fair where they are solved anew, and refused with reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from insight_cases import explanation_of, planned
from solver_cases import optimum, random_case, tiny, topology

from skipsched import Schedule, load_topology, replay, solve, validate
from skipsched.bounds import Bound
from skipsched.clock import Clock
from skipsched.insight import trials as module
from skipsched.insight.candidates import candidates
from skipsched.insight.outcome import Outcome
from skipsched.insight.trials import Trials
from skipsched.instance import Instance
from skipsched.opened import open_schedule
from skipsched.plan import Routes
from skipsched.rings import ring_through
from skipsched.solver import Options, Result, run_solver
from skipsched.topology.model import Topology

#: Two data nodes with a slot each and four microbatches: slots are short, links of two kinds.
SHORT = """
skipsched: 1
name: short
nodes:
  - {id: "d{}", count: 2, forward_time: 10 ms, memory: 1}
  - {id: "s{}", count: 4, forward_time: 10 ms, memory: 3}
network:
  default: {latency: 5 ms, bandwidth: 1 GB/s}
  links: [{between: [s0, s1], latency: 50 ms, bandwidth: 1 MB/s}]
workload: {stages: 3, stage_sizes: [2, 2, 2], microbatches: 4, activation: 1 MB}
rules: {path_length: 2}
"""


def schedule_of(loaded: Topology | str) -> Schedule:
    """The first schedule that is found."""
    result = solve(loaded, gap=1, deterministic=True)
    assert result.schedule is not None
    return result.schedule


def trials_of(schedule: Schedule, budget: float) -> tuple[Trials, list[Any]]:
    """Trials, and the changes that are tried."""
    opened = open_schedule(schedule)
    explanation = explanation_of(schedule, opened)
    changes = candidates(opened, explanation.nodes, explanation.links, explanation.steps)
    return Trials(opened, schedule, explanation.bound, budget, 0, lambda _: None), changes


def verdicts(trials: Trials, outcomes: list[Outcome]) -> Iterator[tuple[Outcome, str]]:
    known = trials.unchanged
    for outcome in outcomes:
        yield outcome, outcome.verdict(known.best, known.bound.value)


def replayed(schedule: Schedule, changed: Topology) -> int:
    """The iteration time of a schedule's order on a topology, from the public replay and its rings alone."""
    times, tables = replay(schedule, changed), Instance.of(changed)
    document = schedule.document
    done = []
    for stage, members in enumerate(document["stages"]):
        last = max((a.end for node in members for a in times[node] if a.op == "B"), default=0)
        names = document["rings"][stage] if "rings" in document else members
        ring = ring_through(tables, stage, [tables.node_ids.index(name) for name in names])
        assert ring is not None
        done.append(last + ring.allreduce)
    return max(done)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32))
def test_an_order_that_is_kept_is_replayed_exactly(seed: int) -> None:
    """It is also where a solve of the changed topology starts from: none that does ends later."""
    loaded, _ = random_case(seed)
    result = solve(loaded, gap=1, deterministic=True, time_limit=1)
    assume(result.schedule is not None)
    assert result.schedule is not None
    trials, changes = trials_of(result.schedule, budget=0)
    for outcome in trials.run(changes, 9):
        if outcome.kept is None or outcome.what_if.removed is not None:
            continue
        changed = outcome.what_if.topology
        assert outcome.kept == replayed(result.schedule, changed)
        hinted = solve(changed, gap=1, deterministic=True, hint=result.schedule).schedule
        assert hinted is not None
        assert hinted.document["iteration_time"] <= outcome.kept
        assert validate(hinted, changed) == []


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32))
def test_what_is_said_of_changes_is_true_of_all_schedules(seed: int) -> None:
    """Gone through one by one: none of a change that cannot help is better, and one of each gain is."""
    assume(tiny(seed) is not None)
    loaded, tables = random_case(seed)
    trials, changes = trials_of(schedule_of(loaded), budget=3)
    outcomes = trials.run(changes, len(changes))
    best = optimum(tables, trials.unchanged.best)
    for outcome, verdict in verdicts(trials, outcomes):
        changed = Instance.of(outcome.what_if.topology)
        if outcome.what_if.kind == "stage":
            continue  # too many schedules to go through
        if verdict == "cannot help":
            assert optimum(changed, best) == best
        if verdict == "gain":
            assert outcome.solved is not None
            assert outcome.solved.iteration_time is not None
            assert optimum(changed, best) <= outcome.solved.iteration_time < best
        assert optimum(changed, outcome.bound.value) == outcome.bound.value


def test_without_an_idle_node_its_stage_is_done_sooner() -> None:
    """Of b and c, which average for 30.2 ms after the B of b at 43 ms, c is idle; a is done at 64 ms."""
    rules = "path_length=2, even_stages=false"
    small = topology("a, b, c, d", "1 2 1", workload="gradient=[0 B, 30000 B, 0 B]", rules=rules)
    schedule, _ = planned(small, Routes((0, 1, 1, 2), ((0, 1),)), "F0 L0 B0", "F0 B0", "", "")
    assert schedule.document["iteration_time"] == 73_200
    trials, changes = trials_of(schedule, budget=0)
    kept = {outcome.what_if.says: outcome.kept for outcome in trials.run(changes, 9)}
    assert kept["without c"] == 64_000
    assert kept["without b"] is None  # it has work to do


@dataclass
class Solves:
    """What is solved, and with how much work."""

    asked: list[tuple[str, float, bool, int]] = field(default_factory=list)

    def __call__(self, asked: Topology, options: Options, clock: Clock) -> Result:
        assert clock.deterministic
        self.asked.append((asked.sha256, clock.limit, options.hint is not None, options.seed))
        return run_solver(asked, options, clock)


@pytest.fixture
def solves(monkeypatch: pytest.MonkeyPatch) -> Solves:
    recorded = Solves()
    monkeypatch.setattr(module, "run_solver", recorded)
    return recorded


def test_all_get_the_same_work(solves: Solves) -> None:
    """Two changes that begin with the schedule, and one that begins with nothing: 2 + 2 + 2 + 3 shares."""
    trials, changes = trials_of(schedule_of(SHORT), budget=0.45)
    chosen = [
        next(what_if for what_if in changes if what_if.kind == kind)
        for kind in ("slot", "bandwidth", "stage")
    ]
    outcomes = trials.run(chosen, 3)
    assert [outcome.solved is not None for outcome in outcomes] == [True] * 3
    unchanged = load_topology(SHORT).sha256
    asked = [(sha == unchanged, round(work, 9), hinted, seed) for sha, work, hinted, seed in solves.asked]
    assert asked == [
        (True, 0.1, True, 0),
        (True, 0.05, True, 1),
        (True, 0.05, True, 2),
        (True, 0.05, False, 1),
        (True, 0.05, False, 2),
        (False, 0.05, True, 0),
        (False, 0.05, True, 0),
        (False, 0.05, False, 0),
    ]


def test_the_same_again() -> None:
    first, second = (
        trials.run(changes, 3) for trials, changes in [trials_of(schedule_of(SHORT), 0.3) for _ in range(2)]
    )
    assert first == second


def test_without_a_budget_nothing_is_solved(solves: Solves) -> None:
    trials, changes = trials_of(schedule_of(SHORT), budget=0)
    assert all(outcome.solved is None for outcome in trials.run(changes, 6))
    assert trials.run(changes[:1], 0)[0].solved is None
    assert solves.asked == []


def test_what_a_bound_refuses_is_not_solved(solves: Solves, monkeypatch: pytest.MonkeyPatch) -> None:
    """But the price of a stage fewer skipped is asked for all the same."""
    schedule = schedule_of(SHORT)
    time = schedule.document["iteration_time"]
    monkeypatch.setattr(module, "best_bound", lambda *_: Bound(time, "load"))
    trials, changes = trials_of(schedule, budget=0.45)
    outcomes = trials.run(changes, 9)
    assert {o.what_if.kind for o in outcomes if o.solved is not None} == {"stage"}
    assert {verdict for o, verdict in verdicts(trials, outcomes) if o.solved is None} == {"cannot help"}
    assert len({sha for sha, *_ in solves.asked}) == 2


def test_a_stop_leaves_the_rest_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is under way then counts for nothing: it had less work than the others."""
    trials, changes = trials_of(schedule_of(SHORT), budget=0.45)
    seen: list[str] = []

    def begin(name: str) -> None:
        seen.append(name)
        if name == changes[1].says:
            trials.stop()

    monkeypatch.setattr(trials, "_begin", begin)
    outcomes = trials.run(changes, 3)
    assert outcomes[0].solved is not None
    assert all(outcome.solved is None for outcome in outcomes[1:])
    assert seen[-1] == changes[1].says


def test_a_node_more_is_a_gain_that_is_proved() -> None:
    """With a second slot its microbatch no longer waits for the first to return: 2 x 64 ms become 92."""
    text = """
skipsched: 1
name: pair
nodes:
  - {id: a, forward_time: 10 ms, memory: 1, stage: 0}
  - {id: b, forward_time: 10 ms, memory: 2, stage: 1}
network: {default: {latency: 1 ms, bandwidth: 1 GB/s}}
workload: {stages: 2, stage_sizes: [1, 1], microbatches: 2, activation: 1 B}
"""
    schedule = schedule_of(text)
    assert schedule.document["iteration_time"] == 128_000
    trials, changes = trials_of(schedule, budget=2)
    outcomes = trials.run(changes, 1)
    (slot, verdict), *_ = verdicts(trials, outcomes)
    assert slot.what_if.says == "one more slot on a"
    assert slot.kept == 128_000
    assert slot.solved is not None
    assert (slot.solved.iteration_time, verdict) == (92_000, "gain")
