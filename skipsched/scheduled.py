"""A plan together with what replaying it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skipsched.instance import Instance
from skipsched.objective import Objective
from skipsched.plan import Actions, Plan
from skipsched.rings import Ring
from skipsched.timing import replay


@dataclass(frozen=True)
class Scheduled:
    """A plan with its replayed times and its value.

    Parameters
    ----------
    plan
        The plan.
    actions
        Its actions.
    end
        End of each action, microseconds.
    rings
        The ring of every stage.
    objective
        Its value.
    """

    plan: Plan
    actions: Actions
    end: Sequence[int]
    rings: Sequence[Ring]
    objective: Objective

    @classmethod
    def of(cls, instance: Instance, plan: Plan, actions: Actions, rings: Sequence[Ring]) -> Scheduled:
        """Replay and value a plan.

        Raises
        ------
        Deadlock
            If its order is cyclic.
        """
        end = replay(actions, plan.order, instance.overhead)
        objective = Objective.of(plan.routes, actions, end, [ring.allreduce for ring in rings])
        return cls(plan, actions, end, rings, objective)

    def allreduces(self) -> list[tuple[int, int]]:
        """When the all-reduce of each stage begins and ends, microseconds; an idle stage begins at 0."""
        allocation = self.plan.routes.allocation
        begins = [0] * len(self.rings)
        for action, end in enumerate(self.end):
            if self.actions.operation(action) == "B":
                stage = allocation[self.actions.node[action]]
                begins[stage] = max(begins[stage], end)
        return [(begin, begin + ring.allreduce) for begin, ring in zip(begins, self.rings, strict=True)]

    def keeps_slots(self, instance: Instance) -> bool:
        """Whether no node has more microbatches in flight than slots, counted along its order."""
        allocation = self.plan.routes.allocation
        for node, sequence in enumerate(self.plan.order):
            in_flight = 0
            for action in sequence:
                in_flight += {"F": 1, "L": 0, "B": -1}[self.actions.operation(action)]
                if in_flight > instance.slots[node][allocation[node]]:
                    return False
        return True
