"""The arrangement of DT-FM, as SkipPipe uses it: who holds which stage, for straight pipelines.

DT-FM (Yuan et al. 2022, arXiv 2206.01288) divides nodes among stages by a genetic search whose children are
bettered by moves along cycles of stages. SkipPipe (arXiv 2502.19913, code gensyn-ai/skippipe) takes it over
for stages of different sizes. Written anew from their description, with these differences:

* The cost of a pair is the round trip between them, since a path comes back the way it went; theirs is one
  way, with the forward time of one of both added. Without differences in direction and in speed the two
  scores tell the same arrangements apart.
* Their code closes the salesman's tour, the last stage's way back to the first; it is open here, as in DT-FM.
* The matching that closes pipelines counts the way home with its pairs; DT-FM has none, as its last stage
  computes the loss.
* A missing link is dearer than all others together; theirs are complete.
* An allocation keeps sizes, pins, memory and rings, and the order of the salesman must keep them too; theirs
  may exchange any groups but the first, as all others are alike.
* The moves along cycles have the gain of DT-FM. Theirs get another one, by a slip in the name they ask for,
  which gathers near nodes in a stage where gradients outweigh activations, against what the score wants.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from skipsched.baselines.cycles import move_along_cycles
from skipsched.baselines.matching import bottleneck_matching
from skipsched.baselines.tour import EXACT_UP_TO, best_tour
from skipsched.clock import NO_LIMIT, Clock, OutOfTime
from skipsched.instance import NO_LINK, Instance
from skipsched.plan import members_of
from skipsched.rings import best_ring
from skipsched.routes.holders import TooFew, assign

#: Allocations kept, children made, and nodes whose stage a child takes from its other parent: as in
#: SkipPipe's `create_schedule.py` and `schedulers/gcma.py`.
_POPULATION = 200
_TRIALS = 8000
_EXCHANGED = 5
#: Weight of the pipelines beside the dearest pair within a stage, from the same place.
_PIPELINE_WEIGHT = 2
#: Part of the time that filling the population may take: a large one would leave nothing for children.
_FILLING = 0.4
#: Steps of a loop that a pair of nodes in a matching is worth, and a node in the choice of a move.
_STEPS_PER_PAIR = 8
_STEPS_PER_MOVE = 2

#: A sorted group of nodes.
_Group = tuple[int, ...]


class NoPipelines(Exception):
    """No straight pipelines: there are none, or where an allocation was to be found too, none were found."""


@dataclass(frozen=True)
class Arrangement:
    """An allocation and straight pipelines through it.

    Parameters
    ----------
    allocation
        Stage of each node.
    pipelines
        Nodes of each pipeline, one for every stage, in the order of the stages; as many pipelines as the
        smallest stage has nodes.
    """

    allocation: tuple[int, ...]
    pipelines: tuple[tuple[int, ...], ...]


def arrange(instance: Instance, clock: Clock, seed: int) -> Arrangement:
    """Search for the arrangement with the smallest score.

    The score is the dearest pair of nodes within any stage plus twice the cost of the pipelines: the way
    through all stages, the distance of two being the bottleneck of the best matching of their nodes. Stages
    whose size is free get as even sizes as pins and memory allow (`even_sizes`).

    Parameters
    ----------
    clock
        The limit; the search also ends after as many trials as the source makes.
    seed
        Of the random choices: with a clock that counts work, equal seeds give equal arrangements.

    Returns
    -------
    Arrangement
        The best that has been found when the time ends.

    Raises
    ------
    NoPipelines
        If there is no allocation at all, or none that was tried admits straight pipelines.
    OutOfTime
        If time ended before there was a first arrangement.
    """
    best: Arrangement | None = None
    least: int | None = None
    broken: set[tuple[int, ...]] = set()  # allocations with a link missing, from the last stage home for one
    try:
        for score, allocation in _Search(instance, clock, seed).tried():
            if allocation is None or (least is not None and score >= least) or allocation in broken:
                continue
            try:
                best, least = Arrangement(allocation, _pipelines(instance, allocation, clock)), score
            except NoPipelines:
                broken.add(allocation)
    except OutOfTime:
        if best is None:
            raise
    if best is None:
        raise NoPipelines("no allocation that was tried admits straight pipelines")
    return best


def even_sizes(instance: Instance) -> tuple[int, ...]:
    """Sizes of the stages: given ones, and free ones as even as pins, memory and limits allow.

    The largest is as small as possible, then the smallest as large as possible; the first stage keeps to its
    number of data nodes.

    Raises
    ------
    NoPipelines
        If no allocation keeps the limits.
    """
    if instance.min_sizes == instance.max_sizes:
        return instance.min_sizes

    def allocated(fewest: int, most: int) -> list[int] | TooFew:
        least = tuple(min(max(low, fewest), high) for low, high in _limits(instance))
        largest = tuple(max(min(high, most), low) for low, high in _limits(instance))
        limited = replace(instance, min_sizes=least, max_sizes=largest)
        return assign(limited, instance.allowed, range(instance.nodes))

    counts = range(instance.nodes + 1)
    most = bisect_left(counts, True, key=lambda count: not isinstance(allocated(0, count), TooFew))
    fewest = bisect_left(
        counts[: most + 1], True, key=lambda count: isinstance(allocated(count, most), TooFew)
    )
    found = allocated(fewest - 1, most)
    if isinstance(found, TooFew):
        raise NoPipelines("pins, memory and stage sizes admit no allocation")
    return tuple(map(len, members_of(found, instance.stages)))


def _limits(instance: Instance) -> Iterator[tuple[int, int]]:
    return zip(instance.min_sizes, instance.max_sizes, strict=True)


def straight_pipelines(instance: Instance, allocation: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Straight pipelines through an allocation, no node in two of them.

    From the smallest stage on, outwards in both directions, the nodes that are in a pipeline are joined with
    nodes of the neighbouring stage by a bottleneck matching. A node that comes last into a pipeline counts
    with both its hops: it closes the way home, where the loss is computed. Where links are missing this may
    end in nothing; then an exact model says whether there are any, and its pipelines are taken as they are.

    Returns
    -------
    tuple of tuple of int
        As many as the smallest stage has nodes, by data node.

    Raises
    ------
    NoPipelines
        If there are none, that is, fewer.
    """
    return _pipelines(instance, allocation, NO_LIMIT)


def _pipelines(instance: Instance, allocation: Sequence[int], clock: Clock) -> tuple[tuple[int, ...], ...]:
    """`straight_pipelines` within what a clock leaves."""
    members = members_of(allocation, instance.stages)
    pipelines = _matched(instance, members)
    if pipelines is None:
        pipelines = _modelled(instance, members, clock)
    return tuple(sorted(pipelines))


def _matched(instance: Instance, members: Sequence[Sequence[int]]) -> list[tuple[int, ...]] | None:
    """Pipelines of matchings from the smallest stage outwards; None if one of these does not exist."""
    smallest = min(range(len(members)), key=lambda stage: len(members[stage]))
    pipelines: list[tuple[int, ...]] = [(node,) for node in members[smallest]]
    turns = (*range(smallest + 1, len(members)), *reversed(range(smallest)))
    for stage in turns:
        end = -1 if stage > smallest else 0
        costs = list(instance.round_trip)
        if stage == turns[-1]:  # it closes the way home, and so pays for both its hops
            for pipeline in pipelines:
                hops = zip(costs[pipeline[0]], costs[pipeline[-1]], strict=True)
                costs[pipeline[end]] = tuple(NO_LINK if NO_LINK in pair else sum(pair) for pair in hops)
        found = bottleneck_matching(costs, [pipeline[end] for pipeline in pipelines], members[stage])
        if found is None:
            return None
        _, after = found
        pipelines = [
            (*pipeline, after[pipeline[-1]]) if end else (after[pipeline[0]], *pipeline)
            for pipeline in pipelines
        ]
    return pipelines


def _modelled(instance: Instance, members: Sequence[Sequence[int]], clock: Clock) -> list[tuple[int, ...]]:
    """Any pipelines, decided exactly: who belongs to which, so that no missing link joins neighbours."""
    from ortools.sat.python import cp_model

    from skipsched.cp_sat import run

    model = cp_model.CpModel()
    numbers = range(min(map(len, members)))
    inside = {(p, n): model.new_bool_var("") for p in numbers for nodes in members for n in nodes}
    for nodes in members:
        for n in nodes:
            model.add_at_most_one([inside[p, n] for p in numbers])
    for p in numbers:
        for nodes, following in zip(members, [*members[1:], members[0]], strict=True):
            model.add_exactly_one([inside[p, n] for n in nodes])
            for a in nodes:
                linked = [inside[p, b] for b in following if instance.linked(a, b)]
                model.add_bool_or([inside[p, a].negated(), *linked])
    status, solver = run(model, clock, workers=1)
    if status == "UNKNOWN":
        raise OutOfTime
    if status == "INFEASIBLE":
        raise NoPipelines("the allocation admits no straight pipelines over links that exist")
    return [
        tuple(next(n for n in nodes if solver.boolean_value(inside[p, n])) for nodes in members)
        for p in numbers
    ]


class _Search:
    """The genetic search: a population of allocations, and children in the place of worse parents."""

    def __init__(self, instance: Instance, clock: Clock, seed: int) -> None:
        sizes = even_sizes(instance)
        self._instance = replace(instance, min_sizes=sizes, max_sizes=sizes)
        self._clock = clock
        self._rng = random.Random(seed)
        self._judge = Judge(self._instance, clock)
        self._costs = np.array(self._judge.costs, np.int64)
        stages = range(instance.stages)
        self._able = np.array([[stage in allowed for stage in stages] for allowed in instance.allowed])

    def tried(self) -> Iterator[tuple[int, tuple[int, ...] | None]]:
        """What `Judge.of` says of each allocation tried.

        Raises
        ------
        OutOfTime
            If the clock runs out.
        """
        rng = self._rng
        population: list[list[int]] = []
        scores: list[int] = []
        filled = self._clock.spent() + _FILLING * self._clock.remaining()
        while len(population) < _POPULATION and (len(population) < 2 or self._clock.spent() < filled):
            population.append(self._by_chance())
            score, allocation = self._judge.of(population[-1])
            scores.append(score)
            yield score, allocation
        for _ in range(_TRIALS):
            better, worse = sorted((rng.randrange(len(population)) for _ in range(2)), key=scores.__getitem__)
            child = self._child(*rng.sample((population[better], population[worse]), 2))
            score, allocation = self._judge.of(child)
            if score <= scores[worse]:
                population[worse], scores[worse] = child, score
            yield score, allocation

    def _by_chance(self) -> list[int]:
        """A random allocation."""
        rng = self._rng
        wishes = [rng.sample(allowed, len(allowed)) for allowed in self._instance.allowed]
        return self._assigned(wishes, [])

    def _child(self, one: Sequence[int], other: Sequence[int]) -> list[int]:
        """One parent with the stages that some random nodes have in the other, sizes repaired, bettered."""
        nodes = self._instance.nodes
        exchanged = self._rng.sample(range(nodes), min(_EXCHANGED, nodes))
        child = list(one)
        for node in exchanged:
            child[node] = other[node]
        repaired = self._assigned([(stage,) for stage in child], exchanged)
        self._clock.spend(_STEPS_PER_MOVE * nodes * self._instance.stages**2)
        return move_along_cycles(self._costs, self._able, repaired)

    def _assigned(self, wishes: Sequence[Sequence[int]], first: Sequence[int]) -> list[int]:
        """An allocation close to some wishes, those of some nodes before the others'."""
        others = sorted(set(range(self._instance.nodes)).difference(first))
        self._rng.shuffle(others)
        found = assign(self._instance, wishes, [*first, *others])
        if isinstance(found, TooFew):
            raise NoPipelines("pins, memory and stage sizes admit no allocation")
        return found


class Judge:
    """Scores of allocations; what has been computed for a group or for two of them is remembered."""

    def __init__(self, instance: Instance, clock: Clock) -> None:
        self._instance = instance
        self._clock = clock
        links = [cost for row in instance.round_trip for cost in row]
        #: Dearer than all else in a score together.
        self.far = 1 + (1 + _PIPELINE_WEIGHT * instance.stages) * max(links)
        #: Costs of all pairs of nodes, missing links included.
        self.costs = [[self.far if cost == NO_LINK else cost for cost in row] for row in instance.round_trip]
        self._inside: dict[_Group, int] = {}
        self._fits: dict[tuple[_Group, int], bool] = {}
        self._distance: dict[tuple[_Group, _Group], int] = {}

    def of(self, allocation: Sequence[int]) -> tuple[int, tuple[int, ...] | None]:
        """The score, and the allocation with its groups in the salesman's order; None if no order is allowed.

        Raises
        ------
        OutOfTime
            If the clock runs out.
        """
        stages = self._instance.stages
        groups = [tuple(nodes) for nodes in members_of(allocation, stages)]
        distance = [[0 if a == b else self._between(min(a, b), max(a, b)) for b in groups] for a in groups]
        fits = [[self._may_be(group, stage) for stage in range(stages)] for group in groups]
        tour = best_tour(distance, fits)
        self._clock.spend(stages * 2 ** min(stages, EXACT_UP_TO) // 2)
        if tour is None:  # the order given keeps sizes and pins, so that a ring is lacking
            return 2 * _PIPELINE_WEIGHT * stages * self.far, None
        cost, order = tour
        place = {group: k for k, group in enumerate(order)}
        inside = max(map(self._within, groups))
        return inside + _PIPELINE_WEIGHT * cost, tuple(place[group] for group in allocation)

    def _within(self, group: _Group) -> int:
        """The dearest link between nodes of a group; whether it needs one is a matter of rings."""
        if group not in self._inside:
            row = self._instance.round_trip
            self._inside[group] = max(0, *(row[a][b] for a in group for b in group))
        return self._inside[group]

    def _may_be(self, group: _Group, stage: int) -> bool:
        """Whether a group has the size of a stage, its nodes may hold it, and they form a ring if needed."""
        key = (group, stage)
        if key not in self._fits:
            instance = self._instance
            self._fits[key] = (
                len(group) == instance.min_sizes[stage]
                and all(stage in instance.allowed[n] for n in group)
                and (instance.complete or best_ring(instance, stage, group, self._clock) is not None)
            )
        return self._fits[key]

    def _between(self, one: _Group, other: _Group) -> int:
        """The bottleneck of the best matching of two groups."""
        key = (one, other)
        if key not in self._distance:
            self._clock.spend(_STEPS_PER_PAIR * len(one) * len(other))
            found = bottleneck_matching(self.costs, one, other)
            assert found is not None, "missing links are dear here, not missing"
            self._distance[key] = found[0]
        return self._distance[key]
