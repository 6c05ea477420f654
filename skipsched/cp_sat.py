"""Running CP-SAT under a clock: a request to stop and SIGTERM keep what was found.

Imported only where CP-SAT is used: it brings numpy and pandas with it.
"""

from __future__ import annotations

import math
import threading

from ortools.sat.python import cp_model

from skipsched.clock import Clock

_POLL_SECONDS = 0.05


def run(
    model: cp_model.CpModel, clock: Clock, workers: int, most_work: float = math.inf
) -> tuple[str, cp_model.CpSolver]:
    """Solve a model within what the clock leaves, and within so many deterministic seconds.

    CP-SAT runs in a thread of its own, so that this one hears signals; its own handler, which would abort the
    process from there, is switched off.

    Returns
    -------
    str
        How it ended: ``OPTIMAL``, ``FEASIBLE``, ``INFEASIBLE`` or ``UNKNOWN``.
    cp_model.CpSolver
        Its values; after UNKNOWN or INFEASIBLE they mean nothing.
    """
    solver = cp_model.CpSolver()
    parameters = solver.parameters
    parameters.num_workers = workers
    parameters.catch_sigint_signal = False
    limit = max(clock.remaining(), 0.01)
    parameters.max_deterministic_time = min(most_work, limit) if clock.deterministic else most_work
    if clock.deterministic:
        parameters.interleave_search = workers > 1
    else:
        parameters.max_time_in_seconds = limit
    status: list[str] = []
    failure: list[BaseException] = []

    def target() -> None:
        try:
            status.append(solver.status_name(solver.solve(model)))
        except BaseException as error:  # handed to the caller's thread
            failure.append(error)

    thread = threading.Thread(target=target, name="cp-sat", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(_POLL_SECONDS)
            if clock.stopped:
                solver.stop_search()
    finally:
        solver.stop_search()
        thread.join()
    if failure:
        raise failure[0]
    clock.spend_seconds(solver.response_proto.deterministic_time)
    return status[0], solver
