"""What every chart of a schedule draws: bars on the rows of its nodes, and the part of them asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from skipsched.instance import Instance
from skipsched.opened import Opened
from skipsched.schedule.document import bubble_ratio
from skipsched.scheduled import Scheduled
from skipsched.text.words import counted, seconds

Kind = Literal["F", "L", "B", "overhead", "all-reduce"]

#: What a bar stands for, in the order of a legend.
NAMES: dict[Kind, str] = {
    "F": "forward",
    "L": "loss",
    "B": "backward",
    "overhead": "overhead",
    "all-reduce": "all-reduce",
}


@dataclass(frozen=True, slots=True)
class View:
    """Which part of a schedule is drawn.

    Parameters
    ----------
    begin, end
        The stretch of time, microseconds; `begin` is less than `end`.
    nodes
        Nodes by index; all of them if empty.
    microbatches
        Microbatches that stand out; if empty, none does more than another.
    """

    begin: int
    end: int
    nodes: frozenset[int] = frozenset()
    microbatches: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time on one node.

    Parameters
    ----------
    kind
        What passes.
    microbatch
        Whose action it is, or whose action an overhead follows; None for an all-reduce.
    begin, end
        Microseconds.
    chosen
        Whether it is among what stands out.
    """

    kind: Kind
    microbatch: int | None
    begin: int
    end: int
    chosen: bool = True

    @property
    def is_action(self) -> bool:
        """Whether a node computes."""
        return self.kind in ("F", "L", "B")

    def within(self, begin: int, end: int) -> int:
        """How much of it lies in a stretch of time, microseconds."""
        return max(0, min(self.end, end) - max(self.begin, begin))


@dataclass(frozen=True, slots=True)
class Row:
    """A node with its bars in order of time: those that the view shows a part of."""

    node: str
    stage: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A schedule, ready to be drawn.

    Parameters
    ----------
    title
        What it is, in a line.
    view
        The part that is drawn.
    rows
        Nodes, stage by stage.
    left_out
        Nodes that have no row, since no microbatch asked for visits them.
    """

    title: str
    view: View
    rows: tuple[Row, ...]
    left_out: int


def chart_of(opened: Opened, view: View) -> Chart:
    """The chart of a schedule.

    Where microbatches are asked for and nodes are not, the rows are those of the nodes they visit.
    """
    instance, scheduled = opened.instance, opened.scheduled
    routes = scheduled.plan.routes
    visited = {node for microbatch in view.microbatches for node in routes.paths[microbatch]}
    shown = view.nodes or visited or range(instance.nodes)
    averaging = [
        [Bar("all-reduce", None, begin, end)] if begin < end else [] for begin, end in scheduled.allreduces()
    ]
    rows = []
    for stage, members in enumerate(routes.members(instance.stages)):
        for node in filter(shown.__contains__, members):
            bars = _bars(instance, scheduled, node, view.microbatches)
            kept = tuple(bar for bar in (*bars, *averaging[stage]) if _in_view(bar, view))
            rows.append(Row(instance.node_ids[node], stage, kept))
    left_out = 0 if view.nodes else instance.nodes - len(rows)
    return Chart(_title(opened, view), view, tuple(rows), left_out)


def _bars(instance: Instance, scheduled: Scheduled, node: int, chosen: frozenset[int]) -> Iterator[Bar]:
    """The actions of a node and the overheads between them."""
    actions, sequence = scheduled.actions, scheduled.plan.order[node]
    for position, action in enumerate(sequence, 1):
        microbatch, end = action // actions.per_microbatch, scheduled.end[action]
        stands_out = not chosen or microbatch in chosen
        begin = end - actions.duration[action]
        yield Bar(actions.operation(action), microbatch, begin, end, stands_out)
        # That of a node's last action counts for nothing.
        if instance.overhead and position < len(sequence):
            yield Bar("overhead", microbatch, end, end + instance.overhead, stands_out)


def _in_view(bar: Bar, view: View) -> bool:
    if bar.begin == bar.end:
        return view.begin <= bar.begin <= view.end
    return bar.within(view.begin, view.end) > 0


def _title(opened: Opened, view: View) -> str:
    instance, value = opened.instance, opened.scheduled.objective
    time = value.iteration_time
    bubbles = bubble_ratio(sum(opened.scheduled.actions.duration), instance.nodes, time)
    parts = [
        f"{instance.name}: iteration time {seconds(time)}",
        f"bubble ratio {100 * bubbles:.1f} %",
        counted(instance.nodes, "node"),
        counted(instance.stages, "stage"),
        counted(len(opened.scheduled.plan.routes.paths), "microbatch"),
    ]
    if (view.begin, view.end) != whole(opened):
        parts.append(f"from {seconds(view.begin)} to {seconds(view.end)}")
    return ", ".join(parts)


def whole(opened: Opened) -> tuple[int, int]:
    """The whole iteration as a stretch of time; one without duration is drawn as a microsecond."""
    return 0, max(1, opened.scheduled.objective.iteration_time)
