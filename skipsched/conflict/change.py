"""Changes to a topology's document."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_STEP = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")


@dataclass(frozen=True, slots=True)
class Change:
    """Another value for one field.

    Parameters
    ----------
    field
        Its path in the topology's document: ``rules.max_jump``, ``nodes[2].stage``, ``network.links[7]``; the
        index after the last adds to a list. Nodes are numbered with their groups expanded.
    old
        Its value, as it stands in the document; None if it does not stand there.
    new
        What to write instead; None to take it out.
    note
        What a person needs beside: the node's id, say; may be empty.
    """

    field: str
    old: Any
    new: Any
    note: str = ""

    @property
    def says(self) -> str:
        """The change for a person."""
        note = f" ({self.note})" if self.note else ""
        if self.new is None:
            return f"{self.field}: leave it out{note}"
        instead = f" instead of {_written(self.old)}" if self.old is not None else ""
        return f"{self.field}: {_written(self.new)}{instead}{note}"


def applied(document: Mapping[str, Any], changes: Iterable[Change]) -> dict[str, Any]:
    """A topology's document with some changes; `skipsched.topology.load.load_document` loads it."""
    changed = copy.deepcopy(dict(document))
    for change in changes:
        *parents, last = _steps(change.field)
        inside: Any = changed
        for step, after in zip(parents, [*parents[1:], last], strict=True):
            if isinstance(step, str):
                inside = inside.setdefault(step, {} if isinstance(after, str) else [])
            else:
                inside = inside[step]
        if change.new is None:
            del inside[last]
        elif isinstance(last, int) and last == len(inside):
            inside.append(change.new)
        else:
            inside[last] = change.new
    return changed


def value_at(document: Mapping[str, Any], where: str) -> Any:
    """The value of a field of a document; None if it does not stand there."""
    inside: Any = document
    for step in _steps(where):
        if isinstance(step, str) and step not in inside:
            return None
        inside = inside[step]
    return inside


def _steps(where: str) -> list[str | int]:
    return [key or int(index) for key, index in _STEP.findall(where)]


def _written(value: Any) -> str:
    """A value as YAML in one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_written(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    return str(value)
