"""The best-known results that are shipped: of every shipped instance as it is, with a bound that can be."""

from __future__ import annotations

import datetime

import pytest

from skipsched.catalogue import entries
from skipsched.topology.load import load_topology
from skipsched.topology.shipped import shipped_names

#: Nodes from which on loading an instance is left to the slow tests.
LARGE = 100
NAMES = shipped_names()


def nodes(name: str) -> int:
    """How many nodes a shipped instance has, as its name says."""
    return int(name.rpartition("-")[2])


def test_something_is_known_of_every_shipped_instance() -> None:
    assert sorted(entries()) == NAMES


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if nodes(name) > LARGE else ()) for name in NAMES]
)
def test_it_is_known_of_the_instance_as_it_is(name: str) -> None:
    assert entries()[name]["sha256"] == load_topology(name).sha256


@pytest.mark.parametrize("name", NAMES)
def test_figures_can_be_and_say_how_they_were_found(name: str) -> None:
    time, bound = entries()[name]["iteration_time"], entries()[name]["lower_bound"]
    assert 0 < bound["value"] <= time["value"]
    assert bound["kind"] in ("load", "in-flight", "path", "model")
    for figure in (time, bound):
        assert datetime.date.fromisoformat(figure["found"])
        assert figure["version"]
        assert f" {name} " in figure["command"]
