"""Write the stored schedules anew: `python tests/golden/regenerate.py [NAME...]`, by default all.

All are those of the instances written by hand.

They are what the solver finds today; tests hold later versions against them. Run it when the solver has
become better, when an instance has changed, or when the format has grown, and look at the figures it prints.
"""

from __future__ import annotations

import sys
from pathlib import Path

from skipsched import Schedule, solve
from skipsched.topology.shipped import written_names

FOLDER = Path(__file__).resolve().parent
#: Seconds of counted work. Tests spend the same.
TIME_LIMIT = 2.0


def stored(name: str) -> Path:
    """The file of an instance's schedule."""
    return FOLDER / f"{name}.json"


def solved(name: str) -> Schedule:
    """What the solver finds for an instance: `skipsched solve NAME --deterministic --time-limit 2`."""
    result = solve(name, deterministic=True, time_limit=TIME_LIMIT)
    assert result.schedule is not None, f"{name}: {result.status}"
    return result.schedule


def main(names: list[str]) -> None:
    """Write the schedules, and print what changed."""
    for name in names or written_names():
        path = stored(name)
        before = Schedule.read(path).document if path.exists() else {}
        schedule = solved(name)
        schedule.write(path)
        for key in ("iteration_time", "lower_bound"):
            print(f"{name} {key}: {before.get(key)} -> {schedule.document[key]}")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
