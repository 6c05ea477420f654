"""Which row of a topology's links holds between two nodes: what a user can buy a better one of."""

from __future__ import annotations

from dataclasses import dataclass

from skipsched.topology.model import Topology


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A row of the links, or their default.

    Parameters
    ----------
    field
        Its path in the topology's document: ``network.links[7]``, ``network.default``.
    name
        For a person: ``Tokyo - Sydney`` for both directions, ``Tokyo to Sydney`` for one.
    """

    field: str
    name: str


_DEFAULT = LinkRow("network.default", "default link")


class LinkRows:
    """The rows of a topology's links.

    Parameters
    ----------
    topology
        The topology.
    """

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._by_ends: dict[tuple[str, str], LinkRow] = {}
        for place, row in enumerate(topology.document.get("network", {}).get("links", [])):
            field = f"network.links[{place}]"
            if "between" in row:
                a, b = row["between"]
                self._by_ends[a, b] = self._by_ends[b, a] = LinkRow(field, f"{a} - {b}")
            else:
                a, b = row["from"], row["to"]
                self._by_ends[a, b] = LinkRow(field, f"{a} to {b}")

    def between(self, source: int, target: int) -> LinkRow:
        """The row that holds from one node to another, between which there is a link; nodes by index."""
        nodes = self._topology.nodes
        ends = self._topology.network.row(nodes[source], nodes[target])
        return _DEFAULT if ends is None else self._by_ends[ends]
