"""PyTorch's compute-only schedules: a CSV file for each pipeline, and how its numbers map back.

They are what ``_PipelineScheduleRuntime._load_csv(file, format="compute_only")`` of
``torch.distributed.pipelining`` reads (2.13): line r has the actions of rank r in their order, each as stage,
``F`` or ``B``, and microbatch. A stage of torch takes its input from the stage before it, and the last one
computes the loss. Here a data node begins a microbatch and computes its loss. So S stages of ours are S + 1
of torch: stages 0 to S - 1 on the ranks 0 to S - 1, and stage S, the head with the loss, on rank 0 again. A
loss of ours is the forward and the backward of that stage: as with us, the activation travels home for it,
and the gradient back.

Torch finds the loss of microbatch m at place m of those it has computed. Microbatches are therefore numbered
in the order of their losses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from skipsched.export.refused import NotExpressible, reason
from skipsched.files.document import document_text
from skipsched.instance import Instance
from skipsched.opened import Opened
from skipsched.plan import Actions, Routes
from skipsched.scheduled import Scheduled
from skipsched.text.diagnostics import Diagnostic

NOTE = (
    "stages are one more in torch: the last one is head and loss, on rank 0 as the first is; see ranks.json"
)
#: Where it stands how ranks and microbatches map back.
RANKS = "ranks.json"
FORMAT = "skipsched.torch-csv/1"


def files(opened: Opened) -> dict[str, str]:
    """The text of each file by its name.

    Raises
    ------
    NotExpressible
        If there are other paths than straight ones through all stages, a data node has several of them, or
        one node serves several data nodes.
    """
    instance, scheduled = opened.instance, opened.scheduled
    routes = scheduled.plan.routes
    reasons = [*_partial(instance, routes), *_several(instance, routes), *_shared(instance, routes)]
    if reasons:
        raise NotExpressible(reasons)
    pipelines = list(dict.fromkeys(routes.paths))
    names = [f"pipeline-{number}.csv" for number in range(len(pipelines))]
    written = {}
    ranks = []
    for name, path in zip(names, pipelines, strict=True):
        microbatches = _numbered(scheduled, path[0])
        written[name] = _csv(scheduled, path, microbatches)
        ranks.append({"file": name, **_ranks(instance, path, microbatches)})
    visited = {n for path in pipelines for n in path}
    written[RANKS] = document_text(
        {
            "format": FORMAT,
            "topology": {"name": opened.topology.name, "sha256": opened.topology.sha256},
            "num_stages": instance.stages + 1,
            "pipelines": ranks,
            "idle": [name for n, name in enumerate(instance.node_ids) if n not in visited],
        }
    )
    return written


def _numbered(scheduled: Scheduled, data_node: int) -> list[int]:
    """The microbatches of a data node in the order of torch's numbers."""
    actions = scheduled.actions
    return [
        action // actions.per_microbatch
        for action in scheduled.plan.order[data_node]
        if actions.operation(action) == "L"
    ]


def _csv(scheduled: Scheduled, path: Sequence[int], microbatches: Sequence[int]) -> str:
    """A pipeline's file: a line for each rank."""
    number = {microbatch: m for m, microbatch in enumerate(microbatches)}
    lines = []
    for rank, node in enumerate(path):
        cells: list[str] = []
        for action in scheduled.plan.order[node]:
            cells += _cells(scheduled.actions, action, rank, len(path), number)
        lines.append(",".join(cells) + "\r\n")
    return "".join(lines)


def _cells(actions: Actions, action: int, stage: int, head: int, number: Mapping[int, int]) -> list[str]:
    """What an action is in torch."""
    m = number[action // actions.per_microbatch]
    operation = actions.operation(action)
    return [f"{head}F{m}", f"{head}B{m}"] if operation == "L" else [f"{stage}{operation}{m}"]


def _ranks(instance: Instance, path: Sequence[int], microbatches: Sequence[int]) -> dict[str, Any]:
    """Who a pipeline's numbers are; its microbatch m is the schedule's ``microbatches[m]``."""
    stages = [[stage] for stage in range(len(path))]
    stages[0].append(len(path))
    return {
        "ranks": [
            {"rank": rank, "node": instance.node_ids[node], "stages": stages[rank]}
            for rank, node in enumerate(path)
        ],
        "microbatches": list(microbatches),
    }


def _partial(instance: Instance, routes: Routes) -> Iterator[Diagnostic]:
    """Each stage follows the one before it."""
    if instance.path_length < instance.stages:
        yield reason(
            "path-length",
            f"paths execute {instance.path_length} of {instance.stages} stages; a stage of torch takes its "
            "input from the stage before it",
            f"set rules.path_length: {instance.stages}, without rules.skip_ratio",
        )
    swapped = [
        microbatch
        for microbatch, path in enumerate(routes.paths)
        if sorted(path, key=routes.allocation.__getitem__) != list(path)
    ]
    if swapped:
        stages = ", ".join(str(routes.allocation[n]) for n in routes.paths[swapped[0]])
        yield reason(
            "swap",
            f"{len(swapped)} of {len(routes.paths)} microbatches take stages out of order (microbatch "
            f"{swapped[0]} goes through {stages})",
            "set rules.max_swaps: 0",
        )


def _several(instance: Instance, routes: Routes) -> Iterator[Diagnostic]:
    """One pipeline has one node for each stage."""
    nodes: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
    for path in routes.paths:
        for node in path:
            nodes[path[0], routes.allocation[node]].add(node)
    replicas = {place: sorted(found) for place, found in nodes.items() if len(found) > 1}
    if replicas:
        (data_node, stage), found = next(iter(replicas.items()))
        names = " and ".join(instance.node_ids[n] for n in found[:2])
        yield reason(
            "path-period",
            f"microbatches of one data node visit several nodes of a stage (those of "
            f"{instance.node_ids[data_node]} visit {names} of stage {stage}); a pipeline has one",
            "set rules.path_period: 1",
        )


def _shared(instance: Instance, routes: Routes) -> Iterator[Diagnostic]:
    """A node is in one pipeline."""
    serves: defaultdict[int, set[int]] = defaultdict(set)
    for path in routes.paths:
        for node in path:
            serves[node].add(path[0])
    shared = {node: sorted(data_nodes) for node, data_nodes in serves.items() if len(data_nodes) > 1}
    if shared:
        node, data_nodes = next(iter(shared.items()))
        names = " and ".join(instance.node_ids[n] for n in data_nodes[:2])
        yield reason(
            "even-nodes",
            f"{len(shared)} of {instance.nodes} nodes serve several data nodes (as {instance.node_ids[node]} "
            f"serves {names}); a pipeline has its nodes to itself",
            "set rules.even_nodes: true and rules.path_period: 1, with as many nodes on every stage as there "
            "are data nodes (workload.stage_sizes) and equally many microbatches",
        )
