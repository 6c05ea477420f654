"""The case against one schedule: what it is judged by, and what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import islice

from skipsched.check.violation import Violation
from skipsched.instance import Instance
from skipsched.text.diagnostics import quoted
from skipsched.topology.model import Topology

#: Violations of one rule beyond this many are counted, not listed: most often it is one fault in many places.
MOST_OF_A_RULE = 20
_LISTED = 8


class Case:
    """What a schedule is judged by, and what was found.

    Parameters
    ----------
    topology, instance
        The topology and its integer tables.

    Attributes
    ----------
    index
        Index of each node by its name.
    """

    def __init__(self, topology: Topology, instance: Instance) -> None:
        self.topology = topology
        self.instance = instance
        self.index = {name: node for node, name in enumerate(instance.node_ids)}
        self._found: list[Violation] = []
        self._counts: Counter[str] = Counter()

    def fail(
        self,
        rule: str,
        message: str,
        *,
        microbatch: int | None = None,
        node: int | None = None,
        time: int | None = None,
    ) -> None:
        """Add a violation; the node by its index."""
        self._counts[rule] += 1
        if self._counts[rule] <= MOST_OF_A_RULE:
            name = None if node is None else self.instance.node_ids[node]
            self._found.append(Violation(rule, message, microbatch, name, time))

    def name(self, node: int) -> str:
        """A node in a message."""
        return quoted(self.instance.node_ids[node])

    def violations(self) -> list[Violation]:
        """What was found, in the order in which causes come before consequences."""
        more = [
            Violation(rule, f"{count - MOST_OF_A_RULE} more like these are not listed")
            for rule, count in self._counts.items()
            if count > MOST_OF_A_RULE
        ]
        return self._found + more


def listing(items: Iterable[str], count: int) -> str:
    """The first few of `count` items, for a message."""
    few = list(islice(items, _LISTED))
    return ", ".join(few) + (f" and {count - len(few)} more" if count > len(few) else "")
