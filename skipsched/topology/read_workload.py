"""The `workload` section, and what it and the nodes ask of each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from skipsched.text.diagnostics import Report, did_you_mean, quoted
from skipsched.text.quantities import SIZE, TIME, UnreadableError
from skipsched.text.source import Mark
from skipsched.text.tree import Sequence as List
from skipsched.topology import derive, limits
from skipsched.topology.fields import Fields
from skipsched.topology.model import ModelShape, Rules, Workload
from skipsched.topology.read_nodes import NodesDraft

_KEYS = (
    "stages",
    "layers",
    "stage_layers",
    "stage_sizes",
    "data_nodes",
    "samples_per_microbatch",
    "microbatches",
    "activation",
    "model",
    "backward_ratio",
    "loss_ratio",
    "action_overhead",
    "gradient",
)
_MODEL_KEYS = ("hidden_size", "sequence_length", "dtype", "vocab_size", "ffn_size", "bytes_per_parameter")
DTYPES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2, "float8": 1}
_BYTES_PER_PARAMETER = 16


@dataclass(frozen=True, slots=True)
class WorkloadDraft:
    """The workload as far as it could be read; None stands for absent or bad values."""

    fields: Fields
    stages: int | None
    stage_layers: tuple[int, ...] | None
    stage_sizes: tuple[int, ...] | None
    data_nodes: int | None
    samples: int | None
    microbatches: int | None
    activation: Fraction | None
    model: ModelShape | None
    backward_ratio: Fraction
    loss_ratio: Fraction
    action_overhead: Fraction
    gradient: tuple[Fraction, ...] | None


def read_workload(top: Fields, report: Report, places: dict[str, Mark]) -> WorkloadDraft | None:
    """Read the section; None if there is none."""
    section = top.section("workload", required=True)
    if section is None:
        return None
    fields = Fields(section, "workload", report, _KEYS, places)
    stages = fields.count("stages", 2, limits.MAX_STAGES, required=True)
    sizes, data_nodes = _sizes(fields, stages)
    samples = fields.count("samples_per_microbatch", 1)
    model = _model(fields, report, places)
    backward = fields.number("backward_ratio", positive=True)
    loss = fields.number("loss_ratio", positive=False)
    overhead = fields.quantity("action_overhead", TIME, positive=False)
    return WorkloadDraft(
        fields=fields,
        stages=stages,
        stage_layers=_stage_layers(fields, stages),
        stage_sizes=sizes,
        data_nodes=data_nodes,
        samples=samples,
        microbatches=fields.count("microbatches", 1, limits.MAX_MICROBATCHES, required=True),
        activation=_activation(fields, model, samples),
        model=model,
        backward_ratio=Fraction(2) if backward is None else backward,
        loss_ratio=loss or Fraction(0),
        action_overhead=overhead or Fraction(0),
        gradient=_gradient(fields, stages),
    )


def _stage_layers(fields: Fields, stages: int | None) -> tuple[int, ...] | None:
    layers = fields.count("layers", 1, limits.MAX_LAYERS)
    given = fields.counts("stage_layers", 1, limits.MAX_LAYERS)
    if fields.exclusive("layers", "stage_layers") or stages is None:
        return None
    if given is not None:
        return given if _one_each(fields, "stage_layers", given, stages) else None
    if layers is None:
        return None
    if layers < stages:
        fields.error("count", "layers", f"{layers} layers are too few for {stages} stages")
        return None
    if layers % stages:
        message = f"{layers} layers do not divide evenly into {stages} stages"
        example = [layers // stages + (stage < layers % stages) for stage in range(stages)]
        fields.error("count", "layers", message, f"give stage_layers instead, such as {example}")
        return None
    return (layers // stages,) * stages


def _sizes(fields: Fields, stages: int | None) -> tuple[tuple[int, ...] | None, int | None]:
    """Sizes of all stages if given, and the size of the first."""
    sizes = fields.counts("stage_sizes", 1, limits.MAX_NODES)
    data_nodes = fields.count("data_nodes", 1, limits.MAX_NODES)
    if fields.exclusive("stage_sizes", "data_nodes"):
        return None, None
    if "stage_sizes" not in fields and "data_nodes" not in fields:
        fields.missing("stage_sizes", "data_nodes")
    if sizes is None:
        return None, data_nodes
    if stages is None or not _one_each(fields, "stage_sizes", sizes, stages):
        return None, None
    return sizes, sizes[0]


def _one_each(fields: Fields, key: str, entries: Sequence[object], stages: int) -> bool:
    """Report a list that does not have one entry for every stage. Returns whether it has."""
    if len(entries) != stages:
        plural = "entry" if len(entries) == 1 else "entries"
        fields.error("count", key, f"{len(entries)} {plural} for {stages} stages")
    return len(entries) == stages


def _model(fields: Fields, report: Report, places: dict[str, Mark]) -> ModelShape | None:
    section = fields.section("model", required="model" in fields)
    if section is None:
        return None
    shape = Fields(section, "workload.model", report, _MODEL_KEYS, places)
    hidden = shape.count("hidden_size", 1, required=True)
    sequence = shape.count("sequence_length", 1, required=True)
    vocabulary = shape.count("vocab_size", 1, required=True)
    ffn = shape.count("ffn_size", 1)
    parameter = shape.count("bytes_per_parameter", 1, 1024)

    def reader(text: str) -> int:
        if text not in DTYPES:
            hint = did_you_mean(text, DTYPES)
            raise UnreadableError("type", f"expected one of {', '.join(DTYPES)}, got {quoted(text)}", hint)
        return DTYPES[text]

    width = shape.read(shape.scalar("dtype", required=True), shape.path("dtype"), reader)
    if hidden is None or sequence is None or vocabulary is None or width is None:
        return None
    return ModelShape(
        hidden_size=hidden,
        sequence_length=sequence,
        bytes_per_value=width,
        vocab_size=vocabulary,
        ffn_size=4 * hidden if ffn is None else ffn,
        bytes_per_parameter=_BYTES_PER_PARAMETER if parameter is None else parameter,
    )


def _activation(fields: Fields, model: ModelShape | None, samples: int | None) -> Fraction | None:
    given = fields.quantity("activation", SIZE, positive=True)
    if fields.exclusive("activation", "model"):
        return None
    if "activation" not in fields and "model" not in fields:
        fields.missing("activation", "model")
    if model is None or samples is None:
        return given
    computed = derive.activation(model, samples)
    if computed > limits.MAX_BYTES:
        message = f"its activation of {float(computed):.7g} B is beyond the limit of {limits.MAX_BYTES} B"
        fields.error("limit", "model", message)
        return None
    return computed


def _gradient(fields: Fields, stages: int | None) -> tuple[Fraction, ...] | None:
    """Bytes of gradients stage by stage, from one size for all or a list."""
    if isinstance(fields.entry("gradient"), List):
        sizes = fields.list_of(
            "gradient", "a size", lambda value, where: fields.quantity_of(value, where, SIZE, positive=False)
        )
        if sizes is None or stages is None or not _one_each(fields, "gradient", sizes, stages):
            return None
        return sizes
    size = fields.quantity("gradient", SIZE, positive=False)
    return None if stages is None else (size or Fraction(0),) * stages


def check_together(
    draft: WorkloadDraft | None, nodes: NodesDraft, rules: Rules | None, report: Report
) -> Workload | None:
    """Check what concerns workload, nodes and rules together; the finished workload if nothing is wrong."""
    if draft is None:
        return None
    _check_sizes(draft, nodes)
    _check_pins(draft, nodes)
    _check_emitters(draft, nodes)
    _check_required(draft, nodes)
    _check_durations(draft, nodes)
    if rules is not None:
        _check_actions(draft, nodes, rules)
    if report.failed or draft.stages is None or draft.data_nodes is None:
        return None
    if draft.activation is None or draft.gradient is None:
        return None
    return Workload(
        stages=draft.stages,
        stage_layers=draft.stage_layers,
        stage_sizes=draft.stage_sizes,
        data_nodes=draft.data_nodes,
        samples=draft.samples,
        activation=draft.activation,
        model=draft.model,
        backward_ratio=draft.backward_ratio,
        loss_ratio=draft.loss_ratio,
        action_overhead=draft.action_overhead,
        gradient=draft.gradient,
    )


def _room(draft: WorkloadDraft, nodes: int) -> list[int] | None:
    """The most nodes each stage can hold; None if that cannot be told."""
    if draft.stage_sizes is not None:
        return list(draft.stage_sizes)
    if draft.stages is None or draft.data_nodes is None:
        return None
    return [draft.data_nodes] + [nodes - draft.data_nodes - (draft.stages - 2)] * (draft.stages - 1)


def _check_sizes(draft: WorkloadDraft, nodes: NodesDraft) -> None:
    """Report sizes that do not sum to the nodes."""
    if not nodes.counted:
        return
    total = len(nodes.nodes)
    if draft.stage_sizes is not None:
        if sum(draft.stage_sizes) != total:
            message = f"the sizes sum to {sum(draft.stage_sizes)}, but there are {total} nodes"
            draft.fields.error("count", "stage_sizes", message)
    elif draft.stages is not None and draft.data_nodes is not None:
        others = draft.stages - 1
        if draft.data_nodes + others > total:
            message = (
                f"{draft.data_nodes} in the first stage and one in each of the {others} others are more than "
            )
            draft.fields.error("count", "data_nodes", message + f"the {total} nodes there are")


def _check_pins(draft: WorkloadDraft, nodes: NodesDraft) -> None:
    """Report stages to which more nodes are pinned than they hold."""
    total = len(nodes.nodes)
    room = _room(draft, total)
    if room is None or not nodes.counted or min(room) < 1:
        return
    pins: Counter[int] = Counter()
    for group in nodes.groups:
        stage = group.nodes[0].stage
        if stage is None or stage >= len(room):
            continue
        before, pins[stage] = pins[stage], pins[stage] + len(group.nodes)
        if before <= room[stage] < pins[stage]:
            message = f"more nodes are pinned to stage {stage} than the {room[stage]} it can hold"
            group.fields.error("pin", "stage", message)


def _check_emitters(draft: WorkloadDraft, nodes: NodesDraft) -> None:
    """Report data nodes none of which can emit a microbatch."""
    if draft.microbatches is None or draft.data_nodes is None or not nodes.counted:
        return
    pinned = [node for node in nodes.nodes if node.stage == 0]
    free = [node for node in nodes.nodes if node.stage is None] if len(pinned) < draft.data_nodes else []
    if (pinned or free) and not any(node.microbatches for node in pinned + free):
        message = "no node that may become a data node emits any microbatch: their own `microbatches` are 0"
        draft.fields.error("range", "microbatches", message)


def _check_required(draft: WorkloadDraft, nodes: NodesDraft) -> None:
    """Report figures that other figures need."""
    fields = draft.fields
    given = (g.fields for g in nodes.groups if "layer_time" in g.fields and "forward_time" not in g.fields)
    by_layer = next((entry.where for entry in given), None)
    needed = None
    if by_layer is not None:
        needed = f", and {by_layer} gives `layer_time`"
    elif "model" in fields:
        needed = ", and `model` is used"
    if needed is not None:
        if "layers" not in fields and "stage_layers" not in fields:
            fields.missing("layers", "stage_layers", why=needed)
        if "samples_per_microbatch" not in fields:
            fields.missing("samples_per_microbatch", why=needed)
    in_bytes = next((g.fields for g in nodes.groups if g.nodes[0].memory is not None), None)
    if in_bytes is not None and "model" not in fields:
        hint = "give workload.model in place of `activation`, or the memory as a number of slots"
        in_bytes.error("missing-key", "memory", "memory in bytes needs `workload.model`", hint)


def _check_durations(draft: WorkloadDraft, nodes: NodesDraft) -> None:
    """Refuse actions of absurd length."""
    ratio = max(draft.backward_ratio, draft.loss_ratio, Fraction(1))
    for group in nodes.groups:
        node = group.nodes[0]
        if node.forward_time is not None:
            key, longest = "forward_time", node.forward_time * ratio
        elif node.layer_time is not None and draft.stage_layers is not None and draft.samples is not None:
            key, longest = "layer_time", node.layer_time * max(draft.stage_layers) * draft.samples * ratio
        else:
            continue
        if longest > limits.MAX_SECONDS:
            message = f"makes an action of {float(longest):.7g} s, beyond the limit of {limits.MAX_SECONDS} s"
            group.fields.error("limit", key, message)


def _check_actions(draft: WorkloadDraft, nodes: NodesDraft, rules: Rules) -> None:
    """Refuse iterations of more actions than the program handles."""
    if draft.data_nodes is None or draft.microbatches is None:
        return
    pinned = [node.microbatches for node in nodes.nodes if node.stage == 0]
    free = sorted((node.microbatches for node in nodes.nodes if node.stage is None), reverse=True)
    emitted = [*pinned, *free][: draft.data_nodes]
    actions = sum(emitted) * (2 * rules.path_length + 1)
    if actions > limits.MAX_ACTIONS:
        message = f"makes up to {actions} actions an iteration, beyond the limit of {limits.MAX_ACTIONS}"
        draft.fields.error("limit", "microbatches", message)
