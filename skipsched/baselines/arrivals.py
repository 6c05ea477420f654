"""First come, first served: the replay by which the published methods value paths.

Each node serves what has arrived first. That makes an order of every node's actions, so that what is served
is an ordinary plan; its own times may be later than those of replaying the plan, since a refused forward
tries again only now and then. Rules after the simulator of SkipPipe (``schedulers/com_sym.py`` of
gensyn-ai/skippipe), restated as events in integer microseconds:

* Of what waits for a node, the input that arrived first goes first; a microbatch's first forward goes after
  all that has arrived, and the first forwards of a data node go in the order of its microbatches.
* A forward needs a free slot. While there is none it tries again every `RETRY`.
* Microbatch i of a data node with M slots uses slot i mod M, and starts only once the one before it in that
  slot has come home.
* An action's output leaves when it ends; its node is unavailable for the action overhead more.

Differences: the published simulator has an overhead of 0.13 s, but 0.09 s after a microbatch's first forward;
here the topology's is taken throughout. It advances second by second, and within a second may serve a node
before it hears of an input that arrived a little earlier; here inputs are taken strictly in time. Where
several slots of a data node have come home by the time it is available, it starts them by the phases of their
retries; here the smallest microbatch goes first, which on the published paths of geo-20 is 1.2 % slower. It
forgets microbatches that try to start while their slot is not home but another one is; here they wait.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from skipsched.instance import Instance
from skipsched.plan import Actions, Plan, Routes

#: Microseconds after which a forward that found no slot tries again (0.1 s in ``ComNode.send``).
RETRY = 100_000


class Stuck(Exception):
    """Microbatches hold slots and wait for each other's in a circle: the rest is never served.

    First come, first served looks at no more than the slot it takes, so paths that run against each other
    may end like this. The published simulator then reports the time of what did finish.

    Attributes
    ----------
    unfinished
        Microbatches that do not come home, ascending.
    """

    def __init__(self, unfinished: tuple[int, ...]) -> None:
        super().__init__(f"{len(unfinished)} microbatches wait for each other's slots")
        self.unfinished = unfinished


@dataclass(frozen=True)
class Served:
    """What serving arrivals gives.

    Parameters
    ----------
    plan
        The routes with the order in which each node served its actions.
    actions
        Its actions.
    end
        End of each action, microseconds. Replaying the plan ends no action later.
    """

    plan: Plan
    actions: Actions = field(repr=False)
    end: tuple[int, ...] = field(repr=False)

    @property
    def iteration(self) -> int:
        """The end of the last backward on a data node, microseconds: the published expected time."""
        return max(self.end[self.actions.per_microbatch - 1 :: self.actions.per_microbatch], default=0)


def serve(instance: Instance, routes: Routes) -> Served:
    """Serve all microbatches of some routes, first come, first served.

    Raises
    ------
    Stuck
        If microbatches wait for each other's slots for ever.
    """
    return _Server(instance, routes).run()


class _Attempt(NamedTuple):
    """An action that wants its node: at a time, and since when.

    Attempts compare as the published simulator sorts them: by time, then by arrival, first forwards last.
    """

    time: int
    is_first: bool
    arrival: int
    action: int


class _Server:
    def __init__(self, instance: Instance, routes: Routes) -> None:
        self._routes = routes
        self._actions = Actions.of(instance, routes)
        self._overhead = instance.overhead
        slots = [instance.slots[n][k] for n, k in enumerate(routes.allocation)]
        self._slots_free = list(slots)
        self._idle_from = [0] * len(slots)
        self._order: list[list[int]] = [[] for _ in slots]
        self._end = [-1] * len(self._actions.node)
        self._predecessor = _predecessors(routes.paths, slots)
        #: Forwards that found no slot on each node, with the time of their next attempt.
        self._refused: list[list[_Attempt]] = [[] for _ in slots]
        #: First forwards that wait for a microbatch to come home.
        self._held: dict[int, _Attempt] = {}
        self._attempts = [
            _Attempt(0, True, 0, first) for first in range(0, len(self._end), self._actions.per_microbatch)
        ]

    def run(self) -> Served:
        while self._attempts:
            self._take(heapq.heappop(self._attempts))
        per = self._actions.per_microbatch
        unfinished = tuple(m for m in range(len(self._routes.paths)) if self._end[m * per + per - 1] < 0)
        if unfinished:
            raise Stuck(unfinished)
        plan = Plan(self._routes, tuple(map(tuple, self._order)))
        return Served(plan, self._actions, tuple(self._end))

    def _take(self, attempt: _Attempt) -> None:
        """Execute an action, or see what keeps it from being executed now."""
        microbatch, position = divmod(attempt.action, self._actions.per_microbatch)
        node = self._actions.node[attempt.action]
        if attempt.time < self._idle_from[node]:
            heapq.heappush(self._attempts, attempt._replace(time=self._idle_from[node]))
        elif position == 0 and not self._is_home(self._predecessor[microbatch]):
            self._held[self._predecessor[microbatch]] = attempt
        elif position < self._actions.path_length and self._slots_free[node] == 0:
            self._refused[node].append(attempt._replace(time=attempt.time + RETRY))
        else:
            self._execute(attempt, node)

    def _is_home(self, microbatch: int) -> bool:
        per = self._actions.per_microbatch
        return microbatch < 0 or self._end[microbatch * per + per - 1] >= 0

    def _execute(self, attempt: _Attempt, node: int) -> None:
        actions, action = self._actions, attempt.action
        microbatch, position = divmod(action, actions.per_microbatch)
        end = self._end[action] = attempt.time + actions.duration[action]
        self._order[node].append(action)
        self._idle_from[node] = end + self._overhead
        self._postpone(node, attempt)
        if position < actions.path_length:
            self._slots_free[node] -= 1
        elif position > actions.path_length:
            # The node is busy until the slot is free in fact.
            self._slots_free[node] += 1
            self._attempts_again(node)
        if position + 1 < actions.per_microbatch:
            arrival = end + actions.lag[action + 1]
            heapq.heappush(self._attempts, _Attempt(arrival, False, arrival, action + 1))
        elif microbatch in self._held:
            held = self._held.pop(microbatch)
            heapq.heappush(self._attempts, held._replace(time=self._idle_from[node]))

    def _postpone(self, node: int, executed: _Attempt) -> None:
        """Move the next attempts of refused forwards past an action that their node executes.

        Those up to its start have failed, as nothing has freed a slot; one that falls into it, or into the
        overhead, is made when the node is available again.
        """
        for i, refused in enumerate(self._refused[node]):
            time = refused.time + RETRY * -(min(0, refused.time - executed.time) // RETRY)
            if (time, *refused[1:]) < executed:
                time += RETRY
            self._refused[node][i] = refused._replace(time=max(time, self._idle_from[node]))

    def _attempts_again(self, node: int) -> None:
        for refused in self._refused[node]:
            heapq.heappush(self._attempts, refused)
        self._refused[node].clear()


def _predecessors(paths: Sequence[Sequence[int]], slots: Sequence[int]) -> list[int]:
    """The microbatch before each one in its slot; -1 for the first."""
    first: dict[int, int] = {}
    predecessors = []
    for microbatch, path in enumerate(paths):
        number = microbatch - first.setdefault(path[0], microbatch)
        predecessors.append(microbatch - slots[path[0]] if number >= slots[path[0]] else -1)
    return predecessors
