"""What can be measured: ways to get from a topology to a schedule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skipsched.clock import Clock
    from skipsched.solver import Options, Result
    from skipsched.topology.model import Topology


def _solve(topology: Topology, options: Options, clock: Clock) -> Result:
    """What `skipsched solve` does by default."""
    from skipsched.solver import run_solver

    return run_solver(topology, options, clock)


def _first(topology: Topology, options: Options, clock: Clock) -> Result:
    """The first schedule that `skipsched solve` has."""
    # Any schedule is within 100 % of any bound.
    return _solve(topology, replace(options, gap=1.0), clock)


#: By the name under which the bench knows them.
METHODS: dict[str, Callable[[Topology, Options, Clock], Result]] = {"solve": _solve, "first": _first}
