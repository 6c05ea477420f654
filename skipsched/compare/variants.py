"""Topologies under other rules: what a baseline is allowed, and the steps of an ablation.

Every variant is a topology that a user could have written, made by changing the document of the one given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from skipsched.topology.load import load_document
from skipsched.topology.model import Topology


def with_rules(topology: Topology, **rules: int | bool | None) -> Topology:
    """The topology with some of its rules changed.

    Parameters
    ----------
    topology
        The topology.
    rules
        Keys of its section `rules`; None for a rule that is not given.
    """
    document = _copy(topology)
    changed = document.setdefault("rules", {})
    if "path_length" in rules:
        changed.pop("skip_ratio", None)
    for key, value in rules.items():
        if value is None:
            changed.pop(key, None)
        else:
            changed[key] = value if isinstance(value, bool) else str(value)
    return load_document(document)


def full_pipeline(topology: Topology) -> Topology:
    """The topology with every path through all stages in their order."""
    return with_rules(topology, path_length=topology.workload.stages, max_swaps=0)


def emitting(topology: Topology, allocation: Sequence[int], emitters: Sequence[int]) -> Topology:
    """The topology with all microbatches of an allocation's data nodes emitted by some of them.

    Each emits as many as any other, or one more where that does not divide: the first ones.

    Parameters
    ----------
    topology
        The topology.
    allocation
        Stage of each node.
    emitters
        Nodes of the first stage.
    """
    stages = zip(topology.nodes, allocation, strict=True)
    total = sum(node.microbatches for node, stage in stages if stage == 0)
    each, over = divmod(total, len(emitters))
    emitted = {node: each + (place < over) for place, node in enumerate(emitters)}
    document = _copy(topology)
    for node, (entry, stage) in enumerate(zip(document["nodes"], allocation, strict=True)):
        if stage == 0:
            entry["microbatches"] = str(emitted.get(node, 0))
    return load_document(document)


def _copy(topology: Topology) -> dict[str, Any]:
    document: Mapping[str, Any] = topology.document
    return deepcopy(dict(document))
