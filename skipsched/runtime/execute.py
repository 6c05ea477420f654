"""One node's part of an iteration: its actions, in the order of the schedule."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.utils.checkpoint import checkpoint

from skipsched.runtime.program import Instruction, Message
from skipsched.runtime.transport import Transport, Wire

#: Inputs and targets of a microbatch, by its id.
Data = Callable[[int], tuple[Tensor, Tensor]]


#: Tells all processes a text, and returns what all of them told.
Gather = Callable[[str], Sequence[str]]


class Pace(Protocol):
    """When iterations and actions begin and end."""

    @property
    def overruns(self) -> int:
        """Actions that took longer than they were to take, so far."""

    def start(self, gather: Gather) -> float:
        """Begin an iteration; returns when, on the monotonic clock."""

    def begin(self, source: str | None, sent_at: float) -> None:
        """Wait until an action may begin whose input left its source at some time."""

    def end(self, op: str) -> float:
        """Wait until the action is over; returns when its output leaves."""

    def finish(self, latest: Callable[[float], float]) -> None:
        """Wait until the stage's all-reduce is over; `latest` gives the latest of its nodes' times."""


class RealPace:
    """Nothing is delayed."""

    overruns = 0

    def start(self, gather: Gather) -> float:  # noqa: ARG002
        """Begin without waiting for others."""
        return time.monotonic()

    def begin(self, source: str | None, sent_at: float) -> None:
        """Begin at once."""

    def end(self, op: str) -> float:  # noqa: ARG002
        """End at once."""
        return 0.0

    def finish(self, latest: Callable[[float], float]) -> None:
        """End at once."""


@dataclass(frozen=True, slots=True)
class _InFlight:
    """What is kept of a microbatch from its forward to its backward.

    Parameters
    ----------
    received
        The forward's input, whose gradient is sent on; None on the data node.
    output
        Where the backward begins. The output itself is not kept, only its place in autograd's graph; None if
        nothing before it is trained.
    """

    received: Tensor | None
    output: GradientEdge | None


class Executor:
    """Runs a node's instructions.

    Autograd's graph is cut where an activation leaves a node: its copy on the next node is a leaf, and the
    leaf's gradient goes back and enters the graph there. The chain rule is the same as in one process.

    Parameters
    ----------
    instructions
        The actions of the node, in the order of execution.
    modules
        The node's part of the model: ``stage``, on data nodes also ``embedding`` and ``head``.
    transport
        Where messages come from and go to.
    pace
        When actions begin and end.
    wire
        What activations are like.
    recompute
        Whether to keep only the input of a forward, and to do it again before the backward.
    """

    def __init__(
        self,
        instructions: Sequence[Instruction],
        modules: nn.ModuleDict,
        transport: Transport,
        pace: Pace,
        wire: Wire,
        recompute: bool,
    ) -> None:
        self._instructions = instructions
        self._modules = modules
        self._transport = transport
        self._pace = pace
        self._shape = wire.shape
        self._device = wire.device
        self._recompute = recompute
        self._in_flight: dict[int, _InFlight] = {}
        self._targets: dict[int, Tensor] = {}
        self._losses: dict[int, Tensor] = {}

    def run(self, data: Data) -> dict[int, float]:
        """Run one iteration; returns the losses of the node's own microbatches.

        Gradients are added up in the parameters.

        Parameters
        ----------
        data
            Inputs and targets of a microbatch, asked for at its first forward.
        """
        self._transport.begin()
        for instruction in self._instructions:
            # A call of its own: between actions no activation is kept by name.
            self._step(instruction, data)
        losses = {microbatch: loss.item() for microbatch, loss in self._losses.items()}
        self._losses.clear()
        return losses

    def _step(self, instruction: Instruction, data: Data) -> None:
        microbatch = instruction.microbatch
        received: Tensor | None = None
        sent_at = 0.0
        if instruction.source is not None:
            arrival = self._transport.take(instruction.source, Message(instruction.op, microbatch))
            received, sent_at = arrival.tensor, arrival.sent_at
        self._pace.begin(instruction.source, sent_at)
        output: Tensor | None
        if instruction.op == "F":
            output = self._forward(microbatch, received, data)
        elif instruction.op == "L":
            output = self._loss(microbatch, received)
        else:
            output = self._backward(microbatch, received)
        left_at = self._pace.end(instruction.op)
        if instruction.target is not None:
            assert output is not None, "only a microbatch's last backward has no output"
            self._transport.send(instruction.target, output, left_at)

    def _forward(self, microbatch: int, received: Tensor | None, data: Data) -> Tensor:
        if received is None:
            inputs, targets = data(microbatch)
            self._targets[microbatch] = targets.to(self._device)
            output = self._checked(self._kept(self._enter, inputs.to(self._device)))
        else:
            output = self._checked(self._kept(self._modules["stage"], received.requires_grad_()))
        edge = get_gradient_edge(output) if output.requires_grad else None
        self._in_flight[microbatch] = _InFlight(received, edge)
        return output.detach()

    def _enter(self, inputs: Tensor) -> Tensor:
        """The first stage on its data node, from tokens on."""
        embedded = self._modules["embedding"](inputs)
        output: Tensor = self._modules["stage"](embedded)
        return output

    def _kept(self, function: Callable[[Tensor], Tensor], given: Tensor) -> Tensor:
        """Apply a function and keep what its backward needs: all of it, or with recomputation its input."""
        if not self._recompute:
            return function(given)
        # It also puts back the state of random numbers, so that dropout falls as it fell.
        output: Tensor = checkpoint(function, given, use_reentrant=False)
        return output

    def _checked(self, output: Tensor) -> Tensor:
        if tuple(output.shape) != self._shape:
            raise ValueError(
                f"the stage gives activations of shape {tuple(output.shape)}, the model says {self._shape}"
            )
        return output

    def _loss(self, microbatch: int, received: Tensor | None) -> Tensor:
        """Head and loss, and at once back through the head: its activations, the largest, live no longer."""
        assert received is not None, "the loss follows a forward on another node"
        loss = self._modules["head"](received.requires_grad_(), self._targets.pop(microbatch))
        loss.backward()
        self._losses[microbatch] = loss.detach()
        return _gradient(received)

    def _backward(self, microbatch: int, gradient: Tensor | None) -> Tensor | None:
        kept = self._in_flight.pop(microbatch)
        if kept.output is not None:
            torch.autograd.backward(kept.output, gradient)
        return None if kept.received is None else _gradient(kept.received)


def _gradient(leaf: Tensor) -> Tensor:
    """The gradient of an activation that came from another node; zero if nothing depends on it."""
    return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
