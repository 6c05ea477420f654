"""Why each action starts when it does, and the chain of actions that the iteration time is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from skipsched.instance import Instance
from skipsched.scheduled import Scheduled

#: What an action waited for until it started: nothing, as it is the first of its microbatch and of its node;
#: its input; its node, which was busy with the action before; or a slot, which that action had to free.
Cause = Literal["nothing", "input", "node", "slot"]
Kind = Literal["F", "L", "B", "overhead", "transfer", "all-reduce"]


@dataclass(frozen=True, slots=True)
class Start:
    """Why an action starts when it does.

    Parameters
    ----------
    cause
        What it waited for until its start; ``input`` if that arrives just as the node becomes free.
    after
        The action that made it wait: that of its input, or the one before it on its node; None if nothing.
    ready
        When its input had arrived, microseconds; 0 for the first action of a microbatch.
    start
        When it starts, microseconds.
    full
        How much of the wait from `ready` to `start` all slots of its node were taken, microseconds; 0 for
        losses and backwards, which need no slot of their own.
    """

    cause: Cause
    after: int | None
    ready: int
    start: int
    full: int

    @property
    def waited(self) -> int:
        """Microseconds between its input and its start."""
        return self.start - self.ready


def starts(instance: Instance, scheduled: Scheduled) -> list[Start]:
    """Why each action starts when it does, by action."""
    found: dict[int, Start] = {}
    for node, sequence in enumerate(scheduled.plan.order):
        slots = instance.slots[node][scheduled.plan.routes.allocation[node]]
        found.update(zip(sequence, _along(scheduled, sequence, slots), strict=True))
    return [found[action] for action in range(len(scheduled.end))]


def _along(scheduled: Scheduled, sequence: Sequence[int], slots: int) -> Iterator[Start]:
    """The starts of one node's actions, in their order."""
    actions, end = scheduled.actions, scheduled.end
    before: int | None = None
    held, since = 0, 0  # slots, and from when on the last of them
    taken: list[tuple[int, int]] = []  # from when to when there was none free
    freed = False  # whether the action before ended such a time
    for action in sequence:
        operation, first = actions.operation(action), action % actions.per_microbatch == 0
        start = end[action] - actions.duration[action]
        ready = 0 if first else end[action - 1] + actions.lag[action]
        cause: Cause = "node"
        after = before
        if start == ready:
            cause, after = ("nothing", None) if first else ("input", action - 1)
        elif operation == "F" and freed:
            cause = "slot"
        yield Start(cause, after, ready, start, _overlap(taken, ready, start) if operation == "F" else 0)
        freed = operation == "B" and held == slots
        if freed:
            taken.append((since, end[action]))
        held += {"F": 1, "L": 0, "B": -1}[operation]
        if operation == "F" and held == slots:
            since = start
        before = action


def _overlap(intervals: Sequence[tuple[int, int]], begin: int, end: int) -> int:
    """How much of a stretch of time lies in intervals, ascending and apart."""
    total = 0
    for since, to in reversed(intervals):
        if to <= begin:
            break
        total += max(0, min(to, end) - max(since, begin))
    return total


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the critical path; each begins when the one before it ends.

    Parameters
    ----------
    kind
        What passes: an action computes, a node is unavailable after one, an activation or gradient travels,
        or the gradients of a stage are averaged.
    action
        The action that computes; the one before an overhead or an all-reduce; the one whose input travels.
        None before the all-reduce of a stage that executes nothing.
    begin, end
        Microseconds.
    cause
        Why an action starts here; None for other kinds.
    """

    kind: Kind
    action: int | None
    begin: int
    end: int
    cause: Cause | None = None


def critical_path(scheduled: Scheduled, why: Sequence[Start]) -> list[Step]:
    """The steps that follow each other from 0 to the iteration time without a gap.

    From the last action of the stage that is done last, all-reduce included, back to what made each action
    wait. No iteration is shorter unless one of these steps is; there may be other paths as long.

    Parameters
    ----------
    why
        As `starts` gives it.
    """
    end, done = scheduled.end, scheduled.objective.iteration_time
    action = last_action(scheduled)
    if action is None:
        return [Step("all-reduce", None, 0, done)]
    steps = [Step("all-reduce", action, end[action], done)] if end[action] < done else []
    following: int | None = action
    while following is not None:
        action, start = following, why[following]
        steps.append(Step(scheduled.actions.operation(action), action, start.start, end[action], start.cause))
        following = start.after
        if following is not None and end[following] < start.start:
            if start.cause == "input":
                steps.append(Step("transfer", action, end[following], start.start))
            else:
                steps.append(Step("overhead", following, end[following], start.start))
    return steps[::-1]


def last_action(scheduled: Scheduled) -> int | None:
    """The backward that the iteration ends after, all-reduce of its stage included.

    None if the iteration time is the all-reduce of a stage that executes nothing.
    """
    actions, end = scheduled.actions, scheduled.end
    allocation = scheduled.plan.routes.allocation

    def done(action: int) -> int:
        return end[action] + scheduled.rings[allocation[actions.node[action]]].allreduce

    last = max((a for a in range(len(end)) if actions.operation(a) == "B"), key=done)
    return last if done(last) == scheduled.objective.iteration_time else None
