"""The allocation bound: what any allocation must bear, asked of all of them at once by CP-SAT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skipsched.bounds.able import Able
from skipsched.bounds.chosen import over_data_nodes, smallest_share
from skipsched.bounds.ring_links import RingLinks
from skipsched.clock import Clock, OutOfTime
from skipsched.instance import Instance

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

#: Pairs of nodes times sizes of stages beyond which the question is not asked.
_MOST_HOPS = 500_000
#: Deterministic seconds that CP-SAT may spend on all questions together.
_MOST_WORK = 1.0

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
        self._rings = RingLinks(instance, clock)
        self._able = Able(instance, self._rings, clock)
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

    def _earliest_ready(self) -> list[int]:
        """When the last B of each stage ends, at least; 0 for a stage that may go without microbatches."""
        instance, ways = self._instance, self._able.ways
        ready = [over_data_nodes(instance, self._able.done)] + [0] * (instance.stages - 1)
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
            if k > 0 or self._able.done[n] <= time - self._able.first_allreduce
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
                    within = sum(members[n] * self._able.within(n, stage, time, left) for n in able)
                    model.add(within >= count).only_enforce_if(option)
        model.add_exactly_one(options)
