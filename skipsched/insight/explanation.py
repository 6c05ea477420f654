"""Why an iteration takes as long as it does: all of it in one object, from which every form of it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from skipsched.bounds import Bound, best_bound
from skipsched.insight.critical import Step, critical_path, starts
from skipsched.insight.loads import LinkLoad, NodeLoad, link_loads, node_loads
from skipsched.insight.shares import Life, PathShares
from skipsched.opened import Opened
from skipsched.schedule import Schedule


@dataclass(frozen=True)
class Explanation:
    """What a schedule's iteration time is made of.

    Parameters
    ----------
    opened
        The schedule.
    bound
        The best lower bound known without solving.
    steps, shares, life
        The critical path, what it is made of, and the life of the microbatch that the iteration ends with.
    nodes, links
        What every node, by its index, and every row of the links has to bear, as `skipsched.insight.loads`
        gives it.
    """

    opened: Opened
    bound: Bound
    steps: Sequence[Step]
    shares: PathShares
    life: Life | None
    nodes: Sequence[NodeLoad]
    links: Sequence[LinkLoad]

    @property
    def iteration_time(self) -> int:
        """Microseconds."""
        return self.opened.scheduled.objective.iteration_time

    def document(self) -> dict[str, Any]:
        """For machines; times in microseconds."""
        topology = self.opened.topology
        return {
            "topology": topology.name,
            "sha256": topology.sha256,
            "iteration_time": self.iteration_time,
            "lower_bound": self.bound.value,
            "bound_kind": self.bound.kind,
            "critical_path": {
                "times": self.shares.times,
                "causes": self.shares.causes,
                "steps": [self._step(step) for step in self.steps],
            },
            "last_microbatch": None if self.life is None else asdict(self.life),
            "nodes": [asdict(load) | {"node": topology.nodes[load.node].id} for load in self.nodes],
            "links": [asdict(load) for load in self.links],
        }

    def _step(self, step: Step) -> dict[str, Any]:
        """A step of the critical path; the action is the one that `Step` says."""
        row: dict[str, Any] = {"kind": step.kind, "begin": step.begin, "end": step.end, "cause": step.cause}
        if step.action is None:
            return row
        actions, ids = self.opened.scheduled.actions, self.opened.instance.node_ids
        node = actions.node[step.action]
        row["microbatch"] = step.action // actions.per_microbatch
        row["stage"] = self.opened.scheduled.plan.routes.allocation[node]
        row["node"] = ids[node]
        if step.kind == "transfer":
            row["from"] = ids[actions.node[step.action - 1]]
        return row


def explained(schedule: Schedule, opened: Opened, own_topology: bool) -> Explanation:
    """Explain a schedule's iteration time.

    Parameters
    ----------
    schedule, opened
        The schedule.
    own_topology
        Whether it is judged by the topology that it carries, for which alone its bound holds.
    """
    instance, scheduled = opened.instance, opened.scheduled
    why = starts(instance, scheduled)
    steps = critical_path(scheduled, why)
    return Explanation(
        opened=opened,
        bound=_bound(schedule, opened, own_topology),
        steps=steps,
        shares=PathShares.of(steps),
        life=Life.of(scheduled, why),
        nodes=node_loads(instance, scheduled, why, steps),
        links=link_loads(opened, steps),
    )


def _bound(schedule: Schedule, opened: Opened, own_topology: bool) -> Bound:
    """The better of the schedule's bound, if it is one of the whole problem, and a quick one."""
    bound, document = best_bound(opened.instance), schedule.document
    if own_topology and not document["solver"]["restricted_to"]:
        claimed = document["lower_bound"]
        if claimed is not None and claimed > bound.value:
            return Bound(claimed, document["bound_kind"])
    return bound
