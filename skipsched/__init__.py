"""skipsched: path schedules for training language models over uneven networks.

>>> import skipsched
>>> result = skipsched.solve("small-8", gap=0.5)
>>> result.schedule is not None
True
>>> skipsched.validate(result.schedule)
[]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skipsched.api import ReplayedAction, repair_schedule, replay, simulate, solve, validate
    from skipsched.check import Violation
    from skipsched.conflict import Cause, Change, Member
    from skipsched.generate import generate_topology
    from skipsched.insight.conditions import Conditions, Stragglers
    from skipsched.insight.simulation import Simulation
    from skipsched.repair.report import RepairReport
    from skipsched.repair.run import Repaired
    from skipsched.schedule import Schedule
    from skipsched.solver import Progress, Result
    from skipsched.text.diagnostics import Diagnostic, InputError
    from skipsched.timing import Deadlock
    from skipsched.topology.load import load_topology
    from skipsched.topology.model import Topology
    from skipsched.version import __version__

__all__ = [
    "Cause",
    "Change",
    "Conditions",
    "Deadlock",
    "Diagnostic",
    "InputError",
    "Member",
    "Progress",
    "RepairReport",
    "Repaired",
    "ReplayedAction",
    "Result",
    "Schedule",
    "Simulation",
    "Stragglers",
    "Topology",
    "Violation",
    "__version__",
    "generate_topology",
    "load_topology",
    "repair_schedule",
    "replay",
    "simulate",
    "solve",
    "validate",
]

_HOMES = {
    "Cause": "conflict",
    "Change": "conflict",
    "Conditions": "insight.conditions",
    "Deadlock": "timing",
    "Diagnostic": "text.diagnostics",
    "InputError": "text.diagnostics",
    "Member": "conflict",
    "Progress": "solver",
    "RepairReport": "repair.report",
    "Repaired": "repair.run",
    "ReplayedAction": "api",
    "Result": "solver",
    "Schedule": "schedule",
    "Simulation": "insight.simulation",
    "Stragglers": "insight.conditions",
    "Topology": "topology.model",
    "Violation": "check",
    "__version__": "version",
    "generate_topology": "generate",
    "load_topology": "topology.load",
    "repair_schedule": "api",
    "replay": "api",
    "simulate": "api",
    "solve": "api",
    "validate": "api",
}


def __getattr__(name: str) -> Any:
    """Load a public name where it is first used, so that small commands start at once."""
    if name not in _HOMES:
        raise AttributeError(f"module 'skipsched' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"skipsched.{_HOMES[name]}"), name)
