"""The processes of a run, and their groups."""

from __future__ import annotations

import atexit
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from skipsched.runtime.watch import LEARNT_WITHIN, NodeLost, Watch
from skipsched.text.diagnostics import Diagnostic, InputError, did_you_mean, quoted

#: What torchrun, and every other launcher, sets.
_ENVIRONMENT = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
#: Set by torch's launcher if it keeps the store, and not the process of rank 0.
_LAUNCHER_HOLDS_STORE = "TORCHELASTIC_USE_AGENT_STORE"
#: Seconds between two looks at the store.
_LOOK_EVERY = 0.005


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
    """

    store: Store
    rank: int
    size: int

    @classmethod
    def join(cls, size: int, timeout: float) -> World:
        """Meet the others as the environment says (`RANK`, `WORLD_SIZE`, `MASTER_ADDR`, `MASTER_PORT`).

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
        try:
            store, rank, _ = next(rendezvous("env://", timeout=timedelta(seconds=timeout)))
        except (RuntimeError, ValueError) as error:
            place = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
            raise NodeLost("of rank 0", f"no store at {place} ({first_line(error)})") from None
        return cls(store, rank, size)


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
        if own is not None and own not in nodes:
            raise refused(f"the schedule has no node {quoted(own)}", did_you_mean(own, nodes))
        self.node = nodes[world.rank] if own is None else own
        self.timeout = timeout
        self._world = world
        introduction = json.dumps({"node": self.node, "agreed": dict(agreed)})
        said = _gather(world, "introduction", introduction, timeout, lambda: None)
        self._nodes = _agreed([json.loads(text) for text in said], nodes)
        self._rank = {node: rank for rank, node in enumerate(self._nodes)}
        self.watch = Watch(world.store, world.rank, self._nodes, timeout)
        with self.together(self._nodes, "connecting"):
            dist.init_process_group(
                backend,
                store=PrefixStore("groups", world.store),
                rank=world.rank,
                world_size=world.size,
                timeout=timedelta(seconds=timeout),
            )

    def rank_of(self, node: str) -> int:
        """The rank of a node's process."""
        return self._rank[node]

    def group(self, nodes: Sequence[str]) -> dist.ProcessGroup:
        """A group of some nodes, in their order. All processes make all groups, one after the other."""
        ranks = [self._rank[node] for node in nodes]
        with self.together(nodes, "connecting"):
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
                raise RuntimeError(f"it took more than {self.timeout:g} s")
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
            self.watch.suspect(others, f"{what} failed ({first_line(error)})")
            self.watch.check()
            raise

    def gather(self, key: str, text: str) -> list[str]:
        """Tell all others a text under a key that was not used before; returns what all told, rank by rank.

        Raises
        ------
        NodeLost
            If a process is lost meanwhile, or tells nothing in time.
        """
        return _gather(self._world, key, text, self.timeout, self.watch.check)

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
            self.watch.report(self.node, f"{type(error).__name__}: {error}".rstrip(": "))
        if self._world.rank == 0 and os.environ.get(_LAUNCHER_HOLDS_STORE) != "True":
            # It holds the store, in which the others look for who was lost.
            time.sleep(LEARNT_WITHIN)
        atexit.register(_end_at_once)


def first_line(error: Exception) -> str:
    """What an error of torch says, without its stack."""
    return str(error).strip().partition("\n")[0]


def _end_at_once() -> None:
    """End a process whose threads still wait on connections: Python would abort amidst their waiting."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def _agreed(said: Sequence[Mapping[str, Any]], nodes: Sequence[str]) -> list[str]:
    """The node of each rank, if the processes fit together."""
    found = [row["node"] for row in said]
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


def _gather(world: World, key: str, text: str, timeout: float, check: Callable[[], None]) -> list[str]:
    """Tell all processes a text; returns what all told. `check` is called again and again while waiting."""
    keys = [f"{key}/{rank}" for rank in range(world.size)]
    until = time.monotonic() + timeout
    try:
        world.store.set(keys[world.rank], text)
        while not world.store.check(keys):
            check()
            if time.monotonic() > until:
                late = next(rank for rank in range(world.size) if not world.store.check([keys[rank]]))
                raise NodeLost(f"of rank {late}", f"it did not come within {timeout:g} s")
            time.sleep(_LOOK_EVERY)
        return [told.decode() for told in world.store.multi_get(keys)]
    except NodeLost:
        raise
    except RuntimeError as error:
        raise NodeLost("of rank 0", f"the store is gone ({first_line(error)})") from None
