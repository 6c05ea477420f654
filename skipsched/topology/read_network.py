"""The `network` section: figures of links between nodes and locations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from skipsched.text.diagnostics import Report, did_you_mean, quoted
from skipsched.text.quantities import RATE, TIME
from skipsched.text.source import Mark
from skipsched.text.tree import Mapping as Map
from skipsched.text.tree import Sequence as List
from skipsched.text.tree import Value, kind
from skipsched.topology import limits
from skipsched.topology.fields import Fields
from skipsched.topology.links_file import FileRow, read_links_file
from skipsched.topology.model import Link, Network
from skipsched.topology.read_nodes import NodesDraft
from skipsched.topology.read_workload import WorkloadDraft

_KEYS = ("overhead", "default", "links", "links_file")
_DEFAULT_KEYS = ("latency", "bandwidth")
_LINK_KEYS = ("between", "from", "to", *_DEFAULT_KEYS)
#: Unknown ends that get a warning of their own, with the nearest name; the rest share one.
_STRANGERS_TOLD = 20


@dataclass(frozen=True, slots=True)
class NetworkDraft:
    """The network as far as it could be read, the rows of its links file, and where each row stands."""

    network: Network
    file_rows: Sequence[FileRow]
    places: Mapping[tuple[str, str], tuple[str, Mark]]
    default_mark: Mark


def read_network(
    top: Fields, report: Report, places: dict[str, Mark], nodes: NodesDraft, folder: Path | None
) -> NetworkDraft:
    """Read the network.

    Parameters
    ----------
    top, report, places
        The document, and what takes its errors and the places of its fields.
    nodes
        Whose ids and locations the ends of links are.
    folder
        What the path of the `links_file` is relative to; None where no other file may be read.
    """
    rows = _Rows(report, nodes)
    section = top.section("network")
    if section is None:
        return NetworkDraft(Network(Fraction(0), None, {}), [], {}, top.mark)
    keys = _KEYS if folder is not None else _KEYS[:-1]
    fields = Fields(section, "network", report, keys, places)
    overhead = fields.quantity("overhead", TIME, positive=False)
    default = None
    # A default is whole or absent; it is no section that may stand empty.
    if (entry := fields.section("default", required="default" in fields)) is not None:
        default = _figures(Fields(entry, "network.default", report, _DEFAULT_KEYS, places))
    for where, value in fields.items("links"):
        places[where] = value.mark
        _read_link(value, where, rows, report)
    file_rows: list[FileRow] = []
    if folder is not None and (name := fields.path_text("links_file")) is not None:
        for row in read_links_file(fields, "links_file", folder / name, report):
            file_rows.append(row)
            rows.add(row.source, row.target, row.link, "links_file", row.mark)
    rows.tell_strangers()
    network = Network(overhead or Fraction(0), default, rows.links)
    return NetworkDraft(network, file_rows, rows.places, fields.value_mark("default"))


class _Rows:
    """Collects the rows by directed ends, and says what is wrong with the ends."""

    def __init__(self, report: Report, nodes: NodesDraft) -> None:
        self.links: dict[tuple[str, str], Link] = {}
        self.places: dict[tuple[str, str], tuple[str, Mark]] = {}
        self._report = report
        self._ids = {node.id for node in nodes.nodes}
        self._locations: set[str] = set()
        self._all_named = nodes.named
        self._strangers: dict[str, tuple[str, Mark]] = {}
        for group in nodes.groups:
            location = group.nodes[0].location
            if location is None or location in self._locations:
                continue
            self._locations.add(location)
            if location in self._ids:
                message = f"{quoted(location)} is also the id of a node; a link could mean either"
                group.fields.error("conflict", "location", message)

    def add(self, source: str, target: str, link: Link, where: str, mark: Mark) -> bool:
        """Add the figures of one direction. Returns whether they are the first."""
        ends = (source, target)
        if ends in self.links:
            first = _place(self.places[ends][1], mark)
            message = f"the link from {quoted(source)} to {quoted(target)} has figures already{first}"
            self._report.error("duplicate-link", where, message, mark)
            return False
        self.links[ends] = link
        self.places[ends] = (where, mark)
        if source == target and source in self._ids:
            message = f"joins the node {quoted(source)} with itself, which does nothing"
            self._report.warning("link-to-itself", where, message, mark)
        for end in ends:
            if end not in self._ids and end not in self._locations:
                self._strangers.setdefault(end, (where, mark))
        return True

    def tell_strangers(self) -> None:
        """Warn of ends that are neither a node nor a location, unless bad nodes may be the reason."""
        if not self._all_named:
            return
        known = sorted(self._ids | self._locations)
        strangers = list(self._strangers.items())
        for end, (where, mark) in strangers[:_STRANGERS_TOLD]:
            message = f"{quoted(end)} is neither a node nor any node's location; rows that name it do nothing"
            self._report.warning("unknown-end", where, message, mark, did_you_mean(end, known))
        if len(strangers) > _STRANGERS_TOLD:
            where, mark = strangers[_STRANGERS_TOLD][1]
            more = len(strangers) - _STRANGERS_TOLD
            message = f"{more} more names from here on are neither a node nor any node's location"
            self._report.warning("unknown-end", where, message, mark)


def _place(first: Mark, mark: Mark) -> str:
    """Where the first of two rows stands, as the end of a message about the second."""
    if first.source is mark.source or not first.source.placed:
        return first.aside
    return f" ({first.source.name}, line {first.line + 1})"


def _figures(fields: Fields) -> Link | None:
    latency = fields.quantity("latency", TIME, positive=False, required=True)
    bandwidth = fields.quantity("bandwidth", RATE, positive=True, required=True)
    return None if latency is None or bandwidth is None else Link(latency, bandwidth)


def _read_link(value: Value, where: str, rows: _Rows, report: Report) -> None:
    if not isinstance(value, Map):
        report.error("type", where, f"expected a link as a mapping, got {kind(value)}", value.mark)
        return
    fields = Fields(value, where, report, _LINK_KEYS)
    link = _figures(fields)
    ends = _ends(fields)
    if link is None or ends is None:
        return
    added = rows.add(*ends, link, where, fields.mark)
    if added and "between" in fields and ends[0] != ends[1]:
        rows.add(ends[1], ends[0], link, where, fields.mark)


def _ends(fields: Fields) -> tuple[str, str] | None:
    if "between" in fields:
        for key in ("from", "to"):
            fields.exclusive("between", key)
        value = fields.entry("between")
        if not isinstance(value, List) or len(value.items) != 2:
            if value is not None:
                message = "expected a list of two names such as [Oregon, Tokyo]"
                got = f"one of {len(value.items)}" if isinstance(value, List) else kind(value)
                fields.error("type", "between", f"{message}, got {got}")
            return None
        names = [fields.name_of(item, f"{fields.path('between')}[{i}]") for i, item in enumerate(value.items)]
    elif "from" in fields or "to" in fields:
        names = [fields.text("from", required=True), fields.text("to", required=True)]
    else:
        fields.missing("between", "from", why=": a link joins two nodes or locations")
        return None
    return (names[0], names[1]) if names[0] is not None and names[1] is not None else None


def check_transfers(draft: NetworkDraft, workload: WorkloadDraft | None, report: Report) -> None:
    """Refuse links over which a transfer, or a hop of an all-reduce, takes absurdly long."""
    if workload is None:
        return
    network = draft.network
    figures = [(*draft.places[ends], link) for ends, link in network.rows.items()]
    if network.default is not None:
        figures.append(("network.default", draft.default_mark, network.default))
    activation = workload.activation or Fraction(0)
    gradient = max(workload.gradient or [Fraction(0)])
    for load, overhead, size in (
        ("an activation", network.overhead, activation),
        ("a stage's gradients", Fraction(0), gradient),
    ):
        most = limits.MAX_SECONDS
        rough_overhead, rough_size = float(overhead), float(size)
        for where, mark, link in figures:
            rough = rough_overhead + float(link.latency) + rough_size / float(link.bandwidth)
            # Exact arithmetic only for the few that come near the limit.
            if rough > most / 2 and overhead + link.latency + size / link.bandwidth > most:
                message = f"moving {load} takes {rough:.7g} s here, beyond the limit of {most} s"
                report.error("limit", where, message, mark)
