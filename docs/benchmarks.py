"""Measures everything that BENCHMARKS.md claims, and writes it; or repeats the short part of it and compares.

    rm -r docs/benchmarks && python docs/benchmarks.py
    python docs/benchmarks.py compare RESULTS.json

Results are kept in `docs/benchmarks/`: interrupted, the same command goes on where it was. Results of another
version of the code are refused: they have to be deleted first.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skipsched.catalogue import entries
from skipsched.files.atomic import write_atomically
from skipsched.text.words import seconds
from skipsched.topology.shipped import shipped_names

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path("docs/benchmarks")
#: The part that `.ci/run` repeats.
COUNTED = "counted"


@dataclass(frozen=True)
class Part:
    """One table.

    Parameters
    ----------
    title, text
        What stands above it.
    name
        Of the file with its results.
    arguments
        Of `skipsched bench`.
    """

    title: str
    text: str
    name: str
    arguments: str


PARTS = [
    Part(
        "The published comparison",
        "`geo-20` is the set-up published with SkipPipe, whose reference implementation printed 77.72 s for\n"
        "the published method, 79.89 s without collision awareness, and 165.39 s for the full pipeline.",
        "geo-20",
        "geo-20 --time-limit 10 --time-limit 60",
    ),
    Part(
        "Up to 200 nodes",
        "Every shipped instance of up to 200 nodes: ten seconds each, beside the first schedule found.",
        "catalogue",
        "bytes-16 full-pipeline-12 uneven-24 '*-8' '*-20' '*-50' '*-100' '*-200' "
        "--method solve --method first --seeds 1",
    ),
    Part(
        "Counted work",
        "The same on every machine. `.ci/run` repeats these runs and fails if one of them has become worse.",
        COUNTED,
        "small-8 geo-20 clouds-20 gpus-20 homes-20 equal-20 islands-20 "
        "--deterministic --time-limit 2 --seeds 1",
    ),
    Part(
        "A minute",
        "One instance of each kind, and 200 nodes, with the default time limit.",
        "minute",
        "'*-50' clouds-200 --seeds 1 --time-limit 60",
    ),
    Part(
        "1000 nodes",
        "Half a minute each. The largest has 6000 microbatches and 102,000 actions.",
        "large",
        "'*-1000' --seeds 1 --time-limit 30",
    ),
]

HEAD = """# Benchmarks

Everything here is measured by `skipsched bench` and written by `python docs/benchmarks.py`; the command
stands below each table. Every schedule was read back and passed the checker. *Best known* are results of
other runs, which the last table names: those of `geo-20` and of the 50-node instances had 200 to 900 s of
counted work, most others half a minute. Where a row does better, its figure is negative.
"""


def main(arguments: Sequence[str]) -> int:
    """Measure what is missing, and write the file; or compare."""
    if arguments:
        (_, results) = arguments
        return _compared(results)
    known = _best_known()
    parts = [HEAD, *(_measured(part) for part in PARTS), known]
    write_atomically(ROOT / "BENCHMARKS.md", "\n".join(parts))
    return 0


def _compared(results: str) -> int:
    """Repeat the runs of counted work; the exit code says whether one has become worse.

    Counted work is the same on every machine, but not with every version of the libraries: hence the
    tolerance.
    """
    (part,) = (part for part in PARTS if part.name == COUNTED)
    words = [*shlex.split(part.arguments), "--against", f"{FOLDER / COUNTED}.json", "--tolerance", "0.05"]
    command = [sys.executable, "-m", "skipsched", "bench", *words, "-o", results, "--verbose"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _measured(part: Part) -> str:
    (ROOT / FOLDER).mkdir(exist_ok=True)
    command = f"skipsched bench {part.arguments} -o {FOLDER / part.name}.json --markdown"
    print(command, file=sys.stderr)
    words = [sys.executable, "-m", *shlex.split(command), "--verbose"]
    ran = subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return f"## {part.title}\n\n{part.text}\n\n{ran.stdout}"


def _best_known() -> str:
    """What is known of each instance, and how it was found."""
    lines = [
        "## Best known",
        "",
        "| instance | iteration | bound | gap | found by | bound by |",
        "| --- | --: | --: | --: | --- | --- |",
    ]
    for name in shipped_names():
        entry = entries()[name]
        time, bound = entry["iteration_time"], entry["lower_bound"]
        cells = [
            name,
            seconds(time["value"]),
            f"{seconds(bound['value'])} ({bound['kind']})",
            f"{100 * (1 - bound['value'] / time['value']):.1f} %",
            _how(time),
            "the same" if _how(time) == _how(bound) else _how(bound),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _how(found: dict[str, str]) -> str:
    return f"`{found['command']}`, {found['version']}, {found['found']}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
