"""Claimed times and what the replay makes of them: collisions, starts and ends, memory."""

from __future__ import annotations

from skipsched.check.actions import Claim, Order
from skipsched.check.case import Case
from skipsched.check.chains import Chains
from skipsched.check.replay import Times
from skipsched.check.values import seconds


def check_collisions(order: Order, chains: Chains, case: Case) -> None:
    """Check that no action claims to start before the one ahead of it is over, its overhead included."""
    for claims in order.claims:
        before: Claim | None = None
        for claim in claims:
            if before is not None and before.end is not None and claim.start is not None:
                free = before.end + case.instance.overhead
                if claim.start < free:
                    _report_collision(claim, before, free, chains, case)
            before = claim


def _report_collision(claim: Claim, before: Claim, free: int, chains: Chains, case: Case) -> None:
    action = claim.action
    busy = f"{chains.op[before.action]} of microbatch {chains.microbatch[before.action]}"
    case.fail(
        "no-collision",
        f"{chains.op[action]} starts while the node is taken by {busy}, until {seconds(free)}",
        microbatch=chains.microbatch[action],
        node=chains.node[action],
        time=claim.start,
    )


def check_times(order: Order, chains: Chains, times: Times, case: Case) -> None:
    """Check every claimed start and end, the earliest first: what comes later may follow from it."""
    wrong = []
    for claims in order.claims:
        for claim in claims:
            start, end = times.start[claim.action], times.end[claim.action]
            if claim.start not in (None, start) or claim.end not in (None, end):
                wrong.append((start, claim))
    for start, claim in sorted(wrong, key=lambda found: found[0]):
        action = claim.action
        case.fail(
            "times",
            f"{chains.op[action]} runs from {seconds(start)} to {seconds(times.end[action])} in the replay; "
            f"it claims {_shown(claim.start)} to {_shown(claim.end)}",
            microbatch=chains.microbatch[action],
            node=chains.node[action],
            time=start,
        )


def _shown(time: int | None) -> str:
    return "no time" if time is None else seconds(time)


def check_memory(order: Order, chains: Chains, times: Times, case: Case) -> None:
    """Check the microbatches in flight on every node over time, and report each node's first excess."""
    for node, claims in enumerate(order.claims):
        if claims:
            slots = case.instance.slots[node][chains.stage(claims[0].action)]
            # A node whose memory does not hold the stage at all has been reported.
            if slots > 0:
                events = _slot_events([claim.action for claim in claims], chains, times)
                _check_slots(events, slots, chains, case)


def _slot_events(actions: list[int], chains: Chains, times: Times) -> list[tuple[int, int]]:
    """Times at which the F of a node take a slot and its B free one, with the action.

    A slot freed at t can be taken at t. Among actions without length several of both may happen at one time:
    they happen in the order of the list, which a stable sort keeps.
    """
    events = [
        (times.start[action] if chains.op[action] == "F" else times.end[action], action)
        for action in actions
        if chains.op[action] != "L"
    ]
    return sorted(events, key=lambda event: event[0])


def _check_slots(events: list[tuple[int, int]], slots: int, chains: Chains, case: Case) -> None:
    in_flight = 0
    for time, action in events:
        in_flight += 1 if chains.op[action] == "F" else -1
        if in_flight > slots:
            message = f"{in_flight} microbatches in flight on {slots} slots"
            case.fail(
                "memory", message, microbatch=chains.microbatch[action], node=chains.node[action], time=time
            )
            return
