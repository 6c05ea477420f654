"""`python -m skipsched.bench.worker`: makes the one run that standard input asks for.

A line of JSON comes in: the run, the topology's document, and when the process was started. A line of JSON
goes out, the outcome, save for what only the parent sees, and after it the schedule, if there is one. When
the parent is gone, so is this process.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Make the run."""
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _make(job)


def _end_with_parent() -> None:
    """Leave at once when the other end of standard input closes, however the parent ended."""
    sys.stdin.read()
    os._exit(1)


def _make(job: dict[str, Any]) -> None:
    from skipsched.bench.methods import METHODS
    from skipsched.clock import Clock
    from skipsched.machine import program
    from skipsched.solver import Options
    from skipsched.topology.load import load_document

    started = job["started"]
    imported_at = time.monotonic() - started
    topology = load_document(job["document"])
    clock = Clock(job["time_limit"], job["deterministic"], started)
    options = Options(seed=job["seed"], workers=job["workers"])
    result = METHODS[job["method"]](topology, options, clock)
    outcome = {
        "code": program()["code"],
        "peak_memory": _peak_memory(),
        "status": result.status,
        "stop_reason": result.stop_reason,
        "iteration_time": None if result.schedule is None else result.schedule.document["iteration_time"],
        "lower_bound": result.lower_bound,
        "bound_kind": result.bound_kind,
        "imported_at": round(imported_at, 3),
        "wall_time": round(clock.elapsed(), 3),
        "history": [[round(at, 3), found] for at, found in result.statistics.incumbents],
    }
    print(json.dumps(outcome))  # noqa: T201
    if result.schedule is not None:
        sys.stdout.write(result.schedule.text())


def _peak_memory() -> int:
    """Most bytes that this process held so far; 0 where the system does not tell.

    `resource.getrusage` would do, if on Linux it did not begin with what the parent held.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main()
