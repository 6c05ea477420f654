"""Stage orders: in which order a path may execute stages.

The rules `path-length`, `swap` and `jump` speak of one path alone and of stages alone. They are compiled once
into a layered automaton whose paths from its start to its last layer are exactly the allowed stage orders;
everything that chooses, counts or checks orders walks it. Enumerating the orders instead would not end for
deep pipelines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple


class TooManyOrdersError(ValueError):
    """The rules allow so many different orders that the automaton passes its limit."""


@dataclass(frozen=True)
class StageOrders:
    """The automaton of allowed stage orders.

    Parameters
    ----------
    stage
        Stage executed on entering each state; state 0 is the start, with stage 0.
    successors
        States that may follow each state, by ascending stage. Every state lies on a way from the start to
        the last layer.
    layers
        States by the number of stages executed, one layer per position of a path. Empty if no order is
        allowed at all.
    """

    stage: tuple[int, ...]
    successors: tuple[tuple[int, ...], ...]
    layers: tuple[tuple[int, ...], ...]

    @property
    def empty(self) -> bool:
        """Whether the rules allow no order at all."""
        return not self.layers

    @cached_property
    def stages(self) -> frozenset[int]:
        """Stages that some allowed order executes."""
        return frozenset(self.stage)

    @cached_property
    def completions(self) -> tuple[int, ...]:
        """In how many ways each state may be continued to the last layer."""
        ways = [1] * len(self.stage)
        for state in reversed(range(len(self.stage))):
            if self.successors[state]:
                ways[state] = sum(ways[after] for after in self.successors[state])
        return tuple(ways)

    def count(self) -> int:
        """How many orders are allowed."""
        return 0 if self.empty else self.completions[0]

    def accepts(self, order: tuple[int, ...]) -> bool:
        """Whether an order of stages, beginning with stage 0, is allowed."""
        if self.empty or len(order) != len(self.layers) or order[0] != 0:
            return False
        state = 0
        for stage in order[1:]:
            following = [s for s in self.successors[state] if self.stage[s] == stage]
            if not following:
                return False
            state = following[0]
        return True

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        """Every allowed order, in lexicographic order."""
        if self.empty:
            return
        stack: list[tuple[int, tuple[int, ...]]] = [(0, (0,))]
        while stack:
            state, order = stack.pop()
            if len(order) == len(self.layers):
                yield order
            stack.extend((s, (*order, self.stage[s])) for s in reversed(self.successors[state]))


#: What the future of a partial order depends on: its last stage, its frontier, which stages just below the
#: frontier are done (bit i: stage frontier - 1 - i), and the swap distance spent.
_Partial = tuple[int, int, int, int]


def stage_orders(
    stages: int,
    path_length: int,
    max_swaps: int,
    max_swap_distance: int,
    max_jump: int,
    *,
    most_states: int,
) -> StageOrders:
    """Compile the rules into an automaton.

    A stage above the frontier f follows if it is at most ``max_jump`` above it; one below if it is not done,
    not stage 0, at most ``max_swap_distance`` below, and the distances of all swaps sum to at most
    ``max_swaps``.

    Raises
    ------
    TooManyOrdersError
        If more than `most_states` states are needed, or a multiple of them on the way there.
    """
    reach = min(max_swap_distance, max_swaps, stages - 2)
    # A budget that no path can exhaust need not be counted.
    budget = max_swaps if max_swaps < reach * (path_length - 2) else None
    rules = _Steps(stages, reach, budget, max_jump)
    partials: list[dict[_Partial, list[_Partial]]] = [{(0, 0, 0, 0): []}]
    states = steps = 0
    for missing in range(path_length - 2, -1, -1):
        layer: dict[_Partial, list[_Partial]] = {}
        for partial, following in partials[-1].items():
            following.extend(step for step in rules.after(partial) if rules.left(step) >= missing)
            layer.update((extended, []) for extended in following if extended not in layer)
            steps += len(following)
            # Merging below leaves fewer of both, but only what was built can be merged.
            if states + len(layer) > 4 * most_states or steps > 16 * most_states:
                raise TooManyOrdersError
        partials.append(layer)
        states += len(layer)
    orders = _merge(partials)
    if len(orders.stage) > most_states:
        raise TooManyOrdersError
    return orders


class _Steps(NamedTuple):
    """The rules as they bear on one step of a path.

    Parameters
    ----------
    stages
        Number of stages.
    reach
        Farthest below the frontier that a stage may follow.
    budget
        Distance that all swaps of a path may sum to; None if it cannot be exhausted.
    max_jump
        Farthest above the frontier that a stage may follow.
    """

    stages: int
    reach: int
    budget: int | None
    max_jump: int

    def after(self, partial: _Partial) -> Iterator[_Partial]:
        """The partial orders with one stage more."""
        _, frontier, done, swapped = partial
        left = self.reach if self.budget is None else self.budget - swapped
        for back in range(1, min(self.reach, frontier - 1, left) + 1):
            bit = 1 << (back - 1)
            if not done & bit:
                spent = 0 if self.budget is None else swapped + back
                yield frontier - back, frontier, done | bit, spent
        for jump in range(1, min(self.max_jump, self.stages - 1 - frontier) + 1):
            # The old frontier becomes a done stage `jump` below the new one.
            below = ((done << 1) | 1) << (jump - 1)
            yield frontier + jump, frontier + jump, below & ((1 << self.reach) - 1), swapped

    def left(self, partial: _Partial) -> int:
        """The most stages that may still follow: all above the frontier, and skipped ones within reach."""
        _, frontier, done, _ = partial
        below = min(self.reach, frontier - 1)
        return self.stages - 1 - frontier + below - (done & ((1 << below) - 1)).bit_count()


def _merge(partials: list[dict[_Partial, list[_Partial]]]) -> StageOrders:
    """Drop what reaches no end, and merge states with the same stage and the same futures."""
    number: list[dict[_Partial, int]] = [{} for _ in partials]
    classes: list[list[tuple[int, tuple[int, ...]]]] = [[] for _ in partials]
    for depth in range(len(partials) - 1, -1, -1):
        seen: dict[tuple[int, tuple[int, ...]], int] = {}
        for partial, following in partials[depth].items():
            after = (
                {number[depth + 1][f] for f in following if f in number[depth + 1]} if following else set()
            )
            if not after and depth < len(partials) - 1:
                continue
            key = (partial[0], tuple(s for _, s in sorted((classes[depth + 1][s][0], s) for s in after)))
            number[depth][partial] = seen.setdefault(key, len(seen))
        classes[depth] = list(seen)
    if not classes[0]:
        return StageOrders((), (), ())
    offsets = [0]
    for layer in classes:
        offsets.append(offsets[-1] + len(layer))
    return StageOrders(
        stage=tuple(stage for layer in classes for stage, _ in layer),
        successors=tuple(
            tuple(offsets[depth + 1] + s for s in after)
            for depth, layer in enumerate(classes)
            for _, after in layer
        ),
        layers=tuple(tuple(range(offsets[d], offsets[d + 1])) for d in range(len(classes))),
    )
