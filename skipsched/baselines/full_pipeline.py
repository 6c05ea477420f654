"""The full pipeline: every microbatch through all stages, in the orders of GPipe and of 1F1B.

Routes are straight here: each path visits one node of every stage in their order, and no node serves two data
nodes. So pipelines do not touch, and each is ordered by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from skipsched.dispatch import dispatch
from skipsched.instance import Instance
from skipsched.plan import Actions, Plan, Routes, members_of


def full_routes(instance: Instance, allocation: Sequence[int], pipelines: Sequence[Sequence[int]]) -> Routes:
    """Routes on straight pipelines: each data node's microbatches take the one that it heads.

    Parameters
    ----------
    allocation
        Stage of each node.
    pipelines
        Nodes of each pipeline, data node first. One whose data node emits nothing stays idle.

    Raises
    ------
    ValueError
        If a data node that emits microbatches heads no pipeline.
    """
    headed = {pipeline[0]: tuple(pipeline) for pipeline in pipelines}
    paths: list[tuple[int, ...]] = []
    for data_node in members_of(allocation, instance.stages)[0]:
        emitted = instance.microbatches[data_node]
        if emitted and data_node not in headed:
            name = instance.node_ids[data_node]
            raise ValueError(f"the data node {name} emits microbatches but heads no pipeline")
        paths += [headed[data_node]] * emitted if emitted else []
    return Routes(tuple(allocation), tuple(paths))


def gpipe(instance: Instance, routes: Routes) -> Plan:
    """Order straight routes as GPipe does: all forwards of a flush, then all its backwards.

    A flush has as many microbatches as the pipeline's scarcest node has slots, the last one what is left.
    Losses follow the forwards on the data node; backwards run in the order of the forwards, as in PyTorch's
    `ScheduleGPipe`, so that the first can start while the last losses are still under way.

    Every node runs the same microbatches of the same kind in the same order, and whatever an action waits for
    belongs to an earlier microbatch, kind or flush: there is no deadlock.

    Parameters
    ----------
    instance
        Tables with paths of all stages.
    routes
        Straight ones, see `full_routes`.

    References
    ----------
    Huang et al. 2019, arXiv 1811.06965.
    """
    rows: list[list[int]] = [[] for _ in range(instance.nodes)]
    for line in _pipelines(instance, routes):
        flush = min(line.slots)
        for first in range(0, len(line.microbatches), flush):
            together = line.microbatches[first : first + flush]
            for stage, node in enumerate(line.nodes):
                rows[node].extend(line.forward(m, stage) for m in together)
                rows[node].extend(line.loss(m) for m in together if stage == 0)
                rows[node].extend(line.backward(m, stage) for m in together)
    return Plan(routes, tuple(map(tuple, rows)))


def one_forward_one_backward(instance: Instance, routes: Routes) -> Plan:
    """Order straight routes as 1F1B does: a backward as soon as one is there, else a forward.

    On stage k at most ``w(k) = min(stages - k + 1, slots)`` microbatches are in flight: as PipeDream-Flush
    has them within the slots, on one stage more. For the loss is computed on the data node, one transfer
    beyond the last stage: with a single one in flight, that stage would stand still while each loss is under
    way. Losses go before backwards: they are short, and each sends a backward on its way. Among actions of
    one kind the first microbatch's goes first.

    The strict form, in which forwards and backwards take turns whatever has arrived, is not taken: it counts
    on as many slots as stages. With fewer, a stage lets a backward that is there wait for a forward which the
    data node, out of slots, can only emit when an earlier backward has come all the way back. With enough
    slots the strict form may be the faster one: it sends some forwards on earlier.

    Parameters
    ----------
    instance
        Tables with paths of all stages.
    routes
        Straight ones, see `full_routes`.

    References
    ----------
    Narayanan et al. 2021 (PipeDream-2BW, where it is called PipeDream-Flush), arXiv 2006.09503.
    """
    warm = range(instance.stages + 1, 1, -1)
    slots = tuple(tuple(map(min, row, warm)) for row in instance.slots)
    actions = Actions.of(instance, routes)
    urgency = [
        "LBF".index(actions.operation(action)) * len(routes.paths) + action // actions.per_microbatch
        for action in range(len(actions.node))
    ]
    return dispatch(replace(instance, slots=slots), routes, actions, urgency)


@dataclass(frozen=True)
class _Pipeline:
    """One data node's microbatches and the nodes they visit.

    Parameters
    ----------
    nodes
        One of every stage.
    slots
        Their memory slots.
    microbatches
        Numbers of the microbatches.
    """

    nodes: tuple[int, ...]
    slots: tuple[int, ...]
    microbatches: range

    def forward(self, microbatch: int, stage: int) -> int:
        """The F of a microbatch on a stage, as an action's number."""
        return microbatch * self._per + stage

    def loss(self, microbatch: int) -> int:
        """The L of a microbatch."""
        return microbatch * self._per + len(self.nodes)

    def backward(self, microbatch: int, stage: int) -> int:
        """The B of a microbatch on a stage."""
        return microbatch * self._per + self._per - 1 - stage

    @property
    def _per(self) -> int:
        return 2 * len(self.nodes) + 1


def _pipelines(instance: Instance, routes: Routes) -> list[_Pipeline]:
    """The pipelines of straight routes, each with the microbatches of its data node."""
    first: dict[tuple[int, ...], int] = {}
    count: dict[tuple[int, ...], int] = {}
    for microbatch, path in enumerate(routes.paths):
        first.setdefault(path, microbatch)
        count[path] = count.get(path, 0) + 1
    return [
        _Pipeline(
            path,
            tuple(instance.slots[node][stage] for stage, node in enumerate(path)),
            range(start, start + count[path]),
        )
        for path, start in first.items()
    ]
