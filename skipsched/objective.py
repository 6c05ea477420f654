"""What is minimised: the iteration time, then the sum of the microbatches' last B ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skipsched.plan import Actions, Routes


@dataclass(frozen=True, slots=True, order=True)
class Objective:
    """The value of a plan; smaller is better, the iteration time first.

    Parameters
    ----------
    iteration_time
        ``max over stages k of (last B end among the nodes of stage k + allreduce(k))``, microseconds.
    total_completion
        Sum of the microbatches' last B ends, microseconds.
    makespan
        End of the last action, microseconds.
    """

    iteration_time: int
    total_completion: int
    makespan: int

    @classmethod
    def of(cls, routes: Routes, actions: Actions, end: Sequence[int], allreduce: Sequence[int]) -> Objective:
        """Value of replayed times, given each stage's all-reduce in microseconds."""
        per = actions.per_microbatch
        last = [0] * len(allreduce)
        for first in range(0, len(end), per):
            for action in range(first + actions.path_length + 1, first + per):
                stage = routes.allocation[actions.node[action]]
                last[stage] = max(last[stage], end[action])
        return cls(
            iteration_time=max(done + cost for done, cost in zip(last, allreduce, strict=True)),
            total_completion=sum(end[per - 1 :: per]),
            makespan=max(end, default=0),
        )
