"""Allocations in which every stage keeps to a neighbourhood.

A stage spread over slow links pays for them in its all-reduce, once an iteration; paths that leave a
neighbourhood pay for each microbatch. Which is dearer is for those to find out who schedule it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, count

from skipsched.clock import Clock
from skipsched.instance import Instance
from skipsched.routes.allocate import exchange, tour_of
from skipsched.routes.estimate import Estimate
from skipsched.routes.holders import TooFew, assign
from skipsched.routes.sharing import Sharings, sizes_within

#: How far, in parts of its size, the end of a block may give way to a border between neighbourhoods.
_ROOM = 0.5


@dataclass(frozen=True, slots=True)
class _Block:
    """Nodes that follow each other on a tour.

    Parameters
    ----------
    stage
        The stage they hold.
    begin, end
        Their places on the tour.
    """

    stage: int
    begin: int
    end: int

    def away(self, place: int) -> int:
        """How far a place lies outside."""
        return max(self.begin - place, place + 1 - self.end, 0)


def allocations_in_blocks(instance: Instance, clock: Clock, seed: int) -> Iterator[list[int]]:
    """Allocations in blocks, of both kinds in turn, without end; none if there is none at all.

    Raises
    ------
    OutOfTime
        If the clock runs out in between.
    """
    rng = random.Random(seed)
    estimate = Estimate(instance)
    sharings = Sharings(instance, estimate, rng, clock)
    for turn in count():
        tour = tour_of(estimate.cost, rng.randrange(instance.nodes))
        in_turn = turn % 2 == 0
        if in_turn:
            blocks = _in_turn(instance, estimate, tour, rng)
        else:
            tour, blocks = _by_neighbourhood(instance, estimate, tour, sharings)
        allocation = _held(instance, tour, blocks)
        if isinstance(allocation, TooFew):
            return
        # Neighbourhoods are shared out by an estimate that knows the paths better.
        if in_turn:
            exchange(instance, estimate, allocation, rng, clock)
        yield allocation


def _held(instance: Instance, tour: Sequence[int], blocks: Sequence[_Block]) -> list[int] | TooFew:
    """Let every node hold the stage of its block, or of the nearest one that it may and that has room."""
    wishes: list[list[int]] = [[] for _ in range(instance.nodes)]
    for place, node in enumerate(tour):
        near = sorted(blocks, key=lambda block: block.away(place))
        wishes[node] = [block.stage for block in near if block.stage in instance.allowed[node]]
    # Those who may hold little choose first: then nobody has to be shifted.
    return assign(instance, wishes, sorted(tour, key=lambda n: len(instance.allowed[n])))


def _in_turn(instance: Instance, estimate: Estimate, tour: Sequence[int], rng: random.Random) -> list[_Block]:
    """Give each stage the next nodes of a tour, in any order of the stages."""
    stages = list(range(instance.stages))
    rng.shuffle(stages)
    blocks: list[_Block] = []
    begin, due = 0, 0.0
    for stage in stages:
        due += estimate.sizes[stage]
        end = _border(instance, estimate, tour, stage, round(due)) if stage != stages[-1] else len(tour)
        blocks.append(_Block(stage, begin, max(begin, end)))
        begin = max(begin, end)
    return blocks


def _border(instance: Instance, estimate: Estimate, tour: Sequence[int], stage: int, due: int) -> int:
    """Where a stage's block ends: as near to its size as can be where the tour leaves a neighbourhood."""
    if instance.has_fixed_size(stage):
        return due
    room = int(estimate.sizes[stage] * _ROOM)
    places = range(max(1, due - room), min(len(tour), due + room + 1))
    return max(places, key=lambda p: (estimate.cost[tour[p - 1]][tour[p]], -abs(p - due)), default=due)


def _by_neighbourhood(
    instance: Instance, estimate: Estimate, tour: Sequence[int], sharings: Sharings
) -> tuple[list[int], list[_Block]]:
    """Share the stages out among the neighbourhoods of a tour, and the nodes of each among its stages."""
    neighbourhoods = _neighbourhoods(estimate, tour, instance.stages)
    blocks: list[_Block] = []
    begins = accumulate(map(len, neighbourhoods), initial=0)
    for begin, nodes, stages in zip(begins, neighbourhoods, sharings.next(neighbourhoods), strict=False):
        at = begin
        for stage, size in zip(stages, sizes_within(instance, estimate, len(nodes), stages), strict=True):
            blocks.append(_Block(stage, at, at + round(size)))
            at += round(size)
    return [node for nodes in neighbourhoods for node in nodes], blocks


def _neighbourhoods(estimate: Estimate, tour: Sequence[int], most: int) -> list[list[int]]:
    """A closed tour cut where its hops are dearest, as often as makes the greatest difference."""
    hops = [estimate.cost[tour[place - 1]][tour[place]] for place in range(len(tour))]
    dearest = sorted(range(len(tour)), key=lambda place: -hops[place])
    cuts = max(
        range(1, min(most, len(tour) - 1) + 1),
        key=lambda cuts: (hops[dearest[cuts - 1]] + 1) / (hops[dearest[cuts]] + 1),
    )
    first, *others = sorted(dearest[:cuts])
    turned = [*tour[first:], *tour[:first]]
    begins = [0, *(place - first for place in others)]
    return [turned[begin:end] for begin, end in zip(begins, [*begins[1:], len(tour)], strict=True)]
