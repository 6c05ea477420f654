"""Replay: order in, times out. The one place of the solver's side that knows timing."""

from __future__ import annotations

from collections.abc import Sequence

from skipsched.plan import Actions


class Deadlock(Exception):
    """A cyclic order.

    Attributes
    ----------
    cycle
        Actions, each of which waits for the next, the last one for the first.
    """

    def __init__(self, cycle: list[int]) -> None:
        super().__init__(f"cyclic order of {len(cycle)} actions")
        self.cycle = cycle


def replay(actions: Actions, order: Sequence[Sequence[int]], overhead: int) -> list[int]:
    """Compute when each action ends if every node runs its actions in the given order, as soon as it can.

    An action starts once the node's previous one has ended and its overhead has passed, and its input has
    arrived: the longest path through the actions.

    Parameters
    ----------
    actions
        Nodes, durations and transfers.
    order
        For each node, its actions in the order of execution.
    overhead
        Microseconds a node stays unavailable after every action.

    Returns
    -------
    list of int
        End of each action in microseconds; it started `actions.duration` earlier.

    Raises
    ------
    Deadlock
        If the order is cyclic.
    """
    node, duration, lag, per = actions.node, actions.duration, actions.lag, actions.per_microbatch
    end = [-1] * len(node)
    position = [0] * len(order)
    free = [0] * len(order)
    awake = list(range(len(order)))
    left = len(node)
    while awake:
        n = awake.pop()
        sequence = order[n]
        i, time = position[n], free[n]
        while i < len(sequence):
            action = sequence[i]
            if action % per:
                before = end[action - 1]
                if before < 0:
                    break
                time = max(time, before + lag[action])
            time += duration[action]
            end[action] = time
            time += overhead
            i += 1
            # Wake the node of the next action if that is what it stands before.
            after = action + 1
            if after % per:
                m = node[after]
                if position[m] < len(order[m]) and order[m][position[m]] == after:
                    awake.append(m)
        left -= i - position[n]
        position[n], free[n] = i, time
    if left:
        raise Deadlock(_cycle(actions, order, position))
    return end


def _cycle(actions: Actions, order: Sequence[Sequence[int]], position: Sequence[int]) -> list[int]:
    """The actions of a cycle, found by asking each waiting action what it waits for.

    The first action that a node has not run waits for its input, the action before it of its microbatch; that
    one stands somewhere behind the first action not run on its own node.
    """
    start = next(n for n, i in enumerate(position) if i < len(order[n]))
    seen: dict[int, int] = {}
    chain: list[int] = []
    n = start
    while n not in seen:
        seen[n] = len(chain)
        head = order[n][position[n]]
        chain.append(head)
        before = head - 1
        n = actions.node[before]
        if order[n][position[n]] != before:
            chain.append(before)
    return chain[seen[n] :]
