"""What a schedule was, in the numbers of the instance that is now."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from skipsched.instance import Instance
from skipsched.opened import Opened
from skipsched.plan import Routes
from skipsched.routes.slots import PathSlot, slots_of
from skipsched.search.keeping import Keeping

Path = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FormerMicrobatch:
    """A microbatch as it was.

    Parameters
    ----------
    path
        Its nodes; None if one of them has left.
    starts
        When each of its actions started, microseconds.
    """

    path: Path | None
    starts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Former:
    """What was, as far as it is still there.

    Parameters
    ----------
    stages
        The stage that each node held; None if it has come since.
    microbatches
        The microbatches of each data node that is still there, whatever stage it may hold now.
    rings
        The rings of the stages, without the nodes that left.
    """

    stages: tuple[int | None, ...]
    microbatches: Mapping[int, Sequence[FormerMicrobatch]]
    rings: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, opened: Opened, instance: Instance) -> Former:
        """What a schedule was, on an instance that may have other nodes, matched by their ids."""
        number = {node_id: n for n, node_id in enumerate(instance.node_ids)}
        now = [number.get(node_id) for node_id in opened.instance.node_ids]
        plan, actions, end = opened.scheduled.plan, opened.scheduled.actions, opened.scheduled.end
        stages: list[int | None] = [None] * instance.nodes
        for node, stage in zip(now, plan.routes.allocation, strict=True):
            if node is not None:
                stages[node] = stage
        microbatches: dict[int, list[FormerMicrobatch]] = {}
        for first, path in zip(range(0, len(end), actions.per_microbatch), plan.routes.paths, strict=True):
            data_node = now[path[0]]
            if data_node is None:
                continue
            nodes = tuple(node for n in path if (node := now[n]) is not None)
            chain = range(first, first + actions.per_microbatch)
            starts = tuple(end[action] - actions.duration[action] for action in chain)
            whole = nodes if len(nodes) == len(path) else None
            microbatches.setdefault(data_node, []).append(FormerMicrobatch(whole, starts))
        rings = tuple(
            tuple(node for n in ring.nodes if (node := now[n]) is not None) for ring in opened.scheduled.rings
        )
        return cls(tuple(stages), microbatches, rings)

    def kept(self, instance: Instance, allocation: Sequence[int]) -> dict[PathSlot, Path]:
        """The paths that an allocation leaves possible, by the path slots that took them.

        Parameters
        ----------
        allocation
            Stage of each node; anything for those that have come.
        """
        found: dict[PathSlot, Path] = {}
        for data_node, formers in self.microbatches.items():
            if allocation[data_node] != 0:
                continue
            for slot in slots_of(instance, data_node, instance.rules.path_period):
                path = formers[slot.index].path if slot.index < len(formers) else None
                if path is not None and self._is_possible(instance, allocation, path):
                    found[slot] = path
        return found

    def keeping(self, instance: Instance, allocation: Sequence[int], price: int) -> Keeping:
        """The same paths for a search, at a price in microseconds."""
        paths: dict[int, list[Path]] = {}
        for slot, path in self.kept(instance, allocation).items():
            paths.setdefault(slot.data_node, []).extend([path] * slot.weight)
        return Keeping(paths, price)

    def changed(self, instance: Instance, routes: Routes) -> int:
        """How many of the paths that the allocation of some routes leaves possible they do not take."""
        return self.keeping(instance, routes.allocation, price=0).left(routes)

    def _is_possible(self, instance: Instance, allocation: Sequence[int], path: Path) -> bool:
        """Whether a path's nodes hold what they held, in an order that is allowed, all linked."""
        stages = tuple(allocation[node] for node in path)
        return (
            stages == tuple(self.stages[node] for node in path)
            and instance.orders.accepts(stages)
            and all(instance.linked(a, b) for a, b in itertools.pairwise((*path, path[0])))
        )
