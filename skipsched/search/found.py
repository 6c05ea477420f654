"""The best plan that a chain of moves has found: what of its state is worth keeping."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skipsched.instance import Instance
from skipsched.plan import Actions, Plan, Routes
from skipsched.rings import Ring, better_rings, ring_through, rings_of
from skipsched.scheduled import Scheduled
from skipsched.search.compiled import compiled
from skipsched.search.problem import Ints
from skipsched.search.state import LEFT, TIME, TOTAL, State


class Found(NamedTuple):
    """A plan.

    Parameters
    ----------
    allocation, successor, path, row, length
        As in `State`.
    value
        Iteration time, with the price of the paths that were left, and sum of completions: `TIME`, `TOTAL`.
    """

    allocation: Ints
    successor: Ints
    path: Ints
    row: Ints
    length: Ints
    value: Ints

    @classmethod
    def of(cls, state: State) -> Found:
        """The plan of a state whose times are settled."""
        return cls(
            allocation=state.allocation.copy(),
            successor=state.successor.copy(),
            path=state.path.copy(),
            row=state.row.copy(),
            length=state.length.copy(),
            value=state.figure[[TIME, TOTAL]] + state.figure[LEFT] * np.array([1, 0]),
        )

    @property
    def objective(self) -> tuple[int, int]:
        """Iteration time and sum of completions, microseconds."""
        return int(self.value[TIME]), int(self.value[TOTAL])

    def scheduled(self, instance: Instance) -> Scheduled:
        """The plan as the rest of the program knows it."""
        per = 2 * instance.path_length + 1
        paths = [tuple(map(int, path)) for path in self.path]
        # Data node by data node; within one, numbers say under `path-period` who shares a path, and stay.
        ordered = sorted(range(len(paths)), key=lambda m: (paths[m][0], m))
        number = np.zeros(len(paths), np.int64)
        number[ordered] = range(len(paths))
        routes = Routes(tuple(map(int, self.allocation)), tuple(paths[m] for m in ordered))
        order = tuple(
            tuple((number[row // per] * per + row % per).tolist())
            for row in (self.row[n, : self.length[n]] for n in range(instance.nodes))
        )
        rings = self._rings(instance, routes)
        return Scheduled.of(instance, Plan(routes, order), Actions.of(instance, routes), rings)

    def _rings(self, instance: Instance, routes: Routes) -> list[Ring]:
        """For each stage the better of the plan's own ring and the one found for its nodes."""
        members = routes.members(instance.stages)
        own = []
        for stage, (first, *_) in enumerate(members):
            nodes = [first]
            while (after := int(self.successor[nodes[-1]])) != first:
                nodes.append(after)
            ring = ring_through(instance, stage, nodes)
            assert ring is not None, "the search closes every ring"
            own.append(ring)
        found = rings_of(instance, members)
        assert found is not None, "there is a ring in every stage"
        return better_rings(found, own)


@compiled
def is_better(state: State, best: Found) -> bool:
    """Whether a plan is better than another: a smaller time, then a smaller sum of completions."""
    time = state.figure[TIME] + state.figure[LEFT]
    if time != best.value[TIME]:
        return bool(time < best.value[TIME])
    return bool(state.figure[TOTAL] < best.value[TOTAL])


@compiled
def copy(state: State, best: Found) -> None:
    """Copy what has changed since the last copy."""
    for node in range(state.allocation.shape[0]):
        best.allocation[node] = state.allocation[node]
        best.successor[node] = state.successor[node]
        if state.stale_row[node]:
            state.stale_row[node] = False
            best.length[node] = state.length[node]
            for place in range(state.length[node]):
                best.row[node, place] = state.row[node, place]
    for microbatch in range(state.path.shape[0]):
        if state.stale_path[microbatch]:
            state.stale_path[microbatch] = False
            for position in range(state.path.shape[1]):
                best.path[microbatch, position] = state.path[microbatch, position]
    best.value[TIME] = state.figure[TIME] + state.figure[LEFT]
    best.value[TOTAL] = state.figure[TOTAL]
