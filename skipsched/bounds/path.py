"""The path bound: one cheapest round trip."""

from __future__ import annotations

from collections.abc import Sequence

from skipsched.bounds.chosen import over_data_nodes
from skipsched.bounds.tables import INFINITE
from skipsched.instance import Instance


def path_bound(instance: Instance, trips: Sequence[int]) -> int:
    """Microseconds of one microbatch's way there and back, and the first stage's all-reduce after it.

    Every data node that emits anything sees at least one of its own microbatches home; D of those allowed are
    chosen.

    Parameters
    ----------
    trips
        Cheapest round trip from each data node (`round_trips`).
    """
    values = [
        trips[d] if instance.microbatches[d] > 0 and trips[d] < INFINITE else 0 for d in range(instance.nodes)
    ]
    return over_data_nodes(instance, values) + instance.allreduce.cheapest(0, instance.data_nodes)
