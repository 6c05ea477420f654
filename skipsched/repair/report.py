"""What a repair did: who left, came and moved, what has to be copied, and what became of the paths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from skipsched.instance import Instance
from skipsched.opened import Opened
from skipsched.plan import members_of
from skipsched.repair.copies import Copy, copies
from skipsched.repair.former import Former
from skipsched.scheduled import Scheduled
from skipsched.text.words import counted, seconds, size
from skipsched.topology.model import Topology

FORMAT = "skipsched.repair/1"
#: Nodes and copies that are listed for a person.
_MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class Left:
    """A node that left, the stage it held, and how many microbatches are gone with its data."""

    node: str
    stage: int
    microbatches: int


@dataclass(frozen=True, slots=True)
class Came:
    """A node that came, and the stage it holds."""

    node: str
    stage: int


@dataclass(frozen=True, slots=True)
class Moved:
    """A node that was there and holds another stage than before."""

    node: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Microbatches:
    """What became of the microbatches and their paths; those of a data node are alike.

    Parameters
    ----------
    before, after
        How many an iteration trains.
    new
        Those of them that were not there before.
    kept
        Those that take a path that one took before.
    forced
        Those that need another path: theirs led over a node that left or moved, or over a link that is gone,
        or the rules do not allow it any more.
    changed
        Those that take another path although theirs is still possible.
    """

    before: int
    after: int
    new: int
    kept: int
    forced: int
    changed: int


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What a repair did.

    Parameters
    ----------
    topology
        Its name.
    left, came, moved
        Nodes.
    copies
        One for each node that came or moved.
    microbatches
        They and their paths.
    before, after
        Iteration time, microseconds.
    """

    topology: str
    left: tuple[Left, ...]
    came: tuple[Came, ...]
    moved: tuple[Moved, ...]
    copies: tuple[Copy, ...]
    microbatches: Microbatches
    before: int
    after: int

    def document(self) -> dict[str, Any]:
        """For machines."""
        figures = asdict(self)
        time = {"before": figures.pop("before"), "after": figures.pop("after")}
        return {"format": FORMAT, **figures, "iteration_time": time}

    def told(self) -> Iterator[str]:
        """For a person, line by line; nothing of times."""
        yield from _listed([_told_left(left) for left in self.left])
        yield from _listed([f"{came.node} came: stage {came.stage}" for came in self.came])
        yield from _listed([f"{m.node} moves from stage {m.before} to stage {m.after}" for m in self.moved])
        yield from _listed([_told_copy(copy) for copy in self.copies])
        yield _told_paths(self.microbatches)


def report_of(
    opened: Opened, topology: Topology, instance: Instance, former: Former, scheduled: Scheduled
) -> RepairReport:
    """The report of a repair.

    Parameters
    ----------
    opened
        The schedule as it was.
    topology, instance
        What it is repaired for.
    former
        As it was, in the numbers of that.
    scheduled
        The repaired schedule.
    """
    allocation = scheduled.plan.routes.allocation
    nodes = list(zip(instance.node_ids, former.stages, allocation, strict=True))
    return RepairReport(
        topology=topology.name,
        left=tuple(_left(opened, set(instance.node_ids))),
        came=tuple(Came(node, after) for node, before, after in nodes if before is None),
        moved=tuple(
            Moved(node, before, after) for node, before, after in nodes if before not in (None, after)
        ),
        copies=tuple(copies(topology, former, allocation)),
        microbatches=_microbatches(opened, instance, former, scheduled),
        before=opened.scheduled.objective.iteration_time,
        after=scheduled.objective.iteration_time,
    )


def _left(opened: Opened, there: set[str]) -> Iterator[Left]:
    routes = opened.scheduled.plan.routes
    for node, (node_id, stage) in enumerate(zip(opened.instance.node_ids, routes.allocation, strict=True)):
        if node_id not in there:
            yield Left(node_id, stage, sum(path[0] == node for path in routes.paths))


def _microbatches(opened: Opened, instance: Instance, former: Former, scheduled: Scheduled) -> Microbatches:
    routes = scheduled.plan.routes
    stayed = sum(
        min(instance.microbatches[node], len(former.microbatches.get(node, ())))
        for node in members_of(routes.allocation, instance.stages)[0]
    )
    keeping = former.keeping(instance, routes.allocation, price=0)
    possible = sum(map(len, keeping.paths.values()))
    changed = keeping.left(routes)
    return Microbatches(
        before=len(opened.scheduled.plan.routes.paths),
        after=len(routes.paths),
        new=len(routes.paths) - stayed,
        kept=possible - changed,
        forced=stayed - possible,
        changed=changed,
    )


def _listed(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:_MOST_TOLD]
    if len(lines) > _MOST_TOLD:
        yield f"... and {len(lines) - _MOST_TOLD} more; --report lists them all"


def _told_left(left: Left) -> str:
    lost = f", its {counted(left.microbatches, 'microbatch')} with it" if left.microbatches else ""
    return f"{left.node} left stage {left.stage}{lost}"


def _told_copy(copy: Copy) -> str:
    layers = "" if copy.layers is None else " (layers {} to {})".format(*copy.layers)
    amount = "" if copy.size is None else f", {size(copy.size)}"
    what = f"copy stage {copy.stage}{layers} to {copy.node}"
    if copy.source is None:
        return f"{what}{amount}: no node that held it is left with a link to {copy.node}; take a checkpoint"
    time = "" if copy.time is None else f" in {seconds(copy.time)}"
    return f"{what} from {copy.source}{amount}{time}"


def _told_paths(found: Microbatches) -> str:
    parts = [f"{found.kept} of {counted(found.after, 'microbatch')} keep their path"]
    if found.forced:
        parts.append(f"{found.forced} had to change it")
    if found.changed:
        parts.append(f"{found.changed} change it for the rules or for time")
    if found.new:
        parts.append(f"{found.new} are new")
    return ", ".join(parts)
