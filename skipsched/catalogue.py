"""What is known of the shipped instances: the best, by longer runs than it judges, and what is published."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skipsched.topology.model import Topology

#: The files beside the instances.
FILE, PUBLISHED = "best_known.json", "published.json"


def best_known(name: str, sha256: str) -> int | None:
    """Best known iteration time of a shipped topology, microseconds; None if it is another, or changed."""
    entry = entries().get(name)
    if entry is None or entry["sha256"] != sha256:
        return None
    time: int = entry["iteration_time"]["value"]
    return time


def entries() -> Mapping[str, Any]:
    """The best known by the instances' names."""
    return _read(FILE)


@cache
def _read(name: str) -> Mapping[str, Any]:
    text = (resources.files("skipsched_instances") / name).read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def published(topology: Topology) -> tuple[str | None, Mapping[str, int]]:
    """What a published implementation reached on a topology.

    Returns
    -------
    tuple
        Where the figures come from (None without any), and microseconds by the name of the method
        (`skipsched.compare.methods`).
    """
    entry = _read(PUBLISHED).get(topology.name)
    if entry is None or entry["sha256"] != topology.sha256:
        return None, {}
    return entry["source"], entry["iteration_times"]
