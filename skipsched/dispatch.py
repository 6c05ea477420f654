"""List scheduling: routes in, an order out that keeps the slots and never deadlocks.

Time is walked through once. An idle node starts the most urgent action whose input has arrived; a forward
also needs a free slot, and a proof that everything in flight can still come home.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from skipsched.instance import Instance
from skipsched.plan import Actions, Plan, Routes


def dispatch(
    instance: Instance, routes: Routes, actions: Actions, urgency: Sequence[float], patience: float = 0.0
) -> Plan:
    """Order the actions of some routes.

    Parameters
    ----------
    actions
        The routes' actions.
    urgency
        Of each action; among those ready on a node the smallest starts first.
    patience
        How long a node waits for a more urgent L or B that is on its way, as a part of the duration of what
        it could start instead. Without any, a forward that arrives a moment before a backward goes first.
    """
    return _Dispatcher(instance, routes, actions, urgency, patience).run()


class _Dispatcher:
    def __init__(
        self,
        instance: Instance,
        routes: Routes,
        actions: Actions,
        urgency: Sequence[float],
        patience: float,
    ) -> None:
        self._overhead = instance.overhead
        self._patience = patience
        self._routes = routes
        self._actions = actions
        self._urgency = urgency
        slots = [instance.slots[n][k] for n, k in enumerate(routes.allocation)]
        self._admission = Admission(routes.paths, slots)
        self._order: list[list[int]] = [[] for _ in slots]
        self._idle_from = [0] * len(slots)
        # Ready actions by urgency: forwards apart, since they may have to wait for a slot.
        self._forwards: list[list[tuple[float, int]]] = [[] for _ in slots]
        self._others: list[list[tuple[float, int]]] = [[] for _ in slots]
        # L and B on their way to each node: when they arrive, and how urgent they are.
        self._coming: list[list[tuple[int, float]]] = [[] for _ in slots]
        self._events: list[tuple[int, int]] = []  # (time, action whose input arrives, or ~node to look at)
        self._refused: set[int] = set()

    def run(self) -> Plan:
        per = self._actions.per_microbatch
        self._events = [(0, first) for first in range(0, len(self._actions.node), per)]
        heapq.heapify(self._events)
        while self._events:
            now = self._events[0][0]
            touched = set()
            while self._events and self._events[0][0] == now:
                touched.add(self._take(heapq.heappop(self._events)[1]))
            # In the order of the nodes: the plan must not depend on the order within a set.
            for node in sorted(touched):
                self._work(node, now)
        assert sum(map(len, self._order)) == len(self._actions.node), "an admitted microbatch comes home"
        return Plan(self._routes, tuple(map(tuple, self._order)))

    def _take(self, event: int) -> int:
        """Note an event; returns the node concerned."""
        if event < 0:
            return ~event
        node = self._actions.node[event]
        is_forward = event % self._actions.per_microbatch < self._actions.path_length
        heap = self._forwards[node] if is_forward else self._others[node]
        heapq.heappush(heap, (self._urgency[event], event))
        return node

    def _work(self, node: int, now: int) -> None:
        """Start the most urgent startable action of an idle node."""
        if self._idle_from[node] > now or (self._patience and self._waits(node, now)):
            return
        action = self._next(node)
        if action is None:
            return
        self._order[node].append(action)
        actions = self._actions
        end = now + actions.duration[action]
        self._idle_from[node] = end + self._overhead
        heapq.heappush(self._events, (self._idle_from[node], ~node))
        after = action + 1
        if after % actions.per_microbatch:
            arrival = end + actions.lag[after]
            heapq.heappush(self._events, (arrival, after))
            if self._patience:
                self._expect(node, after, arrival)
        if actions.operation(action) == "B":
            # The slot is as good as free: this node can take it only when it is idle again, and forwards
            # refused elsewhere for what is in flight as a whole may be safe now.
            self._admission.release(action // actions.per_microbatch, node)
            for other in self._refused - {node}:
                heapq.heappush(self._events, (now, ~other))
            self._refused.clear()

    def _expect(self, node: int, after: int, arrival: int) -> None:
        """Note that the input of an L or a B is on its way from a node, for those who may wait for it."""
        actions = self._actions
        position = after % actions.per_microbatch
        if position >= actions.path_length:
            self._coming[actions.node[after]].append((arrival, self._urgency[after]))
        if position == actions.path_length:
            # A last F is soon followed by its own B, unless the data node keeps the L waiting.
            back = arrival + actions.duration[after] + actions.lag[after + 1]
            self._coming[node].append((back, self._urgency[after + 1]))
            heapq.heappush(self._events, (back, ~node))

    def _waits(self, node: int, now: int) -> bool:
        """Whether a more urgent L or B arrives soon enough to wait for; those need no slot and will run."""
        coming = self._coming[node] = [entry for entry in self._coming[node] if entry[0] > now]
        ready = [heap[0] for heap in (self._forwards[node], self._others[node]) if heap]
        if not coming or not ready:
            return False
        urgency, action = min(ready)
        until = now + self._patience * self._actions.duration[action]
        return any(arrival <= until and waited < urgency for arrival, waited in coming)

    def _next(self, node: int) -> int | None:
        others, forwards = self._others[node], self._forwards[node]
        passed: list[tuple[float, int]] = []
        unsafe: set[tuple[int, ...]] = set()  # ways ahead that have been refused: equal ones would be too
        found: int | None = None
        while forwards and not (others and others[0] < forwards[0]):
            microbatch = forwards[0][1] // self._actions.per_microbatch
            ahead = self._admission.ahead(microbatch)
            if ahead not in unsafe and self._admission.admit(microbatch, node):
                found = heapq.heappop(forwards)[1]
                break
            if not self._admission.has_slot(node):
                break  # until this node gives one back itself
            unsafe.add(ahead)
            self._refused.add(node)
            passed.append(heapq.heappop(forwards))
        for entry in passed:
            heapq.heappush(forwards, entry)
        if found is None and others:
            found = heapq.heappop(others)[1]
        return found


class Admission:
    """Which forwards may take a slot so that all microbatches in flight can still come home.

    Microbatches that hold slots and wait for each other's are the one way to deadlock. A state is safe if the
    microbatches in flight can finish one after the other, each finding a slot on all nodes still before it
    (Dijkstra's banker). From a safe state, a forward is admitted if its microbatch could then finish, after
    others that could finish before it: finishing, it gives back what it took, and the rest is as safe as
    before.

    In a safe state some microbatch finds a free slot on all nodes before it, and is admitted wherever it
    asks; so the schedule never stalls.
    """

    def __init__(self, paths: Sequence[Sequence[int]], slots: Sequence[int]) -> None:
        self._paths = paths
        self._free = list(slots)
        self._holders: list[dict[int, None]] = [{} for _ in slots]
        self._taken = [0] * len(paths)  # nodes of its path that a microbatch has entered

    def has_slot(self, node: int) -> bool:
        """Whether a node has a free slot."""
        return self._free[node] > 0

    def ahead(self, microbatch: int) -> tuple[int, ...]:
        """The nodes still before a microbatch: all that its admission depends on."""
        return tuple(self._paths[microbatch][self._taken[microbatch] :])

    def admit(self, microbatch: int, node: int) -> bool:
        """Take a slot for the microbatch's next forward if that is safe. Returns whether it was."""
        if self._free[node] == 0:
            return False
        self._free[node] -= 1
        self._taken[microbatch] += 1
        if self._finishes(microbatch):
            self._holders[node][microbatch] = None
            return True
        self._free[node] += 1
        self._taken[microbatch] -= 1
        return False

    def release(self, microbatch: int, node: int) -> None:
        """Give a slot back at the end of a B."""
        self._free[node] += 1
        del self._holders[node][microbatch]

    def _finishes(self, microbatch: int) -> bool:
        """Whether a microbatch can finish, after others that can.

        Depth first through who holds the slots it lacks, without recursion. A microbatch met again on the way
        counts as unable to finish, which may refuse what is safe but never admits what is not.
        """
        able: set[int] = set()
        met = {microbatch}
        # Each frame: a microbatch, the nodes still before it that have no free slot, and for the first of
        # these the holders not asked yet.
        stack = [self._frame(microbatch)]
        while stack:
            who, lacking, holders = stack[-1]
            if lacking and able.intersection(self._holders[lacking[-1]]):
                lacking.pop()
                holders[:] = self._holders[lacking[-1]] if lacking else []
                continue
            if not lacking:
                able.add(who)
                stack.pop()
                continue
            while holders and holders[-1] in met:
                holders.pop()
            if not holders:
                stack.pop()
                continue
            asked = holders.pop()
            met.add(asked)
            stack.append(self._frame(asked))
        return microbatch in able

    def _frame(self, microbatch: int) -> tuple[int, list[int], list[int]]:
        ahead = self._paths[microbatch][self._taken[microbatch] :]
        lacking = [node for node in ahead if self._free[node] == 0]
        return microbatch, lacking, list(self._holders[lacking[-1]]) if lacking else []
