"""The rules that speak of all paths together: even-stages, cover, even-nodes, path-period."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from skipsched.check.allocation import Allocation
from skipsched.check.case import Case, listing
from skipsched.check.microbatches import Microbatch


def check_balance(microbatches: Sequence[Microbatch], allocation: Allocation, case: Case) -> None:
    """Check the rules that the topology switches on. Every microbatch must be among those given."""
    rules = case.instance.rules
    by_data_node: dict[int, list[Microbatch]] = {}
    for microbatch in microbatches:
        by_data_node.setdefault(microbatch.data_node, []).append(microbatch)
    if rules.even_stages:
        _check_even_stages(microbatches, case)
    if rules.cover:
        _check_cover(by_data_node, case)
    if rules.even_nodes:
        _check_even_nodes(microbatches, allocation, case)
    if rules.path_period is not None:
        _check_path_period(by_data_node, rules.path_period, case)


def _extremes(counts: Mapping[int, int], members: Iterable[int]) -> tuple[int, int]:
    """The members counted least and most often."""
    ordered = sorted(members, key=lambda member: counts.get(member, 0))
    return ordered[0], ordered[-1]


def _check_even_stages(microbatches: Sequence[Microbatch], case: Case) -> None:
    counts = Counter(stage for microbatch in microbatches for stage in set(microbatch.stages))
    least, most = _extremes(counts, range(1, case.instance.stages))
    if counts[most] - counts[least] > 1:
        message = f"stage {most} is executed by {counts[most]} microbatches, stage {least} by {counts[least]}"
        case.fail("even-stages", message)


def _check_cover(by_data_node: Mapping[int, Sequence[Microbatch]], case: Case) -> None:
    for data_node, microbatches in by_data_node.items():
        executed = {stage for microbatch in microbatches for stage in microbatch.stages}
        missing = [f"stage {stage}" for stage in range(case.instance.stages) if stage not in executed]
        if missing:
            message = f"none of its microbatches executes {listing(missing, len(missing))}"
            case.fail("cover", message, node=data_node)


def _check_even_nodes(microbatches: Sequence[Microbatch], allocation: Allocation, case: Case) -> None:
    counts = Counter(node for microbatch in microbatches for node in set(microbatch.path))
    for stage in range(1, case.instance.stages):
        members = allocation.members(stage)
        if not members:
            continue
        least, most = _extremes(counts, members)
        if counts[most] - counts[least] > 1:
            other = f"{case.name(least)} executes {counts[least]}"
            message = f"executes {counts[most]} microbatches of stage {stage}, while {other}"
            case.fail("even-nodes", message, node=most)


def _check_path_period(by_data_node: Mapping[int, Sequence[Microbatch]], period: int, case: Case) -> None:
    for data_node, microbatches in by_data_node.items():
        for before, microbatch in zip(microbatches, microbatches[period:], strict=False):
            if microbatch.path != before.path:
                message = f"its path is not that of microbatch {before.id}, {period} before it"
                case.fail("path-period", message, microbatch=microbatch.id, node=data_node)
