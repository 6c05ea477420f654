"""Activations and gradients from node to node.

Each directed link that the schedule uses has a process group of its two ends, and a thread at each end.
Messages pass it in the order in which the schedule lets the source make them; the target knows that order and
posts its receives in it, so messages carry no labels, which NCCL does not know. Opposite directions never
wait for each other. A thread waits for each operation to its end: gloo tells of the end of a send only to who
waits for it (`is_completed` stays false), and a tensor has to be kept until then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from queue import SimpleQueue

import torch
import torch.distributed as dist

from skipsched.runtime.program import Message, Programs
from skipsched.runtime.world import Members, described, first_line, timed_out

#: Messages of a link that may have arrived before an action takes them.
_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Wire:
    """What a message is made of.

    Parameters
    ----------
    shape
        Of one activation.
    dtype
        Of activations where they are computed with.
    sent_as
        Their dtype on the way.
    device
        Where they are computed with.
    through
        The device that the backend sends from: the same, or the CPU.
    stamped
        Whether the time of sending travels with each message.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    sent_as: torch.dtype
    device: torch.device
    through: torch.device
    stamped: bool


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that has arrived: the tensor, and when it was sent if messages are stamped (else 0)."""

    tensor: torch.Tensor
    sent_at: float


class Transport:
    """All links of one node.

    Parameters
    ----------
    members
        The nodes of the run.
    programs
        What passes each link.
    wire
        What messages are made of.
    """

    def __init__(self, members: Members, programs: Programs, wire: Wire) -> None:
        self._wire = wire
        self._inlets: dict[str, _Inlet] = {}
        self._outlets: dict[str, _Outlet] = {}
        for (source, target), messages in sorted(programs.messages.items()):
            # All processes make all groups, in the same order.
            group = members.group([source, target])
            if target == members.node:
                self._inlets[source] = _Inlet(members, source, group, wire, messages)
            elif source == members.node:
                self._outlets[target] = _Outlet(members, target, group, wire)

    def begin(self) -> None:
        """Let the messages of one more iteration come in."""
        for inlet in self._inlets.values():
            inlet.begin()

    def take(self, source: str, message: Message) -> Arrival:
        """Wait for a message; returns its tensor where and as it is computed with.

        Raises
        ------
        NodeLost
            If a process is lost, or the source sends nothing in time.
        """
        arrival = self._inlets[source].take(message)
        tensor = arrival.tensor
        if tensor.is_cuda:
            # It was received on another stream, which must not get its memory back too early.
            tensor.record_stream(torch.cuda.current_stream(tensor.device))
        return Arrival(tensor.to(self._wire.device, self._wire.dtype), arrival.sent_at)

    def send(self, target: str, tensor: torch.Tensor, at: float) -> None:
        """Send a tensor, without waiting; `at` is its stamp."""
        self._outlets[target].send(tensor, at)

    def close(self) -> None:
        """Wait until everything is sent.

        Raises
        ------
        NodeLost
            If a process is lost before.
        """
        for link in [*self._outlets.values(), *self._inlets.values()]:
            link.close()


class _PeerFailed(Exception):
    """An operation with the other end of a link failed."""

    def __init__(self, error: RuntimeError) -> None:
        super().__init__(error)
        self.error = error


class _Link:
    """One end of a directed link: a thread that does one operation after the other."""

    def __init__(self, members: Members, peer: str, group: dist.ProcessGroup, wire: Wire) -> None:
        self._watch = members.watch
        self._own = members.node
        self._peer = peer
        self._rank = members.rank_of(peer)
        self._group = group
        self._wire = wire
        self._timeout = members.timeout
        self._stream: torch.cuda.Stream | None = None
        if wire.device.type == "cuda":
            self._stream = torch.cuda.Stream(wire.device)  # type: ignore[no-untyped-call]
        self._thread = threading.Thread(target=self._run, name=f"{type(self).__name__} {peer}", daemon=True)

    def _run(self) -> None:
        try:
            with self._on_stream():
                self._work()
        except _PeerFailed as failed:
            how = first_line(failed.error)
            if timed_out(failed.error):
                self._watch.suspect([self._peer], f"a transfer took too long ({how})", late=True)
            else:
                self._watch.suspect([self._peer], f"its connection broke ({how})")
        except Exception as error:  # whatever it is, it is this node that fails, and says so
            self._watch.report(self._own, described(error))

    def _work(self) -> None:
        raise NotImplementedError

    def _on_stream(self) -> AbstractContextManager[object]:
        """Off the stream that computes, which would otherwise wait for every transfer."""
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)

    def _transfer(self, operation: Callable[..., dist.Work | None], tensor: torch.Tensor) -> None:
        """Send or receive, to the end; NCCL's `wait` alone waits only on the stream."""
        try:
            work = operation(tensor, self._rank, group=self._group)
            assert work is not None, "both ends belong to the group"
            work.wait()
        except RuntimeError as error:
            raise _PeerFailed(error) from None
        if self._stream is not None:
            self._stream.synchronize()

    def close(self) -> None:
        """Wait for the thread."""
        self._watch.notify()
        self._thread.join(self._timeout)
        self._watch.check()
        if self._thread.is_alive():
            self._watch.suspect([self._peer], f"it took nothing for {self._timeout:g} s", late=True)
            self._watch.check()


class _Outlet(_Link):
    """Sends what it is given, in that order."""

    def __init__(self, members: Members, peer: str, group: dist.ProcessGroup, wire: Wire) -> None:
        super().__init__(members, peer, group, wire)
        self._waiting: SimpleQueue[tuple[torch.Tensor, float, torch.cuda.Event | None] | None] = SimpleQueue()
        self._thread.start()

    def send(self, tensor: torch.Tensor, at: float) -> None:
        """Send a tensor as soon as those before it are sent."""
        computed = None
        if self._stream is not None:
            computed = torch.cuda.Event()  # type: ignore[no-untyped-call]
            computed.record(torch.cuda.current_stream(self._wire.device))
        self._waiting.put((tensor, at, computed))

    def close(self) -> None:
        """Wait until everything is sent."""
        self._waiting.put(None)
        super().close()

    def _work(self) -> None:
        while (given := self._waiting.get()) is not None:
            self._send(*given)
            del given  # not kept while waiting for the next

    def _send(self, tensor: torch.Tensor, at: float, computed: torch.cuda.Event | None) -> None:
        if computed is not None and self._stream is not None:
            self._stream.wait_event(computed)
        ready = tensor.to(self._wire.through, self._wire.sent_as).contiguous()
        if self._wire.stamped:
            stamp = torch.tensor([at], dtype=torch.float64)
            self._transfer(dist.isend, stamp)
        self._transfer(dist.isend, ready)


class _Inlet(_Link):
    """Receives the messages of a link in the order in which they are sent, and keeps them until taken.

    A receive is posted while fewer than `_AHEAD` messages wait to be taken, and in any case up to the one
    that an action waits for: if actions take messages in another order than they come, none is held up.
    """

    def __init__(
        self,
        members: Members,
        peer: str,
        group: dist.ProcessGroup,
        wire: Wire,
        messages: Sequence[Message],
    ) -> None:
        super().__init__(members, peer, group, wire)
        self._messages = messages
        self._place: Mapping[Message, int] = {message: i for i, message in enumerate(messages)}
        self._arrived: dict[Message, Arrival] = {}
        # Messages are counted over all iterations.
        self._begun = self._received = self._taken = self._wanted = 0
        self._closed = False
        self._thread.start()

    def begin(self) -> None:
        """Let the messages of one more iteration come in."""
        with self._watch.changed:
            self._begun += len(self._messages)
            self._watch.changed.notify_all()

    def take(self, message: Message) -> Arrival:
        """Wait for a message of the iteration begun last."""
        with self._watch.changed:
            self._wanted = self._begun - len(self._messages) + self._place[message] + 1
            self._watch.changed.notify_all()
            there = self._watch.wait_for(lambda: message in self._arrived, self._timeout)
        if not there:
            # Not while holding the lock: others have to be able to say whom they lost.
            self._watch.suspect([self._peer], f"it sent nothing for {self._timeout:g} s", late=True)
            self._watch.check()
        with self._watch.changed:
            self._taken += 1
            self._watch.changed.notify_all()
            return self._arrived.pop(message)

    def close(self) -> None:
        """Receive no more."""
        self._closed = True
        super().close()

    def _work(self) -> None:
        changed = self._watch.changed
        while True:
            with changed:
                changed.wait_for(lambda: self._closed or self._may_receive())
                if self._closed:
                    return
            arrival = self._receive()
            with changed:
                self._arrived[self._messages[self._received % len(self._messages)]] = arrival
                self._received += 1
                changed.notify_all()
            del arrival  # not kept while waiting for the next

    def _may_receive(self) -> bool:
        few = self._received - self._taken < _AHEAD
        return self._received < self._begun and (few or self._received < self._wanted)

    def _receive(self) -> Arrival:
        stamp = torch.zeros(1, dtype=torch.float64)
        if self._wire.stamped:
            self._transfer(dist.irecv, stamp)
        buffer = torch.empty(self._wire.shape, dtype=self._wire.sent_as, device=self._wire.through)
        self._transfer(dist.irecv, buffer)
        return Arrival(buffer, stamp.item())
