"""Paths that a search leaves as they are unless it pays to leave them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from skipsched.plan import Routes
from skipsched.scheduled import Scheduled


@dataclass(frozen=True)
class Keeping:
    """Paths to keep, and what leaving one of them has to gain. Without any, all paths are alike.

    The microbatches of a data node are alike: which of them takes a path does not matter.

    Parameters
    ----------
    paths
        The paths to keep, by data node: no more than it has microbatches.
    price
        Microseconds of iteration time that leaving one of them has to gain.
    """

    paths: Mapping[int, Sequence[tuple[int, ...]]] = field(default_factory=dict)
    price: int = 0

    def left(self, routes: Routes) -> int:
        """How many of the paths no microbatch takes any more."""
        taken = Counter(routes.paths)
        return sum((Counter(path for paths in self.paths.values() for path in paths) - taken).values())

    def worth(self, scheduled: Scheduled) -> tuple[int, int, int]:
        """What is minimised: the objective, the price of every path that was left added to its time."""
        objective = scheduled.objective
        time = objective.iteration_time + self.price * self.left(scheduled.plan.routes)
        return time, objective.total_completion, objective.makespan

    def homes(self, routes: Routes) -> list[tuple[int, ...] | None]:
        """For each microbatch the path it is to keep: its own wherever that is one; None for none."""
        homes: list[tuple[int, ...] | None] = [None] * len(routes.paths)
        for data_node, paths in self.paths.items():
            due = Counter(paths)
            elsewhere = []
            for microbatch, path in enumerate(routes.paths):
                if path[0] == data_node:
                    if due[path]:
                        due[path] -= 1
                        homes[microbatch] = path
                    else:
                        elsewhere.append(microbatch)
            for microbatch, path in zip(elsewhere, due.elements(), strict=False):
                homes[microbatch] = path
        return homes


#: For a search that may take any paths.
ANY_PATHS = Keeping()
