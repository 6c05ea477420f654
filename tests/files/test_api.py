"""What `import skipsched` offers."""

from __future__ import annotations

import doctest
import inspect
import json
from pathlib import Path

import pytest
from check_cases import TINY, TINY_ORDERS, changed, tiny
from cli_cases import INFEASIBLE, WRONG, solved_document

import skipsched
from skipsched import Deadlock, Diagnostic, InputError, Progress, Schedule, Violation
from skipsched.topology.shipped import written_names


def test_every_name_exists_and_is_documented() -> None:
    for name in skipsched.__all__:
        offered = getattr(skipsched, name)
        if name != "__version__":
            assert inspect.getdoc(offered), name
    assert skipsched.__all__ == sorted(skipsched.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        skipsched.nonsense  # noqa: B018


def test_every_parameter_is_documented() -> None:
    for function in (skipsched.load_topology, skipsched.solve, skipsched.validate, skipsched.replay):
        text = inspect.getdoc(function) or ""
        for parameter in inspect.signature(function).parameters:
            assert f"\n{parameter}\n" in text or f"\n{parameter}," in text, (function.__name__, parameter)


def test_the_example_runs() -> None:
    ran = doctest.testmod(skipsched)
    assert ran.attempted >= 3
    assert ran.failed == 0


def test_a_topology_from_a_path_a_text_and_a_name(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    loaded = [skipsched.load_topology(given) for given in (TINY, path, str(path))]
    assert loaded[0] == loaded[1] == loaded[2]
    assert loaded[0].name == "tiny"
    for name in written_names():
        assert skipsched.load_topology(name).name == name


def test_solve_takes_what_load_topology_takes(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    texts = set()
    for given in (TINY, path, str(path), skipsched.load_topology(TINY)):
        result = skipsched.solve(given, deterministic=True, time_limit=1)
        assert result.schedule is not None
        texts.add(result.schedule.text())
    assert len(texts) == 1


def test_a_result_says_what_its_schedule_says() -> None:
    result = skipsched.solve("small-8", time_limit=2, seed=9, workers=1)
    assert result.schedule is not None
    document = result.schedule.document
    assert document["solver"]["status"] == result.status
    assert document["solver"]["stop_reason"] == result.stop_reason
    assert document["solver"]["seed"] == 9
    assert document["lower_bound"] == result.lower_bound
    assert document["bound_kind"] == result.bound_kind
    assert result.cause is None
    times = [time for _, time in result.statistics.incumbents]
    assert times[-1] == document["iteration_time"]
    assert times == sorted(times, reverse=True)
    assert result.statistics.first_schedule_at is not None


def test_progress_is_told_and_gets_better() -> None:
    told: list[Progress] = []
    result = skipsched.solve("small-8", time_limit=2, on_progress=told.append)
    assert result.schedule is not None
    times = [progress.iteration_time for progress in told if progress.iteration_time is not None]
    assert told[0].iteration_time is None
    assert told[0].gap is None
    assert times == sorted(times, reverse=True)
    assert times[-1] == result.schedule.document["iteration_time"]


def test_an_infeasible_topology_is_no_exception() -> None:
    result = skipsched.solve(INFEASIBLE)
    assert (result.status, result.stop_reason, result.schedule) == ("INFEASIBLE", "infeasible", None)
    assert result.cause is not None
    assert "jump" in result.cause.rules


def test_no_time_is_no_exception() -> None:
    result = skipsched.solve("geo-20", time_limit=1e-9)
    assert (result.status, result.stop_reason, result.schedule) == ("UNKNOWN", "time_limit", None)


def test_bad_input_carries_its_diagnostics() -> None:
    for function in (skipsched.load_topology, skipsched.solve):
        with pytest.raises(InputError) as caught:
            function(WRONG)
        first, second = caught.value.diagnostics
        assert isinstance(first, Diagnostic)
        assert (first.severity, first.where) == ("error", "nodes[0].forward_time")
        assert second.where == "workload.microbatches"
        assert first.mark is not None
        assert str(caught.value) == "\n".join([first.format(), second.format()])


def test_a_schedule_that_is_kept_or_started_from_must_fit() -> None:
    other = Schedule(tiny())
    with pytest.raises(InputError, match="hint: the schedule cannot be used"):
        skipsched.solve("small-8", hint=other)
    with pytest.raises(InputError, match="allocation_from: the schedule cannot be used"):
        skipsched.solve("small-8", allocation_from=other)


def test_validate_takes_a_schedule_and_its_path(tmp_path: Path) -> None:
    path = tmp_path / "schedule.json"
    schedule = Schedule(tiny())
    schedule.write(path)
    for given in (schedule, path, str(path)):
        assert skipsched.validate(given) == []
    wrong = Schedule(changed(tiny(), ["makespan"], 1))
    (violation,) = skipsched.validate(wrong)
    assert isinstance(violation, Violation)
    assert violation.rule == "makespan"
    with pytest.raises(InputError):
        skipsched.validate(tmp_path / "missing.json")


def test_validate_by_another_topology() -> None:
    slower = skipsched.load_topology(TINY.replace("forward_time: 2 s", "forward_time: 4 s"))
    assert "times" in {violation.rule for violation in skipsched.validate(Schedule(tiny()), slower)}


@pytest.mark.parametrize("name", written_names())
def test_the_replay_gives_the_times_of_the_schedule(name: str) -> None:
    document = solved_document(name)
    replayed = skipsched.replay(Schedule(document))
    assert list(replayed) == list(document["actions"])
    for node, rows in document["actions"].items():
        keys = ("op", "microbatch", "stage", "start", "end")
        assert [tuple(row[key] for key in keys) for row in rows] == [
            tuple(getattr(action, key) for key in keys) for action in replayed[node]
        ]


def test_the_replay_takes_a_path_and_no_notice_of_claimed_times(tmp_path: Path) -> None:
    path = tmp_path / "schedule.json"
    document = tiny()
    for rows in document["actions"].values():
        for row in rows:
            row["start"], row["end"] = 5, 6
    Schedule(document).write(path)
    assert skipsched.replay(path) == skipsched.replay(str(path)) == skipsched.replay(Schedule(tiny()))


def test_the_replay_on_another_topology() -> None:
    # The second node takes 4 s instead of 2 s: its three F end at 5, 9 and 13 s.
    slower = skipsched.load_topology(TINY.replace("forward_time: 2 s", "forward_time: 4 s"))
    replayed = skipsched.replay(Schedule(tiny()), slower)
    assert [action.end for action in replayed["b"][:3]] == [5_000_000, 9_000_000, 13_000_000]


def test_the_replay_of_a_deadlock_and_of_no_plan() -> None:
    rows = tiny()["actions"]["b"]
    # b waits with its first F for its own B of the same microbatch.
    assert TINY_ORDERS["b"].startswith("F0")
    with pytest.raises(Deadlock):
        skipsched.replay(Schedule(changed(tiny(), ["actions", "b"], [rows[3], *rows[:3], *rows[4:]])))
    with pytest.raises(InputError):
        skipsched.replay(Schedule(changed(tiny(), ["actions", "b"], rows[1:])))
    with pytest.raises(InputError):
        skipsched.replay(Schedule({}))


def test_a_schedule_of_the_library_is_plain_json() -> None:
    document = solved_document("small-8")
    assert json.loads(json.dumps(document)) == document
