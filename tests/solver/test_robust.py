"""Choosing among good schedules by simulation: the pool, the choice, and what the file says of it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, ClassVar

import pytest
from check_cases import TINY, changed, rules, tiny, violations, without
from cli_cases import call, solved_document
from simulate_cases import case

import skipsched
from skipsched import Conditions, Schedule, simulate
from skipsched.clock import Clock
from skipsched.objective import Objective
from skipsched.robust import Effort, Pool, choose
from skipsched.scheduled import Scheduled
from skipsched.topology.limits import MAX_SEED


def valued(*values: tuple[int, int]) -> list[Scheduled]:
    """Schedules of which nothing but the value matters."""
    some = case("a, b", "1 1", ((0, 1),), "F0 L0 B0", "F0 B0", workload="microbatches=1")[2]
    return [
        Scheduled(some.plan, some.actions, some.end, some.rings, Objective(time, total, time))
        for time, total in values
    ]


def held(pool: Pool) -> list[tuple[int, int]]:
    return [(s.objective.iteration_time, s.objective.total_completion) for s in pool.best()]


class TestPool:
    def test_the_best_first_and_none_twice(self) -> None:
        pool = Pool(10)
        for scheduled in valued((102, 7), (100, 9), (102, 7), (102, 6)):
            pool.add(scheduled)
        assert held(pool) == [(100, 9), (102, 6), (102, 7)]

    def test_it_holds_no_more_than_it_should(self) -> None:
        pool = Pool(2)
        for scheduled in valued((103, 1), (102, 1), (101, 1), (104, 1)):
            pool.add(scheduled)
        assert held(pool) == [(101, 1), (102, 1)]

    def test_nothing_much_longer_than_the_shortest(self) -> None:
        pool = Pool(10)
        for scheduled in valued((105, 1), (106, 1), (100, 1)):
            pool.add(scheduled)
        # 5 % longer is not too long, 6 % is; what was good once is let go.
        assert held(pool) == [(100, 1), (105, 1)]
        assert (pool.wants(105, 2), pool.wants(106, 2), pool.wants(100, 1)) == (True, False, False)


def test_the_effort_keeps_within_the_limit() -> None:
    # 45,000,000 times of actions; each schedule takes 200 runs' worth before its first run.
    assert Effort.of(3.0, 270) == Effort(138, 1000)
    assert Effort.of(3.0, 10_000) == Effort(8, 362)
    assert Effort.of(3.0, 50_000) == Effort(2, 200)
    assert Effort.of(3.0, 60_000).candidates == 0
    assert Effort.of(1000.0, 10) == Effort(256, 1000)


def test_the_schedule_with_the_smallest_quantile_is_chosen() -> None:
    """Two data nodes with a node each for their microbatches, or with one for both."""
    apart = case("a, b, c, d", "2 2", ((0, 2), (1, 3)), *ROWS, workload="microbatches=1")
    loaded, tables, two_chains = apart
    clock = Clock(10.0, deterministic=True)

    def chosen(*schedules: Scheduled) -> Any:
        return choose(loaded, tables, schedules, 0.95, 500, 0, clock)

    slower = case("a, b, c, d", "2 2", ((0, 2), (1, 2)), *SHARED, workload="microbatches=1")[2]
    first, second = chosen(two_chains, slower), chosen(slower, two_chains)
    assert first.scheduled is second.scheduled is two_chains
    assert first.time == second.time < chosen(slower).time
    assert (first.candidates, first.shortest) == (2, two_chains.objective.iteration_time)


#: Each data node with a node of its own, and both with the first of them.
ROWS = ("F0 L0 B0", "F1 L1 B1", "F0 B0", "F1 B1")
SHARED = ("F0 L0 B0", "F1 L1 B1", "F0 B0 F1 B1", "")


def test_once_stopped_the_shortest_is_taken() -> None:
    loaded, tables, scheduled = case(
        "a, b, c, d", "2 2", ((0, 2), (1, 2)), *SHARED, workload="microbatches=1"
    )
    better = case("a, b, c, d", "2 2", ((0, 2), (1, 3)), *ROWS, workload="microbatches=1")[2]
    clock = Clock(10.0)
    clock.stop()
    choice = choose(loaded, tables, [scheduled, better], 0.95, 100, 0, clock)
    assert (choice.scheduled, choice.candidates) == (scheduled, 1)


@cache
def robust() -> dict[str, Any]:
    result = skipsched.solve("small-8", time_limit=0.2, deterministic=True, robust=0.9)
    assert result.schedule is not None
    assert skipsched.validate(result.schedule) == []
    document: dict[str, Any] = json.loads(result.schedule.text())
    return document


def test_the_file_says_how_it_was_chosen() -> None:
    document = robust()
    told = document["solver"]["robust"]
    assert (told["quantile"], told["compute_jitter"], told["link_jitter"]) == (0.9, 0.1, 0.3)
    assert told["candidates"] > 1
    assert document["lower_bound"] <= told["shortest"] <= document["iteration_time"]
    is_optimal = document["iteration_time"] == document["lower_bound"]
    assert document["solver"]["status"] == ("OPTIMAL" if is_optimal else "FEASIBLE")


def test_its_quantile_is_that_of_a_luck_of_its_own() -> None:
    """Nobody can ask `simulate` for the luck by which it was chosen; another one gives about the same."""
    told = robust()["solver"]["robust"]
    found = simulate(Schedule(robust()), conditions=Conditions(), runs=told["runs"], seed=MAX_SEED)
    time = found.quantile(0.9)
    assert time != told["time"]
    assert time == pytest.approx(told["time"], rel=0.03)


def test_the_same_every_time() -> None:
    again = skipsched.solve("small-8", time_limit=0.2, deterministic=True, robust=0.9)
    assert again.schedule is not None
    assert json.loads(again.schedule.text()) == robust()


def test_the_search_is_the_one_without() -> None:
    """With counted work simulating takes nothing from the search."""
    usual = skipsched.solve("small-8", time_limit=0.2, deterministic=True)
    assert usual.schedule is not None
    assert robust()["solver"]["robust"]["shortest"] == usual.schedule.document["iteration_time"]


def test_without_time_the_shortest_is_taken_and_that_is_said() -> None:
    ran = call("solve", "small-8", "--robust", "0.9", "--time-limit", "0.01", "--deterministic", "--gap", "1")
    assert ran.code == 0
    assert "robust" not in json.loads(ran.out)["solver"]
    assert "chosen by the iteration time alone" in ran.err


def test_nothing_is_said_where_it_was_not_asked_for() -> None:
    assert "robust" not in solved_document("small-8")["solver"]


@pytest.mark.parametrize("wrong", [0, 1, -0.5, 2, float("nan")])
def test_a_quantile_out_of_range(wrong: float) -> None:
    with pytest.raises(ValueError, match="robust must be between 0 and 1"):
        skipsched.solve("small-8", robust=wrong)
    ran = call("solve", "small-8", "--robust", str(wrong))
    assert (ran.code, ran.out) == (2, "")
    assert "--robust" in ran.err


def test_the_closing_line() -> None:
    ran = call("solve", "small-8", "--robust", "0.95", "--time-limit", "0.1", "--deterministic")
    assert ran.code == 0
    assert "p95 " in ran.err
    assert "best of " in ran.err


class TestChecker:
    BLOCK: ClassVar[dict[str, Any]] = {
        "quantile": 0.95,
        "time": 20_000_000,
        "runs": 1000,
        "candidates": 7,
        "compute_jitter": 0.1,
        "link_jitter": 0.3,
        "shortest": tiny()["iteration_time"],
    }

    def told(self, **changes: object) -> dict[str, Any]:
        return changed(tiny(), ["solver", "robust"], self.BLOCK | changes)

    def test_a_right_block(self) -> None:
        assert violations(self.told(), TINY) == []

    def test_a_missing_key(self) -> None:
        for key in self.BLOCK:
            assert rules(without(self.told(), ["solver", "robust", key]), TINY) == ["format"]

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("quantile", 1),
            ("quantile", "0.95"),
            ("time", -1),
            ("runs", 0),
            ("candidates", True),
            ("link_jitter", -0.1),
            ("compute_jitter", float("nan")),
            ("shortest", 1.5),
        ],
    )
    def test_a_wrong_value(self, key: str, value: object) -> None:
        assert rules(self.told(**{key: value}), TINY) == ["format"]

    def test_no_object(self) -> None:
        assert rules(changed(tiny(), ["solver", "robust"], None), TINY) == ["format"]

    def test_none_was_longer_than_the_one_chosen(self) -> None:
        assert rules(self.told(shortest=tiny()["iteration_time"] + 1), TINY) == ["robust"]

    def test_none_was_shorter_than_the_bound(self) -> None:
        document = self.told(shortest=999_999) | {"lower_bound": 1_000_000, "bound_kind": "path"}
        assert set(rules(document, TINY)) == {"robust", "gap"}  # no gap is told
        document["solver"]["robust"]["shortest"] += 1
        assert rules(document, TINY) == ["gap"]
