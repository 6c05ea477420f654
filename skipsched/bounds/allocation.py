"""The allocation bound: what any allocation must bear, asked of all of them at once by CP-SAT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from skipsched.bounds.chosen import over_data_nodes, smallest_share
from skipsched.bounds.in_flight import rows_bound, rows_within
from skipsched.bounds.round_trips import INFINITE, round_trips
from skipsched.bounds.ways import Ways
from skipsched.clock import Clock, OutOfTime
from skipsched.instance import NO_LINK, Instance

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

#: Pairs of nodes times sizes of stages beyond which the question is not asked.
_MOST_HOPS = 500_000
#: Deterministic seconds that CP-SAT may spend on all questions together.
_MOST_WORK = 1.0
#: Elements of a matrix that one step of a pure Python loop is worth.
_STEPS = 100

Literal = Any


def allocation_bound(instance: Instance, known: int, most: int, clock: Clock) -> int:
    """Microseconds within which no allocation can do its work, from `known` on.

    For a time T, CP-SAT looks for an allocation that passes every test below; a schedule within T would come
    with one. Bisection finds the smallest T for which there is one, or that could not be decided.

    * Sizes, pins and memory hold.
    * The nodes of a stage pass its all-reduce around a ring. Over the links that leave time for the stage's
      earliest last B, each of them reaches each other: they lie in one strongly connected component.
    * A data node does its own microbatches by T less the first stage's all-reduce: `in_flight_bound` of its
      own, and its load.
    * The nodes of another stage execute the stage's microbatches: each as many as its load and its slots
      allow between the earliest arrival of an input (`Ways.ahead`) and T less the stage's all-reduce, or T
      less the first stage's all-reduce and the way home (`Ways.behind`).
    * With D the data nodes chosen, their microbatches execute ``path_length - 1`` stages each, evenly under
      `even-stages`.

    Parameters
    ----------
    known
        A bound that is proved already.
    most
        The iteration time of a schedule.

    clock
        The limit; what is proved until it is reached counts.
    """
    sizes = sum(instance.max_sizes[k] - instance.min_sizes[k] + 1 for k in range(instance.stages))
    if instance.nodes**2 * sizes > _MOST_HOPS or instance.orders.empty:
        return known
    low, high = known, most
    try:
        question = _Allocations(instance, clock)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if question.impossible(middle) else (low, middle)
    except OutOfTime:
        pass  # whoever asked will see that for himself
    return low


class _Allocations:
    """Which allocations could be through by some time."""

    def __init__(self, instance: Instance, clock: Clock) -> None:
        self._instance = instance
        self._clock = clock
        self._work_left = _MOST_WORK
        self._ways = Ways.of(instance, clock)
        self._rings = _RingLinks(instance, clock)
        self._first_allreduce = self._rings.least(0, instance.data_nodes)
        self._done = self._earliest_done(round_trips(instance, clock))
        self._ready = self._earliest_ready()

    def impossible(self, time: int) -> bool:
        """Whether it is proved that no allocation is through by `time`.

        Raises
        ------
        OutOfTime
            If the clock has run out, or the work that all questions together may take is done.
        """
        from skipsched.cp_sat import run

        self._clock.spend(0)
        if self._work_left <= 0:
            raise OutOfTime
        status, solver = run(self._model(time), self._clock, workers=1, most_work=self._work_left)
        self._work_left -= solver.response_proto.deterministic_time
        return status == "INFEASIBLE"

    def _earliest_done(self, trips: Sequence[int]) -> list[int]:
        """When the last B of each node as a data node ends, at least; `INFINITE` if it cannot be one."""
        instance = self._instance
        done = []
        for d in range(instance.nodes):
            count, slots = instance.microbatches[d], instance.slots[d][0]
            if 0 not in instance.allowed[d] or (count > 0 and trips[d] >= INFINITE):
                done.append(INFINITE)
                continue
            forward, backward, overhead = instance.forward[d][0], instance.backward[d][0], instance.overhead
            busy = count * (forward + instance.loss[d] + backward) + (3 * count - 1) * overhead
            rows = rows_bound(count, slots, trips[d], forward, backward, overhead)
            done.append(max(rows, busy) if count else 0)
        return done

    def _earliest_ready(self) -> list[int]:
        """When the last B of each stage ends, at least; 0 for a stage that may go without microbatches."""
        instance, ways = self._instance, self._ways
        ready = [over_data_nodes(instance, self._done)] + [0] * (instance.stages - 1)
        if smallest_share(instance) > 0:
            for k in range(1, instance.stages):
                ready[k] = min(
                    ways.ahead[n][k] + instance.forward[n][k] + ways.onward[n][k] + instance.backward[n][k]
                    for n in range(instance.nodes)
                )
        return ready

    def _model(self, time: int) -> cp_model.CpModel:
        from ortools.sat.python import cp_model

        instance = self._instance
        model = cp_model.CpModel()
        holds = {
            (n, k): model.new_bool_var("")
            for n in range(instance.nodes)
            for k in instance.allowed[n]
            if k > 0 or self._done[n] + self._first_allreduce <= time
        }
        for n in range(instance.nodes):
            model.add_exactly_one([holds[n, k] for k in instance.allowed[n] if (n, k) in holds])
        counts = self._add_counts(model, holds)
        for k in range(instance.stages):
            members = {n: holds[n, k] for n in range(instance.nodes) if (n, k) in holds}
            self._add_stage(model, k, members, counts[k] if k > 0 else None, time)
        return model

    def _add_counts(self, model: cp_model.CpModel, holds: dict[tuple[int, int], Literal]) -> list[Any]:
        """How many microbatches each stage executes, given the data nodes."""
        instance = self._instance
        most = sum(sorted(instance.microbatches)[-instance.data_nodes :])
        emitted = {n: instance.microbatches[n] for n in range(instance.nodes) if (n, 0) in holds}
        total = sum(count * holds[n, 0] for n, count in emitted.items())
        counts = [model.new_int_var(0, most, "") for _ in range(instance.stages)]
        model.add(counts[0] == total)
        share = instance.path_length - 1
        model.add(sum(counts[1:]) == share * counts[0])
        others = instance.stages - 1
        for k in range(1, instance.stages):
            if instance.rules.even_stages:
                model.add(others * counts[k] >= share * counts[0] - (others - 1))
            model.add(counts[k] <= counts[0])
        return counts

    def _add_stage(
        self, model: cp_model.CpModel, stage: int, members: dict[int, Literal], count: Any, time: int
    ) -> None:
        """The stage has one of its sizes, and with that size a ring and the work done in time."""
        instance = self._instance
        options = []
        for size in range(instance.min_sizes[stage], instance.max_sizes[stage] + 1):
            left = time - self._rings.least(stage, size)
            for group in self._rings.groups(stage, size, time - self._ready[stage]):
                able = [n for n in group if n in members]
                if len(able) < size:
                    continue
                option = model.new_bool_var("")
                options.append(option)
                model.add(sum(members[n] for n in able) == size).only_enforce_if(option)
                model.add(sum(members[n] for n in members if n not in group) == 0).only_enforce_if(option)
                if count is not None:
                    within = sum(members[n] * self._within(n, stage, time, left) for n in able)
                    model.add(within >= count).only_enforce_if(option)
        model.add_exactly_one(options)

    def _within(self, node: int, stage: int, time: int, left: int) -> int:
        """The most microbatches that a node can execute if its stage's last B ends by `left`."""
        instance, ways = self._instance, self._ways
        ahead, onward, behind = (table[node][stage] for table in (ways.ahead, ways.onward, ways.behind))
        if INFINITE in (ahead, onward, behind):
            return 0
        window = min(left, time - self._first_allreduce - behind) - ahead
        forward, backward = instance.forward[node][stage], instance.backward[node][stage]
        overhead = instance.overhead
        if window < 0:
            return 0
        busy = forward + backward + 2 * overhead
        load = (window + overhead) // busy if busy else INFINITE
        residence = forward + onward + backward
        rows = rows_within(window, instance.slots[node][stage], residence, forward, backward, overhead)
        return min(load, rows, sum(instance.microbatches))


class _RingLinks:
    """For each stage and size, which nodes reach each other over links whose hops cost at most so much."""

    def __init__(self, instance: Instance, clock: Clock) -> None:
        self._instance = instance
        self._clock = clock
        self._tables: dict[tuple[int, int], NDArray[np.int64]] = {}

    def least(self, stage: int, size: int) -> int:
        """The all-reduce of a stage of that size, at least; `INFINITE` if it can have none."""
        if not self._instance.allreduce.needs_ring(stage, size):
            return 0
        worst = self._worst_hops(stage, size)
        pinned = [n for n, stages in enumerate(self._instance.allowed) if stages == (stage,)]
        # The size - 1 nodes that are nearest to a node, itself apart, and those that must be with it.
        nearest = np.sort(worst, axis=1)[:, size - 1]
        if pinned:
            nearest = np.maximum(nearest, worst[:, pinned].max(axis=1))
        return int(nearest.min())

    def groups(self, stage: int, size: int, most: int) -> list[list[int]]:
        """The sets of nodes that reach each other over hops of at most so much."""
        able = [n for n, stages in enumerate(self._instance.allowed) if stage in stages]
        if not self._instance.allreduce.needs_ring(stage, size):
            return [able]
        near = self._worst_hops(stage, size) <= most
        return [[int(m) for m in np.flatnonzero(near[n])] for n in able if np.argmax(near[n]) == n]

    def _worst_hops(self, stage: int, size: int) -> NDArray[np.int64]:
        """For each pair of nodes the worst hop, at least, of the best way there and back."""
        key = (stage, size)
        if key not in self._tables:
            self._tables[key] = self._computed(stage, size)
        return self._tables[key]

    def _computed(self, stage: int, size: int) -> NDArray[np.int64]:
        nodes, hop = range(self._instance.nodes), self._instance.allreduce.hop
        able = np.array([stage in stages for stages in self._instance.allowed])
        worst = np.array([[hop(stage, size, a, b) for b in nodes] for a in nodes], dtype=np.int64)
        worst[worst == NO_LINK] = INFINITE
        worst[~able, :] = INFINITE
        worst[:, ~able] = INFINITE
        worst[able, able] = 0
        for middle in nodes:
            self._clock.spend(worst.size // _STEPS)
            np.minimum(worst, np.maximum(worst[:, middle, np.newaxis], worst[middle]), out=worst)
        return np.maximum(worst, worst.T)
