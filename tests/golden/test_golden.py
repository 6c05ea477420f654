"""Stored schedules against today's checker, bounds and solver; never one exact plan against another."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import skipsched
from skipsched import Schedule
from skipsched.bounds import Bound, best_bound, model_bound
from skipsched.clock import Clock
from skipsched.instance import Instance
from skipsched.schedule.plan import allocation_from
from skipsched.topology.shipped import written_names

FOLDER = Path(__file__).resolve().parent
#: How much worse than the stored one a schedule found today may be: deterministic runs of different versions
#: take different ways.
WORSE = 1.05


def regenerate() -> Any:
    """The script that writes the stored schedules."""
    spec = importlib.util.spec_from_file_location("regenerate", FOLDER / "regenerate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stored(name: str) -> Schedule:
    return Schedule.read(FOLDER / f"{name}.json")


def test_there_is_one_for_every_instance() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == written_names()


@pytest.mark.parametrize("name", written_names())
def test_a_stored_schedule_is_valid(name: str) -> None:
    assert skipsched.validate(stored(name)) == []


@pytest.mark.parametrize("name", written_names())
def test_a_stored_schedule_is_of_todays_instance(name: str) -> None:
    today = skipsched.load_topology(name)
    assert stored(name).document["topology"]["sha256"] == today.sha256, "run tests/golden/regenerate.py"


@pytest.mark.parametrize("name", written_names())
def test_today_bound_and_schedule_are_as_good(name: str) -> None:
    before, today = stored(name).document, regenerate().solved(name).document
    assert today["lower_bound"] >= before["lower_bound"]
    assert today["iteration_time"] <= WORSE * before["iteration_time"]
    # A bound of one version must not exceed what another version has found.
    assert today["lower_bound"] <= before["iteration_time"]


@pytest.mark.parametrize("name", written_names())
def test_no_bound_exceeds_a_stored_schedule(name: str) -> None:
    document = stored(name).document
    tables = Instance.of(skipsched.load_topology(name))
    fixed = replace(tables, allowed=tuple((stage,) for stage in allocation_from(document, tables)))
    time, nothing = document["iteration_time"], Bound(0, "load")
    for problem in (tables, fixed):
        clock = Clock(1e9, deterministic=True)
        assert best_bound(problem, clock).value <= time
        assert 0 < model_bound(problem, nothing, 2 * time, clock).value <= time
