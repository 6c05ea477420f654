"""Rings of stages whose nodes change: who leaves is stepped over, who joins goes where it costs least."""

from __future__ import annotations

from skipsched.search.compiled import compiled
from skipsched.search.problem import Problem
from skipsched.search.state import RINGS, SPREAD, SUCCESSORS, State

#: Microseconds that stand for a link that is missing: beyond every limit.
MISSING = 2**60
#: A little more than the error of some operations on floats.
_UP = 1 + 2e-15


@compiled
def needs_ring(problem: Problem, state: State, stage: int) -> bool:
    """Whether a stage pays an all-reduce."""
    return bool(state.size[stage] > 1 and problem.gradient[stage] > 0)


@compiled
def hop(problem: Problem, stage: int, size: int, source: int, target: int) -> int:
    """Microseconds of the all-reduce of a stage of `size` nodes if this link were its ring's worst."""
    link = problem.link[source, target]
    if problem.latency[link] < 0:
        return MISSING
    send = problem.gradient[stage] / size * problem.slowness[link]
    cost = 2 * (size - 1) * (problem.latency[link] + send)
    # What lies half way between two microseconds is rounded up, whatever floats make of it.
    return int(cost * _UP + 0.5)


@compiled
def leave_ring(state: State, node: int) -> None:
    """Take a node out of its ring; nothing is said of the all-reduce."""
    before = node
    while state.successor[before] != node:
        before = state.successor[before]
    _lead(state, before, state.successor[node])
    _lead(state, node, node)


@compiled
def join_ring(problem: Problem, state: State, node: int, member: int) -> None:
    """Put a node into the ring of a member of its new stage: smallest worst hop first, then smallest sum."""
    stage = state.allocation[node]
    size = state.size[stage]
    if not needs_ring(problem, state, stage):
        _lead(state, node, state.successor[member])
        _lead(state, member, node)
        return
    worst, second = _two_worst(problem, state, stage, member)
    chosen, least, shortest = member, 2 * MISSING, 2 * MISSING
    before = member
    while True:
        after = state.successor[before]
        gone = hop(problem, stage, size, before, after) if after != before else 0
        into, out = hop(problem, stage, size, before, node), hop(problem, stage, size, node, after)
        cost = max(second if gone == worst else worst, into, out)
        added = into + out - gone
        if cost < least or (cost == least and added < shortest):
            chosen, least, shortest = before, cost, added
        before = after
        if before == member:
            break
    _lead(state, node, state.successor[chosen])
    _lead(state, chosen, node)


@compiled
def _two_worst(problem: Problem, state: State, stage: int, member: int) -> tuple[int, int]:
    """The largest and the second largest hop of the ring of a member; equal ones count apart."""
    worst = second = 0
    here = member
    while True:
        after = state.successor[here]
        cost = hop(problem, stage, state.size[stage], here, after) if after != here else 0
        if cost > worst:
            worst, second = cost, worst
        elif cost > second:
            second = cost
        here = after
        if here == member:
            return worst, second


@compiled
def renew_allreduce(problem: Problem, state: State, member: int) -> bool:
    """Work out the all-reduce of a member's stage from its ring; False if a link is missing."""
    stage = state.allocation[member]
    at = state.figure[RINGS]
    state.ring_stage[at] = stage
    state.ring_allreduce[at], state.ring_spread[at] = state.allreduce[stage], state.spread[stage]
    state.figure[RINGS] = at + 1
    cost = 0
    if needs_ring(problem, state, stage):
        cost = _two_worst(problem, state, stage, member)[0]
    state.allreduce[stage] = cost
    renew_spread(problem, state, member)
    return cost < MISSING


@compiled
def renew_spread(problem: Problem, state: State, member: int) -> None:
    """Work out how far apart the nodes of a member's stage are.

    A ring is as bad as its worst link: moving one of several far nodes nearer does not better it, but this.
    """
    stage = state.allocation[member]
    total = pairs = 0
    if needs_ring(problem, state, stage):
        one = member
        while True:
            other = state.successor[one]
            while other != one:
                cost = hop(problem, stage, state.size[stage], one, other)
                if cost < MISSING:
                    total += cost
                    pairs += 1
                other = state.successor[other]
            one = state.successor[one]
            if one == member:
                break
    spread = total // max(1, pairs)
    state.figure[SPREAD] += spread - state.spread[stage]
    state.spread[stage] = spread


@compiled
def take_rings_back(state: State) -> None:
    """Give all stages the rings that were noted."""
    for at in range(state.figure[SUCCESSORS] - 1, -1, -1):
        state.successor[state.turned_node[at]] = state.turned_successor[at]
    for at in range(state.figure[RINGS] - 1, -1, -1):
        stage = state.ring_stage[at]
        state.allreduce[stage] = state.ring_allreduce[at]
        state.figure[SPREAD] += state.ring_spread[at] - state.spread[stage]
        state.spread[stage] = state.ring_spread[at]


@compiled
def _lead(state: State, node: int, successor: int) -> None:
    """Let a node's gradients go to another one, and note to whom they went."""
    at = state.figure[SUCCESSORS]
    state.turned_node[at], state.turned_successor[at] = node, state.successor[node]
    state.figure[SUCCESSORS] = at + 1
    state.successor[node] = successor
