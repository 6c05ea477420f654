"""Schedules to repair, and what every repair has to keep."""

from __future__ import annotations

from functools import cache
from random import Random

from random_topologies import random_topology

from skipsched import Repaired, Schedule, Topology, load_topology, repair_schedule, solve, validate


@cache
def solved(text: str) -> Schedule | None:
    """The first schedule found for a topology; None if it is infeasible."""
    return solve(load_topology(text), gap=1, deterministic=True).schedule


def random_schedule(seed: int, features: set[str] | None = None) -> Schedule | None:
    """A schedule of a random topology; None if that is infeasible."""
    return solved(random_topology(Random(seed), features))


def repaired(
    schedule: Schedule, *without: str, topology: Topology | None = None, time_limit: float = 0.05
) -> Repaired:
    """A schedule repaired in counted time; if there is one, it is valid and what is reported is true."""
    result = repair_schedule(
        schedule, without=without, topology=topology, time_limit=time_limit, deterministic=True
    )
    if result.schedule is not None:
        assert validate(result.schedule, topology) == []
        assert_report(schedule, result)
    return result


def stages_of(schedule: Schedule) -> dict[str, int]:
    """The stage of each node."""
    return {node: stage for stage, nodes in enumerate(schedule.document["stages"]) for node in nodes}


def paths_of(schedule: Schedule) -> list[tuple[str, ...]]:
    """The path of each microbatch."""
    return [tuple(entry["path"]) for entry in schedule.document["microbatches"]]


def assert_report(before: Schedule, result: Repaired) -> None:
    """What the report says, counted once more from the two schedules."""
    assert result.schedule is not None
    assert result.report is not None
    report, was, now = result.report, stages_of(before), stages_of(result.schedule)
    assert {(left.node, left.stage) for left in report.left} == was.items() - {
        (node, was[node]) for node in was.keys() & now.keys()
    }
    assert {(came.node, came.stage) for came in report.came} == {
        (node, now[node]) for node in now.keys() - was.keys()
    }
    moves = {(n, was[n], now[n]) for n in was.keys() & now.keys() if was[n] != now[n]}
    assert {(moved.node, moved.before, moved.after) for moved in report.moved} == moves
    # The copies are the changes of stages, no more and no less.
    copied = [(copy.node, copy.stage) for copy in report.copies]
    assert sorted(copied) == sorted((node, stage) for node, stage in now.items() if was.get(node) != stage)
    for copy in report.copies:
        assert copy.source is None or was[copy.source] == copy.stage
    paths, found = paths_of(result.schedule), report.microbatches
    old = paths_of(before)
    assert (found.before, found.after) == (len(old), len(paths))
    assert found.after == found.new + found.kept + found.forced + found.changed
    stayed = [path for path in old if all(was[node] == now.get(node) for node in path)]
    assert found.kept <= sum(min(stayed.count(path), paths.count(path)) for path in set(stayed))
    assert (report.before, report.after) == (
        before.document["iteration_time"],
        result.schedule.document["iteration_time"],
    )
