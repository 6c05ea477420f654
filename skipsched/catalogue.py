"""The best that is known of the shipped instances, found by runs much longer than those it judges."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

#: The file beside the instances.
FILE = "best_known.json"


def best_known(name: str, sha256: str) -> int | None:
    """Best known iteration time of a shipped topology, microseconds; None if it is another, or changed."""
    entry = entries().get(name)
    if entry is None or entry["sha256"] != sha256:
        return None
    time: int = entry["iteration_time"]["value"]
    return time


@cache
def entries() -> Mapping[str, Any]:
    """The file's entries by the instances' names."""
    text = (resources.files("skipsched_instances") / FILE).read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
