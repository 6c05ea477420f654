"""Schedules to explain: planned by hand, or random ones that keep the slots."""

from __future__ import annotations

import itertools
from random import Random

from solver_cases import order_of, random_case, random_scheduled, scheduled

from skipsched.insight.explanation import Explanation, explained
from skipsched.instance import Instance
from skipsched.opened import Opened, open_schedule
from skipsched.plan import Actions, Plan, Routes
from skipsched.schedule import Schedule
from skipsched.schedule.document import Provenance, document_of
from skipsched.topology.model import Topology

#: Seeds of random cases that are tried until one keeps the slots.
_TRIES = 40


def planned(topology: Topology, routes: Routes, *rows: str) -> tuple[Schedule, Opened]:
    """A schedule and what it stands for, from the short form of its order."""
    tables = Instance.of(topology)
    order = order_of(Actions.of(tables, routes), *rows)
    return _made(topology, tables, Plan(routes, tuple(map(tuple, order))))


def random_opened(seed: int) -> Opened | None:
    """A random plan that may break rules about all paths together, and its times; None if none is found."""
    for more in itertools.islice(itertools.count(seed), _TRIES):
        topology, tables = random_case(more)
        case = random_scheduled(Random(more), tables)
        if case is not None and case.keeps_slots(tables):
            return Opened(topology, tables, case)
    return None


def explanation_of(schedule: Schedule, opened: Opened) -> Explanation:
    """The explanation of a schedule on its own topology."""
    return explained(schedule, opened, own_topology=True)


def _made(topology: Topology, tables: Instance, plan: Plan) -> tuple[Schedule, Opened]:
    provenance = Provenance("0", "FEASIBLE", "completed", 0, 1, None, (), None, None)
    schedule = Schedule(document_of(topology, tables, scheduled(tables, plan), provenance))
    return schedule, open_schedule(schedule)
