"""Conflicts judged by plain enumeration: what members mean, written down a second time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

import brute_force

from skipsched.conflict import Cause, Change, Kind, Member, applied
from skipsched.instance import Instance
from skipsched.text.diagnostics import InputError
from skipsched.topology.load import load_document
from skipsched.topology.model import Rules, Topology


def agree(loaded: Topology, members: Iterable[Member], allocation: Collection[int] | None = None) -> bool:
    """Whether some members of a topology agree with each other, whatever its other rules and numbers say."""
    kept = {(member.kind, member.node) for member in members}
    kinds = {kind for kind, _ in kept}
    tables = Instance.of(loaded)
    if Kind.LINK not in kinds:
        tables = replace(tables, transfer=((0,) * tables.nodes,) * tables.nodes)
    if Kind.RING not in kinds:
        without = replace(loaded.workload, gradient=(Fraction(0),) * tables.stages)
        tables = replace(tables, allreduce=Instance.of(replace(loaded, workload=without)).allreduce)
    if Kind.SIZES not in kinds:
        most = (tables.nodes - tables.stages + 1,) * tables.stages
        tables = replace(tables, min_sizes=(1,) * tables.stages, max_sizes=most)
    allowed = [_allowed(loaded, tables, kept, node) for node in range(tables.nodes)]
    if allocation is not None and Kind.GIVEN in kinds:
        allowed = [(stage,) for stage in allocation]
    tables = replace(tables, allowed=tuple(allowed), rules=_rules(tables, kinds))
    lengths = [tables.path_length] if Kind.PATH_LENGTH in kinds else range(2, tables.stages + 1)
    return any(
        brute_force.feasible(replace(tables, rules=replace(tables.rules, path_length=length)), numbers)
        for length in lengths
        for numbers in _numbers(loaded, kept)
    )


def _rules(tables: Instance, kinds: Collection[Kind]) -> Rules:
    rules = tables.rules
    return replace(
        rules,
        max_jump=rules.max_jump if Kind.MAX_JUMP in kinds else 99,
        max_swaps=rules.max_swaps if Kind.MAX_SWAPS in kinds else 999,
        max_swap_distance=rules.max_swap_distance if Kind.MAX_SWAP_DISTANCE in kinds else 99,
        even_stages=rules.even_stages and Kind.EVEN_STAGES in kinds,
        even_nodes=rules.even_nodes and Kind.EVEN_NODES in kinds,
        cover=rules.cover and Kind.COVER in kinds,
        path_period=rules.path_period if Kind.PATH_PERIOD in kinds else None,
    )


def _allowed(
    loaded: Topology, tables: Instance, kept: Collection[tuple[Kind, int | None]], node: int
) -> tuple[int, ...]:
    stages = range(tables.stages)
    pin = loaded.nodes[node].stage
    return tuple(
        stage
        for stage in stages
        if (tables.slots[node][stage] > 0 or (Kind.MEMORY, node) not in kept)
        and (pin in (None, stage) or (Kind.PIN, node) not in kept)
    )


def _numbers(loaded: Topology, kept: Collection[tuple[Kind, int | None]]) -> list[list[Iterable[int]]]:
    """What each node may emit, for each number of those that have none of their own."""
    most = max(loaded.workload.stages - 1, *(node.microbatches for node in loaded.nodes))
    own = ["microbatches" in node for node in loaded.document["nodes"]]
    written = int(loaded.document["workload"]["microbatches"])
    open_number = (Kind.MICROBATCHES, None) not in kept
    common = range(1, most + 1) if open_number and not all(own) else [written]
    return [
        [
            [number]
            if not own[n]
            else [node.microbatches]
            if (Kind.OWN_MICROBATCHES, n) in kept
            else range(most + 1)
            for n, node in enumerate(loaded.nodes)
        ]
        for number in common
    ]


def changed(loaded: Topology, cause: Cause) -> Topology:
    """The topology with the changes that its cause suggests."""
    return load_document(applied(loaded.document, cause.changes))


def assert_explained(loaded: Topology, cause: Cause, context: object = None) -> None:
    """Hold a cause against the enumeration: its members conflict, each is needed, and its changes do."""
    assert cause.message, context
    assert cause.irreducible, context
    assert cause.members, context
    assert set(cause.rules) == {member.rule for member in cause.members}, context
    assert not agree(loaded, cause.members), (context, cause)
    for member in cause.members:
        rest = [other for other in cause.members if other != member]
        assert agree(loaded, rest), (context, member, cause)
    assert cause.changes, (context, cause)
    assert brute_force.feasible(Instance.of(changed(loaded, cause))), (context, cause)
    for change in cause.changes:
        fewer = [other for other in cause.changes if other != change]
        assert not _mended(loaded, fewer), (context, change, cause)


def _mended(loaded: Topology, changes: Sequence[Change]) -> bool:
    """Whether some changes make a topology feasible; rows of links count from the first that is left."""
    rows = len(loaded.document.get("network", {}).get("links", []))
    numbered = []
    for change in changes:
        if change.field.startswith("network.links"):
            numbered.append(replace(change, field=f"network.links[{rows}]"))
            rows += 1
        else:
            numbered.append(change)
    try:
        return brute_force.feasible(Instance.of(load_document(applied(loaded.document, numbered))))
    except InputError:
        return False
