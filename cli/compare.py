"""`skipsched compare`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skipsched_cli import exit_codes
from skipsched_cli.compiled import wait_until_compiled
from skipsched_cli.console import print_table, report_console
from skipsched_cli.options import (
    Finite,
    refuse_overwriting,
    refuse_unwritable,
    seed_option,
    talk_of,
    talk_options,
    topology_argument,
)
from skipsched_cli.signals import stopping

if TYPE_CHECKING:
    from skipsched.compare.report import Report
    from skipsched.schedule import Schedule

_EPILOG = """\b
Examples:
  skipsched compare geo-20
  skipsched compare topology.yaml --methods full-pipeline,skippipe,solve --budget 60
  skipsched compare geo-20 --json > comparison.json

METHODS are full-pipeline, gpipe, 1f1b (on a DT-FM style arrangement), gpipe-ours, 1f1b-ours (on the
allocation of solve), solve-full (the best full pipeline that solve finds), random-paths, skippipe-paths
(without collision avoidance), skippipe, solve, and ablation: from the full pipeline to solve, one freedom
after the other.

Exit codes: 0 done, 2 bad input, 3 no row has a schedule, 130 interrupted (what is done is printed).
"""


@click.command("compare", epilog=_EPILOG)
@topology_argument
@click.option(
    "--budget",
    type=Finite(min=0, min_open=True),
    default=30.0,
    show_default=True,
    metavar="S",
    help="Seconds of each row, at most.",
)
@click.option("--methods", metavar="NAME,...", help="Which rows; all by default.")
@seed_option
@click.option("--deterministic", is_flag=True, help="As for solve: counted work, the same on every machine.")
@click.option("--schedules", metavar="FOLDER", help="Write the schedule of every row there.")
@click.option("--html", metavar="FILE", help="Write the tables as a page.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
@talk_options
def command(
    topology: str,
    budget: float,
    methods: str | None,
    seed: int,
    deterministic: bool,
    schedules: str | None,
    html: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Compare solve with the published methods on TOPOLOGY; every schedule passes the checker."""
    from skipsched.compare.contest import Contest
    from skipsched.compare.html import page
    from skipsched.compare.report import compared
    from skipsched.files.atomic import write_atomically
    from skipsched.topology.load import load_topology

    talk = talk_of(quiet, verbose)
    chosen = _chosen(methods)
    if html is not None:
        _refuse_page(html, topology)
    folder = None if schedules is None else _folder(schedules)
    loaded = load_topology(topology)
    talk.warn(loaded.warnings)

    found: dict[str, Schedule] = {}
    contest = Contest(loaded, budget, seed, deterministic)
    with stopping(contest):
        wait_until_compiled(talk, contest)
        report = compared(contest, chosen, begin=talk.step, take=found.__setitem__)
    try:
        if folder is not None:
            for name, schedule in found.items():
                schedule.write(folder / f"{name}.json")
        if html is not None:
            write_atomically(Path(html), page(report))
    finally:
        # A full disk must not lose what took so long.
        _print(report, as_json)
    if contest.stopped:
        return exit_codes.INTERRUPTED
    return exit_codes.YES if found else exit_codes.NOTHING_FOUND


def _chosen(methods: str | None) -> list[str]:
    """The names asked for, all by default."""
    from skipsched.compare.methods import METHODS
    from skipsched.compare.report import ABLATION
    from skipsched.text.diagnostics import did_you_mean

    known = [*METHODS, ABLATION]
    if methods is None:
        return known
    names = [name.strip() for name in methods.split(",")]
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise click.BadParameter(
                f"there is no method {name!r}{f'; {hint}' if hint else ''}", param_hint="--methods"
            )
    return names


def _refuse_page(html: str, topology: str) -> None:
    """Refuse a page that could not be written, or would replace the topology, before the work is done."""
    if html == "-":
        raise click.BadParameter("standard output has the tables; the page needs a file", param_hint="--html")
    refuse_unwritable(html, "--html")
    refuse_overwriting(html, topology)


def _folder(name: str) -> Path:
    """The folder of the schedules, made if it is not there.

    Raises
    ------
    click.BadParameter
        If it cannot be made, or takes no files.
    """
    if not name:
        raise click.BadParameter("an empty name is no folder", param_hint="--schedules")
    try:
        Path(name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.BadParameter(f"{name}: {error.strerror}", param_hint="--schedules") from None
    if not os.access(name, os.W_OK):
        raise click.BadParameter(f"no permission to write in {name}", param_hint="--schedules")
    return Path(name)


def _print(report: Report, as_json: bool) -> None:
    from skipsched.compare.tables import LEGEND, tables

    if as_json:
        click.echo(json.dumps(report.document(), indent=1))
        return
    console = report_console()
    for title, (heads, rows) in tables(report):
        console.print(title, markup=False)
        print_table(console, heads, rows)
    for line in LEGEND:
        console.print(line, markup=False)
    if report.source is not None:
        console.print(f"Published figures: {report.source}.", markup=False)
