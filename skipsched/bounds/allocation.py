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
_MOST_WORK = 0.8
#: And on a single one: easier ones may still be answered when that is not enough.
_MOST_WORK_EACH = 0.2


def allocation_bound(instance: Instance, known: int, most: int, clock: Clock) -> int:
    """Microseconds within which no allocation can do its work, from `known` on.

    For a time T, CP-SAT looks for an allocation that passes every test below; a schedule within T would come
    with one. Bisection finds the smallest T for which there is one, or that could not be decided.

    * Sizes, pins and memory hold.
    * The nodes of a stage lie in some set within which each reaches each other over links of at most some
      all-reduce, as around a ring (`RingLinks.groups`), and which leaves time for its earliest last B.
    * A data node does its own microbatches by T less the first stage's all-reduce: `in_flight_bound` of its
      own, and its load.
    * The nodes of another stage execute the stage's microbatches: each as many as its load and its slots
      allow between the earliest arrival of an input (`Ways.ahead`) and T less that all-reduce, or T
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
    """Which allocations could be through by some time: the model of `allocation_bound`."""

    def __init__(self, instance: Instance, clock: Clock) -> None:
        self._instance = instance
        self._clock = clock
        self._work_left = _MOST_WORK
        self._rings = RingLinks(instance, clock)
        self._able = Able(instance, self._rings, clock)
        self._ready = self._earliest_ready()
        self._classes = self._alike()
        self._members = {nodes[0]: len(nodes) for nodes in self._classes}
        self._share = [0] + [smallest_share(instance)] * (instance.stages - 1)

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
        effort = min(self._work_left, _MOST_WORK_EACH)
        status, solver = run(self._model(time), self._clock, workers=1, effort=effort)
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

    def _alike(self) -> list[list[int]]:
        """The nodes in classes of which the model cannot tell one member from another."""
        instance, able, ways = self._instance, self._able, self._able.ways
        groups: list[list[tuple[int, int, int]]] = [[] for _ in range(instance.nodes)]
        for k in range(instance.stages):
            for size in range(instance.min_sizes[k], instance.max_sizes[k] + 1):
                for number, group in enumerate(self._rings.groups(k, size)):
                    for n in group.nodes:
                        groups[n].append((k, size, number))
        classes: dict[object, list[int]] = {}
        for n in range(instance.nodes):
            own = (instance.microbatches[n], able.done[n], instance.allowed[n], instance.slots[n])
            times = (instance.forward[n], instance.backward[n], ways.ahead[n], ways.onward[n], ways.behind[n])
            classes.setdefault((own, times, tuple(groups[n])), []).append(n)
        return list(classes.values())

    def _model(self, time: int) -> cp_model.CpModel:
        """The tests, on how many nodes of each class hold each stage. A class goes by its first node."""
        from ortools.sat.python import cp_model

        instance = self._instance
        model = cp_model.CpModel()
        by_stage: list[dict[int, Any]] = [{} for _ in range(instance.stages)]
        for nodes in self._classes:
            first = nodes[0]
            for k in instance.allowed[first]:
                if k > 0 or self._able.done[first] <= time - self._able.first_allreduce:
                    by_stage[k][first] = model.new_int_var(0, len(nodes), "")
            model.add(sum(holders[first] for holders in by_stage if first in holders) == len(nodes))
        counts = self._add_counts(model, by_stage[0])
        for k, holders in enumerate(by_stage):
            self._add_stage(model, k, holders, counts[k], time)
        return model

    def _add_counts(self, model: cp_model.CpModel, data_nodes: dict[int, Any]) -> list[Any]:
        """How many microbatches each stage executes: the first one, all that its nodes emit."""
        instance = self._instance
        most = sum(sorted(instance.microbatches)[-instance.data_nodes :])
        counts = [model.new_int_var(0, most, "") for _ in range(instance.stages)]
        model.add(counts[0] == sum(instance.microbatches[n] * held for n, held in data_nodes.items()))
        share, others = instance.path_length - 1, instance.stages - 1
        model.add(sum(counts[1:]) == share * counts[0])
        for count in counts[1:]:
            model.add(count <= counts[0])
            if instance.rules.even_stages:
                model.add(others * count >= share * counts[0] - (others - 1))
        return counts

    def _add_stage(
        self, model: cp_model.CpModel, stage: int, holders: dict[int, Any], count: Any, time: int
    ) -> None:
        """The stage has one of its sizes, and with that size a group to lie in that does the work in time."""
        instance = self._instance
        options: list[Any] = []
        sizes: list[Any] = []
        # By class, how many of it an option takes at most.
        taken: dict[int, list[Any]] = {n: [] for n in holders}
        for size in range(instance.min_sizes[stage], instance.max_sizes[stage] + 1):
            for group in self._rings.groups(stage, size):
                left = time - group.allreduce
                within = {n: self._able.within(n, stage, time, left) for n in group.nodes if n in holders}
                if left < self._ready[stage] or self._most(within, size) < self._share[stage]:
                    continue
                option = model.new_bool_var("")
                options.append(option)
                sizes.append(size * option)
                for n in within:
                    taken[n].append(min(size, self._members[n]) * option)
                if stage > 0:
                    done = sum(each * holders[n] for n, each in within.items())
                    model.add(done >= count).only_enforce_if(option)
        model.add_exactly_one(options)
        model.add(sum(holders.values()) == sum(sizes))
        for n, held in holders.items():
            model.add(held <= sum(taken[n]))

    def _most(self, within: dict[int, int], size: int) -> int:
        """The most microbatches that so many nodes execute; -1 if there are not so many."""
        able = sorted((each for n, each in within.items() for _ in range(self._members[n])), reverse=True)
        return sum(able[:size]) if len(able) >= size else -1
