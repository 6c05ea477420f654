"""From bounds for single nodes to bounds for whatever the allocation chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from skipsched.instance import Instance


def over_data_nodes(instance: Instance, values: Sequence[int]) -> int:
    """The largest value among the data nodes that some allocation cannot avoid.

    An allocation takes D data nodes among those allowed; its largest value is at least the D-th smallest of
    all of them, and at least that of a node that may hold nothing but stage 0.

    Parameters
    ----------
    values
        By node; only nodes allowed to hold stage 0 are looked at.
    """
    candidates = sorted(values[n] for n in range(instance.nodes) if 0 in instance.allowed[n])
    forced = [values[n] for n in range(instance.nodes) if instance.allowed[n] == (0,)]
    if len(candidates) < instance.data_nodes:
        return 0
    return max([candidates[instance.data_nodes - 1], *forced])


def fewest_microbatches(instance: Instance) -> int:
    """Microbatches that every allocation emits at least: those of the D data nodes that emit least."""
    candidates = sorted(instance.microbatches[n] for n in range(instance.nodes) if 0 in instance.allowed[n])
    return max(1, sum(candidates[: instance.data_nodes]))


def smallest_share(instance: Instance) -> int:
    """Microbatches that every stage but the first executes at least, under `even-stages`; 0 without it."""
    if not instance.rules.even_stages:
        return 0
    return fewest_microbatches(instance) * (instance.path_length - 1) // (instance.stages - 1)


def largest_share(instance: Instance) -> int:
    """Microbatches that no stage but the first executes more of: those of the D data nodes that emit most."""
    candidates = sorted(instance.microbatches[n] for n in range(instance.nodes) if 0 in instance.allowed[n])
    total = sum(candidates[-instance.data_nodes :])
    if not instance.rules.even_stages:
        return total
    return min(total, -(-total * (instance.path_length - 1) // (instance.stages - 1)))


def earliest(counts_within: Callable[[int], Iterable[int]], share: int, size: int, most: int) -> int:
    """The smallest time by which the `size` most able of some nodes can do `share` microbatches.

    Whichever `size` nodes an allocation chooses, and however it divides the microbatches among them, they
    need at least that long.

    Parameters
    ----------
    counts_within
        For a time in microseconds, how many microbatches each node can do within it.
    share
        Microbatches to execute in all.
    size
        How many nodes execute them.
    most
        A time that is certainly enough.
    """
    low, high = 0, most
    while low < high:
        middle = (low + high) // 2
        ablest = sorted(counts_within(middle), reverse=True)[:size]
        low, high = (low, middle) if sum(ablest) >= share else (middle + 1, high)
    return low
