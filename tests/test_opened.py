"""Reading a schedule back: only a valid one, on its own topology or on another."""

from __future__ import annotations

import copy

import pytest
from check_cases import TINY
from cli_cases import solved_document

from skipsched import InputError, Schedule, load_topology
from skipsched.opened import open_schedule
from skipsched.topology.load import load_document


def test_its_own_figures() -> None:
    document = solved_document("small-8")
    opened = open_schedule(Schedule(document))
    assert opened.scheduled.objective.iteration_time == document["iteration_time"]
    assert opened.instance.name == opened.topology.name == "small-8"


def test_another_topology_gives_other_times() -> None:
    document = solved_document(TINY)
    slower = load_topology(TINY.replace("forward_time: 1 s", "forward_time: 2 s"))
    opened = open_schedule(Schedule(document), slower)
    assert opened.scheduled.objective.iteration_time > document["iteration_time"]
    assert opened.topology is slower


def test_a_wrong_figure_is_refused() -> None:
    document = copy.deepcopy(solved_document(TINY))
    document["iteration_time"] += 1
    with pytest.raises(InputError, match="objective"):
        open_schedule(Schedule(document))
    # On a topology given it is the order that counts.
    open_schedule(Schedule(document), load_topology(TINY))


def test_a_topology_it_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="does not fit the topology"):
        open_schedule(Schedule(solved_document(TINY)), load_topology("small-8"))


def test_a_rule_broken_on_the_other_topology_is_refused() -> None:
    document = solved_document("small-8")
    strict = copy.deepcopy(dict(Schedule(document).topology().document))
    del strict["rules"]["skip_ratio"]
    strict["rules"]["path_length"] = "2"
    with pytest.raises(InputError, match="does not fit the topology"):
        open_schedule(Schedule(document), load_document(strict))
    strict = copy.deepcopy(dict(Schedule(document).topology().document))
    for node in strict["nodes"]:
        node["memory"] = "1"
    with pytest.raises(InputError, match="memory"):
        open_schedule(Schedule(document), load_document(strict))


def test_a_deadlock_is_told() -> None:
    document = copy.deepcopy(solved_document(TINY))
    for rows in document["actions"].values():
        rows.reverse()
    with pytest.raises(InputError, match="deadlock"):
        open_schedule(Schedule(document), load_topology(TINY))
