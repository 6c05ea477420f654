"""Training: step after step, with a log, checkpoints, and a bar on a terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

import torch
from torch import nn
from torch.optim import AdamW, Optimizer

from skipsched.runtime.pipeline import IterationResult, Pipeline, Summary, read_schedule
from skipsched.runtime.train.checkpoint import Checkpoints
from skipsched.runtime.train.model import Shape, language_model
from skipsched.runtime.train.text import Text
from skipsched.runtime.world import refused
from skipsched.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says; each means what its option's help says."""

    schedule: str | None
    node: str | None
    steps: int
    seed: int
    hidden_size: int
    heads: int
    sequence_length: int
    learning_rate: float
    checkpoint: str | None
    checkpoint_every: int
    log: str | None
    recompute: bool
    bf16_transfers: bool
    emulate: bool
    time_scale: float
    device: str
    timeout: float


#: What has to be the same for all processes; what a pipeline is given it compares itself.
_SHARED = (
    "steps",
    "seed",
    "hidden_size",
    "heads",
    "sequence_length",
    "learning_rate",
    "checkpoint_every",
)


def train(settings: Settings) -> None:
    """Train as one of a run's processes.

    Raises
    ------
    InputError
        If settings, schedule and processes do not fit together.
    NodeLost
        If another process is lost.
    OSError
        If log or checkpoints cannot be written.
    """
    schedule = read_schedule(settings.schedule)
    shape = _shape(settings, schedule)
    pipeline = Pipeline(
        language_model(shape, settings.seed),
        partial(_optimizer, settings.learning_rate),
        schedule=schedule,
        node=settings.node,
        device=_device(settings.device),
        recompute=settings.recompute,
        bf16_transfers=settings.bf16_transfers,
        time_scale=settings.time_scale if settings.emulate else None,
        timeout=settings.timeout,
    )
    with pipeline:
        _compare(pipeline, settings)
        text = Text(pipeline.data_nodes, shape.samples, shape.sequence_length, settings.seed)
        checkpoints = None
        if settings.checkpoint is not None:
            checkpoints = Checkpoints(Path(settings.checkpoint), pipeline, shape, settings.seed)
        done = 0 if checkpoints is None else checkpoints.load()
        _set_rate(pipeline.optimizer, settings.learning_rate)
        # One node speaks for all of them.
        speaks = pipeline.writes and pipeline.stage == 0
        if speaks and done > 0:
            _say(f"going on after step {done}, from {settings.checkpoint}")
        with ExitStack() as opened:
            record = opened.enter_context(_recorder(settings, done)) if speaks else _ignore
            for step in range(done + 1, settings.steps + 1):
                record(step, pipeline.iteration(partial(text.microbatch, step)))
                due = step % settings.checkpoint_every == 0 or step == settings.steps
                if checkpoints is not None and due:
                    checkpoints.save(step)
        if done < settings.steps:
            summary = pipeline.summary()
            if speaks:
                _close(settings, summary)
        elif speaks:
            _say(f"nothing to do: --steps {settings.steps} are done")


def _compare(pipeline: Pipeline, settings: Settings) -> None:
    """Refuse processes whose settings differ where they may not: they would not train one model."""
    own: dict[str, object] = {name: getattr(settings, name) for name in _SHARED}
    own["checkpoint"] = "given" if settings.checkpoint is not None else "not given"
    told = [json.loads(text) for text in pipeline.gather("settings", json.dumps([pipeline.node, own]))]
    first, of_first = told[0]
    for name, value in of_first.items():
        other, differs = next((row for row in told if row[1][name] != value), (None, None))
        if differs is not None:
            option = "--" + name.replace("_", "-")
            raise refused(f"{first} and {other} differ in {option}: {value} and {differs[name]}")


def _set_rate(optimizer: Optimizer | None, learning_rate: float) -> None:
    """Take the learning rate that is given, and not that of the checkpoint."""
    if optimizer is not None:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate


def _shape(settings: Settings, schedule: Schedule) -> Shape:
    """The model's shape: its layers and samples are the topology's where that says."""
    if settings.hidden_size % (2 * settings.heads):
        raise refused(
            f"--hidden-size {settings.hidden_size} is no multiple of twice --heads {settings.heads}: "
            "rotary positions turn pairs of numbers"
        )
    workload = schedule.topology().workload
    return Shape(
        layers=workload.stage_layers or (1,) * workload.stages,
        hidden_size=settings.hidden_size,
        heads=settings.heads,
        sequence_length=settings.sequence_length,
        samples=workload.samples or 1,
    )


def _device(kind: str) -> torch.device:
    """The device of this process; GPUs are taken in turn."""
    if kind == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise refused("--device cuda: PyTorch finds no GPU here")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    torch.cuda.set_device(device)
    return device


def _optimizer(learning_rate: float, parameters: Iterable[nn.Parameter]) -> Optimizer:
    return AdamW(parameters, lr=learning_rate)


_Record = Callable[[int, IterationResult], None]


def _ignore(step: int, result: IterationResult) -> None:
    """What nodes do that do not speak."""


@contextmanager
def _recorder(settings: Settings, done: int) -> Iterator[_Record]:
    """Takes each step's result into the log and onto the bar."""
    with ExitStack() as opened:
        log: TextIO | None = None
        if settings.log is not None:
            log = opened.enter_context(Path(settings.log).open("a", encoding="utf-8"))
        show = opened.enter_context(_bar(settings.steps, done))

        def record(step: int, result: IterationResult) -> None:
            if log is not None:
                row = {"step": step, "loss": result.loss, "time": round(result.time, 6)}
                log.write(json.dumps(row) + "\n")
                log.flush()
            show(step, result)

        yield record


@contextmanager
def _bar(steps: int, done: int) -> Iterator[_Record]:
    """A progress bar, on a terminal only."""
    if not sys.stderr.isatty():
        yield _ignore
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("training", total=steps, completed=done)
        yield lambda step, result: bar.update(
            task, completed=step, description=f"loss {result.loss:.4f}  {result.time:.2f} s"
        )


def _close(settings: Settings, summary: Summary) -> None:
    """What was measured, beside what the schedule promises."""
    scaled = f" (times {settings.time_scale:g}, emulated)" if settings.emulate else ""
    _say(
        f"iteration time: {summary.measured:.3f} s measured (median of {summary.iterations}), "
        f"{summary.promised:.3f} s promised{scaled}"
    )
    if summary.overruns:
        _say(f"{summary.overruns} actions took longer than they were to take: a larger --time-scale helps")


def _say(text: str) -> None:
    """A line for a person."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201
