"""Repairs a schedule of the published set-up without each of its nodes: the table of docs/repair.md.

    rm -rf docs/repairs && python docs/repairs.py

What is found is kept in `docs/repairs/`, node by node: interrupted, the same command goes on with the first
that is missing. What other code or another machine has made is refused: it has to be deleted first.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from kept import ROOT, Document, kept, run

from skipsched.bench.markdown import markdown, provenance
from skipsched.files.atomic import write_atomically
from skipsched.machine import machine, program
from skipsched.schedule import Schedule
from skipsched.text.words import seconds

FOLDER = Path("docs/repairs")
PAGE = ROOT / "docs/repair.md"
#: The table stands between these lines of the page.
BEGIN, END = "<!-- table -->", "<!-- end of table -->"
#: The schedule that is repaired, and what finds it.
SCHEDULE = FOLDER / "geo-20.json"
SOLVE = f"skipsched solve geo-20 --deterministic -o {SCHEDULE}"
#: What is done for each node; a new solve is of what the repaired schedule carries as its topology.
REPAIR = f"skipsched repair {SCHEDULE} --without NODE"
ANEW = "skipsched solve LEFT --deterministic --time-limit 60"


def main() -> int:
    """Repair where it is missing, and write the table."""
    (ROOT / FOLDER).mkdir(exist_ok=True)
    if not (ROOT / SCHEDULE).exists():
        run(SOLVE)
    schedule = Schedule.read(ROOT / SCHEDULE)
    rows = [(stage, _held(node)) for stage, nodes in enumerate(schedule.document["stages"]) for node in nodes]
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    table = [BEGIN, *_table(rows), "", *_made([held for _, held in rows]), END]
    write_atomically(PAGE, before + "\n".join(table) + after)
    return 0


def _held(node: str) -> Document:
    """What repairing without a node came to, made now unless it is there."""
    path = ROOT / FOLDER / f"without-{node}.json"
    making = {"program": program(), "machine": machine()}
    if (held := kept(path, making)) is not None:
        return held
    with tempfile.TemporaryDirectory() as folder:
        repaired, left, anew = (Path(folder) / name for name in ("repaired", "left", "anew"))
        load = os.getloadavg()[0]
        began = time.monotonic()
        ran = run(f"{REPAIR.replace('NODE', node)} -o {repaired} --report -")
        took = time.monotonic() - began
        counted = run(f"{REPAIR.replace('NODE', node)} --deterministic -o {os.devnull} --report -")
        left.write_text(json.dumps(Schedule.read(repaired).topology().document), encoding="utf-8")
        run(f"{ANEW.replace('LEFT', str(left))} -o {anew}")
        held = {
            "date": datetime.date.today().isoformat(),
            **making,
            "seconds": round(took, 2),
            "load": round(load, 1),
            "repaired": json.loads(ran),
            "counted": json.loads(counted),
            "anew": Schedule.read(anew).document["iteration_time"],
        }
    write_atomically(path, json.dumps(held, indent=1))
    return held


def _table(rows: Sequence[tuple[int, Document]]) -> list[str]:
    """A line for each node."""
    heads = ["without", "stage", "repaired", "seconds", "counted", "anew", "to anew", "counted to anew"]
    heads += ["microbatches", "keep their path", "copies"]
    return markdown((heads, [_line(stage, held) for stage, held in rows]), ["without"])


def _line(stage: int, held: Document) -> list[str]:
    report, counted, anew = held["repaired"], held["counted"]["iteration_time"]["after"], held["anew"]
    time_, found = report["iteration_time"]["after"], report["microbatches"]
    return [
        report["left"][0]["node"],
        str(stage),
        seconds(time_),
        f"{held['seconds']:.1f}",
        seconds(counted),
        seconds(anew),
        f"{time_ / anew:.3f}",
        f"{counted / anew:.3f}",
        str(found["after"]),
        str(found["kept"]),
        str(len(report["copies"])),
    ]


def _made(rows: Sequence[Document]) -> list[str]:
    """The commands, the machine and its load, and the versions."""
    loads = sorted(held["load"] for held in rows)
    last = max(rows, key=lambda held: str(held["date"]))
    return [
        f"Commands: `{SOLVE}`, `{REPAIR}`, the same with `--deterministic`, `{ANEW}`;",
        f"load of the machine before each repair {loads[0]} to {loads[-1]}.  ",
        provenance(last["date"], last["program"], last["machine"]),
    ]


if __name__ == "__main__":
    sys.exit(main())
