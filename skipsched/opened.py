"""A schedule, read back as what the solver's side works with: tables, plan and replayed times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from skipsched.check import Violation, check_schedule
from skipsched.instance import Instance
from skipsched.plan import Actions, Plan
from skipsched.rings import Ring, rings_of
from skipsched.schedule import Schedule
from skipsched.schedule.document import Provenance, document_of
from skipsched.schedule.plan import NoPlan, plan_from, rings_from
from skipsched.scheduled import Scheduled
from skipsched.text.diagnostics import Diagnostic, InputError
from skipsched.timing import Deadlock
from skipsched.topology.model import Topology
from skipsched.version import __version__


@dataclass(frozen=True)
class Opened:
    """A valid schedule with all that its document stands for.

    Parameters
    ----------
    topology
        What it runs on.
    instance
        Its integer tables.
    scheduled
        The plan with its replayed times on that topology.
    """

    topology: Topology
    instance: Instance
    scheduled: Scheduled


def open_schedule(schedule: Schedule, topology: Topology | None = None) -> Opened:
    """Read a schedule back, refusing one that is not valid.

    Parameters
    ----------
    schedule
        The schedule.
    topology
        What to replay it on; the one that it carries by default, whose figures it must then have. On a given
        one its routes and orders are kept and the times are those that follow there.

    Raises
    ------
    InputError
        If it is not valid, or breaks a rule on the topology given.
    """
    if topology is None:
        topology = schedule.topology()
        instance = Instance.of(topology)
        refuse_violations(check_schedule(schedule.document, topology, instance))
        return Opened(topology, instance, _scheduled(schedule.document, instance))
    instance = Instance.of(topology)
    scheduled = _scheduled(schedule.document, instance)
    refuse_violations(check_schedule(_document(topology, instance, scheduled), topology, instance))
    return Opened(topology, instance, scheduled)


def _scheduled(document: Mapping[str, Any], instance: Instance) -> Scheduled:
    """The plan of a document, replayed."""
    try:
        plan = plan_from(document, instance)
        rings = _rings(document, instance, plan)
        return Scheduled.of(instance, plan, Actions.of(instance, plan.routes), rings)
    except NoPlan as error:
        _refuse("schedule", f"the schedule does not fit the topology: {error}")
    except Deadlock as error:
        _refuse("deadlock", str(error))


def _rings(document: Mapping[str, Any], instance: Instance, plan: Plan) -> Sequence[Ring]:
    """The schedule's rings; without any, those that are found."""
    members = plan.routes.members(instance.stages)
    rings = rings_from(document, instance, members) or rings_of(instance, members)
    if rings is None:
        raise NoPlan("the links admit no ring in one of its stages")
    return rings


def _document(topology: Topology, instance: Instance, scheduled: Scheduled) -> Mapping[str, Any]:
    """What the schedule says of itself on another topology, for the checker; bounds do not carry over."""
    unproved = Provenance(__version__, "FEASIBLE", "completed", 0, 1, None, (), None, None)
    return document_of(topology, instance, scheduled, unproved)


def refuse_violations(violations: Sequence[Violation]) -> None:
    """Refuse a schedule that the checker has something to say of.

    Raises
    ------
    InputError
        If there are any violations.
    """
    if violations:
        raise InputError([Diagnostic("error", v.rule, "schedule", v.message) for v in violations])


def _refuse(rule: str, why: str) -> NoReturn:
    raise InputError([Diagnostic("error", rule, "schedule", why)])
