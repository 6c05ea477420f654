"""DT-FM with skipping: random allowed paths on a given allocation, as SkipPipe compares itself with."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

from skipsched.clock import Clock
from skipsched.instance import Instance
from skipsched.plan import Routes, members_of
from skipsched.rings import rings_of
from skipsched.routes.slots import PathSlot, paths_of, slots_of

#: Draws of one path before links are taken to leave none, and of each path anew before rules are.
_DRAWS = 200
_REDRAWS = 100
#: Steps of a loop that drawing a stage is worth.
_STEPS_PER_STAGE = 20

_Path = tuple[int, ...]


def random_routes(instance: Instance, allocation: Sequence[int], seed: int, clock: Clock) -> Routes | None:
    """Random paths on an allocation that keep every rule about paths.

    Every path is drawn by itself: one of the allowed stage orders, all alike likely, and any node of each
    stage. Then single paths are drawn anew, as long as rules about all paths together are broken; of these
    draws those stay that bring the rules no farther away. Where that leads nowhere, the exact model of routes
    decides, and chance is left with nothing.

    Parameters
    ----------
    allocation
        Stage of each node.
    seed
        Of the random choices.
    clock
        The limit.

    Returns
    -------
    Routes or None
        None if there are none on this allocation: it emits nothing, lacks a ring, or no paths keep the rules.

    Raises
    ------
    OutOfTime
        If the clock runs out before that is known.
    """
    members = members_of(allocation, instance.stages)
    slots = [slot for d in members[0] for slot in slots_of(instance, d, instance.rules.path_period)]
    if not slots or instance.orders.empty or rings_of(instance, members, clock) is None:
        return None
    chosen = _Draws(instance, allocation, slots, random.Random(seed), clock).chosen()
    if chosen is not None:
        return Routes(tuple(allocation), paths_of(instance, members[0], chosen))
    from skipsched.routes.model import RoutesModel

    return RoutesModel(instance.restricted_to(allocation), clock).solve(workers=1)


class _Draws:
    """Paths drawn so far, and how far they are from the rules about all of them."""

    def __init__(
        self,
        instance: Instance,
        allocation: Sequence[int],
        slots: Sequence[PathSlot],
        rng: random.Random,
        clock: Clock,
    ) -> None:
        self._instance = instance
        self._allocation = allocation
        self._slots = slots
        self._rng = rng
        self._clock = clock
        self._members = members_of(allocation, instance.stages)
        self._executed = [0] * instance.stages  # microbatches per stage
        self._carried = [0] * instance.nodes  # microbatches per node
        self._covering = {slot.data_node: [0] * instance.stages for slot in slots}
        #: A stage that a data node leaves out weighs as much as all microbatches.
        self._uncovered = sum(slot.weight for slot in slots)

    def chosen(self) -> dict[PathSlot, _Path] | None:
        """A path for every slot; None if links or rules are not kept after many draws."""
        chosen: dict[PathSlot, _Path] = {}
        for slot in self._slots:
            path = self._linked_path(slot.data_node)
            if path is None:
                return None
            chosen[slot] = path
            self._add(slot, path, 1)
        left = _REDRAWS * len(self._slots)
        while not self._rules_hold():
            left -= 1
            if left < 0:
                return None
            self._redraw(chosen)
        return chosen

    def _redraw(self, chosen: dict[PathSlot, _Path]) -> None:
        """Draw the path of one slot anew; the new one stays unless rules are farther away with it."""
        slot = self._rng.choice(self._slots)
        before, after = chosen[slot], self._linked_path(slot.data_node)
        if after is None:
            return
        if self._add(slot, before, -1) + self._add(slot, after, 1) <= 0:
            chosen[slot] = after
        else:
            self._add(slot, after, -1)
            self._add(slot, before, 1)

    def _linked_path(self, data_node: int) -> _Path | None:
        """A random path without missing links; None if no draw gives one."""
        for _ in range(_DRAWS):
            path = self._path(data_node)
            if self._instance.complete or all(
                self._instance.linked(a, b) for a, b in pairwise((*path, data_node))
            ):
                return path
        return None

    def _path(self, data_node: int) -> _Path:
        orders = self._instance.orders
        self._clock.spend(_STEPS_PER_STAGE * self._instance.path_length)
        path, state = [data_node], 0
        while following := orders.successors[state]:
            (state,) = self._rng.choices(following, [orders.completions[after] for after in following])
            path.append(self._rng.choice(self._members[orders.stage[state]]))
        return tuple(path)

    def _add(self, slot: PathSlot, path: _Path, sign: int) -> int:
        """Count a path in, or out again with ``sign = -1``; returns by how much farther away the rules are.

        Even counts are those whose squares have the smallest sum.
        """
        rules, weight = self._instance.rules, sign * slot.weight
        farther = 0
        for node in path[1:]:
            stage = self._allocation[node]
            if rules.even_stages:
                farther += weight * (2 * self._executed[stage] + weight)
            if rules.even_nodes:
                farther += weight * (2 * self._carried[node] + weight)
            self._executed[stage] += weight
            self._carried[node] += weight
            covering = self._covering[slot.data_node]
            covering[stage] += sign
            # The first path on a stage covers it, the last one taken away uncovers it.
            if rules.cover and covering[stage] == max(sign, 0):
                farther -= sign * self._uncovered
        return farther

    def _rules_hold(self) -> bool:
        rules = self._instance.rules
        if rules.even_stages and not _even(self._executed[1:]):
            return False
        if rules.even_nodes and not all(_even([self._carried[n] for n in ns]) for ns in self._members[1:]):
            return False
        return not rules.cover or all(min(counts[1:]) > 0 for counts in self._covering.values())


def _even(counts: Sequence[int]) -> bool:
    return max(counts) - min(counts) <= 1
