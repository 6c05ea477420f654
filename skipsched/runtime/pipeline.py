"""The object that a training program makes, one in each process: it runs iterations of a schedule."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Self

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim import Optimizer

from skipsched.instance import MICROSECONDS, Instance
from skipsched.runtime.average import Weighting, average, divisor
from skipsched.runtime.emulate import EmulatedPace
from skipsched.runtime.execute import Data, Executor, Pace, RealPace
from skipsched.runtime.model import Model
from skipsched.runtime.program import Programs
from skipsched.runtime.transport import Transport, Wire
from skipsched.runtime.world import Members, World, ends_well, refused
from skipsched.schedule import Schedule
from skipsched.topology.model import document_hash

#: Where `skipsched launch` says which schedule to run.
SCHEDULE_VARIABLE = "SKIPSCHED_SCHEDULE"
#: Iterations that a summary leaves out: connections, caches and memory are new to them.
_WARM_UP = 2
#: The latest iterations, which a summary is of.
_MEASURED = 1000
#: Seconds that a timeout lies between. With a shorter one a machine that is busy would pass for lost.
_TIMEOUTS = (10.0, 1e6)


@dataclass(frozen=True, slots=True)
class IterationResult:
    """What an iteration gave on one node.

    Parameters
    ----------
    loss
        Mean loss of all microbatches of the iteration; None on nodes that are no data nodes.
    losses
        The loss of each microbatch, by id; empty on nodes that are no data nodes.
    time
        Seconds from its start to the end of the stage's all-reduce.
    """

    loss: float | None
    losses: Mapping[int, float]
    time: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Measured against promised.

    Parameters
    ----------
    iterations
        How many were measured: the latest ones, without the first, which warm up.
    measured
        Median of their iteration times in seconds, each the longest of all nodes.
    promised
        The schedule's iteration time in seconds, scaled where the network is emulated.
    overruns
        Emulated actions, of all iterations and nodes, whose computing took longer than they were to take.
    """

    iterations: int
    measured: float
    promised: float
    overruns: int


class Pipeline:
    """Runs iterations of a schedule, together with the pipelines of the other nodes.

    Use it in a ``with`` statement: at its end a pipeline waits for the others, and if it ends with an
    exception, the others are told.

    Parameters
    ----------
    model
        The model.
    optimizer
        Makes the optimizer of the parameters that this node holds.
    schedule
        The schedule or its file; the file that the environment variable `SKIPSCHED_SCHEDULE` names if None.
    node
        The node of this process; the one at the place of its rank in the topology if None.
    device
        Where to compute.
    weighting
        ``executed``: the sum of a stage's gradients is divided by the number of microbatches that the stage
        executed; ``total``: by the number of all microbatches.
    recompute
        Whether to keep only the inputs of forwards, and to do them again before the backwards.
    bf16_transfers
        Whether activations and their gradients travel in bfloat16.
    time_scale
        If given, network and durations of the topology are emulated, times this. All processes have to be on
        one machine.
    timeout
        Seconds after which a process that does not answer, or a message that does not come, ends the run; 10
        at least. It has to exceed the duration of an iteration.
    world
        The processes; those that the environment names if None.

    Raises
    ------
    InputError
        If the schedule is not valid, or does not fit the model or the processes. Nothing is started then.
    NodeLost
        If a process does not come.
    """

    def __init__(
        self,
        model: Model,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
        *,
        schedule: Schedule | str | Path | None = None,
        node: str | None = None,
        device: torch.device | str = "cpu",
        weighting: Weighting = "executed",
        recompute: bool = False,
        bf16_transfers: bool = False,
        time_scale: float | None = None,
        timeout: float = 300.0,
        world: World | None = None,
    ) -> None:
        if not _TIMEOUTS[0] <= timeout <= _TIMEOUTS[1]:
            raise refused(
                "the timeout is {:g} s, and not between {:.0f} and {:.0f} s".format(timeout, *_TIMEOUTS)
            )
        schedule = read_schedule(schedule)
        programs = Programs.of(schedule)
        if len(programs.stages) != model.stages:
            raise refused(f"the schedule has {len(programs.stages)} stages, the model has {model.stages}")
        self._device = torch.device(device)
        self._through = _sends_from(self._device, time_scale)
        agreed = {
            "schedule": document_hash(schedule.document),
            "activations": f"{model.activation} of {model.dtype}",
            "bf16_transfers": str(bf16_transfers),
            "weighting": weighting,
            "time_scale": str(time_scale),
            "the device that sends": self._through.type,
        }
        world = World.join(len(programs.nodes), timeout) if world is None else world
        backend = "nccl" if self._through.type == "cuda" else "gloo"
        self._members = Members(world, programs.nodes, node, agreed, backend, timeout)
        #: The node of this process, and its stage.
        self.node = self._members.node
        self.stage = programs.stage_of(self.node)
        self._programs = programs
        self._executes = programs.executed[self.stage] > 0
        self._divisor = divisor(weighting, programs.executed[self.stage], len(programs.data_nodes))
        self._promised = schedule.document["iteration_time"] * (time_scale or 1.0) / MICROSECONDS
        self._iterations = 0
        self._times: deque[float] = deque(maxlen=_MEASURED)
        self._pace: Pace = RealPace()
        if time_scale is not None:
            instance = Instance.of(schedule.topology())
            self._pace = EmulatedPace(instance, programs, self.node, time_scale, self._device)
        sent_as = torch.bfloat16 if bf16_transfers else model.dtype
        stamped = time_scale is not None
        wire = Wire(model.activation, model.dtype, sent_as, self._device, self._through, stamped)
        try:
            self._connect(model, optimizer, wire, recompute)
        except BaseException as error:
            self._members.leave_after(error)
            raise

    def _connect(
        self,
        model: Model,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
        wire: Wire,
        recompute: bool,
    ) -> None:
        """Make what needs the other nodes: groups, equal parameters, links."""
        self._group = self._stage_group()
        #: What this node holds of the model: ``stage``, on data nodes also ``embedding`` and ``head``.
        self.modules = _made(model, self.stage).to(self._device)
        self._make_equal()
        self._parameters = [p for p in self.modules.parameters() if p.requires_grad]
        #: The optimizer of the node's parameters; None if none of them is trained.
        self.optimizer = optimizer(self._parameters) if self._parameters else None
        self._transport = Transport(self._members, self._programs, wire)
        instructions = self._programs.instructions[self.node]
        self._executor = Executor(instructions, self.modules, self._transport, self._pace, wire, recompute)

    @property
    def data_nodes(self) -> tuple[str, ...]:
        """The data node of each microbatch, by the microbatch's id."""
        return self._programs.data_nodes

    @property
    def writes(self) -> bool:
        """Whether this node is the one of its stage that writes checkpoints: all of them hold the same."""
        return self.node == self._programs.stages[self.stage][0]

    def iteration(self, data: Data) -> IterationResult:
        """Run one iteration: all actions, the average of gradients, a step of the optimizer.

        A stage that executes no microbatch keeps its parameters. Elsewhere a parameter that no microbatch
        touched has a gradient of zeros, on every node of the stage alike.

        Parameters
        ----------
        data
            Inputs and targets of a microbatch, by its id; asked for on its data node when its forward begins.

        Raises
        ------
        NodeLost
            If a process is lost; the message names its node.
        """
        started = self._pace.start(lambda text: self.gather(f"start {self._iterations}", text))
        own = self._executor.run(data)
        losses = self._shared(own)
        if self._executes:
            average(self._parameters, self._divisor, None if self._group is None else self._add_up)
        self._pace.finish(self._latest)
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        self._times.append(time.monotonic() - started)
        self._iterations += 1
        if self.optimizer is not None:
            if self._executes:
                self.optimizer.step()
            self.optimizer.zero_grad()
        loss = sum(losses.values()) / len(losses) if losses else None
        return IterationResult(loss, losses, self._times[-1])

    def gather(self, key: str, text: str) -> list[str]:
        """Tell all nodes a text; returns what all told, in the same order on each.

        All nodes gather the same keys, one after the other. Nobody is too late.

        Raises
        ------
        NodeLost
            If a process is lost.
        """
        return self._members.gather(f"told/{key}", text)

    def summary(self) -> Summary:
        """What was measured so far, beside what the schedule promises. All nodes call it together."""
        told = self.gather("summary", json.dumps([list(self._times), self._pace.overruns]))
        times, overruns = zip(*map(json.loads, told), strict=True)
        slowest = [max(of_nodes) for of_nodes in zip(*times, strict=True)]
        forgotten = self._iterations - len(self._times)
        measured = slowest[max(0, _WARM_UP - forgotten) :] or slowest
        return Summary(len(measured), median(measured), self._promised, sum(overruns))

    def close(self) -> None:
        """Part from the other nodes when all are done.

        Raises
        ------
        NodeLost
            If a process is lost before.
        """
        self._transport.close()
        self._members.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None and not ends_well(error):
            self._members.leave_after(error)
            return
        try:
            self.close()
        except BaseException as failed:
            self._members.leave_after(failed)
            raise

    def _stage_group(self) -> dist.ProcessGroup | None:
        """The group of the nodes of this one's stage; None if it is alone."""
        # All processes make the groups of all stages.
        groups = [self._members.group(nodes) if len(nodes) > 1 else None for nodes in self._programs.stages]
        return groups[self.stage]

    def _make_equal(self) -> None:
        """Let all nodes of the stage begin with what the first of them holds."""
        if self._group is None:
            return
        first = self._members.rank_of(self._programs.stages[self.stage][0])
        for tensor in [*self.modules.parameters(), *self.modules.buffers()]:
            sent = tensor.detach().to(self._through)
            with self._together():
                self._members.wait(dist.broadcast(sent, first, group=self._group, async_op=True))
            tensor.detach().copy_(sent)

    def _shared(self, own: Mapping[int, float]) -> dict[int, float]:
        """The losses of all microbatches, on data nodes; exchanged within the first stage."""
        if self.stage != 0 or self._group is None:
            return dict(own)
        losses = torch.zeros(len(self._programs.data_nodes), dtype=torch.float64)
        for microbatch, loss in own.items():
            losses[microbatch] = loss
        return dict(enumerate(self._add_up(losses).tolist()))

    def _add_up(self, tensor: Tensor) -> Tensor:
        """The sum of a tensor over the nodes of the stage."""
        return self._reduced(tensor, dist.ReduceOp.SUM)

    def _latest(self, at: float) -> float:
        """The latest of a time of each node of the stage."""
        if self._group is None:
            return at
        return self._reduced(torch.tensor([at], dtype=torch.float64), dist.ReduceOp.MAX).item()

    def _reduced(self, tensor: Tensor, operation: dist.ReduceOp.RedOpType) -> Tensor:
        sent = tensor.to(self._through)
        with self._together():
            self._members.wait(dist.all_reduce(sent, operation, group=self._group, async_op=True))
        return sent.to(tensor.device)

    def _together(self) -> AbstractContextManager[None]:
        nodes = self._programs.stages[self.stage]
        return self._members.together(nodes, f"the all-reduce of stage {self.stage}")


def read_schedule(schedule: Schedule | str | Path | None) -> Schedule:
    """The schedule to run: one that is given, a file's, or that of the file that the environment names.

    Raises
    ------
    InputError
        If there is none, or it cannot be read.
    """
    if isinstance(schedule, Schedule):
        return schedule
    path = os.environ.get(SCHEDULE_VARIABLE) if schedule is None else schedule
    if not path:
        raise refused(f"no schedule: none is given, and {SCHEDULE_VARIABLE} is not set")
    return Schedule.read(path)


def _sends_from(device: torch.device, time_scale: float | None) -> torch.device:
    """The device that tensors are sent from.

    The GPU itself, through NCCL, if every process of this machine has one of its own and nothing is emulated:
    emulated messages are stamped with a time, on the CPU, which NCCL does not send from.
    """
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    own = device.type == "cuda" and torch.cuda.device_count() >= here
    return device if own and time_scale is None and dist.is_nccl_available() else torch.device("cpu")


def _made(model: Model, stage: int) -> nn.ModuleDict:
    """The parts of a model that a node of some stage holds."""
    if stage > 0:
        return nn.ModuleDict({"stage": model.stage(stage)})
    return nn.ModuleDict({"embedding": model.embedding(), "stage": model.stage(0), "head": model.head()})
