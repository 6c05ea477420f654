"""The microbatches: each there once, from its data node, on a path of known nodes, with their true stages."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from skipsched.check.allocation import Allocation
from skipsched.check.case import Case, listing
from skipsched.check.values import is_integer, shown


@dataclass(frozen=True, slots=True)
class Microbatch:
    """One microbatch, its nodes by index, and the stages that its path's nodes hold."""

    id: int
    data_node: int
    path: tuple[int, ...]
    stages: tuple[int, ...]


@dataclass(slots=True)
class Microbatches:
    """What could be read of the microbatches.

    Parameters
    ----------
    readable
        Those whose path is known, by ascending id.
    ids
        All ids seen, also of those whose path is not known.
    nameless
        Whether an entry has no id to know it by.
    exact
        Whether the ids are those the topology asks for.
    """

    readable: list[Microbatch] = field(default_factory=list)
    ids: set[int] = field(default_factory=set)
    nameless: bool = False
    exact: bool = False

    @property
    def whole(self) -> bool:
        """Whether every microbatch is there and its path is known."""
        return self.exact and len(self.readable) == len(self.ids)


def read_microbatches(entries: list[Any] | None, allocation: Allocation, case: Case) -> Microbatches:
    """Read `microbatches` and check it. None stands for a value already reported as no list."""
    found = Microbatches()
    if entries is None:
        found.nameless = True
        return found
    emitted: Counter[int] = Counter()
    sourceless = False
    for position, entry in enumerate(entries):
        number = _id(entry, position, case)
        if number is None:
            found.nameless = True
            continue
        if number in found.ids:
            case.fail("microbatches", "its id stands here twice", microbatch=number)
            continue
        found.ids.add(number)
        data_node = _node(entry, "data_node", number, case)
        if data_node is None:
            sourceless = True
            continue
        emitted[data_node] += 1
        path = _path(entry, number, case)
        stages = tuple(stage for node in path or () if (stage := allocation.stage[node]) is not None)
        if path and len(stages) == len(path):
            _check_stages(entry, stages, number, case)
            found.readable.append(Microbatch(number, data_node, path, stages))
    found.readable.sort(key=lambda microbatch: microbatch.id)
    _check_ids(found, len(entries), allocation, case)
    if allocation.known and not found.nameless and not sourceless:
        _check_counts(emitted, allocation, case)
    return found


def _id(entry: Any, position: int, case: Case) -> int | None:
    if not isinstance(entry, dict):
        case.fail("microbatches", f"entry {position} is {shown(entry)}, not an object")
        return None
    number = entry.get("id")
    # An id with endless digits is nobody's, and could not be printed where a violation names its microbatch.
    if is_integer(number) and number.bit_length() <= 64:
        return number
    case.fail("microbatches", f"entry {position} has {shown(number)} for its id")
    return None


def _node(entry: dict[str, Any], key: str, number: int, case: Case) -> int | None:
    name = entry.get(key)
    node = case.index.get(name) if isinstance(name, str) else None
    if node is None:
        case.fail("microbatches", f"`{key}` is {shown(name)}, which is no node", microbatch=number)
    return node


def _path(entry: dict[str, Any], number: int, case: Case) -> tuple[int, ...] | None:
    names = entry.get("path")
    if not isinstance(names, list) or not names:
        case.fail("microbatches", f"`path` is {shown(names)}, not a list of nodes", microbatch=number)
        return None
    path = []
    for name in names:
        node = case.index.get(name) if isinstance(name, str) else None
        if node is None:
            case.fail("microbatches", f"its path visits {shown(name)}, which is no node", microbatch=number)
            return None
        path.append(node)
    return tuple(path)


def _check_stages(entry: dict[str, Any], stages: tuple[int, ...], number: int, case: Case) -> None:
    claimed = entry.get("stages")
    is_list = isinstance(claimed, list) and all(map(is_integer, claimed))
    if not is_list or claimed != list(stages):
        held = shown(list(stages))
        message = f"`stages` is {shown(claimed)}; the nodes of its path hold {held}"
        case.fail("microbatches", message, microbatch=number)


def _check_ids(found: Microbatches, entries: int, allocation: Allocation, case: Case) -> None:
    """Ids are 0 .. total-1; without the data nodes known, the total is the length of the list."""
    total = entries
    if allocation.known:
        total = sum(case.instance.microbatches[node] for node in allocation.members(0))
    outside = sorted(number for number in found.ids if not 0 <= number < total)
    missing = total - (len(found.ids) - len(outside))
    for number in outside:
        case.fail("microbatches", f"ids are 0 to {total - 1}", microbatch=number)
    if missing and not found.nameless:
        names = listing((str(number) for number in range(total) if number not in found.ids), missing)
        case.fail("microbatches", f"of the ids 0 to {total - 1} these are missing: {names}")
    found.exact = not outside and not missing and not found.nameless and len(found.ids) == entries


def _check_counts(emitted: Counter[int], allocation: Allocation, case: Case) -> None:
    for node in allocation.members(0):
        asked = case.instance.microbatches[node]
        if emitted[node] != asked:
            message = f"emits {emitted[node]} microbatches; the topology says {asked}"
            case.fail("microbatches", message, node=node)
    if not any(case.instance.microbatches[node] for node in allocation.members(0)):
        case.fail("microbatches", "no data node of this allocation emits any; the total must be positive")
