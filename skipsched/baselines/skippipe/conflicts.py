"""Conflicts between agents, and the ways to resolve them, after ``schedulers/CBS.py`` of gensyn-ai/skippipe.

Each kind of conflict names the first that it finds, and a few alternative ways out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from itertools import combinations, islice
from typing import NamedTuple

from skipsched.baselines.skippipe.walks import Visit, Wait, Walk

#: Ways out of an overload that are tried: combinations of agents, the fastest first (the breaks in ``CBS``).
WAYS_OUT = 3
#: The slowest part of the agents, who do not wait for others' forwards ("rule of thumb" in ``CBS``).
PRIVILEGED = 4


class Overload(NamedTuple):
    """A stage or node with more agents than it takes.

    Parameters
    ----------
    place
        The first overloaded stage or node.
    ways_out
        Agents of whom all are to be barred from it; alternatives.
    excess
        Agents too many on the overloaded places after the first.
    others
        How many these are.
    """

    place: int
    ways_out: tuple[tuple[int, ...], ...]
    excess: int
    others: int


def slowest_first(walks: Sequence[Walk]) -> list[int]:
    """The agents by the end of their walks, latest first."""
    return sorted(range(len(walks)), key=lambda agent: -walks[agent].end)


def overload(
    visitors: Sequence[Sequence[int]],
    capacity: Sequence[int],
    bound: Callable[[int], Set[int]],
    ranking: Sequence[int],
) -> Overload | None:
    """The first place with more visitors than it takes.

    Parameters
    ----------
    visitors
        Agents at each place.
    capacity
        How many it takes.
    bound
        Agents that cannot be barred from a place: they have no alternative.
    ranking
        The agents, slowest first.

    Returns
    -------
    Overload or None
        None if there is none. Without ways out if too many are bound.
    """
    excess = [max(0, len(at) - most) for at, most in zip(visitors, capacity, strict=True)]
    over = [place for place, number in enumerate(excess) if number]
    if not over:
        return None
    first = over[0]
    fixed = bound(first)
    movable = [agent for agent in reversed(ranking) if agent in visitors[first] and agent not in fixed]
    ways_out = tuple(islice(combinations(movable, excess[first]), WAYS_OUT))
    return Overload(first, ways_out, sum(excess) - excess[first], len(over) - 1)


def collision(walks: Sequence[Walk]) -> list[tuple[int, Wait]]:
    """The first collision of two agents, slowest agents first: who could wait for what.

    Two backwards, the loss counted among them, may overlap. Of a forward and a backward, what comes later
    waits. Of two forwards the faster agent's waits; or else the slower one's, unless that agent is among the
    slowest quarter.

    Returns
    -------
    list of (agent, Wait)
        Alternatives; empty if there is no collision.
    """
    ranking = slowest_first(walks)
    visits = {agent: _by_node(walks[agent]) for agent in ranking}
    for rank, slow in enumerate(ranking):
        for fast in ranking[rank + 1 :]:
            for node in sorted(visits[slow].keys() & visits[fast].keys()):
                for one in visits[slow][node]:
                    for other in visits[fast][node]:
                        if _collide(one, other):
                            privileged = PRIVILEGED * rank <= len(walks)
                            return _ways_out(slow, one, fast, other, privileged=privileged)
    return []


def _by_node(walk: Walk) -> dict[int, list[Visit]]:
    found: dict[int, list[Visit]] = {}
    for visit in walk.visits:
        found.setdefault(visit.node, []).append(visit)
    return found


def _collide(one: Visit, other: Visit) -> bool:
    return one.start < other.end and other.start < one.end and (one.is_forward or other.is_forward)


def _ways_out(slow: int, one: Visit, fast: int, other: Visit, *, privileged: bool) -> list[tuple[int, Wait]]:
    fast_waits = (fast, Wait(one.node, one.start, one.end))
    slow_waits = (slow, Wait(one.node, other.start, other.end))
    if not (one.is_forward and other.is_forward):
        return [fast_waits if one.start < other.start else slow_waits]
    return [fast_waits] if privileged else [slow_waits, fast_waits]
