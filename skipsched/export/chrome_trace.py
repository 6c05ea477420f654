"""Chrome's trace events, as JSON: what https://ui.perfetto.dev and chrome://tracing open.

One process is a node, in the order of the stages. Its threads are what it does at a time: forwards, losses,
backwards, the all-reduce at the end, and transfers under way from it and to it, in as many lanes as there are
at once. An arrow leads from each transfer where it leaves to the same transfer where it arrives. A counter
shows the microbatches in flight, and the slots that are left.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

from skipsched.opened import Opened
from skipsched.version import __version__

Event = dict[str, Any]
#: Threads of a node in the order in which they are shown; transfers may have several of a kind.
_THREADS = {"F": "forward", "L": "loss", "B": "backward", "A": "all-reduce", "S": "send", "R": "receive"}


@dataclass(frozen=True, slots=True)
class _Slice:
    """Something that takes time on a thread.

    Parameters
    ----------
    kind
        One of `_THREADS`.
    name
        What is shown.
    begin, end
        Microseconds.
    says
        Its details.
    flow
        The number of the arrow that begins or ends here, if one does.
    """

    kind: str
    name: str
    begin: int
    end: int
    says: Event
    flow: int | None = None


def text(opened: Opened) -> str:
    """The trace, an event a line; times are microseconds."""
    events = ",\n".join(json.dumps(event, ensure_ascii=False) for event in _events(opened))
    other = json.dumps(
        {
            "topology": opened.topology.name,
            "iteration_time": opened.scheduled.objective.iteration_time,
            "skipsched": __version__,
        },
        ensure_ascii=False,
    )
    return f'{{"displayTimeUnit": "ms",\n"otherData": {other},\n"traceEvents": [\n{events}\n]}}\n'


def _events(opened: Opened) -> Iterator[Event]:
    instance = opened.instance
    allocation = opened.scheduled.plan.routes.allocation
    slices = _slices(opened)
    # No number is given twice, nor that of a process to a thread: viewers would take them for the same.
    threads = count(instance.nodes + 1)
    ordered = sorted(range(instance.nodes), key=lambda n: (allocation[n], n))
    # An arrow's end must not stand before its beginning, which has the same time.
    arriving: list[Event] = []
    for place, node in enumerate(ordered):
        stage = allocation[node]
        process = {"pid": node + 1}
        yield _named(process, "process_name", name=f"{instance.node_ids[node]} (stage {stage})")
        yield _named(process, "process_sort_index", sort_index=place)
        for kind, title in _THREADS.items():
            for lane, members in enumerate(_lanes([found for found in slices[node] if found.kind == kind])):
                thread = process | {"tid": next(threads)}
                yield _named(thread, "thread_name", name=title if lane == 0 else f"{title} {lane + 1}")
                yield _named(thread, "thread_sort_index", sort_index=thread["tid"])
                shown = chain.from_iterable(_shown(found, thread) for found in members)
                if kind == "R":
                    arriving += shown
                else:
                    yield from shown
        yield from _in_flight(opened, node, process)
    yield from arriving


def _named(place: Event, what: str, **values: Any) -> Event:
    return {"ph": "M", "name": what, **place, "args": values}


def _shown(found: _Slice, thread: Event) -> Iterator[Event]:
    """A slice, and the end of an arrow that is bound to it: both begin together, so they stand together."""
    at = {"ts": found.begin, **thread}
    duration = found.end - found.begin
    yield {
        "ph": "X",
        "cat": _THREADS[found.kind],
        "name": found.name,
        **at,
        "dur": duration,
        "args": found.says,
    }
    if found.flow is not None:
        end = {"ph": "s"} if found.kind == "S" else {"ph": "f", "bp": "e"}
        yield {**end, "cat": "transfer", "name": "transfer", "id": found.flow, **at}


def _slices(opened: Opened) -> list[list[_Slice]]:
    """What each node does."""
    instance, scheduled = opened.instance, opened.scheduled
    ids, actions, end = instance.node_ids, scheduled.actions, scheduled.end
    allocation = scheduled.plan.routes.allocation
    slices: list[list[_Slice]] = [[] for _ in ids]
    for action, node in enumerate(actions.node):
        microbatch, position = divmod(action, actions.per_microbatch)
        operation = actions.operation(action)
        begin = end[action] - actions.duration[action]
        says: Event = {"microbatch": microbatch, "stage": allocation[node]}
        if position > 0:
            source, sent = actions.node[action - 1], end[action - 1]
            arrival = sent + actions.lag[action]
            output = f"{actions.operation(action - 1)}{microbatch}"
            transfer = {"microbatch": microbatch, "from": ids[source], "to": ids[node]}
            slices[source].append(_Slice("S", f"{output} to {ids[node]}", sent, arrival, transfer, action))
            waits = transfer | {"waits": begin - arrival}
            slices[node].append(_Slice("R", f"{output} from {ids[source]}", sent, arrival, waits, action))
        slices[node].append(_Slice(operation, f"{operation}{microbatch}", begin, end[action], says))
    for stage, (begin, done) in enumerate(scheduled.allreduces()):
        if begin < done:
            for node in scheduled.rings[stage].nodes:
                slices[node].append(
                    _Slice("A", f"all-reduce of stage {stage}", begin, done, {"stage": stage})
                )
    return slices


def _lanes(slices: Sequence[_Slice]) -> list[list[_Slice]]:
    """Slices in lanes, as few as can be, so that none overlap in a lane."""
    lanes: list[list[_Slice]] = []
    busy: list[tuple[int, int]] = []  # until when, and which lane
    free: list[int] = []
    for found in sorted(slices, key=lambda found: (found.begin, found.end)):
        while busy and busy[0][0] <= found.begin:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if not free:
            free.append(len(lanes))
            lanes.append([])
        lane = heapq.heappop(free)
        lanes[lane].append(found)
        heapq.heappush(busy, (found.end, lane))
    return lanes


def _in_flight(opened: Opened, node: int, process: Event) -> Iterator[Event]:
    """The counter of a node: how many are in flight from when on. A slot freed at a time is taken at it."""
    instance, scheduled = opened.instance, opened.scheduled
    actions = scheduled.actions
    slots = instance.slots[node][scheduled.plan.routes.allocation[node]]
    held = 0
    from_when = {0: 0}
    for action in scheduled.plan.order[node]:
        operation = actions.operation(action)
        if operation == "F":
            held += 1
            from_when[scheduled.end[action] - actions.duration[action]] = held
        elif operation == "B":
            held -= 1
            from_when[scheduled.end[action]] = held
    for time, now in from_when.items():
        yield {
            "ph": "C",
            "name": "microbatches in flight",
            "ts": time,
            **process,
            "args": {"in flight": now, "free slots": slots - now},
        }
