"""The policy `fifo`: each node takes what arrived first; paths as planned.

In machine code, which is compiled in some two seconds when it is first used, and kept on disk after that.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skipsched.insight.durations import Durations
from skipsched.insight.jitter import Floats
from skipsched.insight.policy import Ran
from skipsched.instance import Instance
from skipsched.scheduled import Scheduled
from skipsched.search.compiled import compiled

Ints = NDArray[np.int64]

#: No action, no microbatch.
_NONE = -1
#: The two queues of a node: losses and backwards, and forwards, which need a slot.
_HOME, _OUT = 0, 1


class _Plan(NamedTuple):
    """What is the same in all runs.

    Parameters
    ----------
    per_microbatch, overhead
        Actions of a microbatch; microseconds after every action.
    node
        Of each action.
    slots
        Of each node.
    first, following
        The microbatch that each data node emits first, and the one it emits after each; `_NONE` if none.
    """

    per_microbatch: int
    overhead: float
    node: Ints
    slots: Ints
    first: Ints
    following: Ints

    @classmethod
    def of(cls, instance: Instance, scheduled: Scheduled) -> _Plan:
        actions, routes = scheduled.actions, scheduled.plan.routes
        per = actions.per_microbatch
        first = np.full(instance.nodes, _NONE, np.int64)
        following = np.full(len(routes.paths), _NONE, np.int64)
        for n, row in enumerate(scheduled.plan.order):
            emitted = [action // per for action in row if action % per == 0]
            if emitted:
                first[n] = emitted[0]
                following[emitted[:-1]] = emitted[1:]
        slots = [instance.slots[n][stage] for n, stage in enumerate(routes.allocation)]
        return cls(
            per_microbatch=per,
            overhead=float(instance.overhead),
            node=np.array(actions.node, np.int64),
            slots=np.array(slots, np.int64),
            first=first,
            following=following,
        )


class _Work(NamedTuple):
    """How far one run is.

    Parameters
    ----------
    free, upcoming, last
        Of each node: slots, the microbatch it emits next, and its last action; `_NONE` if none.
    busy
        Whether a node is at work, or is about to look for work.
    head, tail
        Of each queue of a node, ``[node, queue]``: the actions at its ends; `_NONE` if it is empty.
    behind, arrived
        Of each action in a queue: who stands behind it, and when its input arrived.
    time, event
        The heap of what happens next: when, and which action's input arrives, or which node looks for work
        (its number then counts from that of the actions on). Each microbatch and each node has one at most.
    size
        Of the heap, its only entry.
    """

    free: Ints
    upcoming: Ints
    last: Ints
    busy: Ints
    head: Ints
    tail: Ints
    behind: Ints
    arrived: Floats
    time: Floats
    event: Ints
    size: Ints

    @classmethod
    def of(cls, plan: _Plan) -> _Work:
        """Room for a run."""
        nodes, actions = len(plan.slots), len(plan.node)
        events = nodes + len(plan.following)

        def of_nodes() -> Ints:
            return np.zeros(nodes, np.int64)

        def queues() -> Ints:
            return np.zeros((nodes, 2), np.int64)

        return cls(
            free=of_nodes(),
            upcoming=of_nodes(),
            last=of_nodes(),
            busy=of_nodes(),
            head=queues(),
            tail=queues(),
            behind=np.zeros(actions, np.int64),
            arrived=np.zeros(actions),
            time=np.zeros(events),
            event=np.zeros(events, np.int64),
            size=np.zeros(1, np.int64),
        )


class Fifo:
    """Lets the nodes of a schedule work first come, first served.

    An idle node takes the action whose input arrived first; of two at once a loss or backward before a
    forward, which needs a free slot. A data node has a microbatch at hand for each of its slots from the
    start, and one more whenever a slot becomes free, as if it arrived at that moment; it emits them in the
    schedule's order.

    Parameters
    ----------
    instance, scheduled
        The schedule.
    """

    def __init__(self, instance: Instance, scheduled: Scheduled) -> None:
        self._plan = _Plan.of(instance, scheduled)
        self._work = _Work.of(self._plan)

    def run(self, durations: Durations) -> Ran:
        """The times of some runs; what waits for ever never ends."""
        # Run by run, so that what a run reads and writes lies together.
        computing, travel = durations.computing.T.copy(), durations.travel.T.copy()
        end = np.full(computing.shape, np.inf)
        before = np.full(computing.shape, _NONE, np.int64)
        _run_all(self._plan, self._work, computing, travel, end, before)
        return Ran(end.T, before.T)


@compiled
def _run_all(plan: _Plan, work: _Work, computing: Floats, travel: Floats, end: Floats, before: Ints) -> None:
    """Execute all runs, ``[run, action]``; `end` and `before` are filled."""
    for run in range(end.shape[0]):
        _begin(plan, work)
        while work.size[0] > 0:
            now, event = work.time[0], work.event[0]
            _drop_first(work)
            if event < plan.node.shape[0]:
                _arrive(plan, work, event, now)
                continue
            node = event - plan.node.shape[0]
            work.busy[node] = 0
            action = _chosen(work, node)
            if action != _NONE:
                before[run, action], work.last[node] = work.last[node], action
                end[run, action] = now + computing[run, action]
                _follow(plan, work, action, end[run, action], travel[run])


@compiled
def _begin(plan: _Plan, work: _Work) -> None:
    """All nodes idle, their queues empty but for what data nodes emit at once."""
    work.size[0] = 0
    for node in range(plan.slots.shape[0]):
        work.free[node] = plan.slots[node]
        work.upcoming[node] = plan.first[node]
        work.last[node] = _NONE
        work.busy[node] = 0
        for queue in range(2):
            work.head[node, queue] = _NONE
        for _ in range(plan.slots[node]):
            if work.upcoming[node] == _NONE:
                break
            _arrive(plan, work, _emitted(plan, work, node), 0.0)


@compiled
def _emitted(plan: _Plan, work: _Work, node: int) -> int:
    """The first action of the microbatch that a data node emits next."""
    microbatch = work.upcoming[node]
    work.upcoming[node] = plan.following[microbatch]
    return int(microbatch * plan.per_microbatch)


@compiled
def _arrive(plan: _Plan, work: _Work, action: int, now: float) -> None:
    """An action has its input and queues; an idle node looks for work once all has arrived that does now."""
    node = plan.node[action]
    queue = _OUT if action % plan.per_microbatch < plan.per_microbatch // 2 else _HOME
    work.arrived[action], work.behind[action] = now, _NONE
    if work.head[node, queue] == _NONE:
        work.head[node, queue] = action
    else:
        work.behind[work.tail[node, queue]] = action
    work.tail[node, queue] = action
    if not work.busy[node]:
        _look(plan, work, node, now)


@compiled
def _look(plan: _Plan, work: _Work, node: int, at: float) -> None:
    """Have a node look for work at a time."""
    work.busy[node] = 1
    _add(work, at, plan.node.shape[0] + node)


@compiled
def _chosen(work: _Work, node: int) -> int:
    """Take an idle node's next action out of its queue, and a slot for it; `_NONE` if it has to wait."""
    home, out = work.head[node, _HOME], work.head[node, _OUT]
    if out != _NONE and work.free[node] > 0 and (home == _NONE or work.arrived[out] < work.arrived[home]):
        work.head[node, _OUT] = work.behind[out]
        work.free[node] -= 1
        return int(out)
    if home != _NONE:
        work.head[node, _HOME] = work.behind[home]
    return int(home)


@compiled
def _follow(plan: _Plan, work: _Work, action: int, end: float, travel: Floats) -> None:
    """What comes of an action that ends: its output's arrival, a slot, a node that looks again."""
    if end == np.inf:
        return  # the node is busy for ever
    node, position = plan.node[action], action % plan.per_microbatch
    _look(plan, work, node, end + plan.overhead)
    if position > plan.per_microbatch // 2:
        # Nobody but this node takes it, and not before it looks again.
        work.free[node] += 1
    if position + 1 < plan.per_microbatch:
        _add(work, end + travel[action + 1], action + 1)
    elif work.upcoming[node] != _NONE:
        _add(work, end, _emitted(plan, work, node))


@compiled
def _add(work: _Work, time: float, event: int) -> None:
    """Put an event into the heap: the earliest first, of equal ones the smallest number."""
    at = work.size[0]
    work.size[0] = at + 1
    while at > 0:
        above = (at - 1) // 2
        if not _is_earlier(time, event, work.time[above], work.event[above]):
            break
        work.time[at], work.event[at] = work.time[above], work.event[above]
        at = above
    work.time[at], work.event[at] = time, event


@compiled
def _drop_first(work: _Work) -> None:
    """Take the earliest event out of the heap."""
    size = work.size[0] - 1
    work.size[0] = size
    time, event = work.time[size], work.event[size]
    at, below = 0, 1
    while below < size:
        other = below + 1
        if other < size and _is_earlier(
            work.time[other], work.event[other], work.time[below], work.event[below]
        ):
            below = other
        if not _is_earlier(work.time[below], work.event[below], time, event):
            break
        work.time[at], work.event[at] = work.time[below], work.event[below]
        at, below = below, 2 * below + 1
    work.time[at], work.event[at] = time, event


@compiled
def _is_earlier(time: float, event: int, other_time: float, other_event: int) -> bool:
    return time < other_time or (time == other_time and event < other_event)
