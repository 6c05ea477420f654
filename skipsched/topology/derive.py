"""What follows from a topology: exact forward times, memory per stage, slots, path length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from skipsched.topology.model import ModelShape, Node, Workload


@dataclass(frozen=True, slots=True)
class StageMemory:
    """Bytes that one stage takes on a node, by the formulas of `stage_memory`."""

    parameters: int
    state: int
    footprint: int


def path_length(stages: int, skip_ratio: Fraction) -> int:
    """Stages a path executes: ``S - ceil(S * skip_ratio - 1/2)``, to the nearest, a half skipping fewer."""
    return stages - math.ceil(stages * skip_ratio - Fraction(1, 2))


def forward_time(node: Node, stage: int, workload: Workload) -> Fraction:
    """Seconds of one forward of one microbatch on a node holding a stage, exactly."""
    if node.forward_time is not None:
        return node.forward_time
    assert node.layer_time is not None and workload.stage_layers is not None and workload.samples is not None
    return node.layer_time * workload.stage_layers[stage] * workload.samples


def stage_memory(model: ModelShape, stage: int, layers: int, samples: int) -> StageMemory:
    """Bytes of a stage's training state, and of one microbatch in flight on it.

    Per layer of a decoder with gated feed-forward: ``4*h*h + 3*h*f + 2*h`` parameters; the first stage
    adds embedding, head and final norm, ``2*v*h + h``. One microbatch in flight keeps ``17*e*s*b*h`` bytes
    per layer (Korthikanti et al. 2022, the attention matrix not stored), on the first stage also the logits
    ``e*s*b*v``.
    """
    h, f, s = model.hidden_size, model.ffn_size, model.sequence_length
    parameters = layers * (4 * h * h + 3 * h * f + 2 * h)
    footprint = 17 * model.bytes_per_value * s * samples * h * layers
    if stage == 0:
        parameters += 2 * model.vocab_size * h + h
        footprint += model.bytes_per_value * s * samples * model.vocab_size
    return StageMemory(parameters, model.bytes_per_parameter * parameters, footprint)


def stage_memories(workload: Workload) -> tuple[StageMemory, ...] | None:
    """Memory of every stage, or None where the topology gives no model."""
    if workload.model is None:
        return None
    assert workload.stage_layers is not None and workload.samples is not None
    return tuple(
        stage_memory(workload.model, stage, layers, workload.samples)
        for stage, layers in enumerate(workload.stage_layers)
    )


def slots(node: Node, stage: int, memories: Sequence[StageMemory] | None) -> int:
    """Memory slots of a node holding a stage; 0 if its memory does not even hold the stage and one slot."""
    if node.slots is not None:
        return node.slots
    assert node.memory is not None and memories is not None
    memory = memories[stage]
    return max(0, math.floor((node.memory - memory.state) / memory.footprint))


def activation(model: ModelShape, samples: int) -> Fraction:
    """Bytes of one microbatch between stages: ``e*s*b*h``."""
    return Fraction(model.bytes_per_value * model.sequence_length * samples * model.hidden_size)
