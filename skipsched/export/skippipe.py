"""The JSON that SkipPipe's trainer reads (``trainer.py`` of gensyn-ai/skippipe, at commit 0084739).

A node is its number in `locations`, and runs the trainer under that number. The data nodes count in the
order of ``partitions[0]``. Microbatch b of data node d takes the path under key ``d * memory + b % memory``
of ``non-ca-paths``: next hops by node, from the data node on; where a node has none, the microbatch goes home
for its loss. The trainer's setting ``non-ca-partial`` reads these. Its ``ca-partial`` is no way to them: it
reads one path for each data node, under the key d of ``ca-paths``, which is left out for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from skipsched.baselines.arrivals import Served, Stuck, serve
from skipsched.export.refused import NotExpressible, reason
from skipsched.files.document import document_text
from skipsched.instance import MICROSECONDS, NO_LINK, Instance
from skipsched.opened import Opened
from skipsched.plan import Routes
from skipsched.text.diagnostics import Diagnostic
from skipsched.text.words import counted

NOTE = (
    "skippipe's trainer has no order: it serves what arrives first, and its time is `nonca-expected-time`; "
    "run it with the setting non-ca-partial"
)


def text(opened: Opened) -> str:
    """The document, in the trainer's own keys.

    Raises
    ------
    NotExpressible
        If slots or numbers of microbatches differ, a link is missing, paths do not repeat with the period of
        the slots, or microbatches that are served first come, first served never come home.
    """
    instance, routes = opened.instance, opened.scheduled.plan.routes
    served = _served(instance, routes)
    reasons = [*_uneven(instance, routes), *_links(instance), *_periods(instance, routes)]
    if isinstance(served, Stuck):
        reasons.append(
            reason(
                "memory",
                f"first come, first served, {len(served.unfinished)} of {len(routes.paths)} microbatches "
                "wait for each other's slots for ever",
                "give the nodes more slots (`memory`), or set rules.max_swaps: 0",
            )
        )
    if reasons or isinstance(served, Stuck):
        raise NotExpressible(reasons)
    return document_text(_document(opened, served))


def _document(opened: Opened, served: Served) -> dict[str, Any]:
    instance, routes = opened.instance, opened.scheduled.plan.routes
    members = routes.members(instance.stages)
    slots = instance.slots[members[0][0]][0]
    paths: dict[str, dict[str, int]] = {}
    for number, data_node in enumerate(members[0]):
        for slot, path in enumerate(_emitted(routes, data_node)[:slots]):
            paths[str(number * slots + slot)] = {str(a): b for a, b in pairwise(path)}
    return {
        "delays": [[time / MICROSECONDS for time in row] for row in instance.transfer],
        "memory": slots,
        "partitions": members,
        # A node without a location is a place of its own.
        "locations": [node.location or node.id for node in opened.topology.nodes],
        "ours-sends": len(_emitted(routes, members[0][0])),
        "non-ca-paths": paths,
        "nonca-expected-time": served.iteration / MICROSECONDS,
        # Not of the trainer: who its numbers are.
        "nodes": list(instance.node_ids),
    }


def _served(instance: Instance, routes: Routes) -> Served | Stuck:
    try:
        return serve(instance, routes)
    except Stuck as stuck:
        return stuck


def _slots(instance: Instance, routes: Routes) -> dict[int, int]:
    """The slots of each node that a microbatch visits."""
    visited = sorted({n for path in routes.paths for n in path})
    return {n: instance.slots[n][routes.allocation[n]] for n in visited}


def _emitted(routes: Routes, data_node: int) -> list[Sequence[int]]:
    """The paths of a data node's microbatches."""
    return [path for path in routes.paths if path[0] == data_node]


def _uneven(instance: Instance, routes: Routes) -> Iterator[Diagnostic]:
    """One number of slots and one of microbatches holds for all."""
    slots = _slots(instance, routes)
    if len(set(slots.values())) > 1:
        low, high = (pick(slots, key=slots.__getitem__) for pick in (min, max))
        yield reason(
            "memory",
            f"nodes have between {slots[low]} and {slots[high]} slots ({instance.node_ids[low]} and "
            f"{instance.node_ids[high]}); `memory` is one number for all of them",
            f"set the same slots for every node, memory: {slots[low]}",
        )
    emitted = {n: len(_emitted(routes, n)) for n in routes.members(instance.stages)[0]}
    if len(set(emitted.values())) > 1:
        least, most = (pick(emitted, key=emitted.__getitem__) for pick in (min, max))
        yield reason(
            "microbatches",
            f"data nodes emit between {emitted[least]} and {emitted[most]} microbatches "
            f"({instance.node_ids[least]} and {instance.node_ids[most]}); `ours-sends` is one number for all",
            "leave out the nodes' own `microbatches`",
        )


def _links(instance: Instance) -> Iterator[Diagnostic]:
    """Every pair of nodes has a delay."""
    missing = [
        (a, b) for a, row in enumerate(instance.transfer) for b, time in enumerate(row) if time == NO_LINK
    ]
    if missing:
        a, b = (instance.node_ids[n] for n in missing[0])
        yield reason(
            "link",
            f"{counted(len(missing), 'ordered pair')} of nodes without a link (as {a} to {b}); `delays` has "
            "every pair",
            "give them figures in network.links, or all of them in network.default",
        )


def _periods(instance: Instance, routes: Routes) -> Iterator[Diagnostic]:
    """The microbatches of one slot take one path."""
    broken = []
    for data_node in routes.members(instance.stages)[0]:
        period, emitted = instance.slots[data_node][0], _emitted(routes, data_node)
        broken += [
            (data_node, b, b % period) for b, path in enumerate(emitted) if path != emitted[b % period]
        ]
    if broken:
        data_node, b, before = broken[0]
        name = instance.node_ids[data_node]
        yield reason(
            "path-period",
            f"{len(broken)} of {len(routes.paths)} microbatches would take another path (as number {b} of "
            f"{name} that of its number {before}): paths repeat with the slots of their data node",
            f"set rules.path_period: {min(_slots(instance, routes).values())}",
        )
