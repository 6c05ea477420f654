"""Every allocation of a topology, up to exchanges of equal nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations_with_replacement

from skipsched.clock import NO_LIMIT, Clock
from skipsched.instance import Instance

#: Steps worth taking for each allocation that is wanted at most: beyond, most of them lead nowhere.
_STEPS_PER_ALLOCATION = 10
#: Steps of a loop that comparing two nodes in one respect is worth.
_STEPS_PER_COMPARISON = 2


def equal_nodes(instance: Instance, clock: Clock = NO_LIMIT) -> list[list[int]]:
    """Groups of nodes that can change places without any figure changing.

    Exchanging two nodes of a group turns a schedule into another one with the same times. Being exchangeable
    carries over from neighbour to neighbour, so each node is compared with one of every group only.
    """
    groups: list[list[int]] = []
    for n in range(instance.nodes):
        clock.spend((len(groups) + instance.nodes) * _STEPS_PER_COMPARISON)
        group = next((group for group in groups if _exchangeable(instance, group[0], n)), None)
        if group is None:
            groups.append([n])
        else:
            group.append(n)
    return groups


def _exchangeable(instance: Instance, a: int, b: int) -> bool:
    tables = (instance.forward, instance.backward, instance.slots, instance.allowed)
    if any(table[a] != table[b] for table in tables):
        return False
    if instance.loss[a] != instance.loss[b] or instance.microbatches[a] != instance.microbatches[b]:
        return False
    figures: list[Callable[[int, int], int]] = [lambda n, m: instance.transfer[n][m]]
    if instance.allreduce.present:
        figures.append(instance.allreduce.link)
    others = [n for n in range(instance.nodes) if n not in (a, b)]
    return all(
        of(a, b) == of(b, a) and all(of(a, n) == of(b, n) and of(n, a) == of(n, b) for n in others)
        for of in figures
    )


def few_allocations(instance: Instance, most: int, clock: Clock = NO_LIMIT) -> list[tuple[int, ...]] | None:
    """Allocations within pins, memory and sizes, one of each class that exchanges of equal nodes make.

    Group by group: of equal nodes it matters only how many hold which stage.

    Returns
    -------
    list or None
        None if there are more than `most`, or if finding them takes out of proportion long.

    Raises
    ------
    OutOfTime
        If the clock runs out.
    """
    found: list[tuple[int, ...]] = []
    for steps, step in enumerate(_dealt(instance, equal_nodes(instance, clock))):
        clock.spend(instance.nodes)
        if step is not None:
            found.append(step)
        if len(found) > most or steps > _STEPS_PER_ALLOCATION * most:
            return None
    return found


def _dealt(instance: Instance, groups: Sequence[Sequence[int]]) -> Iterator[tuple[int, ...] | None]:
    """The allocations, and None for each step on the way."""
    allocation = [0] * instance.nodes
    sizes = [0] * instance.stages

    def fits(left: int) -> bool:
        missing = sum(max(0, least - size) for least, size in zip(instance.min_sizes, sizes, strict=True))
        return missing <= left and all(
            size <= most for size, most in zip(sizes, instance.max_sizes, strict=True)
        )

    def extended(depth: int, left: int) -> Iterator[tuple[int, ...] | None]:
        yield tuple(allocation) if depth == len(groups) else None
        if depth == len(groups):
            return
        group = groups[depth]
        for held in combinations_with_replacement(instance.allowed[group[0]], len(group)):
            for node, stage in zip(group, held, strict=True):
                allocation[node] = stage
                sizes[stage] += 1
            yield from extended(depth + 1, left - len(group)) if fits(left - len(group)) else (None,)
            for stage in held:
                sizes[stage] -= 1

    return extended(0, instance.nodes)
