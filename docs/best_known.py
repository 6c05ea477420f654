"""Searches shipped instances for long, and keeps in `instances/best_known.json` what is better than it was.

    python docs/best_known.py --seconds 120 'clouds-*' geo-20

Each search is a `skipsched solve` of counted work with a seed that no benchmark uses, so what the benchmark
is held against never comes from a run that is judged. Interrupted, it has kept what it found; with --missing
it goes on with the instances that have no entry yet.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import skipsched
from skipsched.catalogue import FILE
from skipsched.files.atomic import write_atomically
from skipsched.topology.shipped import shipped_names

PATH = Path(__file__).resolve().parent.parent / "instances" / FILE
#: Far from those of the benchmark, which count from 0.
SEED = 1000


def main() -> None:
    """Search, one instance after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("patterns", nargs="*", default=["*"], help="names of shipped instances, or patterns")
    parser.add_argument("--seconds", type=float, default=120, help="counted work of each search")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--missing", action="store_true", help="only instances that have no entry")
    given = parser.parse_args()
    for name in shipped_names():
        wanted = any(fnmatchcase(name, pattern) for pattern in given.patterns)
        if wanted and not (given.missing and _is_known(name)):
            command = (
                f"skipsched solve {name} --deterministic --time-limit {given.seconds:g} --seed {given.seed}"
            )
            _keep(name, command, _solved(command))


def _is_known(name: str) -> bool:
    """Whether the instance as it is has an entry."""
    held = json.loads(PATH.read_text(encoding="utf-8")).get(name)
    return held is not None and held["sha256"] == skipsched.load_topology(name).sha256


def _solved(command: str) -> skipsched.Schedule:
    """The schedule that a command finds, checked."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "schedule.json"
        words = [sys.executable, "-m", *command.split(), "--quiet", "-o", str(path)]
        subprocess.run(words, check=True)
        schedule = skipsched.Schedule.read(path)
    if schedule.document["solver"]["stop_reason"] == "interrupted":
        raise SystemExit(f"{command} was interrupted: run again, it may find something else")
    if violations := skipsched.validate(schedule):
        raise SystemExit(f"{command}: {violations[0].format()}")
    return schedule


def _keep(name: str, command: str, schedule: skipsched.Schedule) -> None:
    """Replace what the schedule betters."""
    document = schedule.document
    sha256 = document["topology"]["sha256"]
    how = {
        "found": datetime.date.today().isoformat(),
        "version": document["solver"]["version"],
        "command": command,
    }
    time: dict[str, Any] = {"value": document["iteration_time"], **how}
    bound: dict[str, Any] = {"value": document["lower_bound"], "kind": document["bound_kind"], **how}
    entries = json.loads(PATH.read_text(encoding="utf-8"))
    held = entries.get(name)
    if held is not None and held["sha256"] == sha256:
        time = min(held["iteration_time"], time, key=lambda entry: entry["value"])
        bound = max(held["lower_bound"], bound, key=lambda entry: entry["value"])
    entries[name] = {"sha256": sha256, "iteration_time": time, "lower_bound": bound}
    write_atomically(PATH, json.dumps(dict(sorted(entries.items())), indent=1) + "\n")
    print(f"{name}: {time['value'] / 1e6:.2f} s, bound {bound['value'] / 1e6:.2f} s")


if __name__ == "__main__":
    main()
