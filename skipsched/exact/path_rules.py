"""Rules that speak of one path alone, each by its statement: a path that breaks one is no choice."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from skipsched.exact.paths import Path
from skipsched.instance import Instance


def first_stage(_: Instance, order: Sequence[int]) -> bool:
    """`first-stage`: it begins at stage 0, which is never entered again."""
    return order[0] == 0 and 0 not in order[1:]


def path_length(instance: Instance, order: Sequence[int]) -> bool:
    """`path-length`: it executes exactly that many distinct stages, each once."""
    return len(order) == instance.path_length == len(set(order))


def swap(instance: Instance, order: Sequence[int]) -> bool:
    """`swap`: below the frontier only within the distance allowed, one by one and in sum."""
    rules = instance.rules
    swaps = [frontier - stage for frontier, stage in _frontiers(order) if stage < frontier]
    return max(swaps, default=0) <= rules.max_swap_distance and sum(swaps) <= rules.max_swaps


def jump(instance: Instance, order: Sequence[int]) -> bool:
    """`jump`: above the frontier only within the distance allowed."""
    return all(stage - frontier <= instance.rules.max_jump for frontier, stage in _frontiers(order))


def link(instance: Instance, path: Path) -> bool:
    """Consecutive nodes are linked in both directions, the last one with the data node too."""
    return all(instance.linked(a, b) for a, b in pairwise((*path, path[0])))


#: Those that speak of the order of stages, as the problem's table lists them.
ORDER_RULES = (first_stage, path_length, swap, jump)


def allowed(instance: Instance, allocation: Sequence[int], path: Path) -> bool:
    """Whether a path keeps all rules that speak of one path alone."""
    order = [allocation[n] for n in path]
    return all(rule(instance, order) for rule in ORDER_RULES) and link(instance, path)


def _frontiers(order: Sequence[int]) -> list[tuple[int, int]]:
    """For each stage after the first, the frontier before it and itself."""
    pairs = []
    frontier = order[0]
    for stage in order[1:]:
        pairs.append((frontier, stage))
        frontier = max(frontier, stage)
    return pairs
