"""Why a topology is infeasible, named so that a person can mend it, and what would mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from skipsched.clock import Clock
from skipsched.conflict.change import Change
from skipsched.conflict.member import Kind, Member, members_of
from skipsched.conflict.relax import Relaxations
from skipsched.conflict.repair import Repairs
from skipsched.conflict.shrink import Conflicts
from skipsched.conflict.told import told
from skipsched.topology.model import Topology


@dataclass(frozen=True, slots=True)
class Cause:
    """Rules and numbers that together admit no schedule, and what would make the topology feasible.

    Parameters
    ----------
    rules
        The rules in conflict, by their names, each once.
    message
        One sentence for a person.
    members
        The rules and numbers in conflict, each with its place.
    irreducible
        Whether it is proved that without any one of the members the others agree. If not, the limits ended
        the proof: the members conflict, but some of them may be innocent.
    changes
        The smallest change that makes the topology feasible: the fewest fields (each new link is one), then
        the fewest rules switched off, then new values nearest to the old ones. Empty if none is found, or if
        it is an allocation to be kept that stands against a feasible topology.
    searched
        Whether the search for that change came to its end. If not, the limits ended it: the change is the
        smallest found so far, and if it is empty there may be one all the same.
    """

    rules: tuple[str, ...]
    message: str
    members: tuple[Member, ...]
    irreducible: bool
    changes: tuple[Change, ...]
    searched: bool

    def document(self) -> dict[str, Any]:
        """For machines; lines and columns count from 1 and are null for what is not written."""
        members = [
            {
                "rule": member.rule,
                "field": member.field,
                "value": member.value,
                "note": member.note,
                "line": None if member.mark is None else member.mark.line + 1,
                "column": None if member.mark is None else member.mark.column + 1,
            }
            for member in self.members
        ]
        return {
            "rules": self.rules,
            "message": self.message,
            "members": members,
            "irreducible": self.irreducible,
            "changes": [asdict(change) for change in self.changes],
            "searched": self.searched,
        }


def explain(topology: Topology, clock: Clock, workers: int, allocation: Sequence[int] | None = None) -> Cause:
    """Explain why a topology is infeasible, as far as the clock allows.

    Parameters
    ----------
    topology
        A topology that is known to be infeasible.
    clock, workers
        Limits. The clock's end is no error: what is known by then is returned.
    allocation
        The stage of each node if an allocation is to be kept.
    """
    relaxations = Relaxations(topology, allocation)
    every = members_of(topology, relaxations.instance, allocation is not None)
    conflicts = Conflicts(relaxations, every, clock, workers)
    members = conflicts.shrink(every)
    irreducible = conflicts.certain
    changes: tuple[Change, ...] = ()
    searched = True
    if not any(member.kind is Kind.GIVEN for member in members):
        # The topology is infeasible by itself, whatever allocation was to be kept.
        without = [member for member in every if member.kind is not Kind.GIVEN]
        repairs = Repairs(topology, without, conflicts, clock, workers)
        changes = repairs.smallest(members)
        searched = repairs.complete
    alone = relaxations.without({member.key for member in every if member not in members})
    message = told(members, alone, relaxations.instance)
    if not irreducible:
        message += " (some of them may be innocent: not all could be tried without)"
    rules = tuple(dict.fromkeys(member.rule for member in members))
    return Cause(rules, message, members, irreducible, changes, searched)
