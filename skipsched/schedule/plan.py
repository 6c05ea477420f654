"""A schedule's document -> the plan it holds, for those who start from one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skipsched.instance import Instance
from skipsched.plan import Plan, Routes
from skipsched.rings import Ring, ring_through


class NoPlan(ValueError):
    """The document holds no plan for the instance; the message says why."""


def allocation_from(document: Mapping[str, Any], instance: Instance) -> tuple[int, ...]:
    """The stage of every node.

    Raises
    ------
    NoPlan
        If a node of the instance has no stage or two, may not hold it, or a stage has a wrong size.
    """
    index = {node_id: n for n, node_id in enumerate(instance.node_ids)}
    stages = document.get("stages")
    if not isinstance(stages, list) or len(stages) != instance.stages:
        found = f"has {len(stages)} stages" if isinstance(stages, list) else "has no list of stages"
        raise NoPlan(f"it {found}, the topology has {instance.stages}")
    allocation: dict[int, int] = {}
    for stage, members in enumerate(stages):
        if not isinstance(members, list):
            raise NoPlan(f"stage {stage} is no list of nodes")
        if not instance.min_sizes[stage] <= len(members) <= instance.max_sizes[stage]:
            raise NoPlan(f"stage {stage} has {len(members)} nodes, which its size does not allow")
        for node_id in members:
            node = index.get(node_id) if isinstance(node_id, str) else None
            if node is None:
                raise NoPlan(f"stage {stage} names {node_id!r:.80}, which is no node of the topology")
            if node in allocation:
                raise NoPlan(f"node {node_id} stands in two stages")
            if stage not in instance.allowed[node]:
                raise NoPlan(f"node {node_id} may not hold stage {stage} (its pin or its memory)")
            allocation[node] = stage
    missing = [node_id for n, node_id in enumerate(instance.node_ids) if n not in allocation]
    if missing:
        raise NoPlan(f"node {missing[0]} has no stage")
    return tuple(allocation[n] for n in range(instance.nodes))


def plan_from(document: Mapping[str, Any], instance: Instance) -> Plan:
    """The whole plan: allocation, paths and order. Whether it keeps the rules is for the checker to say.

    Raises
    ------
    NoPlan
        If the document does not describe one action of each kind for every node of every path.
    """
    allocation = allocation_from(document, instance)
    index = {node_id: n for n, node_id in enumerate(instance.node_ids)}
    try:
        ordered = sorted(document["microbatches"], key=lambda entry: entry["id"])
        if [entry["id"] for entry in ordered] != list(range(len(ordered))):
            raise NoPlan("microbatches are not numbered from 0")
        paths = tuple(tuple(index[node_id] for node_id in entry["path"]) for entry in ordered)
        rows = [
            [(row["op"], row["microbatch"]) for row in document["actions"][node_id]]
            for node_id in instance.node_ids
        ]
    except KeyError as error:
        raise NoPlan(f"it has no {error.args[0]!r:.80}, or names it without having it") from None
    except (TypeError, AttributeError):
        raise NoPlan("its microbatches or actions are not of the schedule's form") from None
    return Plan(Routes(allocation, paths), _order(instance, paths, rows))


def rings_from(
    document: Mapping[str, Any], instance: Instance, members: Sequence[Sequence[int]]
) -> list[Ring] | None:
    """The rings of a schedule with these members, or None where it has none that the links admit."""
    index = {node_id: n for n, node_id in enumerate(instance.node_ids)}
    rings: list[Ring] = []
    try:
        for stage, (names, nodes) in enumerate(zip(document["rings"], members, strict=True)):
            ring = [index[name] for name in names]
            if sorted(ring) != sorted(nodes):
                return None
            found = ring_through(instance, stage, ring)
            if found is None:
                return None
            rings.append(found)
    except (KeyError, TypeError, ValueError):
        return None
    return rings


def _order(
    instance: Instance, paths: tuple[tuple[int, ...], ...], rows: list[list[tuple[Any, Any]]]
) -> tuple[tuple[int, ...], ...]:
    """The numbers of the actions that each node's rows name."""
    length = instance.path_length
    number: dict[tuple[int, Any, Any], int] = {}
    for microbatch, path in enumerate(paths):
        if len(path) != length:
            raise NoPlan(f"microbatch {microbatch} takes a path of {len(path)} nodes, not of {length}")
        first = microbatch * (2 * length + 1)
        number[path[0], "L", microbatch] = first + length
        for position, node in enumerate(path):
            number[node, "F", microbatch] = first + position
            number[node, "B", microbatch] = first + 2 * length - position
    try:
        order = tuple(tuple(number.pop((n, *row)) for row in sequence) for n, sequence in enumerate(rows))
    except (KeyError, TypeError):
        raise NoPlan("an action belongs to no path, or stands there twice") from None
    if number:
        raise NoPlan(f"{len(number)} actions are missing")
    return order
