"""The figures: makespan, rings, iteration time, bound, status, gap and bubble ratio."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any

from skipsched.check.allocation import Allocation
from skipsched.check.case import Case, listing
from skipsched.check.chains import Chains
from skipsched.check.replay import Times
from skipsched.check.values import seconds, shown
from skipsched.instance import NO_LINK

#: Ratios are written with this many steps to 1: four decimals.
_STEPS = 10**4
#: How far from the nearest step a rounded ratio may be, in steps. Either rounding of a tie is right, and a
#: ratio computed in floating point may fall on the wrong side of a near one.
_HALF = Fraction(1, 2) + Fraction(1, 10**9)


def check_figures(
    top: Mapping[str, Any], allocation: Allocation, chains: Chains, times: Times | None, case: Case
) -> None:
    """Check every figure of the document that can be judged.

    Parameters
    ----------
    top
        Top-level values of the right type, and the solver's `status`.
    times
        The replay; None if there is none. Bound and gap are then judged by the claimed iteration time.
    """
    allreduce = _allreduces(top, allocation, case)
    iteration: int | None = top.get("iteration_time")
    if times is not None:
        _check_makespan(top, times, case)
        if allreduce is not None:
            iteration = _check_iteration_time(top, allreduce, chains, times, case)
        if iteration is not None:
            _check_bubble_ratio(top, iteration, chains, case)
    if iteration is not None and "lower_bound" in top:
        _check_bound_kind(top, case)
        _check_bound(top, iteration, case)


def _check_makespan(top: Mapping[str, Any], times: Times, case: Case) -> None:
    makespan = max(times.end, default=0)
    claimed = top.get("makespan")
    if claimed not in (None, makespan):
        message = f"`makespan` is {shown(claimed)}; the last action ends at {makespan} ({seconds(makespan)})"
        case.fail("makespan", message)


def _allreduces(top: Mapping[str, Any], allocation: Allocation, case: Case) -> list[int] | None:
    """Microseconds of every stage's all-reduce over the ring given; None if that cannot be told."""
    stages = case.instance.stages
    if not case.instance.allreduce.present:
        if "rings" in top:
            case.fail("ring", "`rings` is given, but no stage has gradients to average")
        return [0] * stages
    rings = top.get("rings")
    if not isinstance(rings, list) or len(rings) != stages:
        found = shown(rings) if "rings" in top else "missing"
        case.fail("ring", f"`rings` is {found}; there is one ring for each of the {stages} stages")
        return None
    if not allocation.known:
        return None
    found_all = [_allreduce(stage, ring, allocation, case) for stage, ring in enumerate(rings)]
    costs = [cost for cost in found_all if cost is not None]
    return costs if len(costs) == stages else None


def _allreduce(stage: int, ring: Any, allocation: Allocation, case: Case) -> int | None:
    """The cost of a ring's worst link."""
    members = allocation.members(stage)
    nodes = [case.index.get(name, -1) if isinstance(name, str) else -1 for name in _items(ring)]
    if sorted(nodes) != members:
        names = listing(map(case.name, members), len(members))
        case.fail("ring", f"the ring of stage {stage} is {shown(ring)}; its nodes are {names}")
        return None
    if len(nodes) < 2:
        return 0
    hop = case.instance.allreduce.hop
    links = list(pairwise([*nodes, nodes[0]]))
    costs = [hop(stage, len(nodes), source, target) for source, target in links]
    absent = [link for link, cost in zip(links, costs, strict=True) if cost == NO_LINK]
    if absent:
        names = listing(
            (f"{case.name(source)} to {case.name(target)}" for source, target in absent), len(absent)
        )
        case.fail("ring", f"the ring of stage {stage} uses links that do not exist: {names}")
        return None
    return max(costs)


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _check_iteration_time(
    top: Mapping[str, Any], allreduce: list[int], chains: Chains, times: Times, case: Case
) -> int:
    """The iteration time of the replay, with which the claimed one is compared."""
    last = [0] * len(allreduce)
    for action, end in enumerate(times.end):
        if chains.op[action] == "B":
            stage = chains.stage(action)
            last[stage] = max(last[stage], end)
    ends = [end + cost for end, cost in zip(last, allreduce, strict=True)]
    iteration = max(ends)
    claimed = top.get("iteration_time")
    if claimed not in (None, iteration):
        stage = ends.index(iteration)
        message = (
            f"`iteration_time` is {shown(claimed)}; it is {iteration} ({seconds(iteration)}): stage {stage} "
            f"ends its last backward at {last[stage]}, and its all-reduce takes {allreduce[stage]}"
        )
        case.fail("objective", message)
    return iteration


def _check_bubble_ratio(top: Mapping[str, Any], iteration: int, chains: Chains, case: Case) -> None:
    available = case.instance.nodes * iteration
    ratio = 1 - Fraction(sum(chains.duration), available) if available else Fraction(0)
    if "bubble_ratio" in top and not _rounds_to(ratio, top["bubble_ratio"]):
        message = f"`bubble_ratio` is {shown(top['bubble_ratio'])}; it is {float(ratio):.4f}"
        case.fail("bubble-ratio", message)


def _check_bound_kind(top: Mapping[str, Any], case: Case) -> None:
    bound = top["lower_bound"]
    if "bound_kind" in top and (top["bound_kind"] is None) != (bound is None):
        message = f"`bound_kind` is {shown(top['bound_kind'])}, but `lower_bound` is {shown(bound)}"
        case.fail("bound", message)


def _check_bound(top: Mapping[str, Any], iteration: int, case: Case) -> None:
    """Check bound, gap and status; a gap to an impossible bound would say nothing."""
    bound, gap = top["lower_bound"], top.get("gap")
    within = f"the iteration time {shown(iteration)}"
    if bound is not None and not 0 <= bound <= iteration:
        case.fail("bound", f"`lower_bound` is {shown(bound)}; a bound lies between 0 and {within}")
        return
    if bound is None:
        if gap is not None:
            case.fail("gap", f"`gap` is {shown(gap)}, but there is no `lower_bound`")
    elif "gap" in top:
        ratio = Fraction(iteration - bound, iteration) if iteration else Fraction(0)
        if not _rounds_to(ratio, gap):
            case.fail("gap", f"`gap` is {shown(gap)}; it is {float(ratio):.4f}")
    if top.get("status") == "OPTIMAL" and bound != iteration:
        case.fail("status", f"`solver.status` is OPTIMAL, but `lower_bound` is {shown(bound)}, not {within}")


def _rounds_to(ratio: Fraction, claimed: float | None) -> bool:
    """Whether a claimed number is a ratio (between 0 and 1) rounded to four decimals."""
    if claimed is None or not 0 <= claimed <= 1:
        return False
    step = round(claimed * _STEPS)
    return claimed == step / _STEPS and abs(ratio * _STEPS - step) <= _HALF
