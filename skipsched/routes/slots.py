"""Path slots: the microbatches that must take one path together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skipsched.instance import Instance


@dataclass(frozen=True, slots=True)
class FreeNumbers:
    """Numbers of microbatches that are open: the nodes of a group all emit the same number, whichever it is.

    Parameters
    ----------
    groups
        The nodes of each group, and the least that they emit.
    most
        The most that they emit, and what an instance's table gives for them.
    """

    groups: tuple[tuple[tuple[int, ...], int], ...]
    most: int


@dataclass(frozen=True, slots=True)
class PathSlot:
    """One path to choose.

    Parameters
    ----------
    data_node
        Where it begins.
    index
        Its number among those of its data node.
    weight
        How many microbatches take it: one each, several under `path-period`.
    """

    data_node: int
    index: int
    weight: int


def slots_of(instance: Instance, data_node: int, period: int | None) -> list[PathSlot]:
    """The path slots of a data node: microbatches i, i + P, i + 2P, ... share slot i."""
    emitted = instance.microbatches[data_node]
    period = emitted if period is None else min(period, emitted)
    return [PathSlot(data_node, index, (emitted - index + period - 1) // period) for index in range(period)]


def coarse_slots_of(instance: Instance, data_node: int, period: int | None) -> list[PathSlot]:
    """Path slots of a data node where microbatches need not take paths of their own.

    The first stands for half of them, the next for half of the rest, and so on: few slots, of which the last
    ones are fine enough to even out what the first ones do. What keeps the rules on them keeps the rules.
    """
    if period is not None:
        return slots_of(instance, data_node, period)
    slots: list[PathSlot] = []
    left = instance.microbatches[data_node]
    while left:
        slots.append(PathSlot(data_node, len(slots), (left + 1) // 2))
        left //= 2
    return slots


def paths_of(
    instance: Instance, data_nodes: Sequence[int], chosen: dict[PathSlot, tuple[int, ...]]
) -> tuple[tuple[int, ...], ...]:
    """Paths of all microbatches from the paths of the slots, data node by data node."""
    paths: list[tuple[int, ...]] = []
    for data_node in data_nodes:
        slots = slots_of(instance, data_node, instance.rules.path_period)
        paths += [chosen[slots[i % len(slots)]] for i in range(instance.microbatches[data_node])]
    return tuple(paths)
