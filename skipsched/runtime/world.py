"""The processes of a run, and their groups."""

from __future__ import annotations

import atexit
import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import count
from typing import Any

import torch.distributed as dist
from torch.distributed import TCPStore  # type: ignore[attr-defined]
from torch.distributed.distributed_c10d import PrefixStore, Store

from skipsched.runtime.watch import LEARNT_WITHIN, NodeLost, Watch, tell_lost, told_lost
from skipsched.text.diagnostics import Diagnostic, InputError, did_you_mean, quoted

#: What torchrun, and every other launcher, sets.
_ENVIRONMENT = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
#: Set by torch's launcher if it keeps the store, and not the process of rank 0.
_LAUNCHER_HOLDS_STORE = "TORCHELASTIC_USE_AGENT_STORE"
#: Seconds between two looks at the store, at first and after many.
_LOOK_EVERY, _LOOK_SELDOM = 0.005, 0.04
#: Runs of this process: each has texts of its own in the store, which they share.
_runs = count()
_INTRODUCTION = "introduction"
#: What a shell calls the end by Ctrl-C.
_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class World:
    """The processes that run a schedule together.

    Parameters
    ----------
    store
        What they share: a few short texts.
    rank
        Of this process.
    size
        How many they are.
    lingers
        Whether the store may end with this process: others then need time to read there why it ends.
    """

    store: Store
    rank: int
    size: int
    lingers: bool = False

    @classmethod
    def join(cls, size: int, timeout: float) -> World:
        """Meet the others as the environment says (`RANK`, `WORLD_SIZE`, `MASTER_ADDR`, `MASTER_PORT`).

        A process may do so again and again, one run after the other, if all of them do.

        Parameters
        ----------
        size
            How many processes there have to be.
        timeout
            Seconds to wait for the one that holds the store.

        Raises
        ------
        InputError
            If the environment does not say, or speaks of another number of processes.
        NodeLost
            If there is no store.
        """
        missing = [name for name in _ENVIRONMENT if not os.environ.get(name)]
        if missing:
            raise refused(
                f"{', '.join(missing)} not set: no launcher started this process",
                "skipsched launch SCHEDULE -- program, or torchrun",
            )
        if os.environ["WORLD_SIZE"] != str(size):
            raise refused(f"the schedule has {size} nodes, but {os.environ['WORLD_SIZE']} processes run it")
        if os.environ["RANK"] not in map(str, range(size)):
            raise refused(f"RANK is {quoted(os.environ['RANK'])}, and not a number below {size}")
        host, port, rank = os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"], int(os.environ["RANK"])
        if port not in map(str, range(1, 2**16)):
            raise refused(f"MASTER_PORT is {quoted(port)}, and not the number of a port")
        holds = rank == 0 and os.environ.get(_LAUNCHER_HOLDS_STORE) != "True"
        try:
            store = _store(host, int(port), holds, timeout)
        except RuntimeError as error:
            raise NodeLost("of rank 0", f"no store at {host}:{port} ({first_line(error)})") from None
        # A launcher of one machine keeps its store until all of its processes have ended; among several
        # machines' launchers the store's holder ends when the first of its own processes has.
        elsewhere = os.environ.get("LOCAL_WORLD_SIZE", "1") != os.environ["WORLD_SIZE"]
        return cls(PrefixStore(f"run {next(_runs)}", store), rank, size, lingers=holds or elsewhere)

    def linger(self) -> None:
        """Stay until all others have learnt why this process ends, if they might not otherwise."""
        if self.lingers:
            time.sleep(LEARNT_WITHIN)


@cache
def _store(host: str, port: int, holds: bool, timeout: float) -> Store:
    """The store of this process's runs; one for all, as others may have come for the next run already."""
    # Whoever holds it does not wait for the others here: that would not tell who is missing.
    store: Store = TCPStore(
        host,
        port,
        is_master=holds,
        timeout=timedelta(seconds=timeout),
        wait_for_workers=False,
        multi_tenant=True,
    )
    return store


def refused(message: str, hint: str | None = None) -> InputError:
    """The error that refuses to run."""
    return InputError([Diagnostic("error", "runtime", "", message, hint=hint)])


class Members:
    """All nodes of a run, connected: which process is which node, their groups, and the watch over them.

    Parameters
    ----------
    world
        The processes.
    nodes
        The schedule's nodes, in its order.
    own
        The node of this process; the one at the place of its rank if None.
    agreed
        What all processes have to agree in: the name of each thing, and its value here.
    backend
        Of torch.distributed.
    timeout
        Seconds to wait for the others, here and in every operation.

    Raises
    ------
    InputError
        If there is no such node or it is taken twice, or if the processes do not agree.
    NodeLost
        If a process does not come.
    """

    def __init__(
        self,
        world: World,
        nodes: Sequence[str],
        own: str | None,
        agreed: Mapping[str, str],
        backend: str,
        timeout: float,
    ) -> None:
        self.node = nodes[world.rank] if own is None else own
        self.timeout = timeout
        self._world = world
        self._gathered = count()
        self._told: deque[str] = deque()
        try:
            self._nodes = _agreed(_introduced(world, self.node, agreed, nodes, timeout), nodes)
        except (InputError, NodeLost):
            world.linger()
            raise
        self._rank = {node: rank for rank, node in enumerate(self._nodes)}
        self.watch = Watch(world.store, world.rank, self._nodes, timeout)
        try:
            self._connect(backend)
        except BaseException as error:
            self.leave_after(error)
            raise

    def _connect(self, backend: str) -> None:
        with self.together(self._nodes, "connecting"), self.watch.asking():
            dist.init_process_group(
                backend,
                store=PrefixStore("groups", self._world.store),
                rank=self._world.rank,
                world_size=self._world.size,
                timeout=timedelta(seconds=self.timeout),
            )

    def rank_of(self, node: str) -> int:
        """The rank of a node's process."""
        return self._rank[node]

    def group(self, nodes: Sequence[str]) -> dist.ProcessGroup:
        """A group of some nodes, in their order. All processes make all groups, one after the other."""
        ranks = [self._rank[node] for node in nodes]
        with self.together(nodes, "connecting"), self.watch.asking():
            found: dist.ProcessGroup = dist.new_group(
                ranks, timedelta(seconds=self.timeout), sort_ranks=False
            )
        return found

    def wait(self, work: dist.Work | None) -> None:
        """Wait for an operation of some nodes to its end, or until a node is lost that may not belong to it.

        Raises
        ------
        RuntimeError
            If it fails, or takes too long.
        """
        assert work is not None, "this node belongs to the group"
        future = work.get_future()
        future.add_done_callback(lambda _: self.watch.notify())
        with self.watch.changed:
            if not self.watch.wait_for(future.done, self.timeout):
                raise RuntimeError(f"{_TIMED_OUT} after {self.timeout:g} s")
        work.wait()

    @contextmanager
    def together(self, nodes: Sequence[str], what: str) -> Iterator[None]:
        """Turn what goes wrong in something that nodes do together into the name of the one that was lost."""
        try:
            yield
        except NodeLost:
            raise
        except RuntimeError as error:
            others = [node for node in nodes if node != self.node]
            self.watch.suspect(others, f"{what} failed ({first_line(error)})", timed_out(error))
            self.watch.check()
            raise

    def gather(self, key: str, text: str) -> list[str]:
        """Tell all others a text; returns what all told, rank by rank.

        All gather the same keys, one after the other.

        Raises
        ------
        NodeLost
            If a process is lost meanwhile. However long one that lives takes, it is waited for: nodes of a
            stage without microbatches come early.
        """
        key = f"{next(self._gathered)} {key}"
        with self.watch.asking():
            told = _gather(self._world, key, text, self.watch.check)
            # All have told this, so all have read what was told before.
            self._told.append(f"{key}/{self._world.rank}")
            if len(self._told) > 1:
                self._world.store.delete_key(self._told.popleft())
        return told

    def close(self) -> None:
        """Part from the others when all of them are done."""
        self.gather("done", "")
        self.watch.close()
        # Whoever holds the store leaves last.
        self._world.store.add("left", 1)
        if self._world.rank == 0:
            until = time.monotonic() + self.timeout
            while self._world.store.add("left", 0) < self._world.size and time.monotonic() < until:
                time.sleep(_LOOK_EVERY)
        dist.destroy_process_group()

    def leave_after(self, error: BaseException) -> None:
        """Tell the others why this process ends before they are done."""
        if not isinstance(error, NodeLost):
            self.watch.report(self.node, described(error))
        self._world.linger()
        _ending.code = _exit_code(error)


#: What gloo says, among other words, if something took too long.
_TIMED_OUT = "Timed out"


def timed_out(error: Exception) -> bool:
    """Whether an operation took too long, and not broke."""
    return _TIMED_OUT.lower() in str(error).lower()


def described(error: BaseException) -> str:
    """An exception in words, for the others."""
    return f"{type(error).__name__}: {error}".rstrip(": ")


def first_line(error: Exception) -> str:
    """What an error of torch says, without its stack."""
    return str(error).strip().partition("\n")[0]


@dataclass(slots=True)
class _Ending:
    """How this process ends: as its program does, or at once, with a code."""

    code: int | None = None

    def at_exit(self) -> None:
        """End a process whose threads still wait on connections: Python would abort amidst their waiting."""
        if self.code is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self.code)


_ending = _Ending()
# Python calls what is registered last first: what a program registers after its imports is called before.
atexit.register(_ending.at_exit)


def ends_well(error: BaseException) -> bool:
    """Whether an exception is the end of a program that has succeeded."""
    return isinstance(error, SystemExit) and error.code in (0, None)


def _exit_code(error: BaseException) -> int:
    """The exit code that Python gives a program that ends with an exception."""
    if isinstance(error, KeyboardInterrupt):
        return _INTERRUPTED
    return error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 1


def _agreed(said: Sequence[Mapping[str, Any]], nodes: Sequence[str]) -> list[str]:
    """The node of each rank, if the processes fit together."""
    found = [row["node"] for row in said]
    strange = next((node for node in found if node not in nodes), None)
    if strange is not None:
        raise refused(f"the schedule has no node {quoted(strange)}", did_you_mean(strange, nodes))
    twice = next((node for node in found if found.count(node) > 1), None)
    if twice is not None:
        missing = next(node for node in nodes if node not in found)
        raise refused(f"two processes are node {twice}, and none is {missing}")
    for what, value in said[0]["agreed"].items():
        other = next((row for row in said if row["agreed"][what] != value), None)
        if other is not None:
            raise refused(
                f"the processes of {found[0]} and {other['node']} differ in {what}: "
                f"{value} and {other['agreed'][what]}"
            )
    return found


def _introduced(
    world: World, node: str, agreed: Mapping[str, str], nodes: Sequence[str], timeout: float
) -> list[dict[str, Any]]:
    """What all processes say of themselves, rank by rank."""
    until = time.monotonic() + timeout

    def check() -> None:
        """Raise if somebody has found a process missing, or does so now."""
        lost = told_lost(world.store)
        if lost is None and time.monotonic() > until:
            lost = tell_lost(world.store, _missing(world, nodes, timeout))
        if lost is not None:
            raise lost

    introduction = json.dumps({"node": node, "agreed": dict(agreed)})
    return [json.loads(text) for text in _gather(world, _INTRODUCTION, introduction, check)]


def _missing(world: World, nodes: Sequence[str], timeout: float) -> NodeLost:
    """Who has not come."""
    keys = {rank: f"{_INTRODUCTION}/{rank}" for rank in range(world.size)}
    late = [rank for rank, key in keys.items() if not world.store.check([key])]
    came = {json.loads(world.store.get(key))["node"] for rank, key in keys.items() if rank not in late}
    absent = [node for node in nodes if node not in came]
    # Of several nobody knows which rank would have been which node.
    node = absent[0] if len(late) == len(absent) == 1 else f"of rank {late[0]}"
    ranks = ", ".join(map(str, late))
    return NodeLost(node, f"it did not come within {timeout:g} s (missing: rank {ranks})")


def _gather(world: World, key: str, text: str, check: Callable[[], None]) -> list[str]:
    """Tell all processes a text; returns what all told. `check` is called again and again while waiting."""
    keys = [f"{key}/{rank}" for rank in range(world.size)]
    pause = _LOOK_EVERY
    try:
        world.store.set(keys[world.rank], text)
        while not world.store.check(keys):
            check()
            time.sleep(pause)
            pause = min(1.1 * pause, _LOOK_SELDOM)
        return [told.decode() for told in world.store.multi_get(keys)]
    except NodeLost:
        raise
    except RuntimeError as error:
        raise NodeLost("of rank 0", f"the store is gone ({first_line(error)})") from None
