"""Feasibility by plain enumeration, straight from the problem's statement: an oracle for small topologies.

It shares with the program the integer tables of an `Instance` (links, slots, sizes) and nothing else: no
automaton of stage orders, no flow, no solver. It goes through every allocation and every path, and adds up
what the microbatches of each data node may load onto the stages or nodes. Beyond a single path, the rules ask
for such sums alone; so they are kept as a set, and equal ones are followed once.

With at least one slot everywhere, one microbatch at a time always works, so that no schedule is looked for.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from skipsched.instance import NO_LINK, Instance
from skipsched.topology.model import Rules

#: The stage of every node.
Allocation = tuple[int, ...]
#: Microbatches on every node under `even-nodes`, else on every stage.
Load = tuple[int, ...]
Path = tuple[int, ...]


def feasible(instance: Instance, numbers: Sequence[Iterable[int]] | None = None) -> bool:
    """Whether some allocation and some paths obey every rule.

    Parameters
    ----------
    numbers
        How many microbatches each node may emit, one of several numbers; by default the one of its table.
    """
    orders = list(allowed_orders(instance.stages, instance.rules))
    counts = [frozenset(own) for own in numbers or [(count,) for count in instance.microbatches]]
    known: dict[object, bool] = {}
    return any(
        _paths_exist(instance, allocation, orders, counts, known) for allocation in allocations(instance)
    )


def allocations(instance: Instance) -> Iterator[Allocation]:
    """Every allocation that sizes, pins, memory and rings allow."""
    for allocation in itertools.product(*instance.allowed):
        sizes = [allocation.count(stage) for stage in range(instance.stages)]
        within = zip(instance.min_sizes, sizes, instance.max_sizes, strict=True)
        if all(least <= size <= most for least, size, most in within) and _rings_exist(instance, allocation):
            yield allocation


def _rings_exist(instance: Instance, allocation: Allocation) -> bool:
    """Whether every stage that averages gradients can order its nodes in a ring of directed links."""
    for stage in range(instance.stages):
        first, *others = members(allocation, stage)
        if others and instance.allreduce.needs_ring(stage, 1 + len(others)):
            rings = ((first, *rest, first) for rest in itertools.permutations(others))
            if not any(
                all(instance.transfer[a][b] != NO_LINK for a, b in itertools.pairwise(ring)) for ring in rings
            ):
                return False
    return True


def members(allocation: Allocation, stage: int) -> list[int]:
    """The nodes of a stage."""
    return [node for node, held in enumerate(allocation) if held == stage]


def allowed_orders(stages: int, rules: Rules) -> Iterator[tuple[int, ...]]:
    """Every order of stages that path-length, swap and jump allow, from their statements alone."""
    for rest in itertools.permutations(range(1, stages), rules.path_length - 1):
        if order_allowed((0, *rest), rules):
            yield (0, *rest)


def order_allowed(order: Sequence[int], rules: Rules) -> bool:
    """Whether an order of distinct stages, beginning with stage 0, obeys swap and jump."""
    frontier = swapped = 0
    for stage in order[1:]:
        if stage > frontier:
            if stage - frontier > rules.max_jump:
                return False
            frontier = stage
        else:
            if frontier - stage > rules.max_swap_distance:
                return False
            swapped += frontier - stage
    return swapped <= rules.max_swaps


def _paths_exist(
    instance: Instance,
    allocation: Allocation,
    orders: Sequence[tuple[int, ...]],
    numbers: Sequence[frozenset[int]],
    known: dict[object, bool],
) -> bool:
    """Whether the microbatches find paths under one allocation.

    `known` remembers answers: many allocations offer their data nodes the same loads.
    """
    emitting = [node for node in members(allocation, 0) if max(numbers[node]) > 0]
    if not emitting:
        return False  # the total number of microbatches stays positive
    # What is left is a question of loads: which ones each data node's paths offer, and who is whose peer.
    choices = [
        frozenset(_load(instance, allocation, path) for path in paths(instance, allocation, node, orders))
        for node in emitting
    ]
    counts = [tuple(sorted(numbers[node])) for node in emitting]
    peers = allocation if instance.rules.even_nodes else ()
    key = (peers, tuple(sorted((count, tuple(sorted(c))) for count, c in zip(counts, choices, strict=True))))
    if key not in known:
        known[key] = _loads_agree(instance, allocation, counts, choices)
    return known[key]


def paths(
    instance: Instance, allocation: Allocation, data_node: int, orders: Sequence[tuple[int, ...]]
) -> Iterator[Path]:
    """Every path of a data node: one node per stage of an allowed order, linked both ways, home included."""
    for order in orders:
        for rest in itertools.product(*(members(allocation, stage) for stage in order[1:])):
            path = (data_node, *rest)
            if all(_linked(instance, a, b) for a, b in itertools.pairwise((*path, data_node))):
                yield path


def _linked(instance: Instance, a: int, b: int) -> bool:
    """Whether activations can go one way and their gradients come back the other."""
    return NO_LINK not in (instance.transfer[a][b], instance.transfer[b][a])


def _load(instance: Instance, allocation: Allocation, path: Path) -> Load:
    """One for each node on the path; where nodes do not matter, for each stage, which leaves fewer sums."""
    if instance.rules.even_nodes:
        return tuple(int(node in path) for node in range(instance.nodes))
    executed = {allocation[node] for node in path}
    return tuple(int(stage in executed) for stage in range(instance.stages))


def _loads_agree(
    instance: Instance,
    allocation: Allocation,
    counts: Sequence[Iterable[int]],
    choices: Sequence[Iterable[Load]],
) -> bool:
    """Whether loads chosen for every microbatch sum to what the rules on sums allow."""
    width = instance.nodes if instance.rules.even_nodes else instance.stages
    nothing = (0,) * width
    totals = {nothing}
    for numbers, loads in zip(counts, choices, strict=True):
        own = {load for count in numbers for load in _sums(count, loads, width, instance.rules.path_period)}
        if instance.rules.cover:
            # Who emits nothing need not cover anything.
            own = {load for load in own if load == nothing or 0 not in _by_stage(instance, allocation, load)}
        totals = {_added(a, b) for a in totals for b in own}
    # The total number of microbatches stays positive.
    return any(_even(instance, allocation, total) for total in totals if total != nothing)


def _sums(count: int, loads: Iterable[Load], width: int, period: int | None) -> set[Load]:
    """Every load that the microbatches of one data node may add up to.

    With a path-period P microbatch i takes the path of its microbatch i - P: one choice for each i mod P.
    """
    alike = Counter(i if period is None else i % period for i in range(count))
    found = {(0,) * width}
    for times in alike.values():
        found = {_added(total, load, times) for total in found for load in loads}
    return found


def _added(total: Load, load: Load, times: int = 1) -> Load:
    return tuple(a + times * b for a, b in zip(total, load, strict=True))


def _by_stage(instance: Instance, allocation: Allocation, load: Load) -> Load:
    """How many microbatches execute each stage."""
    if not instance.rules.even_nodes:
        return load
    return tuple(sum(load[node] for node in members(allocation, stage)) for stage in range(instance.stages))


def _even(instance: Instance, allocation: Allocation, total: Load) -> bool:
    """Whether the sums obey even-stages and even-nodes. Neither speaks of the first stage."""
    rules = instance.rules
    if rules.even_stages and not _within_one(_by_stage(instance, allocation, total)[1:]):
        return False
    return not rules.even_nodes or all(
        _within_one([total[node] for node in members(allocation, stage)])
        for stage in range(1, instance.stages)
    )


def _within_one(numbers: Sequence[int]) -> bool:
    """Whether numbers differ by at most one, so that they are equal where their sum divides."""
    return max(numbers) - min(numbers) <= 1
