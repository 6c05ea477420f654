"""Rings: in which order the nodes of a stage pass gradients around in its all-reduce."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skipsched.clock import NO_LIMIT, Clock, OutOfTime
from skipsched.instance import NO_LINK, Instance

#: Up to this many nodes the best ring is found; beyond, a good one.
EXACT_UP_TO = 8


@dataclass(frozen=True, slots=True)
class Ring:
    """A stage's nodes in ring order, and the microseconds of its all-reduce."""

    nodes: tuple[int, ...]
    allreduce: int


def best_ring(instance: Instance, stage: int, members: Sequence[int], clock: Clock = NO_LIMIT) -> Ring | None:
    """The ring of a stage: the best up to `EXACT_UP_TO` nodes, a good one beyond.

    Returns
    -------
    Ring or None
        None if the links admit no ring at all, which makes the allocation invalid.

    Raises
    ------
    OutOfTime
        If the clock runs out before that is known.
    """
    size = len(members)
    if not instance.allreduce.needs_ring(stage, size):
        return Ring(tuple(members), 0)
    hops = [[instance.allreduce.hop(stage, size, a, b) for b in members] for a in members]
    found = _exact(hops) if size <= EXACT_UP_TO else _good(hops) or _any(hops, clock)
    if found is None:
        return None
    return ring_through(instance, stage, [members[i] for i in found])


def exact_ring(instance: Instance, stage: int, members: Sequence[int], clock: Clock) -> Ring | None:
    """The best ring of a stage, whatever its size: what a proof needs.

    A good ring first; then bisection over the hops that could be the worst one of a better ring, each asked
    of CP-SAT.

    Raises
    ------
    OutOfTime
        If the clock runs out before that is known.
    """
    ring = best_ring(instance, stage, members, clock)
    size = len(members)
    if ring is None or size <= EXACT_UP_TO or ring.allreduce == 0:
        return ring
    hops = [[instance.allreduce.hop(stage, size, a, b) for b in members] for a in members]
    # Every node is entered once and left once.
    ways = [
        [hop for i, hop in enumerate(row) if i != n and hop != NO_LINK]
        for rows in (hops, list(zip(*hops, strict=True)))
        for n, row in enumerate(rows)
    ]
    least = max(map(min, ways))
    worst = sorted({hop for way in ways for hop in way if least <= hop < ring.allreduce})
    low, high = 0, len(worst)
    while low < high:
        middle = (low + high) // 2
        found = _any([[NO_LINK if hop > worst[middle] else hop for hop in row] for row in hops], clock)
        if found is None:
            low = middle + 1
            continue
        better = ring_through(instance, stage, [members[i] for i in found])
        assert better is not None, "a ring is made of links"
        ring, high = better, middle
    return ring


def ring_through(instance: Instance, stage: int, nodes: Sequence[int]) -> Ring | None:
    """The ring that runs through a stage's nodes in the order given; None if a link is missing."""
    hops = zip(nodes, [*nodes[1:], *nodes[:1]], strict=True)
    costs = [instance.allreduce.hop(stage, len(nodes), a, b) for a, b in hops]
    return None if NO_LINK in costs else Ring(tuple(nodes), max(costs))


def rings_of(
    instance: Instance, members: Sequence[Sequence[int]], clock: Clock = NO_LIMIT, *, exact: bool = False
) -> list[Ring] | None:
    """The ring of every stage, or None if some stage has none.

    Parameters
    ----------
    exact
        Whether to find the best ring of stages of any size.
    """
    find = exact_ring if exact else best_ring
    rings = [find(instance, stage, nodes, clock) for stage, nodes in enumerate(members)]
    found = [ring for ring in rings if ring is not None]
    return found if len(found) == len(rings) else None


def better_rings(one: Sequence[Ring], other: Sequence[Ring]) -> list[Ring]:
    """For each stage the ring with the smaller all-reduce; of equal ones the first."""
    return [min(pair, key=lambda ring: ring.allreduce) for pair in zip(one, other, strict=True)]


def ring_cost(hops: Sequence[Sequence[int]], ring: Sequence[int]) -> int:
    """The worst hop of a ring; `NO_LINK` if one is missing."""
    costs = [hops[a][b] for a, b in zip(ring, [*ring[1:], ring[0]], strict=True)]
    return NO_LINK if NO_LINK in costs else max(costs)


def _exact(hops: Sequence[Sequence[int]]) -> list[int] | None:
    """The ring with the smallest worst hop: dynamic programming over (nodes passed, last node)."""
    size = len(hops)
    best: dict[tuple[int, int], tuple[int, int]] = {(1, 0): (0, -1)}
    for passed in range(1, 1 << size, 2):
        for last in range(size):
            if (passed, last) not in best:
                continue
            worst = best[passed, last][0]
            for after in range(1, size):
                hop = hops[last][after]
                if passed >> after & 1 or hop == NO_LINK:
                    continue
                key = (passed | 1 << after, after)
                candidate = (max(worst, hop), last)
                if key not in best or candidate < best[key]:
                    best[key] = candidate
    everything = (1 << size) - 1
    closed = [
        (max(best[everything, last][0], hops[last][0]), last)
        for last in range(1, size)
        if (everything, last) in best and hops[last][0] != NO_LINK
    ]
    if not closed:
        return None
    ring: list[int] = []
    passed, last = everything, min(closed)[1]
    while last != -1:
        ring.append(last)
        passed, last = passed & ~(1 << last), best[passed, last][1]
    return ring[::-1]


def _good(hops: Sequence[Sequence[int]]) -> list[int] | None:
    """A ring by cheapest insertion, then by moving nodes on its worst hop elsewhere while that helps."""
    far = 1 + max(max(row) for row in hops)
    cost = [[far if hop == NO_LINK else hop for hop in row] for row in hops]
    ring = [0]
    # The node hardest to reach first: late ones find many places, early ones few.
    eagerness = sorted(
        range(1, len(hops)), key=lambda n: -min(cost[m][n] for m in range(len(hops)) if m != n)
    )
    for node in eagerness:
        _insert(cost, ring, node)
    improving = True
    while improving:
        improving = False
        worst = _profile(cost, ring)
        at = max(range(len(ring)), key=lambda i: cost[ring[i - 1]][ring[i]])
        for moved in (ring[at], ring[at - 1]):
            rest = [node for node in ring if node != moved]
            _insert(cost, rest, moved)
            if _profile(cost, rest) < worst:
                ring, improving = rest, True
                break
    return None if ring_cost(hops, ring) == NO_LINK else ring


def _profile(cost: Sequence[Sequence[int]], ring: Sequence[int]) -> tuple[int, int]:
    """The worst hop and the sum of hops; comparing both lets equal worst hops be removed one by one."""
    costs = [cost[ring[i - 1]][ring[i]] for i in range(len(ring))]
    return max(costs), sum(costs)


def _insert(cost: Sequence[Sequence[int]], ring: list[int], node: int) -> None:
    """Put a node where the worse of its two new hops is smallest."""

    def added(i: int) -> tuple[int, int]:
        into, out = cost[ring[i - 1]][node], cost[node][ring[i]]
        return max(into, out), into + out - cost[ring[i - 1]][ring[i]]

    ring.insert(min(range(len(ring)), key=added), node)


def _any(hops: Sequence[Sequence[int]], clock: Clock) -> list[int] | None:
    """Any ring, decided exactly: a Hamiltonian cycle in a graph with few links is no matter of luck."""
    from ortools.sat.python import cp_model

    from skipsched.cp_sat import run

    model = cp_model.CpModel()
    arcs = {
        (a, b): model.new_bool_var("")
        for a, row in enumerate(hops)
        for b, hop in enumerate(row)
        if a != b and hop != NO_LINK
    }
    if {a for a, _ in arcs} != set(range(len(hops))) or {b for _, b in arcs} != set(range(len(hops))):
        return None
    model.add_circuit([(a, b, arc) for (a, b), arc in arcs.items()])
    status, solver = run(model, clock, workers=1)
    if status == "UNKNOWN":
        raise OutOfTime
    if status == "INFEASIBLE":
        return None
    follows = {a: b for (a, b), arc in arcs.items() if solver.boolean_value(arc)}
    ring = [0]
    while len(ring) < len(hops):
        ring.append(follows[ring[-1]])
    return ring
