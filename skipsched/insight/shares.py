"""What an iteration time is made of: along the critical path, and in the life of its last microbatch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skipsched.insight.critical import Cause, Kind, Start, Step, last_action
from skipsched.scheduled import Scheduled


@dataclass(frozen=True, slots=True)
class PathShares:
    """What the critical path is made of.

    Parameters
    ----------
    times
        Microseconds by kind of step; they add up to the iteration time.
    causes
        How many of its actions began because of what.
    """

    times: dict[Kind, int]
    causes: dict[Cause, int]

    @classmethod
    def of(cls, steps: Sequence[Step]) -> PathShares:
        """Add up the steps of a critical path."""
        times: dict[Kind, int] = dict.fromkeys(("F", "L", "B", "overhead", "transfer", "all-reduce"), 0)
        causes: dict[Cause, int] = dict.fromkeys(("nothing", "input", "node", "slot"), 0)
        for step in steps:
            times[step.kind] += step.end - step.begin
            if step.cause is not None:
                causes[step.cause] += 1
        return cls(times, causes)


@dataclass(frozen=True, slots=True)
class Life:
    """What passes from 0 until the last backward of a microbatch on the stage that is done last is averaged.

    Times in microseconds; they add up to the iteration time.

    Parameters
    ----------
    microbatch
        Which one; its data node may hold it back at first, which is waiting, too.
    computing
        Its own F, L and B.
    transfer
        Its activations and gradients travel.
    node_wait
        It has arrived, there is a slot, and the node works for others, is unavailable after an action, or is
        kept by the order for another microbatch.
    slot_wait
        It has arrived, and all slots of the node are taken.
    allreduce
        The stage's gradients are averaged.
    """

    microbatch: int
    computing: int
    transfer: int
    node_wait: int
    slot_wait: int
    allreduce: int

    @classmethod
    def of(cls, scheduled: Scheduled, why: Sequence[Start]) -> Life | None:
        """The life of the microbatch that the iteration ends with.

        None if the iteration time is the all-reduce of a stage that executes nothing.

        Parameters
        ----------
        why
            As `skipsched.insight.critical.starts` gives it.
        """
        last = last_action(scheduled)
        if last is None:
            return None
        actions = scheduled.actions
        microbatch = last // actions.per_microbatch
        own = range(microbatch * actions.per_microbatch, last + 1)
        slot_wait = sum(why[action].full for action in own)
        return cls(
            microbatch=microbatch,
            computing=sum(actions.duration[action] for action in own),
            transfer=sum(actions.lag[action] for action in own),
            node_wait=sum(why[action].waited for action in own) - slot_wait,
            slot_wait=slot_wait,
            allreduce=scheduled.objective.iteration_time - scheduled.end[last],
        )
