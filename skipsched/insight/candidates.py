"""What could be changed about a topology, and is worth trying: what the schedule's critical path hangs on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from skipsched.conflict.change import Change, applied, value_at
from skipsched.conflict.nearest import path_length_changes
from skipsched.insight.critical import Step
from skipsched.insight.loads import LinkLoad, NodeLoad, last_averaged, worst_hops
from skipsched.opened import Opened
from skipsched.text.diagnostics import InputError
from skipsched.text.quantities import scaled
from skipsched.topology import derive
from skipsched.topology.load import load_document
from skipsched.topology.model import Topology

#: How many of a kind are tried at most.
_MOST_OF_A_KIND = 3

#: One slot more, twice the bandwidth of a row, a node twice as fast, a node less, a stage fewer skipped.
ChangeKind = Literal["slot", "bandwidth", "speed", "without", "stage"]


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A change to a topology.

    Parameters
    ----------
    kind
        What is changed.
    says
        For a person: ``one more slot on n7``.
    changes
        Fields of the topology's document, for `skipsched.conflict.applied`.
    topology
        The topology with them.
    removed
        The id of the node that it is without, if any.
    """

    kind: ChangeKind
    says: str
    changes: tuple[Change, ...]
    topology: Topology
    removed: str | None = None


def candidates(
    opened: Opened, nodes: Sequence[NodeLoad], links: Sequence[LinkLoad], steps: Sequence[Step]
) -> list[WhatIf]:
    """The changes worth trying, the most promising of each kind first, kinds in turn.

    Nothing off the critical path shortens an iteration by itself; so links and nodes are those on it. Slots
    are those that microbatches wait for, on the critical path or, after those, anywhere.

    Parameters
    ----------
    nodes, links, steps
        What stands on the critical path, as `skipsched.insight.loads` and `critical_path` give it.
    """
    changing = _Changing(opened)
    busy = sorted((n for n in nodes if n.critical), key=lambda n: (-n.critical, -n.computing, n.node))
    kinds = [
        _first(changing.slots, _full(nodes)),
        _first(changing.bandwidth, (link for link in links if link.critical)),
        _first(changing.speed, busy),
        _first(changing.without, _dispensable(opened, nodes, steps)),
        _first(changing.length, [opened.instance.path_length + 1]),
    ]
    return [kind[place] for place in range(_MOST_OF_A_KIND) for kind in kinds if place < len(kind)]


def _full(nodes: Sequence[NodeLoad]) -> Iterator[list[NodeLoad]]:
    """Nodes whose slots are waited for: those of the stage where that is worst, then each by itself.

    A slot more on one node of a stage does little where all of them are short of slots.
    """
    full = sorted(
        (node for node in nodes if node.slot_wait),
        key=lambda node: (-node.critical_slots, -node.slot_wait, node.node),
    )
    if full:
        stage = [node for node in nodes if node.stage == full[0].stage]
        if len(stage) > 1:
            yield stage
    yield from ([node] for node in full)


def _first(make: Callable[[Any], WhatIf | None], ways: Iterable[Any]) -> list[WhatIf]:
    """The first few changes of a kind that are possible."""
    found: list[WhatIf] = []
    for way in ways:
        what_if = make(way)
        if what_if is not None:
            found.append(what_if)
        if len(found) == _MOST_OF_A_KIND:
            break
    return found


def _dispensable(opened: Opened, nodes: Sequence[NodeLoad], steps: Sequence[Step]) -> Iterator[NodeLoad]:
    """Nodes to do without: those that slow an all-reduce on the critical path down, then the least busy one.

    Data nodes stay: without one an iteration would train less.
    """
    slow: list[int] = []
    if steps[-1].kind == "all-reduce":
        stage = last_averaged(opened, steps[-1])
        ring = opened.scheduled.rings[stage]
        ends = [node for hop in worst_hops(opened.instance, stage, ring) for node in hop]
        slow = sorted(set(ends), key=lambda node: (-ends.count(node), nodes[node].computing, node))
    least = min((n for n in nodes if n.stage > 0), key=lambda n: (n.computing, n.node))
    chosen = dict.fromkeys([*slow[:_MOST_OF_A_KIND], least.node])
    yield from (nodes[node] for node in chosen if nodes[node].stage > 0)


class _Changing:
    """Makes changes of a topology; None where it takes none of that kind."""

    def __init__(self, opened: Opened) -> None:
        self._topology = opened.topology
        self._stages = opened.scheduled.plan.routes.allocation

    def slots(self, loads: Sequence[NodeLoad]) -> WhatIf | None:
        """One more slot on the stage that some nodes hold: one node, or all of a stage."""
        only = self._topology.nodes[loads[0].node].id
        where = only if len(loads) == 1 else f"each node of stage {loads[0].stage}"
        return self._what_if("slot", f"one more slot on {where}", *map(self._slot, loads))

    def _slot(self, load: NodeLoad) -> Change:
        node = self._topology.nodes[load.node]
        if node.slots is not None:
            memory = str(node.slots + 1)
        else:
            memories = derive.stage_memories(self._topology.workload)
            assert memories is not None, "bytes need a model"
            stage = memories[load.stage]
            memory = f"{stage.state + (load.slots + 1) * stage.footprint} B"
        return self._change(f"nodes[{load.node}].memory", memory, node.id)

    def bandwidth(self, load: LinkLoad) -> WhatIf | None:
        """Twice the bandwidth of a row."""
        change = self._scaled(f"{load.row.field}.bandwidth", Decimal(2), load.row.name)
        return self._what_if("bandwidth", f"2 x bandwidth: {load.row.name}", change)

    def speed(self, load: NodeLoad) -> WhatIf | None:
        """A node twice as fast."""
        node = self._topology.nodes[load.node]
        key = "forward_time" if node.forward_time is not None else "layer_time"
        change = self._scaled(f"nodes[{load.node}].{key}", Decimal("0.5"), node.id)
        return self._what_if("speed", f"{node.id} twice as fast", change)

    def without(self, load: NodeLoad) -> WhatIf | None:
        """A topology without a node, its stage's size reduced by it where it is given."""
        if self._stages.count(load.stage) == 1:
            return None
        node = self._topology.nodes[load.node]
        changes = [self._change(f"nodes[{load.node}]", None, node.id)]
        sizes = self._topology.workload.stage_sizes
        if sizes is not None:
            size = str(sizes[load.stage] - 1)
            changes.append(self._change(f"workload.stage_sizes[{load.stage}]", size))
        return self._what_if("without", f"without {node.id}", *changes, removed=node.id)

    def length(self, length: int) -> WhatIf | None:
        """Paths of another length."""
        if length > self._topology.workload.stages:
            return None
        changes = path_length_changes(self._topology, length)
        return self._what_if("stage", f"one stage fewer skipped: paths of {length}", *changes)

    def _what_if(
        self, kind: ChangeKind, says: str, *changes: Change, removed: str | None = None
    ) -> WhatIf | None:
        try:
            changed = load_document(applied(self._topology.document, changes))
        except InputError:
            return None  # beyond what the program handles, or pins leave no room for it
        return WhatIf(kind, says, changes, changed, removed)

    def _scaled(self, field: str, factor: Decimal, note: str) -> Change:
        return self._change(field, scaled(value_at(self._topology.document, field), factor), note)

    def _change(self, field: str, new: str | None, note: str = "") -> Change:
        return Change(field, value_at(self._topology.document, field), new, note)
