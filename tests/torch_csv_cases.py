"""Exported pipelines as PyTorch runs them. A crew's processes import this: it leaves the solver alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from runtime_cases import VOCABULARY, WIDTH, Stage, embedding, tokens
from torch import Tensor, nn
from torch.distributed.pipelining import PipelineStage
from torch.distributed.pipelining.schedules import _PipelineScheduleRuntime

from skipsched.runtime import World


@dataclass(frozen=True)
class Executed:
    """What a rank has: gradients by name, and on the one with the head the losses by microbatch."""

    gradients: dict[str, Tensor]
    losses: dict[int, float]


def module(stage: int, last: int) -> nn.Module:
    """What a stage of torch holds; the last one is the head."""
    if stage == last:
        torch.manual_seed(200)
        return nn.Linear(WIDTH, VOCABULARY, dtype=torch.float64)
    middle = Stage(stage, dropout=0.0, seeded=True)
    return nn.Sequential(embedding(), middle) if stage == 0 else middle


def loss_of(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of a microbatch."""
    return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


def gradients_of(modules: dict[int, nn.Module]) -> dict[str, Tensor]:
    return {
        f"{stage}.{name}": parameter.grad
        for stage, made in modules.items()
        for name, parameter in made.named_parameters()
        if parameter.grad is not None
    }


def execute(world: World, folder: str) -> Executed:
    """Run the pipelines of an export for one step, all at once, each in a process group of its own."""
    ranks = json.loads((Path(folder) / "ranks.json").read_text())
    num_stages = ranks["num_stages"]
    own, rank = divmod(world.rank, num_stages - 1)
    pipeline = ranks["pipelines"][own]
    microbatches = pipeline["microbatches"]
    dist.init_process_group("gloo", store=world.store, rank=world.rank, world_size=world.size)
    try:
        sizes = [len(each["ranks"]) for each in ranks["pipelines"]]
        groups = [dist.new_group(range(sum(sizes[:i]), sum(sizes[: i + 1]))) for i in range(len(sizes))]
        modules = {stage: module(stage, num_stages - 1) for stage in pipeline["ranks"][rank]["stages"]}
        stages = [
            PipelineStage(made, k, num_stages, torch.device("cpu"), group=groups[own])
            for k, made in modules.items()
        ]
        schedule = _PipelineScheduleRuntime(  # type: ignore[no-untyped-call]
            stages, len(microbatches), loss_fn=loss_of, scale_grads=False
        )
        schedule._load_csv(str(Path(folder) / pipeline["file"]), format="compute_only")
        inputs, targets = (
            torch.cat(parts) for parts in zip(*(tokens(0, m) for m in microbatches), strict=True)
        )
        losses: list[Tensor] = []
        if rank == 0:
            schedule.step(inputs, target=targets, losses=losses)
        else:
            schedule.step()
        dist.barrier()
        named = dict(zip(microbatches, (loss.item() for loss in losses), strict=True)) if losses else {}
        return Executed(gradients_of(modules), named)
    finally:
        dist.destroy_process_group()


def reference(last: int, microbatches: int) -> tuple[dict[str, Tensor], list[float]]:
    """Gradients summed over all microbatches, and each one's loss: one process, one microbatch at a time."""
    modules = {stage: module(stage, last) for stage in range(last + 1)}
    losses = []
    for microbatch in range(microbatches):
        activation, targets = tokens(0, microbatch)
        for stage in range(last + 1):
            activation = modules[stage](activation)
        loss = loss_of(activation, targets)
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(loss.item())
    return gradients_of(modules), losses
