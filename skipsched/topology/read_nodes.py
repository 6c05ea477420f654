"""The `nodes` section: nodes and groups of equal nodes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from skipsched.text.diagnostics import Report, quoted
from skipsched.text.quantities import SIZE, TIME, UnreadableError
from skipsched.text.source import Mark
from skipsched.text.tree import Mapping, Scalar, Sequence, kind
from skipsched.topology import limits
from skipsched.topology.fields import Fields, readable_name
from skipsched.topology.model import Node

_KEYS = (
    "id",
    "count",
    "location",
    "layer_time",
    "forward_time",
    "memory",
    "stage",
    "microbatches",
)
_PLACE = "{}"


@dataclass(frozen=True, slots=True)
class Group:
    """One entry of `nodes`: its fields, and the nodes it stands for."""

    fields: Fields
    entry: Mapping
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class NodesDraft:
    """The nodes as far as they could be read.

    `named` says whether the names of all nodes and locations are known, `counted` whether their number is:
    where they are not, what would follow from them is not reported too.
    """

    groups: tuple[Group, ...]
    named: bool
    counted: bool

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, in the order of the text."""
        return tuple(node for group in self.groups for node in group.nodes)


def read_nodes(
    top: Fields, report: Report, places: dict[str, Mark], microbatches: int | None, stages: int | None
) -> NodesDraft:
    """Read all entries.

    Parameters
    ----------
    top, report, places
        The document, and what takes its errors and the places of its fields.
    microbatches
        What a node emits if its entry does not say; None if that is not known.
    stages
        Number of stages; None if that is not known.
    """
    groups: list[Group] = []
    names = _Names()
    entries = top.entry("nodes", required=True)
    empty = isinstance(entries, Sequence) and not entries.items
    if empty:
        top.error("count", "nodes", "there are no nodes")
    # No entries say nothing of which nodes were meant, nor how many.
    named = counted = isinstance(entries, Sequence) and not empty
    total = 0
    for where, value in top.items("nodes", required=True):
        if not isinstance(value, Mapping):
            report.error("type", where, f"expected a node as a mapping, got {kind(value)}", value.mark)
            named = counted = False
            continue
        fields = Fields(value, where, report, _KEYS, places)
        places[where] = fields.mark
        count = fields.count("count", 1, limits.MAX_NODES) if "count" in fields else 1
        total += count or 1
        if total > limits.MAX_NODES:
            message = f"{total} nodes up to here, beyond the limit of {limits.MAX_NODES}"
            report.error("limit", where, message, fields.mark)
            named = counted = False
            break
        ids = _ids(fields, count or 1)
        nodes = _nodes(fields, ids or [""], microbatches, stages)
        named = named and bool(ids) and ("location" in fields) == (nodes[0].location is not None)
        counted = counted and count is not None and bool(ids)
        if ids:
            names.add(ids, fields)
            groups.append(Group(fields, value, nodes))
    return NodesDraft(tuple(groups), named, counted)


class _Names:
    """The ids so far, and where each stands."""

    def __init__(self) -> None:
        self._first: dict[str, Mark] = {}

    def add(self, ids: list[str], fields: Fields) -> None:
        taken = [node_id for node_id in ids if node_id in self._first]
        if taken:
            others = f" (so are {len(taken) - 1} more of this entry)" if len(taken) > 1 else ""
            message = (
                f"{quoted(taken[0])} is the id of another node already{self._first[taken[0]].aside}{others}"
            )
            fields.error("duplicate-id", "id", message)
        for node_id in ids:
            self._first.setdefault(node_id, fields.value_mark("id"))


def _ids(fields: Fields, count: int) -> list[str]:
    """The ids of an entry's nodes; none if they cannot be told."""
    template = fields.text("id", required=True)
    if template is None:
        return []
    if _PLACE not in template:
        if count > 1:
            message = f"{count} nodes cannot share the id {quoted(template)}"
            hint = f"put {_PLACE} where their number goes, such as {quoted(template + _PLACE)}"
            fields.error("duplicate-id", "id", message, hint)
        return [template] * count
    if "count" not in fields:
        message = f"{quoted(template)} has {_PLACE} for the number of a node, but the entry has no `count`"
        fields.error("missing-key", "id", message)
    ids = [template.replace(_PLACE, str(i)) for i in range(count)]
    try:
        readable_name(ids[-1], "str")
    except UnreadableError as trouble:
        fields.error(trouble.rule, "id", trouble.message)
    return ids


def _nodes(fields: Fields, ids: list[str], microbatches: int | None, stages: int | None) -> tuple[Node, ...]:
    location = fields.text("location")
    layer_time = fields.quantity("layer_time", TIME, positive=True)
    forward_time = fields.quantity("forward_time", TIME, positive=True)
    fields.exclusive("layer_time", "forward_time")
    if "layer_time" not in fields and "forward_time" not in fields:
        fields.missing("layer_time", "forward_time")
    slots, memory = _memory(fields)
    stage = fields.count("stage", 0)
    if stage is not None and stages is not None and stage >= stages:
        fields.error("range", "stage", f"there is no stage {stage}; the stages are 0 to {stages - 1}")
    own = fields.count("microbatches", 0, limits.MAX_MICROBATCHES)
    emitted = own if own is not None else (microbatches or 0)
    return tuple(
        Node(node_id, location, layer_time, forward_time, slots, memory, stage, emitted) for node_id in ids
    )


def _memory(fields: Fields) -> tuple[int | None, Fraction | None]:
    """Memory as slots (a bare count) or as bytes (a size with its unit)."""
    value = fields.scalar("memory", required=True)
    if value is None:
        return None, None
    if not any(c.isdigit() for c in value.text):
        message = (
            f'expected a number of slots such as 3, or a size such as "24 GiB", got {quoted(value.text)}'
        )
        fields.error("type", "memory", message)
        return None, None
    if _has_unit(value):
        return None, fields.quantity_of(value, fields.path("memory"), SIZE, positive=True)
    return fields.count("memory", 1), None


def _has_unit(value: Scalar) -> bool:
    """Whether letters follow the figure: bytes then, slots otherwise. An exponent is no unit."""
    return any(c.isalpha() and c not in "eE" for c in value.text) and not value.text.startswith("0x")
