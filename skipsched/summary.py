"""The numbers that follow from a topology, for a person to look over before anything is solved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skipsched.instance import NO_LINK, Instance
from skipsched.topology import derive
from skipsched.topology.model import Topology


@dataclass(frozen=True, slots=True)
class Range:
    """Smallest and largest of some integers."""

    least: int
    most: int

    @classmethod
    def of(cls, values: Sequence[int]) -> Range | None:
        """The range of some values; None if there are none."""
        return cls(min(values), max(values)) if values else None


@dataclass(frozen=True, slots=True)
class StageSummary:
    """One stage.

    Parameters
    ----------
    layers
        Its layers; None if the topology does not say.
    sizes
        How many nodes it may have.
    holders
        How many nodes may hold it, by pins and memory.
    forward, backward
        Microseconds on those nodes; None if there are none.
    slots
        Memory slots on those nodes; None if there are none.
    memory
        Bytes by the memory model; None where memory is given in slots alone.
    """

    layers: int | None
    sizes: Range
    holders: int
    forward: Range | None
    backward: Range | None
    slots: Range | None
    memory: derive.StageMemory | None


@dataclass(frozen=True, slots=True)
class Summary:
    """Derived numbers of a topology.

    Parameters
    ----------
    nodes, stages, data_nodes, path_length
        Counts.
    stage_orders
        How many orders of stages the rules allow a path; None beyond `MOST_ORDERS`.
    microbatches
        How many one iteration trains; a range where data nodes that emit differently may be chosen. None if
        too few nodes may hold the first stage.
    actions
        The actions of one iteration; None likewise.
    transfer
        Microseconds of one transfer over the links there are; None if there are none.
    missing_links
        Ordered pairs of nodes without a link.
    stage_summaries
        Stage by stage.
    slots
        Memory slots of each node on each stage where memory is given in bytes, by node id; 0: too little.
    """

    nodes: int
    stages: int
    data_nodes: int
    path_length: int
    stage_orders: int | None
    microbatches: Range | None
    actions: Range | None
    transfer: Range | None
    missing_links: int
    stage_summaries: tuple[StageSummary, ...]
    slots: dict[str, tuple[int, ...]]


#: Orders are counted no further.
MOST_ORDERS = 10**12


def summarise(topology: Topology, instance: Instance) -> Summary:
    """The derived numbers of a topology."""
    links = [cost for a, row in enumerate(instance.transfer) for b, cost in enumerate(row) if a != b]
    present = [cost for cost in links if cost != NO_LINK]
    emitted = sorted(
        w for w, stages in zip(instance.microbatches, instance.allowed, strict=True) if 0 in stages
    )
    totals: list[int] = []
    if len(emitted) >= instance.data_nodes:
        totals = [sum(emitted[: instance.data_nodes]), sum(emitted[-instance.data_nodes :])]
    per_microbatch = 2 * instance.path_length + 1
    orders = instance.orders.count()
    return Summary(
        nodes=instance.nodes,
        stages=instance.stages,
        data_nodes=instance.data_nodes,
        path_length=instance.path_length,
        stage_orders=orders if orders <= MOST_ORDERS else None,
        microbatches=Range.of(totals),
        actions=Range.of([total * per_microbatch for total in totals]),
        transfer=Range.of(present),
        missing_links=len(links) - len(present),
        stage_summaries=tuple(_stage(topology, instance, k) for k in range(instance.stages)),
        slots={
            node.id: instance.slots[n] for n, node in enumerate(topology.nodes) if node.memory is not None
        },
    )


def _stage(topology: Topology, instance: Instance, stage: int) -> StageSummary:
    workload = topology.workload
    memories = derive.stage_memories(workload)
    holders = [n for n in range(instance.nodes) if stage in instance.allowed[n]]
    return StageSummary(
        layers=None if workload.stage_layers is None else workload.stage_layers[stage],
        sizes=Range(instance.min_sizes[stage], instance.max_sizes[stage]),
        holders=len(holders),
        forward=Range.of([instance.forward[n][stage] for n in holders]),
        backward=Range.of([instance.backward[n][stage] for n in holders]),
        slots=Range.of([instance.slots[n][stage] for n in holders]),
        memory=None if memories is None else memories[stage],
    )
