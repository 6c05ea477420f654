"""What single nodes can do within a time, whatever the allocation."""

from __future__ import annotations

from collections.abc import Sequence

from skipsched.bounds.in_flight import own_rows, rows_within
from skipsched.bounds.load import own_load
from skipsched.bounds.ring_links import RingLinks
from skipsched.bounds.round_trips import round_trips
from skipsched.bounds.tables import INFINITE
from skipsched.bounds.ways import Ways
from skipsched.clock import Clock
from skipsched.instance import Instance


class Able:
    """What each node is able to do.

    Parameters
    ----------
    instance
        The tables.
    rings
        The links for its all-reduces.
    clock
        The limit.

    Attributes
    ----------
    ways
        What surrounds a node's work on each stage.
    first_allreduce
        The first stage's all-reduce, at least.
    trips
        Of each node as a data node the cheapest round trip; `INFINITE` without one.
    done
        When the last B of each node as a data node ends, at least, by its slots and its load; `INFINITE` if
        it cannot be one.
    """

    def __init__(self, instance: Instance, rings: RingLinks, clock: Clock) -> None:
        self._instance = instance
        self.ways = Ways.of(instance, clock)
        self.first_allreduce = rings.least(0, instance.data_nodes)
        self.trips = round_trips(instance, clock)
        self.done = self._done(self.trips)

    def within(self, node: int, stage: int, time: int, left: int) -> int:
        """The most microbatches that a node can execute on a stage but the first.

        As many as its load and its slots allow between the earliest arrival of an input and the end of the
        stage's last B, or of the first stage's last B less the way home.

        Parameters
        ----------
        time
            Of the whole iteration.
        left
            When the stage's last B ends at the latest.
        """
        instance, ways = self._instance, self.ways
        ahead, onward, behind = (table[node][stage] for table in (ways.ahead, ways.onward, ways.behind))
        if INFINITE in (ahead, onward, behind):
            return 0
        window = min(left, time - self.first_allreduce - behind) - ahead
        forward, backward = instance.forward[node][stage], instance.backward[node][stage]
        overhead = instance.overhead
        if window < 0:
            return 0
        busy = forward + backward + 2 * overhead
        load = (window + overhead) // busy if busy else INFINITE
        residence = forward + onward + backward
        rows = rows_within(window, instance.slots[node][stage], residence, forward, backward, overhead)
        return min(load, rows, sum(instance.microbatches))

    def _done(self, trips: Sequence[int]) -> list[int]:
        instance = self._instance
        done = []
        for d in range(instance.nodes):
            if 0 not in instance.allowed[d] or (instance.microbatches[d] > 0 and trips[d] >= INFINITE):
                done.append(INFINITE)
            else:
                done.append(max(own_rows(instance, d, trips[d]), own_load(instance, d)))
        return done
