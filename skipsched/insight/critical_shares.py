"""What simulated iteration times consist of: which nodes and which links lie on the critical path."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from skipsched.insight.durations import Durations
from skipsched.insight.jitter import Floats
from skipsched.insight.policy import Ran
from skipsched.insight.simulation import Share
from skipsched.scheduled import Scheduled

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


class CriticalShares:
    """Follows the critical path of every run back from its end, and counts what lies on it.

    Parameters
    ----------
    scheduled
        The schedule.
    names
        Of the nodes.
    overhead
        Microseconds a node stays unavailable after every action.
    """

    def __init__(self, scheduled: Scheduled, names: Sequence[str], overhead: int) -> None:
        actions = scheduled.actions
        self._per = actions.per_microbatch
        self._overhead = float(overhead)
        self._node = np.array(actions.node, np.intp)
        ends = np.stack([np.roll(self._node, 1), self._node])
        pairs, self._link = np.unique(ends, axis=1, return_inverse=True)
        self._nodes = _Counted([(name,) for name in names])
        self._links = _Counted([(names[a], names[b]) for a, b in pairs.T])

    def add(self, last: Ints, durations: Durations, ran: Ran) -> None:
        """Count some runs.

        Parameters
        ----------
        last
            The action that each run ends after; -1 for runs that never end, or end after none.
        """
        on_path = ran.end.shape[1]
        nodes, links = self._nodes.met(on_path), self._links.met(on_path)
        runs = np.flatnonzero(last >= 0)
        action = last[runs]
        while len(runs):
            computing, travel = durations.computing[action, runs], durations.travel[action, runs]
            self._nodes.add(nodes, self._node[action], runs, computing)
            is_first = action % self._per == 0
            arrived = np.where(is_first, 0.0, ran.end[action - 1, runs] + travel)
            before = np.broadcast_to(ran.before, ran.end.shape)[action, runs]
            # Not by start times: where sums are no longer exact these would be off.
            free = np.where(before < 0, 0.0, ran.end[before, runs] + self._overhead)
            waited = free > arrived
            came = ~waited & ~is_first
            self._links.add(links, self._link[action[came]], runs[came], travel[came])
            goes_on = waited | came
            action, runs = np.where(waited, before, action - 1)[goes_on], runs[goes_on]
        self._nodes.close(nodes)
        self._links.close(links)

    def nodes(self) -> list[Share]:
        """Nodes that were on a critical path, the one with the most time on them first."""
        return self._nodes.shares()

    def links(self) -> list[Share]:
        """Directed links, likewise."""
        return self._links.shares()


class _Counted:
    """Runs and times of some subjects with names."""

    def __init__(self, names: Sequence[tuple[str, ...]]) -> None:
        self._names = names
        self._runs = np.zeros(len(names), np.int64)
        self._time = np.zeros(len(names))

    def met(self, runs: int) -> Flags:
        """For some runs, whether each subject was met: not yet."""
        return np.zeros((len(self._names), runs), np.bool_)

    def add(self, met: Flags, subject: Ints, runs: Ints, time: Floats) -> None:
        """Meet a subject in each of some runs, for a time."""
        met[subject, runs] = True
        # Whole numbers: in whatever order they are added, the sum is the same.
        self._time += np.bincount(subject, weights=time, minlength=len(self._names))

    def close(self, met: Flags) -> None:
        """Count the runs in which each subject was met."""
        self._runs += met.sum(axis=1)

    def shares(self) -> list[Share]:
        """Those that were met, the largest time first."""
        counted = zip(self._names, self._runs.tolist(), self._time.tolist(), strict=True)
        found = [Share(name, runs, int(time)) for name, runs, time in counted if runs]
        return sorted(found, key=lambda share: -share.time)
