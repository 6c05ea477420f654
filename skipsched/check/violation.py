"""A violation: what is wrong with a schedule, and of whom."""

from __future__ import annotations

from dataclasses import dataclass

from skipsched.check.values import seconds
from skipsched.text.diagnostics import printable

#: Every name a violation can carry: the rules of the problem first, then what only a document can get wrong.
RULES = {
    "first-stage": "every path begins at stage 0 on its own data node and never enters stage 0 again",
    "path-length": "a path executes exactly path_length distinct stages",
    "swap": "a stage below the frontier is within the swap distance and the sum of swaps",
    "jump": "a stage above the frontier is within the jump",
    "even-stages": "all stages but the first are executed equally often",
    "cover": "the microbatches of each data node together execute every stage",
    "even-nodes": "the nodes of each stage but the first execute equally many microbatches",
    "path-period": "a microbatch takes the path of the one a period before it",
    "memory": "never more microbatches in flight on a node than it has slots",
    "no-collision": "a node runs one action at a time",
    "format": "the document's keys and their types",
    "topology": "the topology's name, document and hash belong together",
    "status": "the solver's status is one a schedule can have, and OPTIMAL is backed by the bound",
    "allocation": "every node holds one stage, within sizes, pins and memory",
    "microbatches": "every microbatch is there once, from its data node, with known nodes and true stages",
    "link": "nodes that follow each other on a path are linked in both directions",
    "actions": "every node lists exactly the actions that the paths call for",
    "route": "`from` and `to` of every action are its neighbours on the path",
    "deadlock": "the order can be executed",
    "times": "every start and end is what the replay gives",
    "makespan": "the end of the last action",
    "ring": "every stage's ring joins exactly its nodes, over links that exist",
    "objective": "the iteration time is what the replay and the all-reduces give",
    "bound": "the lower bound is no greater than the iteration time, and is named",
    "robust": "no schedule to choose from was shorter than the bound, or longer than the one chosen",
    "gap": "the gap follows from iteration time and bound",
    "bubble-ratio": "the bubble ratio follows from durations and iteration time",
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong with a schedule.

    Parameters
    ----------
    rule
        One of `RULES`.
    message
        One sentence without a full stop.
    microbatch
        The microbatch it concerns, if it concerns one.
    node
        The node it concerns, if it concerns one.
    time
        Microseconds from the start of the iteration, where it happens at some time.
    """

    rule: str
    message: str
    microbatch: int | None = None
    node: str | None = None
    time: int | None = None

    def format(self) -> str:
        """One line: ``memory[microbatch 3, node eu0, at 12.345678 s]: 3 microbatches in flight, ...``."""
        places = []
        if self.microbatch is not None:
            places.append(f"microbatch {self.microbatch}")
        if self.node is not None:
            places.append(f"node {self.node}")
        if self.time is not None:
            places.append(f"at {seconds(self.time)}")
        where = f"[{', '.join(places)}]" if places else ""
        return printable(f"{self.rule}{where}: {self.message}")
