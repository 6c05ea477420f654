"""The in-flight bound: slots limit how many microbatches are under way, and each is under way for a while."""

from __future__ import annotations

from collections.abc import Sequence

from skipsched.bounds.chosen import earliest, over_data_nodes, smallest_share
from skipsched.bounds.round_trips import ways_back
from skipsched.bounds.succession import between, successive, successive_within
from skipsched.bounds.tables import INFINITE
from skipsched.instance import Instance


def in_flight_bound(instance: Instance, trips: Sequence[int]) -> int:
    """Microseconds that the slots make necessary.

    Parameters
    ----------
    trips
        Cheapest round trip from each data node (`round_trips`).

    Notes
    -----
    Little's law, sharpened. On a node with M slots let W >= M microbatches each hold a slot for at least R,
    from the start of their F to the end of their B there, within a time T. Think of the slots as M rows:
    every microbatch lies in one, in a row there is at least the overhead o between a B's end and the next
    F's start, so the rows hold ``W*R + (W-M)*o``. The first F of the rows start one after another, the j-th
    at least ``j*(F+o)`` after the beginning, and the last B end likewise ``j*(B+o)`` before the end, j = 0 ..
    M-1. So

        M*T >= W*R + (W-M)*o + M*(M-1)/2 * (F + B + 2*o).

    With W < M only W of the rows are used: M is then W. With W > M some microbatches follow one after the
    other, which may take longer (`succession`). A data node holds its own microbatches for at least a round
    trip. A node of another stage holds one at least for its F and B and for the way to the nearest node and
    back, where the loss or another F and B is done; and it begins only after some data node's F and a
    transfer, and ends a transfer and that B before the end of the first stage.
    """
    return max(_first_stage(instance, trips), _stages(instance))


def rows_bound(count: int, slots: int, residence: int, first: int, last: int, overhead: int) -> int:
    """The formulas of `in_flight_bound`: microseconds for `count` microbatches on one node.

    Parameters
    ----------
    count, slots, residence, overhead
        W, M, R and o.
    first, last
        Durations F and B.
    """
    if count == 0:
        return 0
    m = min(slots, count)
    step = first + last + 2 * overhead
    held = count * residence + (count - m) * overhead + m * (m - 1) // 2 * step
    rows = -(-held // m)
    length = successive(count, slots, residence, step, overhead)
    if length == 0:
        return rows
    return max(rows, length * residence + between(count, slots, length, step, overhead))


def rows_within(time: int, slots: int, residence: int, first: int, last: int, overhead: int) -> int:
    """The most microbatches for which `rows_bound` is within a time: its inverse."""
    if time < residence:
        return 0
    step = first + last + 2 * overhead
    if step > 0:
        few = 1 + 2 * (time - residence) // step
        if few < slots:
            return few
    held = slots * (time + overhead) - slots * (slots - 1) // 2 * step
    rows = max(slots, held // max(1, residence + overhead))
    return min(rows, successive_within(time, slots, residence, step, overhead)) if step > 0 else rows


def own_rows(instance: Instance, data_node: int, trip: int) -> int:
    """`rows_bound` of a data node's own microbatches, of so many microseconds' round trip each."""
    return rows_bound(
        instance.microbatches[data_node],
        max(1, instance.slots[data_node][0]),
        trip,
        instance.forward[data_node][0],
        instance.backward[data_node][0],
        instance.overhead,
    )


def _first_stage(instance: Instance, trips: Sequence[int]) -> int:
    values = [own_rows(instance, d, trips[d]) if trips[d] < INFINITE else 0 for d in range(instance.nodes)]
    return over_data_nodes(instance, values) + instance.allreduce.cheapest(0, instance.data_nodes)


def _stages(instance: Instance) -> int:
    """The same for the nodes of the other stages, which share their stage's microbatches."""
    share = smallest_share(instance)
    if share == 0:
        return 0
    best = 0
    around = _head_and_tail(instance) + instance.allreduce.cheapest(0, instance.data_nodes)
    ways = ways_back(instance)
    for stage in range(1, instance.stages):
        able = [n for n in range(instance.nodes) if stage in instance.allowed[n] and ways[n] < INFINITE]
        size = min(instance.max_sizes[stage], len(able))
        if size == 0:
            continue
        held = [
            (
                instance.slots[n][stage],
                instance.forward[n][stage] + ways[n] + instance.backward[n][stage],
                instance.forward[n][stage],
                instance.backward[n][stage],
                instance.overhead,
            )
            for n in able
        ]

        def counts_within(time: int, held: list[tuple[int, int, int, int, int]] = held) -> list[int]:
            return [rows_within(time, *node) for node in held]

        most = min(rows_bound(share, *node) for node in held)
        best = max(best, earliest(counts_within, share, size, most) + around)
    return best


def _head_and_tail(instance: Instance) -> int:
    """Before any other stage begins some data node does an F and a transfer; after it, a transfer and a B."""
    data_nodes = [d for d in range(instance.nodes) if 0 in instance.allowed[d]]
    ahead = []
    behind = []
    for d in data_nodes:
        others = [m for m in range(instance.nodes) if m != d and instance.linked(d, m)]
        if others:
            ahead.append(instance.forward[d][0] + min(instance.transfer[d][m] for m in others))
            behind.append(instance.backward[d][0] + min(instance.transfer[m][d] for m in others))
    return min(ahead, default=0) + min(behind, default=0)
