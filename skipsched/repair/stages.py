"""The allocation nearest to one that was: whoever can stays, others go where it helps the iteration time."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

from skipsched.clock import Clock
from skipsched.instance import Instance
from skipsched.plan import members_of
from skipsched.routes.allocate import exchange
from skipsched.routes.estimate import Estimate
from skipsched.routes.holders import TooFew, assign

#: With more nodes than this, whoever is found first moves: an estimate takes too long to compare them.
_MOST_NODES = 500


def nearest_allocation(
    instance: Instance, before: Sequence[int | None], clock: Clock, seed: int
) -> list[int] | TooFew:
    """An allocation in which few nodes hold another stage than before.

    Parameters
    ----------
    instance
        The tables.
    before
        The stage that each node held; None for one that has come.
    clock
        The limit.
    seed
        Of the order in which exchanges are tried.

    Returns
    -------
    list of int or TooFew
        The stage of each node, or why there is no allocation at all.

    Raises
    ------
    OutOfTime
        If the clock runs out.
    """
    estimate = Estimate(instance)
    stayers = _stayers(instance, before)
    # They choose first: who comes after them takes what is left, or moves as few as can be.
    turns = sorted(range(instance.nodes), key=lambda n: n not in stayers)
    allocation = assign(instance, _wishes(instance, estimate, before, stayers), turns)
    if isinstance(allocation, TooFew) or instance.nodes > _MOST_NODES:
        return allocation
    _choose_movers(instance, estimate, before, allocation, clock)
    free = {n for n in range(instance.nodes) if allocation[n] != before[n]}
    rng = random.Random(seed)
    exchange(instance.restricted_to(allocation, free), estimate, allocation, rng, clock)
    return allocation


def _stayers(instance: Instance, before: Sequence[int | None]) -> set[int]:
    """The nodes that can stay where they were, as far as there is room."""
    room = list(instance.max_sizes)
    stayers: set[int] = set()
    for node, stage in enumerate(before):
        if stage is not None and stage in instance.allowed[node] and room[stage]:
            room[stage] -= 1
            stayers.add(node)
    return stayers


def _wishes(
    instance: Instance, estimate: Estimate, before: Sequence[int | None], stayers: Collection[int]
) -> list[list[int]]:
    """The stage that each node held; for those that cannot stay, all, those furthest behind first."""
    held = [0] * instance.stages
    wishes: list[list[int]] = [[] for _ in before]
    for node in stayers:
        stage = before[node]
        assert stage is not None, "who stays was there"
        held[stage] += 1
        wishes[node] = [stage]
    for node, may in enumerate(instance.allowed):
        if not wishes[node] and may:
            wishes[node] = sorted(may, key=lambda k: (held[k] / estimate.sizes[k], k))
            held[wishes[node][0]] += 1
    return wishes


def _choose_movers(
    instance: Instance,
    estimate: Estimate,
    before: Sequence[int | None],
    allocation: list[int],
    clock: Clock,
) -> None:
    """Let another node move instead of one that does, if the estimate falls by that."""
    for mover, home in enumerate(before):
        target = allocation[mover]
        if home is None or home == target or home not in instance.allowed[mover]:
            continue
        trials = [list(allocation)]
        for other, stage in enumerate(before):
            if stage == allocation[other] != target and target in instance.allowed[other]:
                trial = list(allocation)
                trial[mover], trial[other] = home, target
                if _fits(instance, trial):
                    trials.append(trial)
        clock.spend(len(trials) * instance.nodes**2)
        chosen = min(trials, key=estimate.of)
        allocation[:] = chosen


def _fits(instance: Instance, allocation: Sequence[int]) -> bool:
    """Whether the stages have sizes that are allowed."""
    sizes = [len(nodes) for nodes in members_of(allocation, instance.stages)]
    limits = zip(instance.min_sizes, sizes, instance.max_sizes, strict=True)
    return all(least <= size <= most for least, size, most in limits)
