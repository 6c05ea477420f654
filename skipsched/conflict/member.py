"""Rules and numbers that may conflict: what each is called, where it stands, what leaving it out means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from enum import Enum
from typing import Any

from skipsched.conflict.change import value_at
from skipsched.instance import NO_LINK, Instance
from skipsched.text.source import Mark
from skipsched.topology.model import Topology


class Kind(Enum):
    """The kinds of members, and what it means to leave one out.

    A conflict keeps the first kinds rather than the last ones, where it could be told by either.
    """

    #: A path executes any number of stages, at least 2; the same for all paths.
    PATH_LENGTH = "path_length"
    #: Stages may be executed unequally often.
    EVEN_STAGES = "even_stages"
    #: Every pair of nodes is linked in both directions.
    LINK = "links"
    #: A stage may follow however far above the frontier.
    MAX_JUMP = "max_jump"
    #: A stage may follow however far below the frontier.
    MAX_SWAP_DISTANCE = "max_swap_distance"
    #: The distances of a path's swaps may sum to anything.
    MAX_SWAPS = "max_swaps"
    #: Every stage has any number of nodes, at least one.
    SIZES = "sizes"
    #: The node may hold any stage that its memory holds.
    PIN = "pin"
    #: The node has a slot on every stage.
    MEMORY = "memory"
    #: The all-reduce needs no ring of links.
    RING = "gradient"
    #: Nodes without a number of their own emit any one number of microbatches, the same for all of them: from
    #: 1 to the highest number written, or to the number of stages less one if that is more. With so many
    #: paths a data node can execute every stage, if any number will do. The bound is a part of the meaning:
    #: whether the rules on evenness could agree on still more microbatches is not asked.
    MICROBATCHES = "microbatches"
    #: The node emits any number of microbatches from 0 to the same highest one.
    OWN_MICROBATCHES = "own_microbatches"
    #: A data node's microbatches need not execute every stage.
    COVER = "cover"
    #: The nodes of a stage may execute unequally many microbatches.
    EVEN_NODES = "even_nodes"
    #: Every microbatch has a path of its own.
    PATH_PERIOD = "path_period"
    #: The allocation that is to be kept from a schedule need not be kept.
    GIVEN = "given"

    @property
    def rule(self) -> str:
        """The rule, by the name it has everywhere."""
        return _RULES.get(self, self.value.replace("_", "-"))


#: The rules of kinds that are not named after theirs.
_RULES = {
    Kind.LINK: "link",
    Kind.MAX_JUMP: "jump",
    Kind.MAX_SWAP_DISTANCE: "swap",
    Kind.MAX_SWAPS: "swap",
    Kind.SIZES: "allocation",
    Kind.PIN: "allocation",
    Kind.MEMORY: "allocation",
    Kind.RING: "ring",
    Kind.OWN_MICROBATCHES: "microbatches",
    Kind.GIVEN: "allocation",
}
KINDS = tuple(Kind)
#: What tells a member from others of the same topology, and from what it becomes when its value is changed.
Key = tuple[Kind, int | None]


@dataclass(frozen=True, slots=True)
class Member:
    """One rule or number in conflict with others.

    Parameters
    ----------
    rule
        The rule, by the name it has everywhere (``jump``); ``allocation`` for pins, memory and sizes.
    field
        The field that states it, as a path in the topology's document (``rules.max_jump``); nodes are
        numbered there with their groups expanded.
    value
        Its value as text.
    note
        What the field does not say: the node's id, a default, the pairs that have no link; may be empty.
    mark
        Where it stands in the text; its nearest parent for a default; None if neither stands there.
    kind
        Its kind.
    node
        The node concerned, for kinds of single nodes.
    """

    rule: str
    field: str
    value: str
    note: str
    mark: Mark | None = dataclass_field(repr=False)
    kind: Kind
    node: int | None = None

    @property
    def key(self) -> Key:
        """Kind and node."""
        return self.kind, self.node

    @property
    def says(self) -> str:
        """Field, value and note for a person."""
        note = f" ({self.note})" if self.note else ""
        return f"{self.field}: {self.value}{note}"


def members_of(topology: Topology, instance: Instance, given: bool) -> list[Member]:
    """Every member of a topology that could be part of a conflict, by kind.

    Parameters
    ----------
    given
        Whether an allocation from a schedule is to be kept.
    """
    found = [*_of_rules(topology, instance), *_of_nodes(topology, instance)]
    if given:
        rule = Kind.GIVEN.rule
        found.append(Member(rule, "allocation_from", "given", "", None, Kind.GIVEN))
    return sorted(found, key=lambda member: (KINDS.index(member.kind), member.node or 0))


def _of_rules(topology: Topology, instance: Instance) -> Iterator[Member]:
    """The members that stand once in a topology, as far as they restrict anything."""
    rules, stages, document = instance.rules, instance.stages, topology.document
    most_distance = stages - 2
    in_effect = {
        Kind.PATH_LENGTH: stages > 2,
        Kind.EVEN_STAGES: rules.even_stages,
        Kind.LINK: not instance.complete,
        Kind.MAX_JUMP: rules.max_jump < stages - 1,
        Kind.MAX_SWAP_DISTANCE: rules.max_swap_distance < most_distance,
        Kind.MAX_SWAPS: rules.max_swaps < most_distance**2,
        Kind.SIZES: instance.nodes > stages,
        Kind.RING: instance.allreduce.present and not instance.complete,
        Kind.MICROBATCHES: any("microbatches" not in node for node in document["nodes"]),
        Kind.COVER: rules.cover,
        Kind.EVEN_NODES: rules.even_nodes,
        Kind.PATH_PERIOD: rules.path_period is not None,
    }
    defaults = {kind: getattr(rules, kind.value, None) for kind in in_effect}
    for kind, restricts in in_effect.items():
        if not restricts:
            continue
        where = _field_of(kind, topology)
        value, note = value_at(document, where), ""
        if kind is Kind.LINK:
            value, note = _missing(instance)
        elif value is None:
            value, note = defaults[kind], "the default"
        elif where == "rules.skip_ratio":
            note = f"paths of {rules.path_length} of the {stages} stages"
        yield Member(kind.rule, where, _text(value), note, place_of(topology, where), kind)


def _field_of(kind: Kind, topology: Topology) -> str:
    """The field that states a member which stands once in a topology."""
    written = topology.document.get("rules", {})
    by_ratio = "skip_ratio" in written and "path_length" not in written
    fields = {
        Kind.PATH_LENGTH: "rules.skip_ratio" if by_ratio else "rules.path_length",
        Kind.LINK: "network.links",
        Kind.SIZES: "workload.data_nodes"
        if topology.workload.stage_sizes is None
        else "workload.stage_sizes",
        Kind.RING: "workload.gradient",
        Kind.MICROBATCHES: "workload.microbatches",
    }
    return fields.get(kind, f"rules.{kind.value}")


def _of_nodes(topology: Topology, instance: Instance) -> Iterator[Member]:
    for n, node in enumerate(topology.nodes):
        lacking = [k for k in range(instance.stages) if instance.slots[n][k] == 0]
        no_slot = f": no slot on {stages_named(lacking)}"
        for kind, name, restricts, note in (
            (Kind.PIN, "stage", node.stage is not None, ""),
            (Kind.MEMORY, "memory", bool(lacking), no_slot),
            (Kind.OWN_MICROBATCHES, "microbatches", "microbatches" in topology.document["nodes"][n], ""),
        ):
            where = f"nodes[{n}].{name}"
            if restricts:
                value, mark = _text(value_at(topology.document, where)), place_of(topology, where)
                yield Member(kind.rule, where, value, f"node {node.id}{note}", mark, kind, n)


def place_of(topology: Topology, where: str) -> Mark | None:
    """Where a field stands; its nearest parent if it does not stand there; None if that does not either."""
    while where and where not in topology.places:
        where = where[: max(where.rfind("."), where.rfind("["), 0)]
    return topology.places.get(where)


def stages_named(stages: Sequence[int]) -> str:
    """``stage 2`` or ``stages 1, 2``."""
    return f"{'stage' if len(stages) == 1 else 'stages'} {', '.join(map(str, stages))}"


def _missing(instance: Instance, most: int = 4) -> tuple[str, str]:
    """How many pairs have no link, or one direction of it, and the first of them, the latter before all."""
    nodes, names = range(instance.nodes), instance.node_ids
    halves = one_way(instance)
    apart = [
        (a, b)
        for a in nodes
        for b in nodes
        if a < b and instance.transfer[a][b] == instance.transfer[b][a] == NO_LINK
    ]
    pairs = [f"only from {names[a]} to {names[b]}" for a, b in halves]
    pairs += [f"{names[a]} and {names[b]}" for a, b in apart]
    named = ", ".join(pairs[:most])
    more = f", {len(pairs) - most} more" if len(pairs) > most else ""
    of = instance.nodes * (instance.nodes - 1) // 2
    lacking = "has no link" if len(pairs) == 1 else "have no link"
    if halves:
        lacking = "is not linked both ways" if len(pairs) == 1 else "are not linked both ways"
    return f"{len(pairs)} of {of} pairs of nodes {lacking}", f"{named}{more}"


def one_way(instance: Instance) -> list[tuple[int, int]]:
    """The pairs of nodes with a link from the first to the second and none back, which serves no path."""
    nodes, transfer = range(instance.nodes), instance.transfer
    return [
        (a, b)
        for a in nodes
        for b in nodes
        if a != b and transfer[a][b] != NO_LINK and transfer[b][a] == NO_LINK
    ]


def _text(value: Any) -> str:
    """A value of a document as it would be written."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return str(value)
