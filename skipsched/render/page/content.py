"""What the page knows of a schedule, as JSON: indices for names, and nothing that follows from the rest."""

from __future__ import annotations

from collections import Counter
from itertools import groupby, pairwise
from typing import Any

from skipsched.insight.critical import Cause, critical_path, starts
from skipsched.instance import Instance
from skipsched.opened import Opened
from skipsched.plan import Routes
from skipsched.render.chart import View
from skipsched.render.colors import KINDS, MICROBATCHES, ColorBy
from skipsched.schedule.document import bubble_ratio

#: What an action waited for, in a letter.
_CAUSES: dict[Cause, str] = {"nothing": ".", "input": "i", "node": "n", "slot": "s"}


def content_of(opened: Opened, view: View, color_by: ColorBy, lower_bound: int | None) -> dict[str, Any]:
    """The page's data.

    Actions are numbered as in `Actions`: F along the path of a microbatch, L, B back. Times are microseconds.

    Parameters
    ----------
    view
        What the page shows first.
    lower_bound
        Microseconds; None if there is none.
    """
    instance, scheduled = opened.instance, opened.scheduled
    actions, routes, value = scheduled.actions, scheduled.plan.routes, scheduled.objective
    why = starts(instance, scheduled)
    return {
        "name": instance.name,
        "iterationTime": value.iteration_time,
        "makespan": value.makespan,
        "lowerBound": lower_bound,
        "bubbleRatio": bubble_ratio(sum(actions.duration), instance.nodes, value.iteration_time),
        "stages": instance.stages,
        "overhead": instance.overhead,
        "activation": float(opened.topology.workload.activation),
        "nodes": _nodes(opened),
        "links": _links(instance, routes),
        "allreduces": scheduled.allreduces(),
        "paths": routes.paths,
        "order": scheduled.plan.order,
        "starts": [start.start for start in why],
        "causes": "".join(_CAUSES[start.cause] for start in why),
        # How long an action waited while all slots were taken, where it did.
        "full": {action: start.full for action, start in enumerate(why) if start.full},
        "critical": [
            [step.kind, step.action, step.begin, step.end] for step in critical_path(scheduled, why)
        ],
        "colors": {"kinds": KINDS, "microbatches": MICROBATCHES},
        "view": {
            "begin": view.begin,
            "end": view.end,
            "nodes": sorted(view.nodes),
            "microbatches": sorted(view.microbatches),
            "colorBy": color_by,
        },
    }


def _nodes(opened: Opened) -> list[dict[str, Any]]:
    """Every node as it is used: with the durations of its stage."""
    instance, allocation = opened.instance, opened.scheduled.plan.routes.allocation
    return [
        {
            "id": node.id,
            "location": node.location,
            "stage": stage,
            "slots": instance.slots[n][stage],
            "forward": instance.forward[n][stage],
            "backward": instance.backward[n][stage],
            "loss": instance.loss[n],
        }
        for n, (node, stage) in enumerate(zip(opened.topology.nodes, allocation, strict=True))
    ]


def _links(instance: Instance, routes: Routes) -> list[tuple[int, int, int, int]]:
    """Every link that is used: from, to, transfers in an iteration, and microseconds of each."""
    used: Counter[tuple[int, int]] = Counter()
    for path in routes.paths:
        there = [*path, path[0]]  # the last output goes to the data node for the loss
        for hop in pairwise(node for node, _ in groupby(there)):
            used[hop] += 1
            used[hop[::-1]] += 1
    return [(a, b, count, instance.transfer[a][b]) for (a, b), count in sorted(used.items())]
