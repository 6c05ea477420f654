"""The best-known results that are shipped: each of a shipped instance as it is, with a bound that can be."""

from __future__ import annotations

import copy
import datetime
from collections.abc import Callable
from typing import Any

import pytest

from skipsched.catalogue import entries
from skipsched.topology.load import load_topology
from skipsched.topology.shipped import shipped_names

Entry = dict[str, Any]

#: Nodes from which on loading an instance is left to the slow tests.
LARGE = 100


def nodes(name: str) -> int:
    """How many nodes a shipped instance has, as its name says."""
    return int(name.rpartition("-")[2])


def figure_faults(figure: Any, keys: set[str]) -> list[str]:
    """What is wrong with one figure and what is told of how it was found."""
    if not isinstance(figure, dict) or set(figure) != keys | {"value", "found", "by", "seconds"}:
        return ["keys"]
    found = []
    if type(figure["value"]) is not int or figure["value"] <= 0:
        found.append("value")
    try:
        datetime.date.fromisoformat(figure["found"])
    except (TypeError, ValueError):
        found.append("found")
    if not isinstance(figure["by"], str) or not figure["by"]:
        found.append("by")
    if not isinstance(figure["seconds"], int | float) or figure["seconds"] < 0:
        found.append("seconds")
    return found


def faults(name: str, entry: Entry) -> list[str]:
    """What is wrong with an entry, save for its hash."""
    if name not in shipped_names():
        return ["name"]
    if set(entry) != {"sha256", "iteration_time", "lower_bound"}:
        return ["keys"]
    time, bound = entry["iteration_time"], entry["lower_bound"]
    found = figure_faults(time, set())
    if bound is not None:
        found += figure_faults(bound, {"kind"})
        if not found and bound["value"] > time["value"]:
            found.append("above")
    return found


def same_topology(name: str, entry: Entry) -> bool:
    return bool(load_topology(name).sha256 == entry["sha256"])


SHIPPED = sorted(entries().items())
SMALL = [(name, entry) for name, entry in SHIPPED if name not in shipped_names() or nodes(name) <= LARGE]


def test_every_shipped_entry_is_in_order() -> None:
    assert {name: faults(name, entry) for name, entry in SHIPPED if faults(name, entry)} == {}


def test_every_shipped_entry_is_of_the_instance_as_it_is() -> None:
    assert [name for name, entry in SMALL if not same_topology(name, entry)] == []


@pytest.mark.slow
def test_every_large_shipped_entry_is_of_the_instance_as_it_is() -> None:
    large = [(name, entry) for name, entry in SHIPPED if (name, entry) not in SMALL]
    assert [name for name, entry in large if not same_topology(name, entry)] == []


_FOUND = {"found": "2026-11-23", "by": "skipsched 0.1.0, seed 0, 2 workers", "seconds": 300.1}
GOOD: Entry = {
    "sha256": load_topology("geo-20").sha256,
    "iteration_time": {"value": 60_330_000} | _FOUND,
    "lower_bound": {"value": 60_330_000, "kind": "model"} | _FOUND,
}


def test_a_good_entry_has_no_faults() -> None:
    assert faults("geo-20", GOOD) == faults("geo-20", GOOD | {"lower_bound": None}) == []
    assert same_topology("geo-20", GOOD)


def changing(*at: str, to: object) -> Callable[[Entry], None]:
    def change(entry: Entry) -> None:
        for key in at[:-1]:
            entry = entry[key]
        entry[at[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (changing("note", to=""), "keys"),
        (changing("iteration_time", to=60_330_000), "keys"),
        (changing("lower_bound", "kind", to="model"), None),
        (changing("iteration_time", "kind", to="model"), "keys"),
        (changing("iteration_time", "value", to=60.33), "value"),
        (changing("lower_bound", "value", to=0), "value"),
        (changing("lower_bound", "value", to=60_330_001), "above"),
        (changing("iteration_time", "found", to="23 November"), "found"),
        (changing("iteration_time", "by", to=""), "by"),
        (changing("lower_bound", "seconds", to=-1), "seconds"),
        (changing("lower_bound", "seconds", to=None), "seconds"),
    ],
)
def test_faults_of_an_entry_are_found(change: Callable[[Entry], None], fault: str | None) -> None:
    entry = copy.deepcopy(GOOD)
    change(entry)
    assert faults("geo-20", entry) == ([fault] if fault else [])


def test_an_entry_of_no_shipped_instance_or_a_changed_one_is_found() -> None:
    assert faults("geo-2", GOOD) == ["name"]
    assert not same_topology("cluster-20", GOOD)
    assert not same_topology("geo-20", GOOD | {"sha256": "ab12"})
