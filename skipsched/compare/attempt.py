"""What a method comes to: a checked schedule on the topology whose rules it keeps."""

from __future__ import annotations

from dataclasses import dataclass

from skipsched.check import Violation, check_schedule
from skipsched.compare.variants import with_rules
from skipsched.instance import Instance
from skipsched.plan import Actions, Plan
from skipsched.rings import rings_of
from skipsched.schedule import Schedule
from skipsched.schedule.document import Provenance, document_of
from skipsched.scheduled import Scheduled
from skipsched.solver import FEASIBLE, CheckFailed
from skipsched.topology.model import Topology
from skipsched.version import __version__

#: How a row can end: by itself, cut short by its budget or a stop, without a schedule in time, or without any
#: there is.
COMPLETE, CUT, NOTHING, NONE = "complete", "cut", "nothing found", "infeasible"

#: Rules that a published method does not know, and what switches each off.
_UNKNOWN_TO_BASELINES: dict[str, dict[str, bool | None]] = {
    "even-stages": {"even_stages": False},
    "even-nodes": {"even_nodes": False},
    "cover": {"cover": False},
    "path-period": {"path_period": None},
}


class NoSchedule(Exception):
    """A method comes to nothing on a topology; the message says why."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a method came to.

    Parameters
    ----------
    end
        How it ended: `COMPLETE`, `CUT`, `NOTHING` or `NONE`.
    schedule
        What it found, checked; None if it found nothing.
    own_time
        Microseconds of the iteration under the replay that the method was published with, if it has one.
    without
        Rules of the topology that it does not keep.
    why
        Why there is no schedule, where more is known than `end` says.
    """

    end: str
    schedule: Schedule | None = None
    own_time: int | None = None
    without: tuple[str, ...] = ()
    why: str | None = None


def attempt_with(topology: Topology, plan: Plan, end: str, seed: int, own_time: int | None = None) -> Attempt:
    """The attempt that found a plan, on the topology without those of its rules that baselines do not know.

    Raises
    ------
    NoSchedule
        If a stage of its allocation has no ring.
    CheckFailed
        If the plan breaks one of the other rules.
    """
    schedule, violations = _emitted(topology, plan, seed)
    broken = {violation.rule for violation in violations}
    without = tuple(rule for rule in _UNKNOWN_TO_BASELINES if rule in broken)
    if without:
        for rule in without:
            topology = with_rules(topology, **_UNKNOWN_TO_BASELINES[rule])
        schedule, violations = _emitted(topology, plan, seed)
    if violations:
        raise CheckFailed("\n".join(violation.format() for violation in violations))
    return Attempt(end, schedule, own_time, without)


def _emitted(topology: Topology, plan: Plan, seed: int) -> tuple[Schedule, list[Violation]]:
    """The schedule of a plan, and what the checker says of it."""
    instance = Instance.of(topology)
    rings = rings_of(instance, plan.routes.members(instance.stages))
    if rings is None:
        raise NoSchedule("the links admit no ring in one of its stages")
    scheduled = Scheduled.of(instance, plan, Actions.of(instance, plan.routes), rings)
    provenance = Provenance(
        version=__version__,
        status=FEASIBLE,
        stop_reason="completed",
        seed=seed,
        workers=1,
        wall_time=None,
        restricted_to=(),
        lower_bound=None,
        bound_kind=None,
    )
    document = document_of(topology, instance, scheduled, provenance)
    return Schedule(document), check_schedule(document, topology, instance)
