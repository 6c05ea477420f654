"""The topology that is left without some nodes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from typing import Any

from skipsched.text.diagnostics import Diagnostic, InputError, did_you_mean, quoted
from skipsched.topology.load import load_document
from skipsched.topology.model import Topology


class NothingLeft(Exception):
    """What is left is no topology.

    Attributes
    ----------
    diagnostics
        Why.
    """

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("; ".join(found.message for found in diagnostics))


def left_without(topology: Topology, stages: Mapping[str, int], gone: Collection[str]) -> Topology:
    """The topology without some nodes: their entries and links are gone, and their places in their stages.

    Where that would leave a stage without any node, the sizes are free, but for that of the first stage: who
    moves there decides them.

    Parameters
    ----------
    topology
        As it was.
    stages
        The stage that each node held, by its id.
    gone
        Ids of the nodes that left.

    Raises
    ------
    InputError
        If there are no such nodes.
    NothingLeft
        If what is left is no topology: too few nodes for the stages, say.
    """
    _refuse_strangers(stages, gone)
    document: dict[str, Any] = deepcopy(dict(topology.document))
    document["nodes"] = [node for node in document["nodes"] if node["id"] not in gone]
    network = document.get("network", {})
    if "links" in network:
        network["links"] = [row for row in network["links"] if _ends(row).isdisjoint(gone)]
    sizes = [0] * topology.workload.stages
    for node_id, stage in stages.items():
        sizes[stage] += node_id not in gone
    if topology.workload.stage_sizes is not None and min(sizes) > 0:
        document["workload"]["stage_sizes"] = list(map(str, sizes))
    else:
        document["workload"].pop("stage_sizes", None)
        others = len(document["nodes"]) - (topology.workload.stages - 1)
        document["workload"]["data_nodes"] = str(max(1, min(sizes[0], others)))
    try:
        return load_document(document)
    except InputError as error:
        raise NothingLeft(error.diagnostics) from None


def with_sizes(topology: Topology, allocation: Sequence[int]) -> Topology:
    """The topology with the stage sizes that an allocation has."""
    document: dict[str, Any] = deepcopy(dict(topology.document))
    del document["workload"]["data_nodes"]
    sizes = [allocation.count(stage) for stage in range(topology.workload.stages)]
    document["workload"]["stage_sizes"] = list(map(str, sizes))
    return load_document(document)


def _ends(row: Mapping[str, Any]) -> set[str]:
    """The two ends of a row of links."""
    return set(row["between"]) if "between" in row else {row["from"], row["to"]}


def _refuse_strangers(known: Collection[str], gone: Collection[str]) -> None:
    strangers = [node_id for node_id in gone if node_id not in known]
    if strangers:
        raise InputError(
            [
                Diagnostic(
                    "error",
                    "without",
                    "",
                    f"the schedule has no node {quoted(node_id)}",
                    hint=did_you_mean(node_id, known),
                )
                for node_id in strangers
            ]
        )
