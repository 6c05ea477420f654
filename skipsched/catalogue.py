"""The best that is known of the shipped instances, found by runs much longer than those it judges."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

#: The file beside the instances.
FILE = "best_known.json"


@dataclass(frozen=True, slots=True)
class BestKnown:
    """What is known of one instance.

    Parameters
    ----------
    iteration_time
        Microseconds of the best schedule found so far.
    lower_bound
        Microseconds of the best bound proved so far.
    """

    iteration_time: int
    lower_bound: int


def best_known(name: str, sha256: str) -> BestKnown | None:
    """What is known of a topology; None if it is no shipped instance, or a changed one."""
    entry = entries().get(name)
    if entry is None or entry["sha256"] != sha256:
        return None
    return BestKnown(entry["iteration_time"]["value"], entry["lower_bound"]["value"])


@cache
def entries() -> Mapping[str, Any]:
    """The file's entries by the instances' names."""
    text = (resources.files("skipsched_instances") / FILE).read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
