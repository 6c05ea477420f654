"""Who has to copy which layers from whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from skipsched.instance import rounded
from skipsched.repair.former import Former
from skipsched.topology import derive
from skipsched.topology.model import Link, Topology, Workload


@dataclass(frozen=True, slots=True)
class Copy:
    """A stage that a node did not hold before.

    Parameters
    ----------
    node, stage
        Who needs which stage.
    layers
        The first and the last of its layers, counted from 0; None where the topology does not say.
    source
        A node that held the stage, over the fastest link; None if none is left that has a link to the node.
    size
        Bytes: with `workload.model` the training state, by `bytes_per_parameter`; otherwise as many as the
        stage has gradients, which is its parameters alone. None where neither is given.
    time
        Microseconds of the transfer; None where source or size is not known.
    """

    node: str
    stage: int
    layers: tuple[int, int] | None
    source: str | None
    size: int | None
    time: int | None


def copies(topology: Topology, former: Former, allocation: Sequence[int]) -> Iterator[Copy]:
    """The copies that an allocation needs: one for each node that holds another stage than before."""
    for target, (before, stage) in enumerate(zip(former.stages, allocation, strict=True)):
        if before != stage:
            yield _copy(topology, former, target, stage)


def _copy(topology: Topology, former: Former, target: int, stage: int) -> Copy:
    size = _size(topology.workload, stage)
    # Where the size is not known, the link that is best for activations is as good a guess as any.
    load = topology.workload.activation if size is None else size
    holders = [n for n, held in enumerate(former.stages) if held == stage]
    ways = [
        (_seconds(topology, link, load), n)
        for n in holders
        if (link := topology.network.link(topology.nodes[n], topology.nodes[target])) is not None
    ]
    seconds, source = min(ways, default=(None, None))
    return Copy(
        node=topology.nodes[target].id,
        stage=stage,
        layers=_layers(topology.workload, stage),
        source=None if source is None else topology.nodes[source].id,
        size=None if size is None else int(size),
        time=None if size is None or seconds is None else rounded(seconds),
    )


def _seconds(topology: Topology, link: Link, load: Fraction) -> Fraction:
    """Of a transfer of so many bytes, as of an activation."""
    return topology.network.overhead + link.latency + load / link.bandwidth


def _size(workload: Workload, stage: int) -> Fraction | None:
    memories = derive.stage_memories(workload)
    if memories is not None:
        return Fraction(memories[stage].state)
    return workload.gradient[stage] or None


def _layers(workload: Workload, stage: int) -> tuple[int, int] | None:
    if workload.stage_layers is None:
        return None
    first = sum(workload.stage_layers[:stage])
    return first, first + workload.stage_layers[stage] - 1
