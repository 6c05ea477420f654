"""Why a topology is infeasible, named so that a person can mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from skipsched.clock import Clock, OutOfTime
from skipsched.instance import Instance
from skipsched.orders import TooManyOrdersError
from skipsched.routes.holders import TooFew
from skipsched.text.words import counted


@dataclass(frozen=True, slots=True)
class Cause:
    """Rules and figures that together admit no schedule.

    Parameters
    ----------
    rules
        The rules in conflict, by their names.
    message
        One sentence for a person.
    """

    rules: tuple[str, ...]
    message: str


#: Where a rule's figures stand in a topology, most telling first.
FIELDS = {
    "path-length": ("rules.path_length", "rules.skip_ratio"),
    "jump": ("rules.max_jump",),
    "swap": ("rules.max_swaps", "rules.max_swap_distance"),
    "even-stages": ("rules.even_stages",),
    "even-nodes": ("rules.even_nodes",),
    "cover": ("rules.cover", "workload.microbatches"),
    "path-period": ("rules.path_period",),
    "link": ("network.links", "network.links_file", "network"),
    "ring": ("workload.gradient", "workload.stage_sizes", "workload.data_nodes", "network.links"),
    "allocation": ("workload.stage_sizes", "workload.data_nodes", "nodes"),
    "microbatches": ("workload.microbatches",),
}


class Infeasible(Exception):
    """The topology admits no schedule.

    Attributes
    ----------
    cause
        Why.
    """

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.message)
        self.cause = cause


def allocation_cause(instance: Instance, stuck: TooFew) -> Cause:
    """Why pins, memory and sizes admit no allocation."""
    homeless = [n for n in stuck.nodes if not instance.allowed[n]]
    if homeless:
        names = _names(instance, homeless)
        return Cause(
            ("allocation",), f"no stage that {names} may hold leaves room for one microbatch in its memory"
        )
    stages = f"{'stage' if len(stuck.stages) == 1 else 'stages'} {_listed(stuck.stages)}"
    who = f": {_names(instance, stuck.nodes)}" if stuck.nodes else ""
    able = counted(len(stuck.nodes), "node")
    if stuck.lacking:
        wanted = counted(sum(instance.min_sizes[k] for k in stuck.stages), "node")
        found = f"only {able}" if stuck.nodes else "no node"
        message = f"{stages} must have at least {wanted}, but {found} can be there{who}"
    else:
        room = counted(sum(instance.max_sizes[k] for k in stuck.stages), "node")
        message = f"{able} can hold nothing but {stages}, with room for {room}{who}"
    return Cause(("allocation",), f"{message} (pins and memory leave no other choice)")


def conflict_cause(instance: Instance, clock: Clock, workers: int, allocation: Sequence[int] | None) -> Cause:
    """Find rules in conflict by leaving out one after the other for as long as the rest still conflict.

    The instance is known to be infeasible. What remains is irreducible, unless the message says
    that not all could be tried.
    """
    from skipsched.routes.model import RoutesModel

    active = _active(instance, allocation)
    dropped: list[str] = []
    irreducible = True
    for rule in active:
        trial = [*dropped, rule]
        relaxed = _without(instance, trial)
        enforced = [name for name in active if name not in trial]
        try:
            if RoutesModel(relaxed, clock, enforced, allocation).solve(workers) is None:
                dropped.append(rule)
        except TooManyOrdersError:
            irreducible = False
        except OutOfTime:
            irreducible = False
            break
    left = tuple(rule for rule in active if rule not in dropped)
    told = " and ".join(_told(instance, rule) for rule in left)
    basis = f"paths of {instance.path_length} of the {instance.stages} stages"
    if not left:
        # Without any of these rules, whatever allocation emits something has paths.
        return Cause(("microbatches",), "no data node of the given allocation emits a microbatch")
    tail = " together" if len(left) > 1 else ""
    if not irreducible:
        tail += " (some of them may be innocent: not all could be tried without)"
    details = _details(instance, left)
    details = f"; {details}" if details else ""
    if {"ring", "allocation"}.issuperset(left):
        # Between linked nodes without any further rule there are always paths: the allocation alone is stuck.
        fixed = "the given allocation does" if allocation is not None else "the stage sizes do"
        return Cause(left, f"{fixed} not go with {told}{tail}{details}")
    fixed = "the given allocation and " if allocation is not None else ""
    return Cause(("path-length", *left), f"{fixed}{basis} do not go with {told}{tail}{details}")


def _active(instance: Instance, allocation: Sequence[int] | None) -> list[str]:
    """Rules that this instance has and that can be left out, those a user gives up last first."""
    rules = instance.rules
    pinned = allocation is None and any(len(stages) < instance.stages for stages in instance.allowed)
    conditions = {
        "path-period": rules.path_period is not None,
        "even-nodes": rules.even_nodes,
        "cover": rules.cover,
        "ring": instance.allreduce.present and not instance.complete,
        "allocation": pinned,
        "swap": True,
        "jump": rules.max_jump < instance.stages - 1,
        "link": not instance.complete,
        "even-stages": rules.even_stages,
    }
    return [rule for rule, holds in conditions.items() if holds]


def _without(instance: Instance, dropped: Sequence[str]) -> Instance:
    """The instance without rules that are numbers of its tables."""
    rules = instance.rules
    if "swap" in dropped:
        rules = replace(rules, max_swaps=instance.stages**2, max_swap_distance=instance.stages)
    if "jump" in dropped:
        rules = replace(rules, max_jump=instance.stages)
    allowed = instance.allowed
    if "allocation" in dropped:
        allowed = (tuple(range(instance.stages)),) * instance.nodes
    return replace(instance, rules=rules, allowed=allowed)


def _told(instance: Instance, rule: str) -> str:
    rules = instance.rules
    return {
        "path-period": f"path_period {rules.path_period}",
        "swap": f"max_swaps {rules.max_swaps} within max_swap_distance {rules.max_swap_distance}",
        "jump": f"max_jump {rules.max_jump}",
        "link": "the missing links",
        "ring": "the rings of links that the all-reduce needs within each stage",
        "allocation": "the pins and the memory",
        "even-stages": "even-stages (on unless even_stages is false)",
    }.get(rule, rule)


def _details(instance: Instance, rules: Sequence[str]) -> str:
    """What a person would look at first."""
    unreached = [k for k in range(1, instance.stages) if k not in instance.orders.stages]
    if unreached and ("even-stages" in rules or "cover" in rules):
        return f"no allowed order of stages executes stage {_listed(unreached)}"
    if "link" in rules or "ring" in rules:
        lonely = [
            n
            for n in range(instance.nodes)
            if not any(instance.linked(n, m) for m in range(instance.nodes) if m != n)
        ]
        if lonely:
            return f"{_names(instance, lonely)} cannot exchange anything with any other node"
        parts = _islands(instance)
        if len(parts) > 1:
            smallest = _names(instance, min(parts, key=len))
            return f"the links leave {len(parts)} islands, the smallest being {smallest}"
    if "cover" in rules:
        emitted = [
            w for w, stages in zip(instance.microbatches, instance.allowed, strict=True) if w and 0 in stages
        ]
        paths = min([*emitted, instance.rules.path_period or max(emitted)])
        most = paths * (instance.path_length - 1)
        told = counted(paths, "path")
        return f"with {told} a data node reaches at most {most} of the {instance.stages - 1} other stages"
    return ""


def _islands(instance: Instance) -> list[list[int]]:
    import networkx

    return [sorted(part) for part in networkx.connected_components(instance.graph())]


def _names(instance: Instance, nodes: Sequence[int], most: int = 6) -> str:
    names = [instance.node_ids[n] for n in nodes[:most]]
    return ", ".join(names) + (f" and {len(nodes) - most} more" if len(nodes) > most else "")


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
