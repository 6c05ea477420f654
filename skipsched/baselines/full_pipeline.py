"""The full pipeline: every microbatch through all stages, in the orders of GPipe and of 1F1B.

Routes are straight here: each path visits one node of every stage in their order, and no node serves two data
nodes. So pipelines do not touch, and each is ordered by itself.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from skipsched.instance import Instance
from skipsched.plan import Actions, Plan, Routes, members_of
from skipsched.timing import replay


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

    def order(line: _Pipeline) -> list[list[int]]:
        flush = min(line.slots)
        flushes = [line.microbatches[i : i + flush] for i in range(0, len(line.microbatches), flush)]
        rows: list[list[int]] = [[] for _ in line.nodes]
        for together in flushes:
            for stage, row in enumerate(rows):
                row.extend(line.forward(m, stage) for m in together)
                row.extend(line.loss(m) for m in together if stage == 0)
                row.extend(line.backward(m, stage) for m in together)
        return rows

    return _plan(instance, routes, order)


def one_forward_one_backward(instance: Instance, routes: Routes) -> Plan:
    """Order straight routes as 1F1B does: some forwards to warm up, then a backward and a forward in turn.

    On stage k there are ``w(k) = min(stages - k + 1, W, slots of every node up to k)`` microbatches in flight
    at most: so many forwards to begin with, as PipeDream-Flush has them within the slots on one stage more.
    For the loss is computed on the data node, one transfer beyond the last stage: with a single forward to
    warm up, that stage would stand still while each loss is under way.

    Without losses there is no deadlock since ``w(k)`` does not rise with k. Before B i, stage k runs all F up
    to ``i + w(k) - 1``, and before F j it runs all B up to ``j - w(k)``. So the F that stage k + 1 must have
    run before B i are among those that stage k runs before its own B i, and no F of them waits for that B.

    A loss has no place of its own in 1F1B, where the last stage computes it. It runs here on the data node as
    soon as its input is there: in the order of the starts in a replay in which losses occupy no node. Each
    start comes after those it depends on there, so that this order has no cycle either.

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

    def order(line: _Pipeline) -> list[list[int]]:
        rows = []
        for stage in range(len(line.nodes)):
            warm = min(len(line.nodes) - stage + 1, len(line.microbatches), *line.slots[: stage + 1])
            row = [line.forward(m, stage) for m in line.microbatches[:warm]]
            for i, microbatch in enumerate(line.microbatches):
                row.append(line.backward(microbatch, stage))
                row.extend(line.forward(m, stage) for m in line.microbatches[i + warm : i + warm + 1])
            rows.append(row)
        return rows

    return _with_losses(instance, _plan(instance, routes, order))


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


def _plan(instance: Instance, routes: Routes, order: Callable[[_Pipeline], list[list[int]]]) -> Plan:
    """A plan of the orders that each pipeline has on each of its nodes."""
    rows: list[tuple[int, ...]] = [()] * instance.nodes
    for line in _pipelines(instance, routes):
        for node, row in zip(line.nodes, order(line), strict=True):
            rows[node] = tuple(row)
    return Plan(routes, tuple(rows))


def _with_losses(instance: Instance, plan: Plan) -> Plan:
    """Insert losses into the order of a plan without them, each as soon as its input is there."""
    actions = Actions.of(instance, plan.routes)
    per, length = actions.per_microbatch, actions.path_length
    # Beside each data node a node that computes nothing but its losses; and no action without duration, so
    # that whatever waits for another one starts later.
    losses: list[list[int]] = [[] for _ in plan.order]
    node = list(actions.node)
    for loss in range(length, len(node), per):
        losses[node[loss]].append(loss)
        node[loss] += instance.nodes
    duration = [max(1, spent) for spent in actions.duration]
    beside = Actions(per, node, duration, actions.lag)
    end = replay(beside, [*plan.order, *losses], instance.overhead)
    start = [time - spent for time, spent in zip(end, duration, strict=True)]
    order = [
        tuple(heapq.merge(waiting, row, key=start.__getitem__))
        for waiting, row in zip(losses, plan.order, strict=True)
    ]
    return Plan(plan.routes, tuple(order))
