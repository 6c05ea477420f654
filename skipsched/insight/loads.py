"""What each node and each link of a schedule has to bear, and how much of it lies on the critical path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from skipsched.insight.critical import Start, Step
from skipsched.insight.rows import LinkRow, LinkRows
from skipsched.instance import Instance
from skipsched.opened import Opened
from skipsched.rings import Ring
from skipsched.scheduled import Scheduled


@dataclass(frozen=True, slots=True)
class NodeLoad:
    """What one node has to bear. Times in microseconds.

    Parameters
    ----------
    node, stage
        Which one, by index, and what it holds.
    microbatches
        How many it executes.
    computing
        The sum of its actions' durations.
    slots
        How many it has on that stage.
    most_in_flight
        Most microbatches in flight on it at any time.
    in_flight
        The sum of the times that each microbatch is in flight on it; divided by the iteration time, how many
        are on average.
    node_wait, slot_wait
        How long inputs that had arrived waited for it, and for one of its slots, added up.
    critical
        How much of the critical path it computes or is unavailable after an action.
    critical_slots
        How many actions of the critical path began here because a slot was freed.
    """

    node: int
    stage: int
    microbatches: int
    computing: int
    slots: int
    most_in_flight: int
    in_flight: int
    node_wait: int
    slot_wait: int
    critical: int
    critical_slots: int


def node_loads(
    instance: Instance, scheduled: Scheduled, why: Sequence[Start], steps: Sequence[Step]
) -> list[NodeLoad]:
    """The load of every node, by its index.

    Parameters
    ----------
    why, steps
        As `skipsched.insight.critical` gives them.
    """
    actions, end = scheduled.actions, scheduled.end
    critical = [0] * instance.nodes
    critical_slots = [0] * instance.nodes
    for step in steps:
        if step.action is not None and step.kind not in ("transfer", "all-reduce"):
            critical[actions.node[step.action]] += step.end - step.begin
            critical_slots[actions.node[step.action]] += step.cause == "slot"
    loads = []
    for node, sequence in enumerate(scheduled.plan.order):
        stage = scheduled.plan.routes.allocation[node]
        held = most = in_flight = 0
        for action in sequence:
            operation = actions.operation(action)
            if operation == "F":
                held += 1
                in_flight -= end[action] - actions.duration[action]
            elif operation == "B":
                held -= 1
                in_flight += end[action]
            most = max(most, held)
        slot_wait = sum(why[action].full for action in sequence)
        loads.append(
            NodeLoad(
                node=node,
                stage=stage,
                microbatches=sum(actions.operation(action) == "F" for action in sequence),
                computing=sum(actions.duration[action] for action in sequence),
                slots=instance.slots[node][stage],
                most_in_flight=most,
                in_flight=in_flight,
                node_wait=sum(why[action].waited for action in sequence) - slot_wait,
                slot_wait=slot_wait,
                critical=critical[node],
                critical_slots=critical_slots[node],
            )
        )
    return loads


@dataclass(slots=True)
class LinkLoad:
    """What a row of the links has to bear. Times in microseconds.

    Parameters
    ----------
    row
        Which one.
    transfers, time
        How many transfers go over it, and how long they take, added up.
    critical_transfers, critical_time
        Those on the critical path.
    allreduce
        The all-reduce on the critical path, if this row is the worst of its ring, or one of the worst.
    """

    row: LinkRow
    transfers: int = 0
    time: int = 0
    critical_transfers: int = 0
    critical_time: int = 0
    allreduce: int = 0

    @property
    def critical(self) -> int:
        """How much of the critical path hangs on it."""
        return self.critical_time + self.allreduce


def link_loads(opened: Opened, steps: Sequence[Step]) -> list[LinkLoad]:
    """The load of every row that something goes over, those that most of the critical path hangs on first.

    Parameters
    ----------
    steps
        The critical path.
    """
    scheduled, rows = opened.scheduled, LinkRows(opened.topology)
    actions = scheduled.actions
    loads: dict[LinkRow, LinkLoad] = {}

    def load(source: int, target: int) -> LinkLoad:
        row = rows.between(source, target)
        return loads.setdefault(row, LinkLoad(row))

    for action, lag in enumerate(actions.lag):
        if action % actions.per_microbatch:
            over = load(actions.node[action - 1], actions.node[action])
            over.transfers += 1
            over.time += lag
    for step in steps:
        if step.kind == "transfer" and step.action is not None:
            over = load(actions.node[step.action - 1], actions.node[step.action])
            over.critical_transfers += 1
            over.critical_time += step.end - step.begin
        elif step.kind == "all-reduce":
            stage = last_averaged(opened, step)
            for ends in worst_hops(opened.instance, stage, scheduled.rings[stage]):
                load(*ends).allreduce = step.end - step.begin
    return sorted(loads.values(), key=lambda link: (-link.critical, -link.time, link.row.field))


def last_averaged(opened: Opened, step: Step) -> int:
    """The stage of an all-reduce of the critical path."""
    scheduled = opened.scheduled
    if step.action is not None:
        return scheduled.plan.routes.allocation[scheduled.actions.node[step.action]]
    return next(k for k, ring in enumerate(scheduled.rings) if ring.allreduce == step.end)


def worst_hops(instance: Instance, stage: int, ring: Ring) -> Iterator[tuple[int, int]]:
    """The hops of a ring, source and target, that its all-reduce is as long as."""
    size = len(ring.nodes)
    for a, b in pairwise([*ring.nodes, ring.nodes[0]]):
        if a != b and instance.allreduce.hop(stage, size, a, b) == ring.allreduce:
            yield a, b
