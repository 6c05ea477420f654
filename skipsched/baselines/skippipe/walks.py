"""The low level: the fastest round trip of one agent, alone but for the intervals in which it has to wait.

Best-first search over nodes, after ``schedulers/a_star_modified.py`` of gensyn-ai/skippipe. A partial path is
valued by the time at which it arrives, and what the way back over what it has passed will take at least.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from skipsched.clock import Clock
from skipsched.instance import Instance
from skipsched.plan import members_of

#: Counted steps of a partial path: it is built, pushed and popped.
_STEPS = 10


class Agent(NamedTuple):
    """What plans a path: all microbatches of a data node that use one of its slots.

    Parameters
    ----------
    data_node
        Where it starts.
    delay
        Microseconds after which it starts.
    """

    data_node: int
    delay: int


class Wait(NamedTuple):
    """An interval in which an agent may execute nothing on a node, microseconds, half-open."""

    node: int
    start: int
    end: int


class Visit(NamedTuple):
    """An action of an agent, microseconds; the loss counts as part of the way back."""

    node: int
    start: int
    end: int
    is_forward: bool


@dataclass(frozen=True, slots=True)
class Walk:
    """A round trip: the path, and its actions F along it, L, B back."""

    path: tuple[int, ...]
    visits: tuple[Visit, ...]

    @property
    def end(self) -> int:
        """End of the last B, microseconds."""
        return self.visits[-1].end


class _Partial(NamedTuple):
    """A path on its way; compares by priority, then time, then age.

    Parameters
    ----------
    priority
        ``start + back``, microseconds.
    start
        When the last node's action starts.
    serial
        Counts partial paths, for an order without ties.
    back
        Microseconds that the way back takes at least: transfers and backwards of what was passed.
    state
        In the automaton of stage orders.
    path
        Nodes so far; the data node again at its end once it is there for the loss.
    walk
        The round trip, once it is complete.
    """

    priority: int
    start: int
    serial: int
    back: int
    state: int
    path: tuple[int, ...]
    walk: Walk | None = None


class Walks:
    """Fastest round trips over an allocation, remembered.

    With unequal nodes each action takes what it takes on its node; where the two directions of a link differ,
    twice an edge is the way there and back. Stage orders are those the topology's rules allow.
    """

    def __init__(self, instance: Instance, allocation: Sequence[int], clock: Clock) -> None:
        self._instance = instance
        self._allocation = allocation
        self._members = members_of(allocation, instance.stages)
        self._clock = clock
        self._known: dict[tuple[Agent, int, tuple[Wait, ...]], Walk | None] = {}

    def fastest(self, agent: Agent, allowed: int, waits: tuple[Wait, ...]) -> Walk | None:
        """The fastest round trip of an agent.

        Parameters
        ----------
        allowed
            Nodes it may visit, as bits.
        waits
            Where and when it has to wait.

        Returns
        -------
        Walk or None
            None if there is none over the allowed nodes.

        Raises
        ------
        OutOfTime
            If the clock runs out.
        """
        key = (agent, allowed, waits)
        if key not in self._known:
            self._known[key] = self._search(agent, allowed, waits)
        return self._known[key]

    def _search(self, agent: Agent, allowed: int, waits: tuple[Wait, ...]) -> Walk | None:
        if self._instance.orders.empty:
            return None
        start = self._clear(agent.data_node, agent.delay, self._forward(agent.data_node), waits)
        heap = [_Partial(start, start, 0, 0, 0, (agent.data_node,))]
        serial = 1
        while heap:
            partial = heapq.heappop(heap)
            if partial.walk is not None:
                return partial.walk
            if len(partial.path) > self._instance.path_length:
                walk = self._round_trip(agent, partial.path[:-1], waits)
                heapq.heappush(heap, partial._replace(priority=walk.end, start=walk.end, walk=walk))
                continue
            following = self._following(partial, allowed)
            self._clock.spend(_STEPS * (1 + len(following)))
            for node, state in following:
                heapq.heappush(heap, self._extended(partial, node, state, serial, waits))
                serial += 1
        return None

    def _following(self, partial: _Partial, allowed: int) -> list[tuple[int, int]]:
        """Nodes that may come next, with the states they lead to; at its end the data node for the loss."""
        linked, last = self._instance.linked, partial.path[-1]
        if len(partial.path) == self._instance.path_length:
            return [(partial.path[0], partial.state)] if linked(last, partial.path[0]) else []
        orders = self._instance.orders
        return [
            (node, state)
            for state in orders.successors[partial.state]
            for node in self._members[orders.stage[state]]
            if allowed >> node & 1 and linked(last, node)
        ]

    def _extended(
        self, partial: _Partial, node: int, state: int, serial: int, waits: tuple[Wait, ...]
    ) -> _Partial:
        last = partial.path[-1]
        arrival = partial.start + self._forward(last) + self._instance.transfer[last][node]
        back = partial.back + self._instance.transfer[node][last] + self._backward(last)
        is_loss = len(partial.path) == self._instance.path_length
        duration = self._instance.loss[node] if is_loss else self._forward(node)
        start = self._clear(node, arrival, duration, waits)
        return _Partial(start + back, start, serial, back, state, (*partial.path, node))

    def _round_trip(self, agent: Agent, path: tuple[int, ...], waits: tuple[Wait, ...]) -> Walk:
        """All visits of a path, each as early as its input and the waits let it."""
        data_node, back = path[0], path[::-1]
        nodes = (*path, data_node, *back)
        durations = [
            *map(self._forward, path),
            self._instance.loss[data_node],
            *map(self._backward, back),
        ]
        lags = [0, *(self._instance.transfer[a][b] for a, b in pairwise(nodes))]
        visits: list[Visit] = []
        time = agent.delay
        for i, (node, duration, lag) in enumerate(zip(nodes, durations, lags, strict=True)):
            start = self._clear(node, time + lag, duration, waits)
            time = start + duration
            visits.append(Visit(node, start, time, i < len(path)))
        return Walk(path, tuple(visits))

    def _forward(self, node: int) -> int:
        return self._instance.forward[node][self._allocation[node]]

    def _backward(self, node: int) -> int:
        return self._instance.backward[node][self._allocation[node]]

    @staticmethod
    def _clear(node: int, time: int, duration: int, waits: tuple[Wait, ...]) -> int:
        """The first moment from a time on at which an action overlaps no wait."""
        late = True
        while late:
            late = False
            for wait in waits:
                if wait.node == node and time < wait.end and wait.start < time + duration:
                    time, late = wait.end, True
        return time
