"""Processes that run schedules together, for the tests of the runtime.

Importing torch takes seconds, so the processes are forked from one that has done so, and a crew of them runs
many cases. They import this module, which therefore leaves the solver alone: schedules come from
`runtime_documents`.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from io import StringIO
from itertools import count
from multiprocessing.connection import Connection
from socket import socket
from typing import Any
from unittest import mock

import torch
import torch._dynamo  # what an optimizer imports when it is made first
from torch import Tensor, nn
from torch.distributed import TCPStore  # type: ignore[attr-defined]
from torch.distributed.distributed_c10d import PrefixStore
from torch.optim import AdamW, Optimizer

from skipsched.processes import environment
from skipsched.runtime import Model, Pipeline, Summary, World
from skipsched.runtime import pipeline as pipelines
from skipsched.runtime.average import Weighting
from skipsched.runtime.train.command import run
from skipsched.schedule import Schedule

#: Seconds after which a crew is stuck.
STUCK = 60.0
BATCH, LENGTH, WIDTH, VOCABULARY = 2, 3, 4, 11
ITERATIONS = 2


class Stage(nn.Module):
    """A small stage, with a parameter that nothing touches."""

    def __init__(self, stage: int, dropout: float, seeded: bool) -> None:
        super().__init__()
        if seeded:
            torch.manual_seed(stage)
        else:
            torch.seed()
        self.linear = nn.Linear(WIDTH, WIDTH, dtype=torch.float64)
        self.dropout = nn.Dropout(dropout)
        self.idle = nn.Parameter(torch.ones(2, dtype=torch.float64))

    def forward(self, activation: Tensor) -> Tensor:
        """An activation from an activation."""
        output: Tensor = activation + self.dropout(torch.tanh(self.linear(activation)))
        return output


class Head(nn.Module):
    """Logits and mean cross-entropy."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(200)
        self.linear = nn.Linear(WIDTH, VOCABULARY, dtype=torch.float64)

    def forward(self, activation: Tensor, targets: Tensor) -> Tensor:
        """The loss."""
        return nn.functional.cross_entropy(self.linear(activation).flatten(0, 1), targets.flatten())


def embedding() -> nn.Module:
    """A small embedding."""
    torch.manual_seed(100)
    return nn.Embedding(VOCABULARY, WIDTH, dtype=torch.float64)


def optimizer(parameters: Iterable[nn.Parameter]) -> Optimizer:
    """One with a state, and with weight decay: it changes what has a gradient of zeros."""
    return AdamW(parameters, lr=1e-2, weight_decay=0.1, eps=1e-4)


def model(stages: int, dropout: float = 0.0, seeded: bool = True) -> Model:
    """A small model in double precision."""
    return Model(
        stages=stages,
        stage=lambda stage: Stage(stage, dropout, seeded),
        embedding=embedding,
        head=Head,
        activation=(BATCH, LENGTH, WIDTH),
        dtype=torch.float64,
    )


def tokens(iteration: int, microbatch: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets."""
    chance = torch.Generator().manual_seed(1000 * iteration + microbatch)
    drawn = torch.randint(VOCABULARY, (BATCH, LENGTH + 1), generator=chance)
    return drawn[:, :-1], drawn[:, 1:]


#: Parameters of each stage (of the first with embedding and head), and mean losses of the iterations.
State = dict[str, Tensor]


def reference(schedule: Schedule, weighting: Weighting) -> tuple[list[State], list[float]]:
    """What one process makes of the schedule's paths: no messages, no order, autograd through all of it."""
    microbatches = schedule.document["microbatches"]
    made = model(len(schedule.document["stages"]))
    held = [nn.ModuleDict({"stage": made.stage(stage)}) for stage in range(made.stages)]
    held[0] = nn.ModuleDict({"embedding": made.embedding(), "stage": held[0]["stage"], "head": made.head()})
    optimizers = [optimizer(modules.parameters()) for modules in held]
    executed = [sum(stage in m["stages"] for m in microbatches) for stage in range(made.stages)]
    losses = []
    for iteration in range(ITERATIONS):
        of_iteration = []
        for entry in microbatches:
            inputs, targets = tokens(iteration, entry["id"])
            activation = held[0]["embedding"](inputs)
            for stage in entry["stages"]:
                activation = held[stage]["stage"](activation)
            loss = held[0]["head"](activation, targets)
            loss.backward()
            of_iteration.append(loss.item())
        for stage, modules in enumerate(held):
            if executed[stage] == 0:
                continue
            for parameter in modules.parameters():
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                parameter.grad /= executed[stage] if weighting == "executed" else len(microbatches)
            optimizers[stage].step()
            optimizers[stage].zero_grad()
        losses.append(sum(of_iteration) / len(of_iteration))
    return [dict(modules.state_dict()) for modules in held], losses


@dataclass(frozen=True)
class Ran:
    """What a node has after its iterations."""

    node: str
    stage: int
    state: State
    losses: list[float | None]


def run_case(
    world: World,
    document: Mapping[str, Any],
    dropout: float = 0.0,
    seeded: bool = True,
    nodes: Sequence[str] | None = None,
    **options: Any,
) -> Ran:
    """Run the iterations of a schedule in one of its processes; `nodes` are those of the ranks."""
    made = model(len(document["stages"]), dropout, seeded)
    options["node"] = None if nodes is None else nodes[world.rank]
    with Pipeline(
        made, optimizer, schedule=Schedule(document), world=world, timeout=STUCK / 2, **options
    ) as pipeline:
        torch.manual_seed(world.rank)
        losses = [pipeline.iteration(partial(tokens, iteration)).loss for iteration in range(ITERATIONS)]
        return Ran(pipeline.node, pipeline.stage, dict(pipeline.modules.state_dict()), losses)


@dataclass(frozen=True)
class Raised:
    """An exception, as text."""

    kind: str
    said: str
    traceback: str


class Crew:
    """Processes that wait for cases."""

    def __init__(self, size: int) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["runtime_cases"])
        self._store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        self._cases = 0
        self._pipes: list[Connection] = []
        self.processes = []
        for _ in range(size):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, self._store.port), daemon=True)
            # The server that forks them finds modules by its environment alone.
            with mock.patch.dict(os.environ, environment()):
                process.start()
            theirs.close()
            self._pipes.append(ours)
            self.processes.append(process)

    def call(self, size: int, function: Callable[..., Any], *arguments: Any, **options: Any) -> list[Any]:
        """What a function of the first processes' worlds returns in each, or what it raised."""
        self.begin(size, function, *arguments, **options)
        return [self.end(rank) for rank in range(size)]

    def begin(self, size: int, function: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        """Begin a case."""
        self._cases += 1
        for rank in range(size):
            self._pipes[rank].send((self._cases, rank, size, function, arguments, options))

    def end(self, rank: int) -> Any:
        """What a process made of the case."""
        assert self._pipes[rank].poll(STUCK), f"rank {rank} is stuck"
        return self._pipes[rank].recv()

    def close(self) -> None:
        """End the processes."""
        for process in self.processes:
            process.kill()
            process.join()


@contextmanager
def crew(size: int) -> Iterator[Crew]:
    """A crew that is gone at the end."""
    made = Crew(size)
    try:
        yield made
    finally:
        made.close()


def _work(pipe: Connection, port: int) -> None:
    torch.set_num_threads(1)
    store = TCPStore("127.0.0.1", port, is_master=False, timeout=timedelta(seconds=STUCK))
    while True:
        try:
            case, rank, size, function, arguments, options = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(function(World(PrefixStore(f"case {case}", store), rank, size), *arguments, **options))
        except Exception as error:
            pipe.send(Raised(type(error).__name__, str(error), traceback.format_exc()))


def emulate_case(world: World, document: Mapping[str, Any], scale: float, iterations: int) -> Summary:
    """Run iterations of a schedule at its expected pace."""
    made = model(len(document["stages"]))
    with Pipeline(
        made, optimizer, schedule=Schedule(document), world=world, timeout=STUCK, time_scale=scale
    ) as pipeline:
        for iteration in range(iterations):
            pipeline.iteration(partial(tokens, iteration))
        return pipeline.summary()


def refused_case(
    world: World,
    document: Mapping[str, Any],
    nodes: Sequence[str],
    weightings: Sequence[Weighting] = ("executed", "executed"),
) -> None:
    """Set up a pipeline that is refused; nodes and weightings are those of the ranks."""
    Pipeline(
        model(len(document["stages"])),
        optimizer,
        schedule=Schedule(document),
        world=world,
        node=nodes[world.rank],
        weighting=weightings[world.rank],
        timeout=STUCK / 2,
    )


def early_case(world: World, document: Mapping[str, Any]) -> list[str]:
    """Gather, one of the processes later than the timeout."""
    made = model(len(document["stages"]))
    with (
        mock.patch.object(pipelines, "_TIMEOUTS", (0.0, STUCK)),
        Pipeline(made, optimizer, schedule=Schedule(document), world=world, timeout=2.0) as pipeline,
    ):
        if world.rank == 1:
            time.sleep(2.2)
        return pipeline.gather("early", pipeline.node)


def untrained_case(world: World, document: Mapping[str, Any]) -> None:
    """Run iterations of a model in which only embedding and head are trained."""
    made = replace(model(len(document["stages"])), stage=lambda _: nn.Identity())
    with Pipeline(made, optimizer, schedule=Schedule(document), world=world, timeout=STUCK / 2) as pipeline:
        for iteration in range(ITERATIONS):
            pipeline.iteration(partial(tokens, iteration))


def endless_case(world: World, document: Mapping[str, Any]) -> None:
    """Run iterations until something happens."""
    made = model(len(document["stages"]))
    with Pipeline(made, optimizer, schedule=Schedule(document), world=world, timeout=12.0) as pipeline:
        for iteration in count():
            pipeline.iteration(partial(tokens, iteration))


@dataclass(frozen=True)
class Trained:
    """What a process of the reference trainer left."""

    code: int
    said: str


def train_case(world: World, port: int, *arguments: str) -> Trained:
    """Run the reference trainer as if a launcher had started it."""
    os.environ |= {
        "RANK": str(world.rank),
        "LOCAL_RANK": str(world.rank),
        "WORLD_SIZE": str(world.size),
        "LOCAL_WORLD_SIZE": str(world.size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    with redirect_stderr(StringIO()) as said, mock.patch.object(sys, "argv", ["train", *arguments]):
        code = run()
    return Trained(code, said.getvalue())


def free_port() -> int:
    """A port that nobody listens on."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
