"""The high level: conflict-based search over what the agents may do, in three phases.

After ``schedulers/CBS.py`` of gensyn-ai/skippipe (commit 7f20d8a). A candidate says which nodes each agent
may visit and where it has to wait; its walks are the agents' fastest ones. The candidate whose slowest agent
ends first is looked at, and its first conflict resolved in a few ways, each a further candidate:

1. A stage with more agents than it takes: some agents are barred from it. Candidates without such a stage are
   collected; each is then frozen, its agents kept to the stages they execute.
2. A node with more agents than slots: some agents are barred from it.
3. Two agents that collide on a node: one waits. Each such candidate is replayed first come, first served.

The published method is tied to equal nodes with equal memory and to waves that divide evenly. Here a stage
takes as many agents as its nodes have slots, or exactly its even share of them, rounded up, if
``even-stages`` is on; and never less than that share, divided among its nodes by their slots: microbatches
beyond the slots wait. Every agent counts once, so the stages' numbers of microbatches keep ``even-stages`` if
the share is a whole number and all agents run equally many waves, as on geo-20 (15 agents of 3 stages over 5
stages: 9 on each, in 2 waves). Else they may not: a share rounded up leaves room for stages that fall more
than one short, and agents differ in how many microbatches they stand for.

Further differences: an overload is a dead end only if the agents on that very stage cannot give way, where
the published search counts agents without an alternative wherever they are. Candidates of the first phase
that bar the same are looked at once. Replays have the instance's waves, not always two, and one that gets
stuck counts as infinitely late, where the published one takes the time of what did finish.

The third phase resolves one collision at a time, the same ones again in every order, and seldom ends by
itself: on geo-20 nothing better is found after the first second, and no candidate without a collision in
eight minutes.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from skipsched.baselines.arrivals import Stuck, serve
from skipsched.baselines.skippipe.conflicts import Overload, collision, overload, slowest_first
from skipsched.baselines.skippipe.walks import Agent, Wait, Walk, Walks
from skipsched.clock import Clock, OutOfTime
from skipsched.instance import Instance
from skipsched.plan import Routes, members_of

#: Candidates without an overloaded stage that the first phase collects.
COLLECTIONS = 32
#: A replay this much faster than the first one ends the search.
FAST_ENOUGH = 0.88
#: So do this many candidates without a collision.
COLLISION_FREE = 8
#: Candidates whose replay is this much later than the best, in microseconds, are dropped.
TOO_LATE = 5_000_000
#: Overloads are no longer resolved with this many candidates left, once one has been replayed.
MOST_CANDIDATES = 500
#: Microseconds added to a candidate's value for each overloaded stage beyond the first, ...
PER_STAGE = 100
#: ... for each agent too many on overloaded nodes beyond the first, ...
PER_VISIT = 100
#: ... and, once anything is barred, for each node that an agent may visit.
PER_ALLOWED = 10_000
#: Counted steps of a replayed action, and of a pair of agents looked at for collisions.
_STEPS_OF_ACTION = 6
_STEPS_OF_PAIR = 3


@dataclass(frozen=True, slots=True)
class Found:
    """What the search found.

    Parameters
    ----------
    routes
        Paths of all microbatches: microbatch i of a data node with a agents takes the path of its agent
        ``i mod a``. If a does not divide the microbatches, the last wave is short.
    complete
        Whether the method ended by itself, not by the clock.
    """

    routes: Routes
    complete: bool


def search_paths(
    instance: Instance, allocation: Sequence[int], clock: Clock, *, avoid_collisions: bool
) -> Found | None:
    """Search paths for an allocation as SkipPipe does.

    One agent for each data node and slot, but no more than the data node's microbatches; the agent of slot s
    starts s forward times late.

    Parameters
    ----------
    clock
        When it runs out, the best so far is returned.
    avoid_collisions
        Whether to go on to the third phase; else the first candidate without overloads is the result.

    Returns
    -------
    Found or None
        None if the first phase collected nothing: some data node has no path at all, the stages cannot be
        shared as the rules and links want it, or the clock ran out before. Nodes may be overloaded: if there
        is no other way, or no time to find one, and after the third phase, which plans paths anew, as
        published. Served first come, first served, the paths may get stuck if no candidate of the third phase
        did not, or if there was none.
    """
    return _Search(instance, tuple(allocation), clock, avoid_collisions).run()


class _Candidate(NamedTuple):
    """What each agent may do, and its walk.

    Candidates compare by value, then by age; ``allowed`` holds the nodes each agent may visit as bits.
    """

    value: int
    by_collision: bool
    serial: int
    walks: tuple[Walk, ...]
    allowed: tuple[int, ...]
    waits: tuple[tuple[Wait, ...], ...]


class _Search:
    def __init__(
        self, instance: Instance, allocation: tuple[int, ...], clock: Clock, avoid_collisions: bool
    ) -> None:
        self._instance = instance
        self._allocation = allocation
        self._clock = clock
        self._avoid_collisions = avoid_collisions
        self._members = members_of(allocation, instance.stages)
        self._agents = agents_of(instance, self._members[0])
        self._stage_bits = [sum(1 << node for node in nodes) for nodes in self._members]
        self._stage_takes, self._node_takes = capacities(instance, self._members, len(self._agents))
        self._walks = Walks(instance, allocation, clock)
        self._heap: list[_Candidate] = []
        self._serial = 0
        self._collision_free = 0
        #: The best balanced so far, for as long as nothing has been replayed.
        self._balanced: Routes | None = None
        #: Iteration times of the first replay that did not get stuck, and of the best one.
        self._first: int | None = None
        self._smallest = inf
        self._best: Routes | None = None

    def run(self) -> Found | None:
        complete = False
        try:
            self._balance_stages()
            self._balance_nodes()
            complete = True
        except OutOfTime:
            pass
        routes = self._best or self._balanced
        return None if routes is None else Found(routes, complete)

    def _balance_stages(self) -> None:
        """The first phase: leaves the collected candidates, frozen, in the heap."""
        everything = ((1 << len(self._allocation)) - 1,) * len(self._agents)
        root = self._child(everything, ((),) * len(self._agents), None)
        self._heap = [] if root is None else [root]
        collected: dict[tuple[int, ...], _Candidate] = {}
        seen: set[tuple[int, ...]] = set()
        while self._heap and len(collected) < COLLECTIONS:
            candidate = heapq.heappop(self._heap)
            # What is barred in another order is the same candidate.
            if candidate.allowed in seen:
                continue
            seen.add(candidate.allowed)
            found = self._stage_overload(candidate)
            if found is None:
                self._balanced = self._balanced or self._routes(candidate)
                frozen = tuple(
                    allowed & sum(self._stage_bits[self._allocation[node]] for node in walk.path)
                    for allowed, walk in zip(candidate.allowed, candidate.walks, strict=True)
                )
                collected.setdefault(frozen, candidate._replace(allowed=frozen))
            else:
                self._bar(candidate, found, self._stage_bits[found.place], PER_STAGE * found.others)
        self._heap = list(collected.values())
        heapq.heapify(self._heap)

    def _balance_nodes(self) -> None:
        """The second phase, and the third one for candidates without an overload."""
        seen: set[tuple[int, ...]] = set()
        ended = False
        while self._heap and not ended:
            candidate = heapq.heappop(self._heap)
            if candidate.allowed in seen and not candidate.by_collision:
                continue
            seen.add(candidate.allowed)
            found = self._node_overload(candidate)
            if found is None:
                ended = self._avoid(candidate)
            elif self._first is None or len(self._heap) <= MOST_CANDIDATES:
                self._bar(candidate, found, 1 << found.place, PER_VISIT * found.excess)

    def _avoid(self, candidate: _Candidate) -> bool:
        """The third phase for one candidate without an overload. Returns whether the search ends."""
        self._balanced = self._routes(candidate)
        if not self._avoid_collisions:
            return True
        self._clock.spend(_STEPS_OF_PAIR * len(self._agents) ** 2)
        ways_out = collision(candidate.walks)
        if not ways_out:
            self._replay(candidate)
            self._collision_free += 1
            return self._collision_free == COLLISION_FREE
        return any(self._wait(candidate, agent, wait) for agent, wait in ways_out)

    def _wait(self, candidate: _Candidate, agent: int, wait: Wait) -> bool:
        """Make an agent of a candidate wait. Returns whether the result is fast enough to end the search."""
        waits = list(candidate.waits)
        waits[agent] = tuple(sorted((*waits[agent], wait)))
        child = self._child(candidate.allowed, tuple(waits), candidate, by_collision=True)
        if child is None:
            return False
        time = self._replay(child)
        if self._first is not None and self._smallest < FAST_ENOUGH * self._first:
            return True
        if time <= self._smallest + TOO_LATE:
            heapq.heappush(self._heap, child)
        return False

    def _replay(self, candidate: _Candidate) -> float:
        """Replay all waves of a candidate, and keep the best. Returns microseconds; infinite if stuck."""
        routes = self._routes(candidate)
        self._clock.spend(_STEPS_OF_ACTION * len(routes.paths) * (2 * self._instance.path_length + 1))
        try:
            time = serve(self._instance, routes).iteration
        except Stuck:
            return inf
        if self._first is None:
            self._first = time
        if time < self._smallest:
            self._smallest, self._best = time, routes
        return time

    def _routes(self, candidate: _Candidate) -> Routes:
        paths: dict[int, list[tuple[int, ...]]] = {}
        for agent, walk in zip(self._agents, candidate.walks, strict=True):
            paths.setdefault(agent.data_node, []).append(walk.path)
        return Routes(
            self._allocation,
            tuple(
                own[i % len(own)]
                for node, own in paths.items()
                for i in range(self._instance.microbatches[node])
            ),
        )

    def _stage_overload(self, candidate: _Candidate) -> Overload | None:
        visitors = self._visitors(candidate, self._allocation, self._instance.stages)
        stages_left = [sum(1 for bits in self._stage_bits if own & bits) for own in candidate.allowed]
        bound = {agent for agent, left in enumerate(stages_left) if left <= self._instance.path_length}
        return overload(visitors, self._stage_takes, lambda _stage: bound, slowest_first(candidate.walks))

    def _node_overload(self, candidate: _Candidate) -> Overload | None:
        def bound(node: int) -> set[int]:
            others = self._stage_bits[self._allocation[node]] & ~(1 << node)
            return {agent for agent, allowed in enumerate(candidate.allowed) if not allowed & others}

        visitors = self._visitors(candidate, range(len(self._allocation)), len(self._allocation))
        return overload(visitors, self._node_takes, bound, slowest_first(candidate.walks))

    def _visitors(self, candidate: _Candidate, place: Sequence[int], places: int) -> list[list[int]]:
        """The agents at each place, the place of every node given; those of the first stage left out."""
        visitors: list[list[int]] = [[] for _ in range(places)]
        for agent, walk in enumerate(candidate.walks):
            for node in walk.path[1:]:
                visitors[place[node]].append(agent)
        return visitors

    def _bar(self, candidate: _Candidate, found: Overload, bits: int, penalty: int) -> None:
        """Resolve an overload: candidates with agents barred from some nodes, given as bits."""
        for agents in found.ways_out:
            allowed = list(candidate.allowed)
            for agent in agents:
                allowed[agent] &= ~bits
            child = self._child(tuple(allowed), candidate.waits, candidate, penalty=penalty)
            if child is not None:
                heapq.heappush(self._heap, child)

    def _child(
        self,
        allowed: tuple[int, ...],
        waits: tuple[tuple[Wait, ...], ...],
        parent: _Candidate | None,
        *,
        by_collision: bool = False,
        penalty: int = 0,
    ) -> _Candidate | None:
        """A candidate, its walks those of its parent where nothing has changed; None if an agent has none."""
        walks: list[Walk] = []
        for i, agent in enumerate(self._agents):
            same = parent is not None and (allowed[i], waits[i]) == (parent.allowed[i], parent.waits[i])
            walk = parent.walks[i] if parent and same else self._walks.fastest(agent, allowed[i], waits[i])
            if walk is None:
                return None
            walks.append(walk)
        self._serial += 1
        ways = sum(mask.bit_count() for mask in allowed)
        if ways < len(self._agents) * len(self._allocation):
            penalty += PER_ALLOWED * ways
        value = max(walk.end for walk in walks) + penalty
        return _Candidate(value, by_collision, self._serial, tuple(walks), allowed, waits)


def agents_of(instance: Instance, data_nodes: Sequence[int]) -> tuple[Agent, ...]:
    """One agent for each data node and slot, but no more than the data node's microbatches."""
    return tuple(
        Agent(node, slot * instance.forward[node][0])
        for node in data_nodes
        for slot in range(min(instance.slots[node][0], instance.microbatches[node]))
    )


def capacities(
    instance: Instance, members: Sequence[Sequence[int]], agents: int
) -> tuple[list[int], list[int]]:
    """How many agents each stage and each node takes; the first stage and its nodes take all.

    The published method takes nodes x slots for each stage, and a node's slots.
    """
    share = -(agents * (instance.path_length - 1) // -(instance.stages - 1))
    stage_takes, node_takes = [agents], [agents] * instance.nodes
    for stage, nodes in enumerate(members[1:], start=1):
        slots = sum(instance.slots[node][stage] for node in nodes)
        takes = share if instance.rules.even_stages else max(share, slots)
        stage_takes.append(takes)
        for node in nodes:
            own = instance.slots[node][stage]
            node_takes[node] = max(own, -(takes * own // -slots))
    return stage_takes, node_takes
