"""The policy `order`: each node runs its actions in the schedule's order, each as soon as it can."""

from __future__ import annotations

from graphlib import TopologicalSorter

import numpy as np

from skipsched.insight.durations import Durations
from skipsched.insight.jitter import Floats
from skipsched.insight.policy import Ran
from skipsched.scheduled import Scheduled


class InOrder:
    """Replays a schedule's order with other durations, all runs side by side: one pass over the actions.

    Parameters
    ----------
    scheduled
        The schedule.
    overhead
        Microseconds a node stays unavailable after every action.
    """

    def __init__(self, scheduled: Scheduled, overhead: int) -> None:
        self._overhead = float(overhead)
        self._per = scheduled.actions.per_microbatch
        self._before = np.full(len(scheduled.end), -1)
        for row in scheduled.plan.order:
            self._before[list(row[1:])] = row[:-1]
        waits_for = {
            action: [*([action - 1] if action % self._per else []), *([before] if before >= 0 else [])]
            for action, before in enumerate(self._before.tolist())
        }
        self._sequence = list(TopologicalSorter(waits_for).static_order())

    def run(self, durations: Durations) -> Ran:
        """The times of some runs."""
        end = np.empty_like(durations.computing)
        free: Floats = np.empty(end.shape[1])
        for action in self._sequence:
            before, time = self._before[action], end[action]
            if action % self._per:
                np.add(end[action - 1], durations.travel[action], out=time)
            else:
                time[:] = 0
            if before >= 0:
                np.add(end[before], self._overhead, out=free)
                np.maximum(time, free, out=time)
            time += durations.computing[action]
        return Ran(end, self._before[:, np.newaxis])
