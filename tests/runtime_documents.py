"""Schedules for the tests of the runtime: solved ones, and random ones in orders that no solver chooses."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from exact_cases import random_schedule
from random_topologies import random_topology
from solver_cases import random_case

from skipsched import load_topology, solve
from skipsched.instance import Instance
from skipsched.schedule import Schedule
from skipsched.schedule.document import Provenance, document_of
from skipsched.scheduled import Scheduled
from skipsched.topology.model import Topology


def random_document(seed: int, features: set[str] | None = None) -> dict[str, Any] | None:
    """A random schedule, its order not the solver's, of a random topology; None if chance finds none."""
    topology, instance = random_case(seed, features)
    found = random_schedule(Random(seed), instance)
    if found is None:
        return None
    return document_of_scheduled(topology, instance, found)


def document_of_scheduled(topology: Topology, instance: Instance, scheduled: Scheduled) -> dict[str, Any]:
    """The document of a schedule, as it is read from a file."""
    provenance = Provenance("0", "FEASIBLE", "completed", 0, 1, None, (), None, None)
    text = Schedule(document_of(topology, instance, scheduled, provenance)).text()
    document: dict[str, Any] = json.loads(text)
    return document


def solved_document(seed: int, features: set[str] | None = None) -> dict[str, Any] | None:
    """The solver's schedule of a random topology; None if that is infeasible."""
    topology = load_topology(random_topology(Random(seed), features))
    schedule = solve(topology, time_limit=0.2, deterministic=True).schedule
    return None if schedule is None else json.loads(schedule.text())
