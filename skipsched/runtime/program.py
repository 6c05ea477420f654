"""Schedule -> what each node does and which messages pass each link, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from skipsched.api import validate
from skipsched.opened import refuse_violations
from skipsched.schedule import Schedule


class Message(NamedTuple):
    """An activation or a gradient on its way, named by the action that takes it: operation and microbatch."""

    op: str
    microbatch: int


@dataclass(frozen=True, slots=True)
class Instruction:
    """One action of a node.

    Parameters
    ----------
    op
        ``F``, ``L`` or ``B``.
    microbatch
        Which one.
    source
        The node that its input comes from; None for the first forward of a microbatch.
    target
        The node that its output goes to; None for the last backward of a microbatch.
    message
        What the output is called on its way; None without a target.
    """

    op: str
    microbatch: int
    source: str | None
    target: str | None
    message: Message | None


@dataclass(frozen=True, slots=True)
class Programs:
    """What a schedule asks of each node.

    Parameters
    ----------
    nodes
        All nodes, in the order of the topology: the order of ranks.
    stages
        The nodes of each stage; in the order of the stage's ring where the schedule has one.
    instructions
        The actions of each node, in the order of execution.
    messages
        For each directed link that is used, its messages in the order in which the source sends them. The
        target receives them in that order: messages need no labels of their own.
    executed
        The number of microbatches that each stage executes in an iteration.
    data_nodes
        The data node of each microbatch.
    """

    nodes: tuple[str, ...]
    stages: tuple[tuple[str, ...], ...]
    instructions: Mapping[str, tuple[Instruction, ...]]
    messages: Mapping[tuple[str, str], tuple[Message, ...]]
    executed: tuple[int, ...]
    data_nodes: tuple[str, ...]

    @classmethod
    def of(cls, schedule: Schedule) -> Programs:
        """Lay out the programs of a schedule.

        Raises
        ------
        InputError
            If the schedule does not pass the checker: with cyclic orders or too many microbatches in flight,
            say, it could not be executed.
        """
        refuse_violations(validate(schedule))
        document = schedule.document
        by_id = sorted(document["microbatches"], key=lambda entry: entry["id"])
        instructions = {
            node: tuple(_instruction(row, node, by_id[row["microbatch"]]["path"]) for row in rows)
            for node, rows in document["actions"].items()
        }
        return cls(
            nodes=tuple(node["id"] for node in document["topology"]["document"]["nodes"]),
            stages=tuple(tuple(members) for members in document.get("rings", document["stages"])),
            instructions=instructions,
            messages=_messages(instructions),
            executed=tuple(
                sum(stage in entry["stages"] for entry in by_id) for stage in range(len(document["stages"]))
            ),
            data_nodes=tuple(entry["data_node"] for entry in by_id),
        )

    def stage_of(self, node: str) -> int:
        """The stage that a node holds."""
        return next(stage for stage, members in enumerate(self.stages) if node in members)


def _instruction(row: Mapping[str, Any], node: str, path: Sequence[str]) -> Instruction:
    """One action of the document; `path` is its microbatch's."""
    op, target = row["op"], row.get("to")
    # Forwards lead to forwards, the last one to the loss, and the loss, like a backward, to a backward.
    after = "B" if op != "F" else "L" if node == path[-1] else "F"
    message = None if target is None else Message(after, row["microbatch"])
    return Instruction(op, row["microbatch"], row.get("from"), target, message)


def _messages(
    instructions: Mapping[str, tuple[Instruction, ...]],
) -> dict[tuple[str, str], tuple[Message, ...]]:
    found: dict[tuple[str, str], list[Message]] = {}
    for node, program in instructions.items():
        for instruction in program:
            if instruction.target is not None and instruction.message is not None:
                found.setdefault((node, instruction.target), []).append(instruction.message)
    return {link: tuple(messages) for link, messages in found.items()}
