"""A path with the times that follow from it alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skipsched.exact.paths import Path
from skipsched.instance import Instance
from skipsched.plan import Actions, Routes


@dataclass(frozen=True, slots=True)
class Itinerary:
    """One microbatch on one path without waiting, in microseconds.

    Parameters
    ----------
    path
        Its nodes.
    lag
        For each action, the transfer of its input; 0 for the first.
    ahead
        For each position, the time before its F begins.
    held
        For each position, the time from the start of its F to the end of its B.
    behind
        For each position, the time from the end of its B until the iteration can end: the way home and the
        first stage's all-reduce, or its own stage's all-reduce if that takes longer.
    """

    path: Path
    lag: tuple[int, ...]
    ahead: tuple[int, ...]
    held: tuple[int, ...]
    behind: tuple[int, ...]

    @classmethod
    def of(
        cls, instance: Instance, allocation: tuple[int, ...], allreduce: Sequence[int], path: Path
    ) -> Itinerary:
        """Walk a path once, there and back."""
        actions = Actions.of(instance, Routes(allocation, (path,)))
        end: list[int] = []
        for lag, duration in zip(actions.lag, actions.duration, strict=True):
            end.append((end[-1] if end else 0) + lag + duration)
        last = len(end) - 1
        begin = [end[q] - actions.duration[q] for q in range(len(path))]
        return cls(
            path=path,
            lag=tuple(actions.lag),
            ahead=tuple(begin),
            held=tuple(end[last - q] - begin[q] for q in range(len(path))),
            behind=tuple(
                max(end[last] - end[last - q] + allreduce[0], allreduce[allocation[n]])
                for q, n in enumerate(path)
            ),
        )

    @property
    def shortest(self) -> int:
        """The iteration time if there were nothing else to do."""
        return max(map(sum, zip(self.ahead, self.held, self.behind, strict=True)))
