"""Nodes that no schedule can tell from one another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skipsched.bounds.tables import ELEMENTS_PER_STEP, INFINITE, Integers, hops
from skipsched.clock import Clock
from skipsched.instance import NO_LINK, Instance


class Classes:
    """Nodes in classes: two nodes of a class may change places in any schedule without changing a time.

    They have the same figures, and the same links to every other node in both directions. Three of a class
    therefore have the same links among each other.

    Attributes
    ----------
    members
        The nodes of each class.
    first
        Its first node, which stands for all of it.
    counts
        How many nodes it has.
    hops
        Microseconds of a transfer there and back between different nodes of two classes; `INFINITE` where no
        path may pass or there are no two such nodes.
    """

    def __init__(self, instance: Instance, clock: Clock) -> None:
        self._instance = instance
        self.members = _classes(instance, clock)
        self.first = [nodes[0] for nodes in self.members]
        self._second = {c: nodes[1] for c, nodes in enumerate(self.members) if len(nodes) > 1}
        self.counts: Integers = np.array([len(nodes) for nodes in self.members], dtype=np.int64)
        between = hops(instance)
        self.hops: Integers = between[np.ix_(self.first, self.first)]
        for c, second in self._second.items():
            self.hops[c, c] = between[self.first[c], second]

    def __len__(self) -> int:
        return len(self.first)

    def able(self, stage: int) -> NDArray[np.bool_]:
        """Which classes may hold a stage."""
        return np.array([stage in self._instance.allowed[n] for n in self.first])

    def pinned(self, stage: int) -> NDArray[np.bool_]:
        """Which classes may hold nothing but a stage."""
        return np.array([self._instance.allowed[n] == (stage,) for n in self.first])

    def ring_hops(self, stage: int, size: int) -> Integers:
        """The all-reduce of a stage of that size if a link between two classes were its ring's worst.

        `INFINITE` without such a link; 0 from a class of one node to itself, which needs none.
        """
        cost = self._instance.allreduce.hop
        rows = [[cost(stage, size, a, b) if a != b else 0 for b in self.first] for a in self.first]
        table = np.array(rows, dtype=np.int64)
        for c, second in self._second.items():
            table[c, c] = cost(stage, size, self.first[c], second)
        table[table == NO_LINK] = INFINITE
        return table


def _classes(instance: Instance, clock: Clock) -> list[list[int]]:
    """The nodes of each class: each node joins the class whose first node it is like."""
    transfer, link = np.array(instance.transfer, dtype=np.int64), _links(instance)
    classes: dict[object, list[list[int]]] = {}
    for n in range(instance.nodes):
        clock.spend(instance.nodes)
        figures = (instance.forward[n], instance.backward[n], instance.loss[n], instance.slots[n])
        similar = classes.setdefault((figures, instance.allowed[n], instance.microbatches[n]), [])
        for nodes in similar:
            clock.spend(instance.nodes // ELEMENTS_PER_STEP)
            if _exchangeable(transfer, nodes[0], n) and _exchangeable(link, nodes[0], n):
                nodes.append(n)
                break
        else:
            similar.append([n])
    return sorted(nodes for similar in classes.values() for nodes in similar)


def _links(instance: Instance) -> Integers:
    """For each directed pair the number of its figures in an all-reduce; 0 for all if there is none."""
    if instance.allreduce.present:
        return np.array(instance.allreduce.links(), dtype=np.int64)
    return np.zeros((instance.nodes, instance.nodes), dtype=np.int64)


def _exchangeable(table: Integers, a: int, b: int) -> bool:
    """Whether a table of directed pairs stays the same when two nodes change places."""
    others = np.ones(len(table), dtype=bool)
    others[[a, b]] = False
    return bool(
        table[a, b] == table[b, a]
        and np.array_equal(table[a, others], table[b, others])
        and np.array_equal(table[others, a], table[others, b])
    )
