"""Hints of the exact model: a schedule as values of its variables.

CP-SAT takes a hint only if it is complete and exact to the microsecond.
"""

from __future__ import annotations

from collections.abc import Sequence

from skipsched.exact.paths import Path
from skipsched.instance import Instance
from skipsched.plan import Actions, Plan, Routes
from skipsched.scheduled import Scheduled


def in_emission_order(instance: Instance, scheduled: Scheduled) -> Scheduled:
    """The same schedule, each data node's microbatches numbered in the order in which it emits them.

    Numbers are names: exchanging two microbatches of a data node changes nothing but them. Under
    `path-period` the numbers say who shares a path, and stay.
    """
    if instance.rules.path_period is not None:
        return scheduled
    per = scheduled.actions.per_microbatch
    paths = scheduled.plan.routes.paths
    emitted = sorted(range(len(paths)), key=lambda m: (paths[m][0], scheduled.end[m * per], m))
    number = [0] * len(paths)
    for after, before in enumerate(emitted):
        number[before] = after
    routes = Routes(scheduled.plan.routes.allocation, tuple(paths[m] for m in emitted))
    order = tuple(
        tuple(number[a // per] * per + a % per for a in sequence) for sequence in scheduled.plan.order
    )
    actions = Actions.of(instance, routes)
    return Scheduled.of(instance, Plan(routes, order), actions, scheduled.rings)


class HintValues:
    """What a schedule says of the model's variables; None throughout if there is no schedule."""

    def __init__(self, scheduled: Scheduled | None) -> None:
        self._scheduled = scheduled

    @property
    def iteration_time(self) -> int | None:
        """Microseconds."""
        return self._scheduled.objective.iteration_time if self._scheduled else None

    def takes(self, microbatch: int, path: Path) -> bool | None:
        """Whether a microbatch takes a path."""
        return self._scheduled.plan.routes.paths[microbatch] == path if self._scheduled else None

    def is_at(self, microbatch: int, position: int, node: int) -> bool | None:
        """Whether a microbatch visits a node at a position of its path."""
        return self._scheduled.plan.routes.paths[microbatch][position] == node if self._scheduled else None

    def start(self, microbatch: int, action: int) -> int | None:
        """When a microbatch's n-th action starts, microseconds."""
        if self._scheduled is None:
            return None
        actions = self._scheduled.actions
        number = microbatch * actions.per_microbatch + action
        return self._scheduled.end[number] - actions.duration[number]

    def end(self, microbatch: int, action: int) -> int | None:
        """When a microbatch's n-th action ends, microseconds."""
        if self._scheduled is None:
            return None
        return self._scheduled.end[microbatch * self._scheduled.actions.per_microbatch + action]

    def size(self, microbatch: int, first: int, last: int) -> int | None:
        """Microseconds from the start of one action of a microbatch to the end of another."""
        start, end = self.start(microbatch, first), self.end(microbatch, last)
        return None if start is None or end is None else end - start

    def fewest(self, nodes: Sequence[int]) -> int | None:
        """The fewest microbatches that any of some nodes executes."""
        if self._scheduled is None:
            return None
        paths = self._scheduled.plan.routes.paths
        return min(sum(n in path for path in paths) for n in nodes)

    def visits(self, node: int) -> bool | None:
        """Whether any microbatch visits a node."""
        fewest = self.fewest([node])
        return None if fewest is None else fewest > 0
