"""Hints of the exact model: complete, exact, and never lost; and the numbering that they need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from exact_cases import AMPLE, all_choices, bundled, constructed, random_schedule
from ortools.sat.python import cp_model
from solver_cases import broken_by_checker, broken_rules, no_limit, random_case

from skipsched.cp_sat import run_all
from skipsched.exact.ask import Question, ask
from skipsched.exact.frozen import Frozen
from skipsched.exact.hint import in_emission_order
from skipsched.exact.model import ExactModel, Goal
from skipsched.exact.paths import Path, cheapest_paths
from skipsched.instance import Instance
from skipsched.plan import members_of
from skipsched.scheduled import Scheduled

#: Deterministic seconds: enough to look at a hint, hardly for more.
LITTLE = 0.1


def hint_of(model: ExactModel) -> dict[int, int]:
    proto = model.model.proto.solution_hint
    assert len(proto.vars) == len(set(proto.vars)), "no variable has two hints"
    return dict(zip(proto.vars, proto.values, strict=True))


def smooth(candidate: Scheduled) -> int:
    """What `Goal.SMOOTH` minimises."""
    value = candidate.objective
    return 4 * len(candidate.plan.routes.paths) * value.iteration_time + value.total_completion


def assert_complete_and_exact(model: ExactModel, candidate: Scheduled, note: object = "") -> None:
    """Every variable has a hint within its domain; together they are a solution, of the schedule's value."""
    hint = hint_of(model)
    variables = model.model.proto.variables
    assert sorted(hint) == list(range(len(variables))), note
    for index, value in hint.items():
        domain = list(variables[index].domain)
        spans = zip(domain[::2], domain[1::2], strict=True)
        assert any(least <= value <= most for least, most in spans), (note, index)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.fix_variables_to_their_hinted_value = True
    assert solver.solve(model.model) in (cp_model.OPTIMAL, cp_model.FEASIBLE), note
    time = candidate.objective.iteration_time
    value = {Goal.DECIDE: 0, Goal.ITERATION: time, Goal.SMOOTH: smooth(candidate)}[model.goal]
    assert round(solver.objective_value) == value, note


def chains(candidate: Scheduled) -> list[tuple[int, int]]:
    """The order of every node as pairs of actions."""
    return [pair for sequence in candidate.plan.order for pair in pairwise(sequence)]


def frozen_ways(tables: Instance, candidate: Scheduled, choices: Sequence[Sequence[Path]]) -> list[Frozen]:
    """All paths free; some, with the order of the others kept; none, in the time allowed and in any."""
    routes = candidate.plan.routes
    time = candidate.objective.iteration_time
    alone = [[path] for path in routes.paths]
    some = [free if m % 3 == 0 else own for m, (free, own) in enumerate(zip(choices, alone, strict=True))]
    per = 2 * tables.path_length + 1
    kept = [pair for pair in chains(candidate) if all(a // per % 3 for a in pair)]
    return [
        Frozen(routes.allocation, choices, time),
        Frozen(routes.allocation, some, time, kept),
        Frozen(routes.allocation, alone, time, chains(candidate)),
        Frozen(routes.allocation, alone, AMPLE),
    ]


def random_hint(seed: int) -> tuple[Instance, Scheduled] | None:
    _, tables = random_case(seed)
    candidate = random_schedule(Random(seed), tables)
    return None if candidate is None else (tables, in_emission_order(tables, candidate))


@pytest.mark.parametrize("chunk", range(4))
def test_complete_and_exact_on_random_topologies(chunk: int) -> None:
    seen = 0
    for seed in range(30 * chunk, 30 * chunk + 30):
        found = random_hint(seed)
        if found is None:
            continue
        tables, candidate = found
        choices = all_choices(tables, candidate.plan.routes.allocation)
        goal = (Goal.DECIDE, Goal.ITERATION, Goal.SMOOTH)[seed % 3]
        for frozen in frozen_ways(tables, candidate, choices):
            model = ExactModel(tables, frozen, candidate.rings, goal, candidate)
            assert_complete_and_exact(model, candidate, seed)
        seen += 1
    assert seen > 15


def choices_with_own(tables: Instance, candidate: Scheduled, most: int) -> list[Sequence[Path]]:
    """For each microbatch some paths of its data node, those taken among them."""
    routes = candidate.plan.routes
    members = members_of(routes.allocation, tables.stages)
    lists: dict[int, Sequence[Path]] = {}
    for d in members[0]:
        taken = {path for path in routes.paths if path[0] == d}
        cheap = cheapest_paths(tables, members, d, most).paths
        lists[d] = (*cheap, *sorted(taken.difference(cheap)))
    return [lists[path[0]] for path in routes.paths]


@pytest.mark.parametrize("name", ["small-8", "geo-20", "full-pipeline-12", "bytes-16"])
def test_complete_and_exact_on_bundled_topologies(name: str) -> None:
    tables = bundled(name)
    candidate = in_emission_order(tables, constructed(tables))
    frozen = Frozen(
        candidate.plan.routes.allocation,
        choices_with_own(tables, candidate, 20),
        candidate.objective.iteration_time,
    )
    model = ExactModel(tables, frozen, candidate.rings, Goal.SMOOTH, candidate)
    assert_complete_and_exact(model, candidate)


@pytest.mark.parametrize("rule", [{"even_nodes": True}, {"path_period": 2}, {"cover": True}])
def test_complete_and_exact_under_the_rules_on_all_paths(rule: dict[str, Any]) -> None:
    tables = bundled("small-8")
    tables = replace(tables, rules=replace(tables.rules, **rule))
    candidate = in_emission_order(tables, constructed(tables))
    assert not any(broken_rules(tables, candidate.plan.routes))
    frozen = Frozen(
        candidate.plan.routes.allocation,
        all_choices(tables, candidate.plan.routes.allocation),
        candidate.objective.iteration_time,
    )
    model = ExactModel(tables, frozen, candidate.rings, Goal.ITERATION, candidate)
    assert_complete_and_exact(model, candidate)


def test_without_a_schedule_there_is_no_hint() -> None:
    tables = bundled("small-8")
    candidate = constructed(tables)
    allocation = candidate.plan.routes.allocation
    frozen = Frozen(allocation, all_choices(tables, allocation), AMPLE)
    assert hint_of(ExactModel(tables, frozen, candidate.rings, Goal.ITERATION)) == {}


def answered(model: ExactModel, effort: float = LITTLE) -> Scheduled:
    """What CP-SAT makes of a hint with hardly more effort than looking at it."""
    ((status, solver),) = run_all([model.model], no_limit(), effort=effort)
    assert status in ("OPTIMAL", "FEASIBLE")
    found = model.scheduled(solver)
    assert found is not None
    return found


@pytest.mark.parametrize("goal", [Goal.ITERATION, Goal.SMOOTH])
@pytest.mark.parametrize("name", ["small-8", "geo-20", "full-pipeline-12"])
def test_little_effort_keeps_the_hint(name: str, goal: Goal) -> None:
    tables = bundled(name)
    candidate = in_emission_order(tables, constructed(tables))
    choices = choices_with_own(tables, candidate, 10)
    frozen = Frozen(candidate.plan.routes.allocation, choices, candidate.objective.iteration_time)
    found = answered(ExactModel(tables, frozen, candidate.rings, goal, candidate))
    assert found.objective.iteration_time <= candidate.objective.iteration_time
    if goal is Goal.SMOOTH:
        assert smooth(found) <= smooth(candidate)


@pytest.mark.parametrize("chunk", range(2))
def test_little_effort_keeps_random_hints(chunk: int) -> None:
    seen = 0
    for seed in range(15 * chunk, 15 * chunk + 15):
        found = random_hint(seed)
        if found is None:
            continue
        tables, candidate = found
        choices = all_choices(tables, candidate.plan.routes.allocation)
        for frozen in frozen_ways(tables, candidate, choices):
            model = ExactModel(tables, frozen, candidate.rings, Goal.SMOOTH, candidate)
            assert smooth(answered(model, LITTLE / 10)) <= smooth(candidate), seed
        seen += 1
    assert seen > 6


@pytest.mark.parametrize("goal", list(Goal))
def test_with_everything_kept_the_answer_is_the_hint(goal: Goal) -> None:
    tables = bundled("geo-20")
    candidate = constructed(tables)
    routes, time = candidate.plan.routes, candidate.objective.iteration_time
    frozen = Frozen(routes.allocation, [[path] for path in routes.paths], time, chains(candidate))
    (answer,) = ask([Question(tables, frozen, candidate.rings, goal, candidate)], no_limit(), LITTLE)
    assert answer.scheduled is not None
    assert answer.scheduled.plan == candidate.plan
    assert answer.scheduled.objective == candidate.objective
    assert answer.status == ("FEASIBLE" if goal is Goal.DECIDE else "OPTIMAL")
    assert answer.bound == (time if goal is Goal.ITERATION else 0)


@pytest.mark.parametrize("chunk", range(2))
def test_emission_order_changes_nothing_but_numbers(chunk: int) -> None:
    seen = renumbered = 0
    for seed in range(50 * chunk, 50 * chunk + 50):
        loaded, tables = random_case(seed)
        before = random_schedule(Random(seed), tables)
        if before is None:
            continue
        after = in_emission_order(tables, before)
        if tables.rules.path_period is not None:
            assert after is before
            continue
        assert after.objective == before.objective
        assert times_by_node(after) == times_by_node(before)
        assert Counter(after.plan.routes.paths) == Counter(before.plan.routes.paths)
        assert [path[0] for path in after.plan.routes.paths] == [path[0] for path in before.plan.routes.paths]
        assert broken_by_checker(loaded, tables, after) == set(), seed
        per = after.actions.per_microbatch
        emitted = list(zip(after.plan.routes.paths, after.end[::per], strict=True))
        assert all(one[1] <= two[1] for one, two in pairwise(emitted) if one[0][0] == two[0][0])
        again = in_emission_order(tables, after)
        assert (again.plan, again.end) == (after.plan, after.end)
        renumbered += after.plan != before.plan
        seen += 1
    assert seen > 15
    assert renumbered > 3


def times_by_node(candidate: Scheduled) -> list[list[tuple[str, int]]]:
    """What every node does, and when it is done, whatever the microbatches are called."""
    return [
        [(candidate.actions.operation(a), candidate.end[a]) for a in sequence]
        for sequence in candidate.plan.order
    ]
