"""Watching over the other processes of a run: who was lost first, and telling everybody."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from torch.distributed.distributed_c10d import Store
from torch.distributed.elastic.multiprocessing.errors import get_error_handler

#: Seconds between two signs of life.
_SIGN_EVERY = 0.5
#: A process under suspicion is lost if none comes while this many are due.
_SIGNS_MISSED = 4
#: Seconds within which every process has learnt who was lost.
LEARNT_WITHIN = _SIGNS_MISSED * _SIGN_EVERY
_LOST = "lost"
#: Where torch's launcher wants to read why a process failed.
_ERROR_FILE = "TORCHELASTIC_ERROR_FILE"


class NodeLost(RuntimeError):
    """A node of the run failed or does not answer; the message names it.

    Attributes
    ----------
    node
        Its id.
    """

    def __init__(self, node: str, how: str) -> None:
        super().__init__(node, how)
        self.node = node

    def __str__(self) -> str:
        return "node {} was lost: {}".format(*self.args)


class Watch:
    """Signs of life of all processes, and the first of them that was lost.

    Every process counts up a number of its own in the run's store, and watches that of the next rank. Whoever
    finds a process lost says so in the store, where the first word stands: those who then lose a process that
    ended because of the first do not blame the wrong one. All others find it there within a second.

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
        self._silence = timeout / 2
        self._lost: NodeLost | None = None
        self._ended = threading.Event()
        #: Notified when something has arrived, and when a process was lost.
        self.changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise if a process was lost.

        Raises
        ------
        NodeLost
            If so.
        """
        if self._lost is not None:
            if _ERROR_FILE in os.environ:
                # For torch's launcher: this process did not fail by itself.
                get_error_handler().record_exception(self._lost)
            raise self._lost

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

    def report(self, node: str, how: str) -> None:
        """Say that a node was lost, and how; if another one was lost before, that is the one."""
        said = f"{node}\n{how}"
        with suppress(RuntimeError):
            said = self._store.compare_set(_LOST, "", said).decode()
        self._accept(said)

    def suspect(self, nodes: Sequence[str], how: str) -> None:
        """Find out which of some nodes was lost, if a connection broke or nothing came; `how` it was noticed.

        A single suspect is lost in any case, of several one that gives no more signs of life. Returns when
        that is known: by then whoever ended because of another one has said so.
        """
        try:
            before = self._signs(nodes)
            with self.changed:
                if self.changed.wait_for(lambda: self._lost is not None, LEARNT_WITHIN):
                    return
            after = self._signs(nodes)
        except RuntimeError:
            return  # without its store the run is over, which `_run` notices too
        silent = [node for node in nodes if len(nodes) == 1 or before[node] == after[node]]
        if silent:
            self.report(silent[0], how)

    def _signs(self, nodes: Sequence[str]) -> dict[str, int]:
        return {node: self._store.add(f"signs/{self._nodes.index(node)}", 0) for node in nodes}

    def close(self) -> None:
        """Give no more signs of life, and expect none."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        beside = self._nodes[(self._rank + 1) % len(self._nodes)]
        signs, since = -1, time.monotonic()
        while not self._ended.wait(_SIGN_EVERY):
            try:
                self._store.add(f"signs/{self._rank}", 1)
                if self._store.check([_LOST]):
                    self._accept(self._store.get(_LOST).decode())
                    return
                found = self._signs([beside])[beside]
            except RuntimeError:
                self._accept(f"{self._nodes[0]}\nthe store that it or the launcher holds is gone")
                return
            if found != signs:
                signs, since = found, time.monotonic()
            elif time.monotonic() - since > self._silence:
                self.report(beside, f"no sign of life for {self._silence:g} s")

    def _accept(self, said: str) -> None:
        node, _, how = said.partition("\n")
        with self.changed:
            if self._lost is None:
                self._lost = NodeLost(node, how)
            self.changed.notify_all()
