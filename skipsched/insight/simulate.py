"""Simulating a schedule: its iteration, many times over, under conditions that vary."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from skipsched.insight.conditions import Conditions, Slowed
from skipsched.insight.critical_shares import CriticalShares
from skipsched.insight.durations import Durable, Durations
from skipsched.insight.in_order import InOrder
from skipsched.insight.jitter import Floats, Luck
from skipsched.insight.policy import Policy, PolicyName, Ran
from skipsched.insight.simulation import Simulation
from skipsched.instance import Instance
from skipsched.scheduled import Scheduled
from skipsched.topology.model import Topology

#: Times of actions that are held at once, all runs together: some two hundred megabytes.
_HELD = 4_000_000


def simulate_schedule(
    topology: Topology,
    instance: Instance,
    scheduled: Scheduled,
    conditions: Conditions,
    policy: PolicyName,
    runs: int,
    seed: int,
    *,
    with_shares: bool = True,
) -> Simulation:
    """Simulate a schedule's iteration.

    Parameters
    ----------
    topology, instance, scheduled
        The schedule.
    conditions
        What happens to its durations.
    policy
        How nodes choose what to do next.
    runs, seed
        How many iterations, and the seed of their chances. The first runs are the same whatever their number.
    with_shares
        Whether critical paths are followed as well.

    Raises
    ------
    InputError
        If the conditions name nodes or links that are not there.
    """
    slowed = Slowed.of(conditions, topology, instance)
    durable = Durable(instance, scheduled, conditions, slowed, Luck(seed))
    ends = _Ends(scheduled)
    shares = CriticalShares(scheduled, instance.node_ids, instance.overhead)
    times: list[Floats] = []
    finished: list[NDArray[np.int64]] = []
    allreduce = 0
    executed = _policy(policy, instance, scheduled)
    for some in _chunks(runs, len(scheduled.end)):
        durations = durable.draw(some)
        ran = executed.run(durations)
        time, last, averaged = ends.of(ran, durations)
        if with_shares:
            shares.add(last, durations, ran)
        times.append(time)
        finished.append(ends.finished(ran))
        allreduce += int(averaged[np.isfinite(time)].sum())
    time = np.sort(np.concatenate(times))
    return Simulation(
        name=topology.name,
        conditions=conditions,
        policy=policy,
        runs=runs,
        seed=seed,
        promised=scheduled.objective.iteration_time,
        times=[int(t) for t in time[np.isfinite(time)]],
        microbatches=len(scheduled.plan.routes.paths),
        finished=np.sort(np.concatenate(finished)).tolist(),
        nodes=shares.nodes(),
        links=shares.links(),
        allreduce=allreduce,
    )


def _policy(name: PolicyName, instance: Instance, scheduled: Scheduled) -> Policy:
    if name == "order":
        return InOrder(scheduled, instance.overhead)
    from skipsched.insight.fifo import Fifo  # compiled code takes a moment to load

    return Fifo(instance, scheduled)


def _chunks(runs: int, actions: int) -> Iterator[range]:
    """The runs, as many at a time as memory should hold."""
    size = max(1, _HELD // actions)
    for begin in range(0, runs, size):
        yield range(begin, min(runs, begin + size))


class _Ends:
    """When runs end, and after what.

    Parameters
    ----------
    scheduled
        The schedule.
    """

    def __init__(self, scheduled: Scheduled) -> None:
        actions, allocation = scheduled.actions, scheduled.plan.routes.allocation
        self._per = actions.per_microbatch
        #: The backwards of each stage.
        self._backwards: list[list[int]] = [[] for _ in scheduled.rings]
        for action, node in enumerate(actions.node):
            if actions.operation(action) == "B":
                self._backwards[allocation[node]].append(action)

    def of(self, ran: Ran, durations: Durations) -> tuple[Floats, NDArray[np.int64], Floats]:
        """Of each run its iteration time, the action that it ends after, and the all-reduce behind that.

        The action is -1 where a run never ends, or all it waits for is the all-reduce of an idle stage.
        """
        runs = ran.end.shape[1]
        time = np.full(runs, -1.0)
        last = np.full(runs, -1)
        averaged = np.zeros(runs)
        for backwards, allreduce in zip(self._backwards, durations.allreduce, strict=True):
            done, action = allreduce, np.full(runs, -1)
            if backwards:
                end = ran.end[backwards]
                latest = end.argmax(axis=0)
                done = end[latest, np.arange(runs)] + allreduce
                action = np.array(backwards)[latest]
            later = done > time
            time[later], last[later], averaged[later] = done[later], action[later], allreduce[later]
        last[np.isinf(time)] = -1
        return time, last, averaged

    def finished(self, ran: Ran) -> NDArray[np.int64]:
        """How many microbatches come home in each run."""
        home: NDArray[np.int64] = np.isfinite(ran.end[self._per - 1 :: self._per]).sum(axis=0)
        return home
