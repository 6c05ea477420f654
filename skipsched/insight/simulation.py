"""The result of simulating a schedule."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from skipsched.insight.conditions import Conditions
from skipsched.insight.policy import PolicyName

#: Runs of a simulation: unless something else is asked for, and at most.
DEFAULT_RUNS, MOST_RUNS = 1000, 1_000_000
#: The quantiles that reports have.
QUANTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a node, or of a directed link, in the critical paths of the runs that end.

    Parameters
    ----------
    name
        The node, or the link's two ends.
    runs
        In how many runs it is on the critical path.
    time
        Microseconds that it has on critical paths, of all runs together.
    """

    name: tuple[str, ...]
    runs: int
    time: int


@dataclass(frozen=True)
class Simulation:
    """Iteration times of a schedule, simulated many times. Times in microseconds.

    A run that never ends counts as infinitely long: quantiles that such runs reach, and then the worst and
    the mean, are None.

    Parameters
    ----------
    name
        Of the topology.
    conditions, policy, runs, seed
        What was simulated.
    promised
        The iteration time that the schedule expects.
    times
        The iteration times of the runs that end, ascending.
    microbatches
        How many one iteration trains.
    finished
        How many of them come home in each run, ascending.
    nodes, links
        What the critical paths of the runs that end consist of, the largest time first.
    allreduce
        All-reduces at the end of critical paths, of all runs together.
    """

    name: str
    conditions: Conditions
    policy: PolicyName
    runs: int
    seed: int
    promised: int
    times: Sequence[int]
    microbatches: int
    finished: Sequence[int]
    nodes: Sequence[Share]
    links: Sequence[Share]
    allreduce: int

    def quantile(self, share: float) -> int | None:
        """The shortest time within which at least a share of all runs end."""
        rank = max(1, math.ceil(Fraction(str(share)) * self.runs))
        return self.times[rank - 1] if rank <= len(self.times) else None

    @property
    def mean(self) -> int | None:
        """The mean, rounded half up."""
        if len(self.times) < self.runs:
            return None
        return (2 * sum(self.times) + self.runs) // (2 * self.runs)

    def histogram(self, bins: int) -> list[tuple[int, int, int]]:
        """Of the times of runs that end: begin and end of equally wide bins, and the runs in each."""
        if not self.times:
            return []
        least, most = self.times[0], self.times[-1] + 1
        edges = [least + (most - least) * i // bins for i in range(bins + 1)]
        return [
            (begin, end, bisect_left(self.times, end) - bisect_left(self.times, begin))
            for begin, end in pairwise(edges)
            if begin < end
        ]

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "topology": self.name,
            "policy": self.policy,
            "runs": self.runs,
            "seed": self.seed,
            "conditions": self.conditions.document(),
            "promised": self.promised,
            "ended": len(self.times),
            "iteration_time": {
                "mean": self.mean,
                **{f"p{100 * share:g}": self.quantile(share) for share in QUANTILES},
                "worst": self.quantile(1),
            },
            "microbatches": {
                "total": self.microbatches,
                "least_finished": self.finished[0],
                "mean_finished": round(sum(self.finished) / self.runs, 4),
            },
            "critical_path": {
                "nodes": [{"node": share.name[0], **self._part(share)} for share in self.nodes],
                "links": [
                    {"from": share.name[0], "to": share.name[1], **self._part(share)} for share in self.links
                ],
                "allreduce": self.mean_of(self.allreduce),
            },
        }

    def mean_of(self, time: int) -> int:
        """What a time of all runs together is on average in a run that ends; there must be one."""
        return round(Fraction(time, max(1, len(self.times))))

    def _part(self, share: Share) -> dict[str, Any]:
        return {"runs": share.runs, "time": self.mean_of(share.time)}
