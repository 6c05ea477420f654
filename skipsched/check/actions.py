"""The nodes' lists of actions: exactly those the paths call for, each with its stage and its route."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from skipsched.check.case import Case
from skipsched.check.chains import OPS, Chains
from skipsched.check.microbatches import Microbatches
from skipsched.check.values import is_integer, shown


@dataclass(frozen=True, slots=True)
class Claim:
    """One action as the document lists it, with its claimed start and end; None where that is no time."""

    action: int
    start: int | None
    end: int | None


@dataclass(frozen=True, slots=True)
class Order:
    """The actions of every node in the order of its list.

    Parameters
    ----------
    claims
        By node. Entries that are no action of any path, or one listed twice, are left out; they have been
        reported.
    exact
        Whether every action of every path is there once, and nothing else.
    """

    claims: tuple[list[Claim], ...]
    exact: bool


def read_order(lists: dict[Any, Any] | None, chains: Chains, microbatches: Microbatches, case: Case) -> Order:
    """Read `actions` and check it. None stands for a value already reported as no object."""
    reader = _Reader(chains, microbatches, case)
    if lists is None:
        return Order(tuple(reader.claims), False)
    for name in lists:
        if name not in case.index:
            case.fail("actions", f"{shown(name)} has a list of actions, but is no node of the topology")
            reader.exact = False
    for node, name in enumerate(case.instance.node_ids):
        reader.read_node(node, lists.get(name), name in lists)
    reader.finish()
    return Order(tuple(reader.claims), reader.exact)


class _Reader:
    """Reads the lists of one document and keeps what was seen."""

    def __init__(self, chains: Chains, microbatches: Microbatches, case: Case) -> None:
        self._chains = chains
        self._microbatches = microbatches
        self._case = case
        self._seen = bytearray(len(chains))
        self._listed: list[tuple[int, dict[str, Any]]] = []
        self._repeated: set[int] = set()
        self._unreadable: set[int] = set()
        self._unknown: Counter[int] = Counter()
        self.claims: list[list[Claim]] = [[] for _ in range(case.instance.nodes)]
        self.exact = True

    def read_node(self, node: int, entries: Any, present: bool) -> None:
        if not isinstance(entries, list):
            found = f"its list of actions is {shown(entries)}" if present else "has no list of actions"
            self._refuse(f"{found}; an idle node has []", node)
            return
        for position, entry in enumerate(entries):
            action = self._action(node, position, entry)
            if action is not None:
                self._listed.append((action, entry))

    def finish(self) -> None:
        """Report what is unknown or missing, then judge what the actions listed say of themselves."""
        self._report_unknown()
        self._report_missing()
        for action, entry in self._listed:
            # Of an action listed twice nobody knows which entry is meant.
            if action not in self._repeated:
                self._check_stage(action, entry)
                self._check_route(action, entry)
                self._append(action, entry)

    def _report_unknown(self) -> None:
        for number, count in self._unknown.items():
            listed = "1 action of it is" if count == 1 else f"{count} actions of it are"
            message = f"is none of the schedule's microbatches, yet {listed} listed"
            self._case.fail("actions", message, microbatch=number)
            self.exact = False

    def _report_missing(self) -> None:
        for action, seen in enumerate(self._seen):
            if seen:
                continue
            self.exact = False
            # Where a list or an entry could not be read, what is missing is most likely that.
            if self._chains.node[action] not in self._unreadable:
                self._fail("actions", f"{self._chains.op[action]} is missing from the node's list", action)

    def _refuse(self, message: str, node: int) -> None:
        self._case.fail("actions", message, node=node)
        self._unreadable.add(node)
        self.exact = False

    def _action(self, node: int, position: int, entry: Any) -> int | None:
        """The action an entry lists; None if there is none, or none that can be judged."""
        if not isinstance(entry, dict):
            self._refuse(f"entry {position} is {shown(entry)}, not an object", node)
            return None
        op, number = entry.get("op"), entry.get("microbatch")
        if op not in OPS:
            self._refuse(f"entry {position} has {shown(op)} for `op`, which is none of {' '.join(OPS)}", node)
            return None
        if not is_integer(number) or number.bit_length() > 64:
            self._refuse(f"entry {position} has {shown(number)} for `microbatch`", node)
            return None
        if number not in self._chains:
            # A microbatch that could not be read has been reported; its actions are not judged.
            self.exact = False
            if number not in self._microbatches.ids and not self._microbatches.nameless:
                self._unknown[number] += 1
            return None
        return self._called_for(node, op, number)

    def _called_for(self, node: int, op: str, number: int) -> int | None:
        action = self._chains.number(number, op, node)
        if action is None or self._seen[action]:
            what = f"{op} is listed here, where its path does not call for it"
            message = what if action is None else f"{op} is listed twice"
            self._case.fail("actions", message, microbatch=number, node=node)
            self.exact = False
            if action is not None:
                self._repeated.add(action)
            return None
        self._seen[action] = 1
        return action

    def _check_stage(self, action: int, entry: dict[str, Any]) -> None:
        claimed, stage = entry.get("stage"), self._chains.stage(action)
        if not is_integer(claimed) or claimed != stage:
            chains = self._chains
            message = f"`stage` of {chains.op[action]} is {shown(claimed)}; the node holds stage {stage}"
            self._fail("actions", message, action)

    def _check_route(self, action: int, entry: dict[str, Any]) -> None:
        chains, ids = self._chains, self._case.instance.node_ids
        for key, node in (("from", chains.source[action]), ("to", chains.target[action])):
            if (key not in entry) if node is None else (entry.get(key) == ids[node]):
                continue
            found = shown(entry[key]) if key in entry else "absent"
            expected = "nothing at this end of the chain" if node is None else self._case.name(node)
            message = f"`{key}` of {chains.op[action]} is {found}; by the path it is {expected}"
            self._fail("route", message, action)

    def _append(self, action: int, entry: dict[str, Any]) -> None:
        times: list[int | None] = []
        for key in ("start", "end"):
            time = entry.get(key)
            if not is_integer(time):
                message = f"`{key}` of {self._chains.op[action]} is {shown(time)}, not integer microseconds"
                self._fail("times", message, action)
                time = None
            times.append(time)
        self.claims[self._chains.node[action]].append(Claim(action, times[0], times[1]))

    def _fail(self, rule: str, message: str, action: int) -> None:
        chains = self._chains
        self._case.fail(rule, message, microbatch=chains.microbatch[action], node=chains.node[action])
