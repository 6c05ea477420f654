"""The allocation: every node holds one stage, within sizes, pins and memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from skipsched.check.case import Case
from skipsched.check.values import shown


@dataclass(frozen=True, slots=True)
class Allocation:
    """The stage of every node.

    Parameters
    ----------
    stage
        By node; None where the document does not tell, which has been reported.
    """

    stage: tuple[int | None, ...]

    @property
    def known(self) -> bool:
        """Whether every node's stage is known."""
        return None not in self.stage

    def members(self, stage: int) -> list[int]:
        """Nodes that hold a stage."""
        return [node for node, held in enumerate(self.stage) if held == stage]


def read_allocation(stages: list[Any] | None, case: Case) -> Allocation:
    """Read `stages` and check it. None stands for a value already reported as no list."""
    if stages is None:
        return Allocation((None,) * case.instance.nodes)
    if len(stages) != case.instance.stages:
        message = f"`stages` lists {len(stages)} stages; the topology has {case.instance.stages}"
        case.fail("allocation", message)
    listed = _places(stages, case)
    if listed is None:
        return Allocation((None,) * case.instance.nodes)
    allocation = Allocation(tuple(_only_stage(node, places, case) for node, places in enumerate(listed)))
    _check_sizes(stages, allocation, case)
    for node, stage in enumerate(allocation.stage):
        if stage is not None:
            _check_node(node, stage, case)
    return allocation


def _places(stages: Sequence[Any], case: Case) -> list[list[int]] | None:
    """Stages under which each node is listed; None if a stage cannot be read."""
    listed: list[list[int]] = [[] for _ in range(case.instance.nodes)]
    readable = True
    for stage, names in enumerate(stages):
        if not isinstance(names, list):
            case.fail("allocation", f"stage {stage} is {shown(names)}, not a list of nodes")
            readable = False
            continue
        for name in names:
            node = case.index.get(name) if isinstance(name, str) else None
            if node is None:
                case.fail("allocation", f"stage {stage} lists {shown(name)}, which is no node")
            else:
                listed[node].append(stage)
    return listed if readable else None


def _only_stage(node: int, places: list[int], case: Case) -> int | None:
    if len(places) != 1:
        where = f"under stages {', '.join(map(str, places[:8]))}" if places else "under no stage"
        case.fail("allocation", f"is listed {where}; every node holds exactly one", node=node)
        return None
    # A stage that the topology does not have has been told by the number of stages.
    return places[0] if places[0] < case.instance.stages else None


def _check_sizes(stages: Sequence[Any], allocation: Allocation, case: Case) -> None:
    # Without every node's stage, a stage that seems too small is the same fault again.
    if not allocation.known or len(stages) != case.instance.stages:
        return
    bounds = zip(case.instance.min_sizes, case.instance.max_sizes, strict=True)
    for stage, (least, most) in enumerate(bounds):
        size = len(allocation.members(stage))
        if not least <= size <= most:
            allowed = str(least) if least == most else f"{least} to {most}"
            case.fail("allocation", f"stage {stage} has {size} nodes; the topology allows {allowed}")


def _check_node(node: int, stage: int, case: Case) -> None:
    pin = case.topology.nodes[node].stage
    if pin is not None and pin != stage:
        case.fail("allocation", f"holds stage {stage}, but is pinned to stage {pin}", node=node)
    if case.instance.slots[node][stage] == 0:
        case.fail("allocation", f"holds stage {stage}, which its memory does not hold", node=node)
