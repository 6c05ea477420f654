"""For each kind of member the changes that may do in its place, the nearest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

from skipsched.clock import Clock
from skipsched.conflict.change import Change, value_at
from skipsched.conflict.member import Key, Kind, Member
from skipsched.conflict.relax import Relaxations, most_microbatches
from skipsched.topology import derive
from skipsched.topology.model import Node, Topology

#: Figures of a link that is added: only that there is one bears on feasibility.
_EXAMPLE = {"latency": "50 ms", "bandwidth": "100 Mbit/s"}


@dataclass(frozen=True, slots=True)
class Step:
    """A way to change what a member says.

    Parameters
    ----------
    changes
        The fields to change.
    fields
        How many fields that makes a person write; each link is one.
    distance
        How far the new value is from the old one: their difference for counts, nodes that change their stage
        for sizes, 1 for a pin, a memory and each link.
    switched_off
        Whether a rule is switched off altogether.
    nearest
        Whether it is proved that no way of its kind is nearer.
    """

    changes: tuple[Change, ...]
    fields: int
    distance: int
    switched_off: bool = False
    nearest: bool = True


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be changed.

    Parameters
    ----------
    member
        The member that shall say something else.
    topology
        The topology.
    left
        Other members that will be changed, and count as left out until then.
    clock
        The limit of those ways that have to be solved for.
    """

    member: Member
    topology: Topology
    left: tuple[Key, ...]
    clock: Clock

    @property
    def node(self) -> int:
        """The member's node."""
        assert self.member.node is not None
        return self.member.node

    @property
    def node_named(self) -> str:
        """The member's node for a person."""
        return f"node {self.topology.nodes[self.node].id}"

    def change(self, new: Any, note: str = "", where: str = "") -> Change:
        """Another value for the member's field, or for another one."""
        where = where or self.member.field
        return Change(where, value_at(self.topology.document, where), new, note)


def steps(wish: Wish) -> Iterator[Step]:
    """The ways to change what a member says, the nearest first."""
    return _WAYS[wish.member.kind](wish)


def _counts(wish: Wish, old: int, values: Iterable[int], note: str = "") -> Iterator[Step]:
    """Other values of a count, the nearest first and the higher of two."""
    for value in sorted(values, key=lambda value: (abs(value - old), -value)):
        if value != old:
            yield Step((wish.change(str(value), note),), 1, abs(value - old))


def _path_length(wish: Wish) -> Iterator[Step]:
    """Other lengths."""
    stages, old = wish.topology.workload.stages, wish.topology.rules.path_length
    for length in sorted(range(2, stages + 1), key=lambda length: (abs(length - old), -length)):
        if length != old:
            changes = path_length_changes(wish.topology, length)
            yield Step(changes, len(changes), abs(length - old))


def path_length_changes(topology: Topology, length: int) -> tuple[Change, ...]:
    """Paths of another length, written as the topology writes them: directly, as a ratio, or both."""
    document, stages = topology.document, topology.workload.stages
    written = document.get("rules", {})
    changes = []
    if "skip_ratio" in written:
        ratio, where = f"{stages - length}/{stages}", "rules.skip_ratio"
        changes.append(Change(where, value_at(document, where), ratio, f"paths of {length} stages"))
    if "skip_ratio" not in written or "path_length" in written:
        where = "rules.path_length"
        changes.append(Change(where, value_at(document, where), str(length)))
    return tuple(changes)


def _max_jump(wish: Wish) -> Iterator[Step]:
    old = wish.topology.rules.max_jump
    return _counts(wish, old, range(old + 1, wish.topology.workload.stages))


def _max_swap_distance(wish: Wish) -> Iterator[Step]:
    old = wish.topology.rules.max_swap_distance
    return _counts(wish, old, range(old + 1, wish.topology.workload.stages - 1))


def _max_swaps(wish: Wish) -> Iterator[Step]:
    old = wish.topology.rules.max_swaps
    return _counts(wish, old, range(old + 1, (wish.topology.workload.stages - 2) ** 2 + 1))


def _path_period(wish: Wish) -> Iterator[Step]:
    """Other periods shorter than the microbatches of some node; a longer one says as much as none."""
    old = wish.topology.rules.path_period
    assert old is not None
    yield from _counts(wish, old, range(1, most_microbatches(wish.topology)))
    yield Step((wish.change(None),), 1, 1, switched_off=True)


def _off(wish: Wish) -> Iterator[Step]:
    yield Step((wish.change(False),), 1, 1, switched_off=True)


def _microbatches(wish: Wish) -> Iterator[Step]:
    old = int(value_at(wish.topology.document, wish.member.field))
    return _counts(wish, old, range(1, most_microbatches(wish.topology) + 1))


def _own_microbatches(wish: Wish) -> Iterator[Step]:
    old = wish.topology.nodes[wish.node].microbatches
    return _counts(wish, old, range(most_microbatches(wish.topology) + 1), wish.node_named)


def _pin(wish: Wish) -> Iterator[Step]:
    """Pins to other stages; without any the node would hold one of those that do."""
    old = wish.topology.nodes[wish.node].stage
    assert old is not None
    note = f"{wish.node_named}; or no pin at all"
    for step in _counts(wish, old, range(wish.topology.workload.stages), note):
        yield Step(step.changes, 1, 1)


def _memory(wish: Wish) -> Iterator[Step]:
    """Enough bytes for one slot on one stage more, and so on, each rounded up to a readable figure."""
    held = wish.topology.nodes[wish.node].memory
    memories = derive.stage_memories(wish.topology.workload)
    assert held is not None and memories is not None
    needed = {memory.state + memory.footprint for memory in memories}
    for size in sorted(size for size in needed if size > held):
        yield Step((wish.change(readable_size(size), wish.node_named),), 1, 1)


def readable_size(size: int) -> str:
    """A size in its largest unit with two decimals, rounded up: at least as many bytes."""
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size >= 1024**power:
            hundredths = -(-100 * size // 1024**power)
            return f"{float(Fraction(hundredths, 100)):.2f} {unit}"
    return f"{size} B"


def _sizes(wish: Wish) -> Iterator[Step]:
    """Other numbers of data nodes; or the sizes that move the fewest nodes, solved for."""
    workload = wish.topology.workload
    given = workload.stage_sizes
    if given is None:
        most = len(wish.topology.nodes) - workload.stages + 1
        yield from _counts(wish, workload.data_nodes, range(1, most + 1))
        return
    from skipsched.conflict.soft import NearestSizes

    problem = Relaxations(wish.topology).without([*wish.left, wish.member.key])
    found, nearest = [], True
    for case in problem.cases():
        model = NearestSizes(case, given, wish.clock, problem.free)
        found.append(model.sizes())
        nearest &= found[-1] is None or model.proved
    for moved, sizes in sorted(option for option in found if option is not None):
        yield Step((wish.change([str(size) for size in sizes]),), 1, moved, nearest=nearest)


def _links(wish: Wish) -> Iterator[Step]:
    """The fewest pairs that have to be linked, solved for; in the directions that are missing."""
    from skipsched.conflict.soft import FewestLinks

    topology = wish.topology
    problem = Relaxations(topology).without(wish.left)
    found, nearest = [], True
    for case in problem.cases():
        model = FewestLinks(case, wish.clock, problem.free)
        found.append(model.pairs())
        nearest &= found[-1] is None or model.proved
    pairs = min((option for option in found if option is not None), key=len, default=[])
    rows = value_at(topology.document, "network.links") or []
    written = _by_ends(rows)
    figures = next(iter(written.values()), _EXAMPLE)
    changes: list[Change] = []
    for a, b in pairs:
        here, there = topology.nodes[a], topology.nodes[b]
        row: dict[str, Any] = {"between": [here.id, there.id], **figures}
        if (known := _figures(written, here, there)) is not None:
            row = {"from": there.id, "to": here.id, **known}
        elif (known := _figures(written, there, here)) is not None:
            row = {"from": here.id, "to": there.id, **known}
        where = f"network.links[{len(rows) + len(changes)}]"
        changes.append(Change(where, None, row, "one more row, with figures for example"))
    if changes:
        yield Step(tuple(changes), len(changes), len(changes), nearest=nearest)


def _by_ends(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """The figures of each direction as its row writes them."""
    figures = {}
    for row in rows:
        ends = row.get("between") or (row["from"], row["to"])
        written = {key: row[key] for key in _EXAMPLE}
        figures[ends[0], ends[1]] = written
        if "between" in row:
            figures[ends[1], ends[0]] = written
    return figures


def _figures(
    written: Mapping[tuple[str, str], dict[str, Any]], source: Node, target: Node
) -> dict[str, Any] | None:
    """The figures of the most specific row from one node to another; None if there is none."""
    ends = product((source.id, source.location), (target.id, target.location))
    return next((written[a, b] for a, b in ends if a and b and (a, b) in written), None)


#: The kinds that a change may concern, those to be changed rather than others first: what costs nothing but
#: a choice before what has to be bought, and what learning rests on last. The need for a ring is not among
#: them: a conflict has it only beside missing links, and gradients are not there to be chosen.
_WAYS: dict[Kind, Callable[[Wish], Iterator[Step]]] = {
    Kind.MAX_JUMP: _max_jump,
    Kind.MAX_SWAP_DISTANCE: _max_swap_distance,
    Kind.MAX_SWAPS: _max_swaps,
    Kind.PATH_PERIOD: _path_period,
    Kind.PIN: _pin,
    Kind.SIZES: _sizes,
    Kind.MICROBATCHES: _microbatches,
    Kind.OWN_MICROBATCHES: _own_microbatches,
    Kind.LINK: _links,
    Kind.MEMORY: _memory,
    Kind.PATH_LENGTH: _path_length,
    Kind.EVEN_NODES: _off,
    Kind.COVER: _off,
    Kind.EVEN_STAGES: _off,
}
CHANGEABLE = tuple(_WAYS)
#: The kinds that can only be switched off.
SWITCHES = frozenset(kind for kind, way in _WAYS.items() if way is _off)
