"""Watching over the other processes of a run: who was lost first, and telling everybody."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from torch.distributed.distributed_c10d import Store
from torch.distributed.elastic.multiprocessing.errors import get_error_handler

#: Seconds between two signs of life.
_SIGN_EVERY = 0.5
#: A process under suspicion is lost if none comes while this many are due.
_SIGNS_MISSED = 4
#: Seconds within which every process has learnt who was lost.
LEARNT_WITHIN = _SIGNS_MISSED * _SIGN_EVERY
#: Seconds in which a thread that may leave a wait has left it.
_LEFT_WITHIN = 1.0
_LOST = "lost"
#: Where torch's launcher wants to read why a process failed.
_ERROR_FILE = "TORCHELASTIC_ERROR_FILE"


class NodeLost(RuntimeError):
    """A node of the run failed, does not answer or is late; the message names it.

    Attributes
    ----------
    node
        Its id.
    """

    def __init__(self, node: str, how: str, fate: str = "was lost") -> None:
        super().__init__(node, how, fate)
        self.node = node

    def __str__(self) -> str:
        node, how, fate = self.args
        return f"node {node} {fate}: {how}"


def tell_lost(store: Store, lost: NodeLost) -> NodeLost:
    """Say in a run's store who was lost; returns who was first said to be."""
    node, how, fate = lost.args
    return _heard(store.compare_set(_LOST, "", f"{node}\n{fate}\n{how}"))


def told_lost(store: Store) -> NodeLost | None:
    """Who was lost, as the run's store says; None if nobody."""
    return _heard(store.get(_LOST)) if store.check([_LOST]) else None


def _heard(said: bytes) -> NodeLost:
    node, fate, how = said.decode().split("\n", 2)
    return NodeLost(node, how, fate)


class Watch:
    """Signs of life of all processes, and the first of them that was lost.

    Every process counts up a number of its own in the run's store, and watches that of the next rank. Whoever
    finds a process lost says so in the store, where the first word stands: those who then lose a process that
    ended because of the first do not blame the wrong one. All others find it there within a second.

    A store whose holder is frozen or cut off never answers, and a call of it never returns. So another
    thread, which does not touch the store, looks whether it answers still.

    Parameters
    ----------
    store
        The run's store.
    rank
        Of this process.
    nodes
        The node of each rank.
    timeout
        Twice the seconds after which a process without a sign of life is lost: others that wait for it notice
        later, and do not blame one that waits itself.
    """

    def __init__(self, store: Store, rank: int, nodes: Sequence[str], timeout: float) -> None:
        # A connection of its own: the signs go on while another thread waits for an answer.
        self._store: Store = store.clone()  # type: ignore[attr-defined]
        self._rank, self._nodes = rank, nodes
        self._timeout, self._silence = timeout, timeout / 2
        self._lost: NodeLost | None = None
        self._recorded = False
        self._ended = threading.Event()
        # Of the store: how often it answered, whether it has ceased to, and whether the program waits for it.
        self._answers = 0
        self._store_silent = False
        self._program, self._asking = threading.get_ident(), False
        #: Notified when something has arrived, and when a process was lost.
        self.changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._run, name="watch", daemon=True),
            threading.Thread(target=self._guard, name="watch over the store", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def check(self) -> None:
        """Raise if a process was lost.

        Raises
        ------
        NodeLost
            If so.
        """
        if self._lost is not None:
            self._record(self._lost)
            raise self._lost

    def _record(self, lost: NodeLost) -> None:
        """Tell torch's launcher, once, that this process did not fail by itself."""
        if _ERROR_FILE in os.environ and not self._recorded:
            self._recorded = True
            get_error_handler().record_exception(lost)

    def wait_for(self, predicate: Callable[[], bool], timeout: float) -> bool:
        """Wait, holding `changed`, until a predicate is true; returns whether it is.

        Raises
        ------
        NodeLost
            If a process is lost meanwhile.
        """
        self.changed.wait_for(lambda: self._lost is not None or predicate(), timeout)
        self.check()
        return predicate()

    def notify(self) -> None:
        """Let those who wait look again."""
        with self.changed:
            self.changed.notify_all()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Surround what asks the store: if that ceases to answer meanwhile, the process ends."""
        if threading.get_ident() != self._program:
            yield  # other threads may wait for ever: they end with the process
            return
        self._asking = True
        try:
            yield
        finally:
            self._asking = False

    def report(self, node: str, how: str, fate: str = "was lost") -> None:
        """Say that a node was lost, and how; if another one was lost before, that is the one."""
        lost = NodeLost(node, how, fate)
        if not self._store_silent:
            with suppress(RuntimeError), self.asking():
                lost = tell_lost(self._store, lost)
        self._accept(lost)

    def suspect(self, nodes: Sequence[str], how: str, late: bool = False) -> None:
        """Find out which of some nodes was lost, if a connection broke or nothing came; `how` it was noticed.

        One that gives no more signs of life is lost. If all give some, they are told to be late if something
        took too long (`late`), and to be lost otherwise. Returns when that is known: by then whoever ended
        because of another one has said so.
        """
        # When a transfer times out gloo closes the connection: who waited is to speak before who sees that.
        patience = LEARNT_WITHIN if late else LEARNT_WITHIN + 2 * _SIGN_EVERY
        try:
            before = self._signs(nodes)
            with self.changed:
                if self.changed.wait_for(lambda: self._lost is not None, patience):
                    return
            after = self._signs(nodes)
        except RuntimeError:
            return  # without its store the run is over, which `_run` notices too
        silent = [node for node in nodes if before[node] == after[node]]
        if silent:
            self.report(silent[0], how)
        elif late:
            advice = (
                f"{how}, but it is alive: it waits itself, or the timeout of {self._timeout:g} s is too "
                "short (--timeout has to exceed the time of an iteration)"
            )
            self.report(" or ".join(nodes), advice, "is late")
        else:
            self.report(" or ".join(nodes), how)

    def _signs(self, nodes: Sequence[str]) -> dict[str, int]:
        if self._store_silent:
            raise RuntimeError("the store does not answer")
        with self.asking():
            return {node: self._store.add(f"signs/{self._nodes.index(node)}", 0) for node in nodes}

    def close(self) -> None:
        """Give no more signs of life, and expect none."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        beside = self._nodes[(self._rank + 1) % len(self._nodes)]
        signs, since = -1, time.monotonic()
        while not self._ended.wait(_SIGN_EVERY):
            try:
                self._store.add(f"signs/{self._rank}", 1)
                lost = told_lost(self._store)
                if lost is not None:
                    self._accept(lost)
                    return
                found = self._signs([beside])[beside]
            except RuntimeError:
                self._accept(NodeLost(self._nodes[0], "the store that it or the launcher holds is gone"))
                return
            self._answers += 1
            if found != signs:
                signs, since = found, time.monotonic()
            elif time.monotonic() - since > self._silence:
                self.report(beside, f"no sign of life for {self._silence:g} s")

    def _guard(self) -> None:
        """Find the holder of the store lost if that does not answer."""
        answers, looks = self._answers, 0
        # Looks are counted, not time: if this process was frozen itself, the store is not to blame.
        while looks * _SIGN_EVERY < self._silence:
            if self._ended.wait(_SIGN_EVERY):
                return
            looks = looks + 1 if self._answers == answers else 0
            answers = self._answers
        self._store_silent = True
        how = f"the store that it or the launcher holds has not answered for {self._silence:g} s"
        self._accept(NodeLost(self._nodes[0], how))
        while not self._ended.wait(_LEFT_WITHIN):
            if self._asking and self._lost is not None:
                self._end(self._lost)

    def _end(self, lost: NodeLost) -> None:
        """End the process from beside: its program waits for an answer that never comes."""
        sys.stderr.write(f"error: {lost}\n")
        sys.stderr.flush()
        self._record(lost)
        os._exit(1)

    def _accept(self, lost: NodeLost) -> None:
        with self.changed:
            if self._lost is None:
                self._lost = lost
            self.changed.notify_all()
