"""Whom a watch finds lost, and whom late."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from skipsched.runtime import NodeLost, watch
from skipsched.runtime.transport import Wire, _Outlet
from skipsched.runtime.watch import Watch

CPU = torch.device("cpu")


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Watch]]:
    """The watches of two nodes."""
    monkeypatch.setattr(watch, "LEARNT_WITHIN", 0.6)
    monkeypatch.setattr(watch, "_SIGN_EVERY", 0.1)
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    made = [Watch(store, rank, ["a", "b"], timeout=10.0) for rank in range(2)]
    yield made
    for one in made:
        one.close()


def said(one: Watch) -> str:
    with pytest.raises(NodeLost) as raised:
        one.check()
    return str(raised.value)


def test_who_gives_signs_of_life_is_late_and_not_lost(two: list[Watch]) -> None:
    two[0].suspect(["b"], "it sent nothing for 10 s", late=True)
    assert said(two[0]) == (
        "node b is late: it sent nothing for 10 s, but it is alive: it waits itself, or the timeout of 10 s "
        "is too short (--timeout has to exceed the time of an iteration)"
    )


def test_who_gives_none_is_lost(two: list[Watch]) -> None:
    two[1].close()
    two[0].suspect(["b"], "it sent nothing for 10 s", late=True)
    assert said(two[0]) == "node b was lost: it sent nothing for 10 s"


def test_what_fails_in_the_thread_of_a_link_is_not_the_peer(two: list[Watch]) -> None:
    members: Any = SimpleNamespace(watch=two[0], node="a", timeout=10.0, rank_of="ab".index)
    nonsense: Any = "no dtype"
    outlet = _Outlet(members, "b", SimpleNamespace(), Wire((1,), torch.float32, nonsense, CPU, CPU, False))  # type: ignore[arg-type]
    outlet.send(torch.ones(1), 0.0)
    with two[0].changed, pytest.raises(NodeLost, match=r"^node a was lost: TypeError: "):
        two[0].wait_for(lambda: False, 5.0)


class Frozen:
    """A store that never answers."""

    def __init__(self) -> None:
        self.thawed = threading.Event()

    def clone(self) -> Frozen:
        """The same."""
        return self

    def add(self, key: str, amount: int) -> int:  # noqa: ARG002
        """Return late."""
        self.thawed.wait()
        raise RuntimeError("thawed")


def test_who_holds_a_store_that_does_not_answer_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    store: Any = Frozen()
    ended: list[int] = []

    def end(code: int) -> None:
        """Let the test go on."""
        ended.append(code)
        store.thawed.set()

    monkeypatch.setattr(watch, "_LEFT_WITHIN", 0.1)
    monkeypatch.setattr(watch, "_SIGN_EVERY", 0.1)
    monkeypatch.setattr(os, "_exit", end)
    one = Watch(store, 1, ["a", "b"], timeout=0.6)

    def beside() -> None:
        """Another thread that asks has no part in it."""
        with one.asking():
            pass

    with pytest.raises(RuntimeError, match="thawed"), one.asking():
        other = threading.Thread(target=beside)
        other.start()
        other.join()
        store.add("what the program asks for", 0)
    assert ended == [1]
    assert said(one) == (
        "node a was lost: the store that it or the launcher holds has not answered for 0.3 s"
    )
    began = time.monotonic()
    one.report("b", "nobody is asked about it")
    one.suspect(["b"], "nor about this")
    assert time.monotonic() - began < 1.0
    one.close()
