"""Tables of all nodes at once, as arrays: what several bounds walk through."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skipsched.instance import NO_LINK, Instance

#: Larger than any sum of durations and transfers, with room to add three of them in 64 bits.
INFINITE = 2**61
#: Elements of an array that one step of a pure Python loop is worth.
ELEMENTS_PER_STEP = 100

Integers = NDArray[np.int64]


def hops(instance: Instance) -> Integers:
    """Microseconds there and back between different nodes; `INFINITE` where no path may pass."""
    trips = np.array(instance.round_trip, dtype=np.int64)
    trips[trips == NO_LINK] = INFINITE
    np.fill_diagonal(trips, INFINITE)
    return trips


def holds(instance: Instance) -> NDArray[np.bool_]:
    """Whether a node may hold a stage, ``[node][stage]``."""
    may = np.zeros((instance.nodes, instance.stages), dtype=bool)
    for n, stages in enumerate(instance.allowed):
        may[n, list(stages)] = True
    return may


def capped(times: Integers) -> Integers:
    """Sums of times, some of them infinite, no larger than `INFINITE` again."""
    return np.minimum(times, INFINITE)
