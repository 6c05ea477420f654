"""Windows: never anything worse, nothing broken, and all that is not freed kept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations, pairwise
from random import Random

import pytest
from exact_cases import constructed, random_schedule
from solver_cases import broken_by_checker, broken_rules, no_limit, random_case

from skipsched.clock import Clock
from skipsched.exact import windows as windows_of
from skipsched.exact.ask import Answer, Question, ask
from skipsched.exact.windows import Windows, _kept, _Window
from skipsched.instance import Instance
from skipsched.scheduled import Scheduled
from skipsched.topology.load import load_topology
from skipsched.topology.model import Topology
from skipsched.topology.shipped import shipped_path


@cache
def even_geo() -> tuple[Topology, Instance, Scheduled]:
    """The bundled geo-20 under even-nodes, and a first schedule."""
    path = shipped_path("geo-20")
    assert path is not None
    loaded = load_topology(f"{path.read_text(encoding='utf-8')}\n  even_nodes: true\n")
    tables = Instance.of(loaded)
    assert tables.rules.even_nodes
    return loaded, tables, constructed(tables)


@pytest.mark.parametrize("chunk", range(4))
def test_only_better_schedules_that_keep_all_rules(chunk: int) -> None:
    seen = better = 0
    for seed in range(12 * chunk, 12 * chunk + 12):
        loaded, tables = random_case(seed)
        best = random_schedule(Random(seed), tables)
        if best is None:
            continue
        windows = Windows(tables, no_limit(), 1, seed)
        for _ in range(4):
            found = windows.step(best)
            if found is None:
                continue
            assert found.objective < best.objective, seed
            assert found.plan.routes.allocation == best.plan.routes.allocation
            assert broken_by_checker(loaded, tables, found) == set(), seed
            assert not set(broken_rules(tables, found.plan.routes)), seed
            best = found
            better += 1
        seen += 1
    assert seen > 3
    assert better > 1


def test_only_better_schedules_under_even_nodes() -> None:
    loaded, tables, best = even_geo()
    first = best
    windows = Windows(tables, no_limit(), 1, 1)
    for _ in range(4):
        found = windows.step(best)
        if found is not None:
            assert found.objective < best.objective
            assert broken_by_checker(loaded, tables, found) == set()
            best = found
    assert best.objective < first.objective


class Spy:
    """Notes what windows ask, and what they are told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.noted: list[tuple[Question, Answer]] = []
        monkeypatch.setattr(windows_of, "ask", self._ask)

    def _ask(self, questions: Sequence[Question], clock: Clock, effort: float) -> list[Answer]:
        answers = ask(questions, clock, effort)
        self.noted += zip(questions, answers, strict=True)
        return answers


def test_what_is_not_freed_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    for seed in range(24):
        _, tables = random_case(seed)
        best = random_schedule(Random(seed), tables)
        if best is not None:
            windows = Windows(tables, no_limit(), 1, seed)
            for _ in range(3):
                best = windows.step(best) or best
    moved = turned = 0
    for question, answer in spy.noted:
        hint, found = question.hint, answer.scheduled
        assert hint is not None
        assert question.frozen.within == hint.objective.iteration_time
        assert question.frozen.allocation == hint.plan.routes.allocation
        if found is None:
            continue
        assert found.plan.routes.allocation == hint.plan.routes.allocation
        before, after = hint.plan.routes.paths, found.plan.routes.paths
        for choices, old, new in zip(question.frozen.paths, before, after, strict=True):
            assert choices[0] == old, "its own path is always among its choices"
            assert new in choices
            assert len(choices) > 1 or new == old
        place = {a: i for sequence in found.plan.order for i, a in enumerate(sequence)}
        for first, second in question.frozen.precedences:
            assert found.actions.node[first] == found.actions.node[second]
            assert place[first] < place[second]
        moved += before != after
        turned += before == after and hint.plan.order != found.plan.order
    assert moved > 3
    assert turned > 3


def ordered(candidate: Scheduled, window: _Window) -> set[tuple[int, int]]:
    """All pairs of actions of which the window keeps the order, one way or another."""
    later: dict[int, set[int]] = {}
    for first, second in _kept(candidate, window):
        later.setdefault(first, set()).add(second)
    found = set()
    for sequence in candidate.plan.order:
        reached: dict[int, set[int]] = {}
        for action in reversed(sequence):
            after = later.get(action, set())
            reached[action] = after.union(*(reached[other] for other in after))
            found |= {(action, other) for other in reached[action]}
    return found


def pairs(candidate: Scheduled) -> list[tuple[int, int]]:
    """All pairs of actions of a node in their order."""
    return [pair for sequence in candidate.plan.order for pair in combinations(sequence, 2)]


def test_the_order_of_all_but_the_freed_microbatches_is_kept() -> None:
    _, _, best = even_geo()
    per = best.actions.per_microbatch
    rng = Random(0)
    for count in (1, 2, 5, 30):
        freed = frozenset(rng.sample(range(30), count))
        kept = {pair for pair in pairs(best) if not freed.intersection(a // per for a in pair)}
        assert ordered(best, _Window(microbatches=freed)) == kept


def test_the_order_of_all_outside_the_stretch_is_kept() -> None:
    _, _, best = even_geo()
    time = best.objective.iteration_time
    begin = [end - duration for end, duration in zip(best.end, best.actions.duration, strict=True)]
    for stretch in (range(-9, time // 3), range(time // 4, time // 2), range(time // 2, 2 * time), range(3)):
        loose = {a for a, end in enumerate(best.end) if begin[a] < stretch.stop and end > stretch.start}
        kept = {pair for pair in pairs(best) if not loose.issuperset(pair)}
        assert ordered(best, _Window(stretch=stretch)) == kept


def test_precedences_are_few() -> None:
    # One for each two neighbours, and no more where nothing is freed.
    _, _, best = even_geo()
    neighbours = [pair for sequence in best.plan.order for pair in pairwise(sequence)]
    assert sorted(_kept(best, _Window(microbatches=frozenset([-1])))) == sorted(neighbours)


def test_every_kind_of_window_comes_up_and_frees_something(monkeypatch: pytest.MonkeyPatch) -> None:
    _, tables, best = even_geo()
    spy = Spy(monkeypatch)
    monkeypatch.setattr(windows_of, "_EFFORT", 1e-3)
    windows = Windows(tables, no_limit(), 1, 0)
    for _ in range(12):
        windows.step(best)
    freed = [sum(len(choices) > 1 for choices in question.frozen.paths) for question, _ in spy.noted]
    assert {count > 0 for count in freed} == {True, False}
    whole = len(pairs(best))
    for (question, _), count in zip(spy.noted, freed, strict=True):
        assert count or len(set(question.frozen.precedences)) < whole
        assert count <= 30


@pytest.mark.parametrize(("status", "fewest", "most"), [("OPTIMAL", 6, 30), ("UNKNOWN", 2, 2)])
def test_windows_grow_when_searched_through_and_shrink_when_not(
    monkeypatch: pytest.MonkeyPatch, status: str, fewest: int, most: int
) -> None:
    freed: list[int] = []

    def answer(questions: Sequence[Question], clock: Clock, effort: float) -> list[Answer]:
        del clock, effort
        freed.extend(sum(len(choices) > 1 for choices in question.frozen.paths) for question in questions)
        return [Answer(status, None, 0) for _ in questions]

    monkeypatch.setattr(windows_of, "ask", answer)
    _, tables, best = even_geo()
    windows = Windows(tables, no_limit(), 4, 0)
    for _ in range(20):
        assert windows.step(best) is None
    assert fewest <= max(freed[40:]) <= most


def test_equal_seeds_give_equal_schedules() -> None:
    def run(seed: int) -> list[object]:
        noted: list[object] = []
        for case in range(4):
            _, tables = random_case(case)
            best = random_schedule(Random(case), tables)
            if best is None:
                continue
            clock = no_limit()
            windows = Windows(tables, clock, 2, seed)
            for _ in range(3):
                best = windows.step(best) or best
                noted.append((best.plan, clock.work))
        return noted

    assert run(5) == run(5)
    assert run(5) != run(6)
