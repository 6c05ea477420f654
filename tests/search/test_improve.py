"""The improver: windows while chains are being compiled, chains for most of the time, windows at the end."""

from __future__ import annotations

import pytest
from exact_cases import bundled, constructed

from skipsched.clock import Clock, OutOfTime, TooLarge
from skipsched.exact.windows import Windows
from skipsched.scheduled import Scheduled
from skipsched.search import improve
from skipsched.search.anneal import MOVES
from skipsched.search.chains import Chains
from skipsched.search.compiling import Compiling
from skipsched.search.improve import Improver

WINDOWS = ["any microbatches", "latest microbatches", "through one node", "stretch of time"]


class Bench:
    """A search whose chains and windows only say that it is their turn, and let a second go by."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, limit: float = 10.0) -> None:
        self.tables = bundled("small-8")
        self.first = constructed(self.tables)
        self.clock = Clock(limit, deterministic=True)
        self.turns: list[str] = []
        self.ready = self.running = True
        self.begun = 0
        self.too_large = False
        monkeypatch.setattr(Chains, "step", lambda _, __: self._turn("chains"))
        monkeypatch.setattr(Windows, "step", lambda _, __: self._turn("windows"))
        monkeypatch.setattr(Compiling, "is_ready", lambda _: self.ready)
        monkeypatch.setattr(Compiling, "is_running", lambda _: self.running and not self.ready)
        monkeypatch.setattr(Compiling, "begin", lambda _: self._begin())
        monkeypatch.setattr("time.sleep", self._slept)

    def improver(self, *, windows: bool = True) -> Improver:
        return Improver(self.tables, self.clock, 1, 0, iter(()), iter(()), windows=windows)

    def steps(self, improver: Improver, count: int) -> list[str]:
        self.turns.clear()
        for _ in range(count):
            assert improver.step(self.first) is None
        return list(self.turns)

    def _turn(self, whose: str) -> Scheduled | None:
        if whose == "windows" and self.too_large:
            raise TooLarge
        self.turns.append(whose)
        self.clock.spend_seconds(1)
        return None

    def _begin(self) -> None:
        self.begun += 1

    def _slept(self, _: float) -> None:
        self.turns.append("waits")
        self.ready = len(self.turns) > 2


def test_chains_first_then_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    improver = bench.improver()
    assert not improver.has_waited
    assert bench.begun == 0
    assert bench.steps(improver, 10) == ["chains"] * 9 + ["windows"]
    with pytest.raises(OutOfTime):
        improver.step(bench.first)


def test_windows_alone_until_chains_are_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    bench.clock.deterministic = False
    bench.ready = False
    improver = bench.improver()
    assert improver.has_waited
    assert bench.begun == 1
    assert bench.steps(improver, 3) == ["windows"] * 3
    assert list(improver.neighbourhoods()) == WINDOWS
    bench.ready = True
    assert bench.steps(improver, 3) == ["chains"] * 3
    assert list(improver.neighbourhoods()) == [*MOVES, *WINDOWS]


def test_windows_alone_where_nothing_can_be_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    bench.ready = bench.running = False
    assert bench.steps(bench.improver(), 10) == ["windows"] * 10


def test_counted_work_waits_for_the_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    bench.ready = False
    improver = bench.improver()
    assert bench.turns == ["waits"] * 3
    assert improver.has_waited
    assert bench.steps(improver, 1) == ["chains"]


def test_chains_go_on_where_windows_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    bench.too_large = True
    improver = bench.improver()
    assert bench.steps(improver, 9) == ["chains"] * 9
    # The windows find out, and are not asked again.
    assert bench.steps(improver, 1) == []
    assert bench.steps(improver, 1) == ["chains"]


def test_with_too_many_actions_chains_have_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(improve, "_MOST_ACTIONS", 10)
    bench = Bench(monkeypatch)
    assert bench.steps(bench.improver(), 10) == ["chains"] * 10


def test_with_too_many_actions_nothing_is_done_until_chains_are_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A window of 100,000 actions took minutes and gigabytes, and the chains had no turn until it ended."""
    monkeypatch.setattr(improve, "_MOST_ACTIONS", 10)
    bench = Bench(monkeypatch)
    bench.clock.deterministic = False
    bench.ready = False
    assert bench.steps(bench.improver(), 4) == ["waits"] * 3 + ["chains"]


def test_without_windows_chains_have_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    improver = bench.improver(windows=False)
    assert bench.steps(improver, 10) == ["chains"] * 10
    assert list(improver.neighbourhoods()) == list(MOVES)


def test_nothing_is_left_without_chains_and_with_windows_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    bench.too_large = True
    bench.ready = bench.running = False
    improver = bench.improver()
    assert bench.steps(improver, 1) == []
    with pytest.raises(TooLarge):
        improver.step(bench.first)
