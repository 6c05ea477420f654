"""First schedules for some routes: in the order that was, and in others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from skipsched.clock import Clock
from skipsched.construct import PATIENCE, urgencies
from skipsched.dispatch import dispatch
from skipsched.instance import Instance
from skipsched.plan import Actions, Plan, Routes
from skipsched.repair.former import Former
from skipsched.rings import Ring, better_rings, ring_through, rings_of
from skipsched.scheduled import Scheduled


def first_schedules(instance: Instance, former: Former, routes: Routes, clock: Clock) -> Iterator[Scheduled]:
    """Schedules to begin with: first in the order that was, then by several rules of urgency.

    In the order that was, microbatches whose path has changed are where they were, or else at the end, where
    there are slots for them.

    Raises
    ------
    OutOfTime
        If the clock runs out while rings are looked for.
    """
    actions = Actions.of(instance, routes)
    rings = _rings(instance, former, routes, clock)
    in_place = _times(former, routes, actions, changed_last=False)
    for times in (in_place, _times(former, routes, actions, changed_last=True)):
        scheduled = Scheduled.of(instance, _in_order_of(routes, actions, times), actions, rings)
        if scheduled.keeps_slots(instance):
            yield scheduled
            break
    rules: list[Sequence[float]] = [in_place, *urgencies(actions)]
    for urgency in rules:
        for patience in PATIENCE:
            plan = dispatch(instance, routes, actions, urgency, patience)
            yield Scheduled.of(instance, plan, actions, rings)


def _rings(instance: Instance, former: Former, routes: Routes, clock: Clock) -> Sequence[Ring]:
    """The rings that were, where their nodes are the same and no better ones are found."""
    members = routes.members(instance.stages)
    found = rings_of(instance, members, clock)
    assert found is not None, "routes are only handed on with a ring in every stage"
    before = [
        (ring_through(instance, stage, nodes) if sorted(nodes) == members[stage] else None) or found[stage]
        for stage, nodes in enumerate(former.rings)
    ]
    return better_rings(found, before)


def _times(former: Former, routes: Routes, actions: Actions, *, changed_last: bool) -> list[int]:
    """When each action may start, going by when it did: never before the one before it of its microbatch.

    Microbatches that were not there, or whose path has changed if `changed_last`, come one after the other
    when all others have begun what they do.
    """
    per = actions.per_microbatch
    times = [0] * len(actions.node)
    last: list[int] = []
    turn: Counter[int] = Counter()
    for microbatch, path in enumerate(routes.paths):
        formers = former.microbatches.get(path[0], ())
        was = formers[turn[path[0]]] if turn[path[0]] < len(formers) else None
        turn[path[0]] += 1
        if was is None or len(was.starts) != per or (changed_last and was.path != path):
            last.append(microbatch)
        else:
            times[microbatch * per : (microbatch + 1) * per] = was.starts
    now = max(times) + 1
    for microbatch in last:
        for action in range(microbatch * per, (microbatch + 1) * per):
            times[action] = now
            now += actions.lag[action] + actions.duration[action]
    return times


def _in_order_of(routes: Routes, actions: Actions, times: Sequence[int]) -> Plan:
    """The plan in which every node works in the order of some times.

    Those never fall along a microbatch, and neither do the numbers of actions, which decide among equals: no
    circle of actions can wait for each other.
    """
    order: list[list[int]] = [[] for _ in routes.allocation]
    for action in sorted(range(len(times)), key=lambda a: (times[a], a)):
        order[actions.node[action]].append(action)
    return Plan(routes, tuple(map(tuple, order)))
