"""Compares skipsched with SkipPipe on the published set-up and on variants of it, and writes docs/results.md.

    rm -rf docs/results && python docs/results.py

Comparisons are kept in `docs/results/`, beside the topologies they were made on: interrupted, the same
command goes on with the first that is missing. Those of other code, another machine or another command are
refused: they have to be deleted first.
"""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from kept import ROOT, Document, kept, run

from skipsched.bench.markdown import markdown, provenance
from skipsched.compare.methods import FULL_PIPELINE, SKIPPIPE, SKIPPIPE_PATHS, SOLVE
from skipsched.compare.report import Report, Row
from skipsched.compare.tables import LEGEND, TEXT, remark, tables
from skipsched.files.atomic import write_atomically
from skipsched.machine import machine, program
from skipsched.text.words import seconds
from skipsched.topology.load import load_topology

FOLDER = Path("docs/results")
#: Seconds of each row.
BUDGET = 60
#: The published set-up, compared with all methods.
PUBLISHED = "geo-20"
#: The methods of the claim; the others have their reduction against the first.
CLAIM = {
    FULL_PIPELINE: "full pipeline",
    SKIPPIPE_PATHS: "without collision avoidance",
    SKIPPIPE: "SkipPipe",
    SOLVE: "skipsched",
}
#: What the paper says of SkipPipe against the full pipeline.
PAPER = "up to 55 %"
#: The regions that nodes of the variant with five take in turn.
REGIONS = ("Australia", "Belgium", "Canada", "Germany", "Iowa")


@dataclass(frozen=True)
class Variant:
    """A topology to compare on.

    Parameters
    ----------
    title
        Of its row.
    name
        Of the shipped topology, or of the one that is made.
    change
        Makes it out of the published one; None for a shipped one.
    """

    title: str
    name: str
    change: Callable[[Document], None] | None = None

    @property
    def command(self) -> str:
        """What compares on it."""
        topology = self.name if self.change is None else self.file
        methods = "" if self.name == PUBLISHED else f" --methods {','.join(CLAIM)}"
        return f"skipsched compare {topology} --budget {BUDGET}{methods} --json"

    @property
    def file(self) -> str:
        """The topology that is made, from the root."""
        return f"{FOLDER}/{self.name}.topology.json"


def _skip_a_quarter(document: Document) -> None:
    """Six of eight stages, each of three layers: six nodes on the first, two on each other."""
    document["workload"] |= {"stages": "8", "layers": "24", "stage_sizes": ["6", *7 * ["2"]]}
    del document["rules"]["skip_ratio"]
    document["rules"]["path_length"] = "6"


def _skip_a_half(document: Document) -> None:
    """Three of six stages."""
    del document["rules"]["skip_ratio"]
    document["rules"]["path_length"] = "3"


def _five_regions(document: Document) -> None:
    """Node i in region i mod 5; rows of other regions would do nothing."""
    for place, node in enumerate(document["nodes"]):
        node["location"] = REGIONS[place % len(REGIONS)]
    links = document["network"]["links"]
    document["network"]["links"] = [row for row in links if set(row["between"]) <= set(REGIONS)]


VARIANTS = [
    Variant("25 % skipped", "skip-25", _skip_a_quarter),
    Variant("33 % skipped", PUBLISHED),
    Variant("50 % skipped", "skip-50", _skip_a_half),
    Variant("one cluster", "cluster-20"),
    Variant("five regions", "regions-5", _five_regions),
]

HEAD = f"""# Results

SkipPipe beside the full pipeline, and skipsched beside both: measured by `skipsched compare` and written by
`python docs/results.py`; the commands stand below each table. Every schedule passed the checker, and its
iteration time is that of the replay of its order.

## The published claim

The paper (arXiv 2502.19913) reports {PAPER} less iteration time than the full pipeline. Variants of `geo-20`,
the set-up published with it:

* *25 % skipped*: 8 stages of 3 layers, 6 nodes on the first and 2 on each other; paths of 6 stages.
* *33 % skipped*: `geo-20` as it is, 6 stages of 4 layers, paths of 4 stages.
* *50 % skipped*: paths of 3 stages.
* *one cluster*: `cluster-20`, all links those within one region; a third skipped.
* *five regions*: node i in region i mod 5 of {", ".join(REGIONS)}; a third skipped.

The full pipeline is that of the DT-FM style arrangement, first come first served; the second table has it in
other orders as well, and as `solve` finds it.
"""
#: What stands above each table of the comparison in full.
IN_FULL = {
    "Every method on the published set-up": """\
`solve-full` is the full pipeline to hold `solve` against: the best that the same search finds. The rows
`-ours` say what its own allocation is worth to straight pipelines, for which it is not made.
""",
    "What each freedom is worth": """\
Each step adds one freedom to the step before, on the DT-FM style arrangement until allocations are free.
""",
}


def main() -> int:
    """Compare where it is missing, and write the file."""
    held = {variant.name: _held(variant) for variant in VARIANTS}
    parts = [HEAD, _claim(held), *_in_full(held[PUBLISHED])]
    write_atomically(ROOT / "docs/results.md", "\n".join(parts) + "\n")
    return 0


def _held(variant: Variant) -> Document:
    """A variant's comparison with its date and command, made now unless it is there."""
    path = ROOT / FOLDER / f"{variant.name}.json"
    making = {"command": variant.command, "program": program(), "machine": machine()}
    if (held := kept(path, making)) is not None:
        return held
    path.parent.mkdir(exist_ok=True)
    if variant.change is not None:
        document = json.loads(json.dumps(load_topology(PUBLISHED).document))
        document["name"] = variant.name
        variant.change(document)
        write_atomically(ROOT / variant.file, json.dumps(document, indent=1))
    held = {"date": datetime.date.today().isoformat(), **making, **json.loads(run(variant.command))}
    write_atomically(path, json.dumps(held, indent=1))
    return held


def _report(held: Mapping[str, Any]) -> Report:
    """A comparison as the program has it."""
    figures = {field.name: held[field.name] for field in fields(Report)}
    for key in ("rows", "ablation"):
        figures[key] = tuple(Row(**row | {"without": tuple(row["without"])}) for row in held[key])
    return Report(**figures)


def _claim(held: Mapping[str, Document]) -> str:
    """The table of all variants."""
    heads = ["variant", CLAIM[FULL_PIPELINE]]
    for method in (SKIPPIPE_PATHS, SKIPPIPE, SOLVE):
        heads += [CLAIM[method], "reduction"]
    heads.insert(heads.index(CLAIM[SOLVE]), "paper")
    remarks: list[str] = []
    body = [_line(variant.title, _report(held[variant.name]), remarks) for variant in VARIANTS]
    notes = [f"[{number}] {text}  " for number, text in enumerate(remarks, 1)]
    return "\n".join(
        [
            *markdown((heads, body), ["variant"]),
            "",
            *notes,
            "without collision avoidance: SkipPipe; reduction: of the full pipeline's iteration time.",
            "",
            *_made([held[variant.name] for variant in VARIANTS]),
        ]
    )


def _line(title: str, report: Report, remarks: list[str]) -> list[str]:
    """A variant's row; what is to say of its figures is added to the remarks."""
    rows = {row.name: row for row in report.rows}
    cells = [title]
    for method in CLAIM:
        row = rows[method]
        time, ratio, said = row.iteration_time, row.to_full_pipeline, remark(row)
        if said and said not in remarks:
            remarks.append(said)
        mark = f" [{remarks.index(said) + 1}]" if said else ""
        if method == SOLVE:
            cells.append(PAPER)
        cells.append(("-" if time is None else seconds(time)) + mark)
        if method != FULL_PIPELINE:
            cells.append("-" if ratio is None else f"{100 * (1 - ratio):.1f} %")
    return cells


def _in_full(held: Document) -> list[str]:
    """Every table of one comparison."""
    parts = []
    for (title, text), (_, table) in zip(IN_FULL.items(), tables(_report(held)), strict=True):
        parts.append("\n".join([f"\n## {title}\n", text, *markdown(table, TEXT), "", *LEGEND]))
        if held["source"] is not None:
            parts.append(f"Published figures: {held['source']}.")
        parts += ["", *_made([held])]
    return parts


def _made(comparisons: Sequence[Document]) -> list[str]:
    """The commands, and the machine and versions, that are the same for all."""
    last = max(held["date"] for held in comparisons)
    commands = [f"Command: `{held['command']}`  " for held in comparisons]
    return [*commands, provenance(last, comparisons[0]["program"], comparisons[0]["machine"])]


if __name__ == "__main__":
    sys.exit(main())
