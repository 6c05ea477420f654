"""Running CP-SAT under a clock: a request to stop and SIGTERM keep what was found.

Imported only where CP-SAT is used: it brings numpy and pandas with it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence

from ortools.sat.python import cp_model

from skipsched.clock import Clock

_POLL_SECONDS = 0.05
#: Seconds given at the very least: with less CP-SAT does not even look at a hint.
_LEAST_SECONDS = 0.01

#: Seconds that a deterministic second of CP-SAT takes on a usual machine, with the parameters used here.
_SECONDS_PER_DETERMINISTIC = 2.5

#: How a run ended (``OPTIMAL``, ``FEASIBLE``, ``INFEASIBLE`` or ``UNKNOWN``), and the solver with its values;
#: after UNKNOWN or INFEASIBLE they mean nothing.
Outcome = tuple[str, cp_model.CpSolver]


def run(model: cp_model.CpModel, clock: Clock, workers: int, effort: float = math.inf) -> Outcome:
    """Solve a model within what the clock leaves, and within so many deterministic seconds."""
    return run_all([model], clock, workers=workers, effort=effort)[0]


def run_all(
    models: Sequence[cp_model.CpModel],
    clock: Clock,
    *,
    workers: int = 1,
    effort: float = math.inf,
    tune: Callable[[cp_model.CpSolver], None] | None = None,
) -> list[Outcome]:
    """Solve some models side by side within what the clock leaves.

    Each runs in a thread of its own, so that this one hears signals; CP-SAT's own handler, which would
    abort the process from there, is switched off.

    Parameters
    ----------
    models
        Models that have nothing to do with each other.
    clock
        The limit. What they take is counted once: they run at the same time.
    workers
        Of each model.
    effort
        Deterministic seconds that each may take at most.
    tune
        Sets further parameters of each solver.
    """
    limit = max(clock.remaining(), _LEAST_SECONDS)
    solvers: list[cp_model.CpSolver] = []
    for _ in models:
        solver = cp_model.CpSolver()
        parameters = solver.parameters
        parameters.num_workers = workers
        parameters.catch_sigint_signal = False
        parameters.interleave_search = clock.deterministic and workers > 1
        if clock.deterministic:
            parameters.max_deterministic_time = min(effort, limit / _SECONDS_PER_DETERMINISTIC)
        else:
            parameters.max_time_in_seconds = limit
            parameters.max_deterministic_time = effort
        if tune is not None:
            tune(solver)
        solvers.append(solver)
    statuses = _side_by_side(models, solvers, clock)
    longest = max((solver.response_proto.deterministic_time for solver in solvers), default=0.0)
    clock.spend_seconds(longest * _SECONDS_PER_DETERMINISTIC)
    return list(zip(statuses, solvers, strict=True))


def _side_by_side(
    models: Sequence[cp_model.CpModel], solvers: Sequence[cp_model.CpSolver], clock: Clock
) -> list[str]:
    """Run each solver on its model in a thread; returns how each ended."""
    statuses = [""] * len(models)
    failures: list[BaseException] = []

    def solve(i: int) -> None:
        try:
            statuses[i] = solvers[i].status_name(solvers[i].solve(models[i]))
            if statuses[i] == "MODEL_INVALID":
                raise ValueError(models[i].validate())
        except BaseException as error:  # handed to the caller's thread
            failures.append(error)

    threads = [
        threading.Thread(target=solve, args=(i,), name="cp-sat", daemon=True) for i in range(len(models))
    ]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(_POLL_SECONDS)
                if clock.stopped:
                    _stop(solvers)
    finally:
        _stop(solvers)
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
    return statuses


def _stop(solvers: Sequence[cp_model.CpSolver]) -> None:
    for solver in solvers:
        solver.stop_search()
