"""What methods share: made once, counted for each."""

from __future__ import annotations

import time

import pytest

from skipsched import load_topology
from skipsched.baselines.arrangement import Arrangement
from skipsched.compare import contest as module
from skipsched.compare.attempt import COMPLETE, CUT, Attempt
from skipsched.compare.contest import Contest


def test_a_shared_arrangement_counts_once_for_each_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes 10 s, and both methods look at it twice: 10 s each, not 20."""
    now = [0.0]

    def arrange(*_: object) -> Arrangement:
        now[0] += 10
        return Arrangement((), ())

    def make(contest: Contest) -> Attempt:
        assert contest.arrangement is contest.arrangement
        return Attempt(COMPLETE)

    monkeypatch.setattr(module, "arrange", arrange)
    contest = Contest(load_topology("small-8"), 60.0, 0, deterministic=False)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert [contest.run(make)[1] for _ in range(2)] == [10, 10]


def test_what_is_under_way_at_a_stop_is_not_complete() -> None:
    """Its arrangement may have ended early: 183 s after half a second on geo-20, where 5 s bring 176 s."""
    contest = Contest(load_topology("small-8"), 60.0, 0, deterministic=False)

    def make(contest: Contest) -> Attempt:
        contest.stop()
        return Attempt(COMPLETE)

    assert contest.run(make)[0].end == CUT
