"""The checker's own replay: the nodes run their lists as a runtime would, each action as soon as it can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skipsched.check.actions import Order
from skipsched.check.case import Case
from skipsched.check.chains import Chains

_NOT_ARRIVED = -1
_STEPS_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Times:
    """When every action starts and ends, by action."""

    start: Sequence[int]
    end: Sequence[int]


def replay(chains: Chains, order: Order, case: Case) -> Times | None:
    """Execute the order; None if it deadlocks, which is reported with its cycle.

    A node works through its list until the input of its next action has not been sent yet, and is woken when
    something is sent to it. Every action is thus run once, after whatever it waits for, so that its start is
    the end of the longest chain of waiting before it, and no order of waking the nodes changes that.
    """
    lists = [[claim.action for claim in claims] for claims in order.claims]
    count, transfer = len(chains), case.instance.transfer
    arrival = [_NOT_ARRIVED if source is not None else 0 for source in chains.source]
    start, end = [0] * count, [0] * count
    free, done = [0] * len(lists), [0] * len(lists)
    awake = list(range(len(lists)))
    while awake:
        node = awake.pop()
        actions = lists[node]
        while done[node] < len(actions) and arrival[actions[done[node]]] != _NOT_ARRIVED:
            action = actions[done[node]]
            start[action] = max(free[node], arrival[action])
            end[action] = start[action] + chains.duration[action]
            # The output leaves before the overhead; the node is taken during it.
            free[node] = end[action] + case.instance.overhead
            done[node] += 1
            target = chains.target[action]
            if target is not None:
                arrival[action + 1] = end[action] + transfer[node][target]
                awake.append(target)
    stuck = {node: actions[done[node]] for node, actions in enumerate(lists) if done[node] < len(actions)}
    if stuck:
        _report_deadlock(stuck, chains, case)
        return None
    return Times(start, end)


def _report_deadlock(waiting: dict[int, int], chains: Chains, case: Case) -> None:
    """Name the actions of one cycle.

    The next action of a node that is stuck waits for its predecessor, which stands in the list of a node that
    is stuck too: following that from node to node ends in a cycle.
    """
    node = min(waiting)
    visited: dict[int, int] = {}
    while node not in visited:
        visited[node] = len(visited)
        node = chains.node[waiting[node] - 1]
    cycle = [stuck for stuck, position in visited.items() if position >= visited[node]]
    steps = [_step(waiting[stuck], waiting, chains) for stuck in cycle[:_STEPS_SHOWN]]
    if len(cycle) > _STEPS_SHOWN:
        steps.append(f"and so on over {len(cycle) - _STEPS_SHOWN} more nodes")
    first = waiting[cycle[0]]
    message = f"the order waits in a cycle: {'; '.join(steps)}"
    case.fail("deadlock", message, microbatch=chains.microbatch[first], node=cycle[0])


def _step(action: int, waiting: dict[int, int], chains: Chains) -> str:
    awaited = action - 1
    text = f"{chains.describe(action)} waits for {chains.describe(awaited)}"
    ahead = waiting[chains.node[awaited]]
    return text if ahead == awaited else f"{text}, which stands behind {chains.describe(ahead)}"
