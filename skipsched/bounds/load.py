"""The load bound: some stage must do its share of work on its nodes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from skipsched.bounds.chosen import earliest, fewest_microbatches, over_data_nodes, smallest_share
from skipsched.instance import Instance

#: A microbatch, in parts of which rates are counted.
_WHOLE = 10**18


def load_bound(instance: Instance) -> int:
    """Microseconds that computing alone takes.

    Three arguments, each for whatever allocation is chosen; a node that does c microbatches is busy for their
    c F and c B and, between its 2c actions, for 2c - 1 overheads, and ends with a B.

    * A data node does all of its own microbatches, F, L and B: D of those allowed are chosen.
    * Under `even-stages` a stage executes at least the floor share of the fewest microbatches; the q nodes it
      has are at best the q most able ones, and its all-reduce comes after. Over the sizes q that are allowed
      the smallest sum counts.
    * All stages but the first together execute ``path_length - 1`` stages of every microbatch, on all nodes
      but the D data nodes.
    """
    return max(_first_stage(instance), _stages(instance), _everything(instance))


def _busy(count: int, work: int, actions: int, overhead: int) -> int:
    """Microseconds until the end of the last of ``count * actions`` actions on one node."""
    return count * work + (count * actions - 1) * overhead if count else 0


def own_load(instance: Instance, data_node: int) -> int:
    """Microseconds that a data node is busy with its own microbatches, until the end of its last B."""
    work = instance.forward[data_node][0] + instance.loss[data_node] + instance.backward[data_node][0]
    return _busy(instance.microbatches[data_node], work, 3, instance.overhead)


def _first_stage(instance: Instance) -> int:
    values = [own_load(instance, d) for d in range(instance.nodes)]
    return over_data_nodes(instance, values) + instance.allreduce.cheapest(0, instance.data_nodes)


def _stages(instance: Instance) -> int:
    share = smallest_share(instance)
    if share == 0:
        return 0
    return max(_stage(instance, stage, share) for stage in range(1, instance.stages))


def _stage(instance: Instance, stage: int, share: int) -> int:
    """The smallest sum of load and all-reduce over the sizes that a stage may have."""
    work = sorted(
        instance.forward[n][stage] + instance.backward[n][stage]
        for n in range(instance.nodes)
        if stage in instance.allowed[n]
    )
    largest = min(instance.max_sizes[stage], len(work))
    if largest == 0:
        return 0
    if not instance.allreduce.needs_ring(stage, 2):
        return _earliest_load(instance, work, share, largest)  # more nodes then only help
    sizes = range(min(instance.min_sizes[stage], largest), largest + 1)
    allreduce = {size: instance.allreduce.cheapest(stage, size) for size in sizes}
    shared = _shared_load(instance, work, share)
    best: int | None = None
    # The most promising sizes first: soon the others need no closer look.
    for size in sorted(sizes, key=lambda size: shared[size] + allreduce[size]):
        if best is not None and shared[size] + allreduce[size] >= best:
            break
        exact = _earliest_load(instance, work, share, size) + allreduce[size]
        best = exact if best is None else min(best, exact)
    assert best is not None, "a stage has a size"
    return best


def _shared_load(instance: Instance, work: Sequence[int], share: int) -> list[int]:
    """For each number of nodes what `_earliest_load` is at least, as if a microbatch could be divided.

    Within a time t a node does at most ``(t + overhead) / (work + 2 * overhead)`` microbatches; here that is
    summed without rounding down, in parts of a whole rounded up. One node could do all of them in `most`.
    """
    overhead = instance.overhead
    most = _busy(share, work[0], 2, overhead)
    rates = (_WHOLE // max(1, each + 2 * overhead) + 1 for each in work)
    return [0, *(min(most, share * _WHOLE // rate - overhead) for rate in accumulate(rates))]


def _everything(instance: Instance) -> int:
    work = sorted(
        min(instance.forward[n][k] + instance.backward[n][k] for k in instance.allowed[n] if k > 0)
        for n in range(instance.nodes)
        if any(k > 0 for k in instance.allowed[n])
    )
    share = fewest_microbatches(instance) * (instance.path_length - 1)
    return _earliest_load(instance, work, share, instance.nodes - instance.data_nodes)


def _earliest_load(instance: Instance, work: Sequence[int], share: int, size: int) -> int:
    """The smallest time by which the `size` first of some nodes, fastest first, do `share` microbatches."""
    fastest = work[:size]
    if not fastest or share == 0:
        return 0
    overhead = instance.overhead

    def counts_within(time: int) -> list[int]:
        return [(time + overhead) // max(1, each + 2 * overhead) for each in fastest]

    return earliest(counts_within, share, size, _busy(share, fastest[0], 2, overhead))
