"""Plan and times -> the schedule's document, ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from skipsched.instance import Instance
from skipsched.scheduled import Scheduled
from skipsched.topology.model import Topology

FORMAT = "skipsched.schedule/1"


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a schedule came about: the document's `solver` block and its bound.

    Parameters
    ----------
    version, status, stop_reason, seed, workers, restricted_to
        As in the document.
    wall_time
        Seconds; None where the schedule must not depend on a clock.
    lower_bound
        Microseconds; None if there is none.
    bound_kind
        Which argument gave it.
    robust
        How it was chosen by simulation; None if it was not.
    """

    version: str
    status: str
    stop_reason: str
    seed: int
    workers: int
    wall_time: float | None
    restricted_to: tuple[str, ...]
    lower_bound: int | None
    bound_kind: str | None
    robust: Mapping[str, float] | None = None


def document_of(
    topology: Topology, instance: Instance, scheduled: Scheduled, provenance: Provenance
) -> dict[str, Any]:
    """The document of a schedule (`formats.md`, schedule.json)."""
    routes = scheduled.plan.routes
    ids = instance.node_ids
    time = scheduled.objective.iteration_time
    bound = provenance.lower_bound
    document: dict[str, Any] = {
        "format": FORMAT,
        "topology": {
            "name": topology.name,
            "sha256": topology.sha256,
            "document": topology.document,
        },
        "solver": {
            "version": provenance.version,
            "status": provenance.status,
            "stop_reason": provenance.stop_reason,
            "seed": provenance.seed,
            "workers": provenance.workers,
            "wall_time": provenance.wall_time,
            "restricted_to": list(provenance.restricted_to),
        },
        "iteration_time": time,
        "makespan": scheduled.objective.makespan,
        "lower_bound": bound,
        "bound_kind": provenance.bound_kind,
        "gap": None if bound is None else gap(time, bound),
        "bubble_ratio": bubble_ratio(sum(scheduled.actions.duration), instance.nodes, time),
        "stages": [[ids[n] for n in members] for members in routes.members(instance.stages)],
        "microbatches": [
            {
                "id": microbatch,
                "data_node": ids[path[0]],
                "path": [ids[n] for n in path],
                "stages": [routes.allocation[n] for n in path],
            }
            for microbatch, path in enumerate(routes.paths)
        ],
        "actions": {
            ids[n]: [action_row(instance, scheduled, a) for a in order]
            for n, order in enumerate(scheduled.plan.order)
        },
    }
    if provenance.robust is not None:
        document["solver"]["robust"] = dict(provenance.robust)
    if instance.allreduce.present:
        document["rings"] = [[ids[n] for n in ring.nodes] for ring in scheduled.rings]
    return document


def action_row(instance: Instance, scheduled: Scheduled, action: int) -> dict[str, Any]:
    """An action as it stands in the document."""
    actions = scheduled.actions
    position = action % actions.per_microbatch
    node = actions.node[action]
    row: dict[str, Any] = {
        "op": actions.operation(action),
        "microbatch": action // actions.per_microbatch,
        "stage": scheduled.plan.routes.allocation[node],
        "start": scheduled.end[action] - actions.duration[action],
        "end": scheduled.end[action],
    }
    if position > 0:
        row["from"] = instance.node_ids[actions.node[action - 1]]
    if position < actions.per_microbatch - 1:
        row["to"] = instance.node_ids[actions.node[action + 1]]
    return row


def gap(iteration_time: int, bound: int) -> float:
    """``(iteration - bound) / iteration``, rounded to 4 decimals; 0 for an iteration without duration."""
    if iteration_time == 0:
        return 0.0
    return float(round(Fraction(iteration_time - bound, iteration_time), 4))


def bubble_ratio(durations: int, nodes: int, iteration_time: int) -> float:
    """``1 - (sum of action durations) / (nodes * iteration time)``, rounded to 4 decimals."""
    if iteration_time == 0:
        return 0.0
    return float(round(1 - Fraction(durations, nodes * iteration_time), 4))
