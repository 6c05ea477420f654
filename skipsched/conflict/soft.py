"""The exact model with sizes or links that may be changed at a price."""

from __future__ import annotations

from collections.abc import Sequence

from skipsched.clock import Clock
from skipsched.instance import Instance
from skipsched.routes.model import Literal, RoutesModel
from skipsched.routes.slots import FreeNumbers

#: Deterministic seconds of a search by second left: about half the time, as what is found wants trying.
_EFFORT = 0.2


class NearestSizes(RoutesModel):
    """Stage sizes that admit routes, as few nodes as possible away from given ones."""

    def __init__(
        self, instance: Instance, given: Sequence[int], clock: Clock, free: FreeNumbers | None
    ) -> None:
        super().__init__(instance, clock, free)
        more = []
        for stage, size in enumerate(given):
            more.append(self.model.new_int_var(0, instance.nodes, ""))
            members = [self.holds[n, stage] for n in self._holders(stage)]
            self.model.add(more[-1] >= sum(members) - size)
        self.model.minimize(sum(more))

    def sizes(self) -> tuple[int, tuple[int, ...]] | None:
        """How many nodes change their stage, and the sizes; None if none admit routes.

        If `proved` is false then, there may be sizes that are nearer.
        """
        solver = self.solution(workers=1, effort=_EFFORT * self._clock.remaining())
        if solver is None:
            return None
        sizes = tuple(
            sum(solver.boolean_value(self.holds[n, stage]) for n in self._holders(stage))
            for stage in range(self.instance.stages)
        )
        return round(solver.objective_value), sizes


class FewestLinks(RoutesModel):
    """Routes that use as few pairs of nodes without a link as possible, as if they had one both ways."""

    def __init__(self, instance: Instance, clock: Clock, free: FreeNumbers | None) -> None:
        self._added: dict[tuple[int, int], Literal] = {}
        super().__init__(instance, clock, free)
        self.model.minimize(sum(self._added.values()))

    def pairs(self) -> list[tuple[int, int]] | None:
        """The pairs to link; None if links alone do not help.

        If `proved` is false then, fewer may do.
        """
        solver = self.solution(workers=1, effort=_EFFORT * self._clock.remaining())
        if solver is None:
            return None
        return sorted(pair for pair, added in self._added.items() if solver.boolean_value(added))

    def _terms(self) -> int:
        """The hops without a link, between the nodes of any two stages, besides."""
        return super()._terms() + len(self.holds) ** 2

    def _islands(self) -> list[int]:
        return [0] * self.instance.nodes

    def _add_hop(self, node: int, unless: list[Literal], arrivals: list[tuple[int, Literal]]) -> None:
        """A hop between nodes that are not linked takes a new link."""
        self._clock.spend(len(arrivals))
        for m, visit in arrivals:
            if m != node and not self.instance.linked(node, m):
                self.model.add_bool_or([*unless, visit.negated(), self._link(node, m)])

    def _arc(self, source: int, target: int) -> Literal | None:
        arc = super()._arc(source, target)
        if arc is None:
            arc = self.model.new_bool_var("")
            self.model.add_implication(arc, self._link(source, target))
        return arc

    def _link(self, a: int, b: int) -> Literal:
        pair = (min(a, b), max(a, b))
        if pair not in self._added:
            self._added[pair] = self.model.new_bool_var("")
        return self._added[pair]
