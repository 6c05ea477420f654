"""The conditions under which iterations are simulated: how durations vary, who is slow, who is lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from skipsched.instance import Instance
from skipsched.text.diagnostics import Diagnostic, InputError, did_you_mean, quoted
from skipsched.topology.model import Topology

#: Coefficients of variation and factors beyond these are slips.
MOST_JITTER = 10.0
MOST_SLOWER = 1e6


@dataclass(frozen=True, slots=True)
class Stragglers:
    """Nodes that are slow in some iterations.

    Parameters
    ----------
    share
        The probability that a node is slow in a run, each node for itself.
    factor
        By how much its actions then take longer.
    """

    share: float
    factor: float

    def __post_init__(self) -> None:
        _refuse_outside("share of stragglers", self.share, 0, 1)
        _refuse_outside("factor of stragglers", self.factor, 1, MOST_SLOWER)


@dataclass(frozen=True)
class Conditions:
    """What happens to the durations that a schedule expects.

    Parameters
    ----------
    compute_jitter, link_jitter
        Coefficients of variation of actions and of transfers.
    slow_nodes
        By what factor the actions of named nodes take longer.
    slow_links
        By what factor transfers between two ends take longer, both ways. Ends are nodes or locations.
    stragglers
        Nodes that are slow by chance.
    lost
        Nodes that execute nothing.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    compute_jitter: float = 0.1
    link_jitter: float = 0.3
    slow_nodes: Mapping[str, float] = field(default_factory=dict)
    slow_links: Mapping[tuple[str, str], float] = field(default_factory=dict)
    stragglers: Stragglers | None = None
    lost: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        _refuse_outside("compute_jitter", self.compute_jitter, 0, MOST_JITTER)
        _refuse_outside("link_jitter", self.link_jitter, 0, MOST_JITTER)
        for factor in (*self.slow_nodes.values(), *self.slow_links.values()):
            _refuse_outside("a factor", factor, 1, MOST_SLOWER)

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "compute_jitter": self.compute_jitter,
            "link_jitter": self.link_jitter,
            "slow_nodes": dict(self.slow_nodes),
            "slow_links": [{"between": [*ends], "factor": f} for ends, f in self.slow_links.items()],
            "stragglers": None if self.stragglers is None else asdict(self.stragglers),
            "lost": sorted(self.lost),
        }


def _refuse_outside(what: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ValueError(f"{what} must be from {least:g} to {most:g}, not {value}")


#: What a simulation assumes where nothing else is said.
DEFAULT_CONDITIONS = Conditions()


@dataclass(frozen=True, slots=True)
class Slowed:
    """What conditions mean for each node and each link of a topology.

    Parameters
    ----------
    node
        The factor of each node's actions.
    link
        That of transfers from one node to another; 1 for those that are not here.
    lost
        Whether each node is lost.
    """

    node: tuple[float, ...]
    link: Mapping[tuple[int, int], float]
    lost: tuple[bool, ...]

    @classmethod
    def of(cls, conditions: Conditions, topology: Topology, instance: Instance) -> Slowed:
        """Find the nodes and links that are named. Where two rows name a link, their factors multiply.

        Raises
        ------
        InputError
            If a name is none of the topology's, or two ends have no link; all such errors at once.
        """
        ends = _ends(topology)
        _refuse_unknown(conditions, ends, instance)
        link: dict[tuple[int, int], float] = {}
        for (a, b), factor in conditions.slow_links.items():
            for pair in _pairs(ends[a], ends[b], instance):
                link[pair] = link.get(pair, 1.0) * factor
        return cls(
            node=tuple(conditions.slow_nodes.get(name, 1.0) for name in instance.node_ids),
            link=link,
            lost=tuple(name in conditions.lost for name in instance.node_ids),
        )


def _ends(topology: Topology) -> dict[str, list[int]]:
    """The nodes that each id and each location stands for; no name is both."""
    ends = {node.id: [n] for n, node in enumerate(topology.nodes)}
    for n, node in enumerate(topology.nodes):
        if node.location is not None:
            ends.setdefault(node.location, []).append(n)
    return ends


def _pairs(some: list[int], others: list[int], instance: Instance) -> set[tuple[int, int]]:
    """The directed links between nodes of one end and nodes of another, both ways."""
    both = {pair for a in some for b in others if a != b for pair in ((a, b), (b, a))}
    return {(a, b) for a, b in both if instance.transfer[a][b] >= 0}


def _refuse_unknown(conditions: Conditions, ends: Mapping[str, list[int]], instance: Instance) -> None:
    found = [*_unknown(conditions, ends, instance)]
    if found:
        raise InputError(found)


def _unknown(
    conditions: Conditions, ends: Mapping[str, list[int]], instance: Instance
) -> Iterator[Diagnostic]:
    for where, names in (("slow_nodes", conditions.slow_nodes), ("lost", sorted(conditions.lost))):
        for name in names:
            if name not in instance.node_ids:
                message = f"there is no node {quoted(name)}"
                hint = did_you_mean(name, instance.node_ids)
                yield Diagnostic("error", "unknown-node", where, message, hint=hint)
    for pair in conditions.slow_links:
        strange = [name for name in dict.fromkeys(pair) if name not in ends]
        for name in strange:
            message = f"{quoted(name)} is neither a node nor a location"
            yield Diagnostic("error", "unknown-end", "slow_links", message, hint=did_you_mean(name, ends))
        if not strange and not _pairs(ends[pair[0]], ends[pair[1]], instance):
            message = f"there is no link between {quoted(pair[0])} and {quoted(pair[1])}"
            yield Diagnostic("error", "link", "slow_links", message)
