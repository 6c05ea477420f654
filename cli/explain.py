"""`skipsched explain`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from skipsched.text.diagnostics import printable
from skipsched_cli import exit_codes
from skipsched_cli.compiled import wait_until_compiled
from skipsched_cli.console import print_table, report_console
from skipsched_cli.options import (
    Finite,
    schedule_argument,
    seed_option,
    talk_of,
    talk_options,
    topology_option,
)
from skipsched_cli.reading import read_schedule
from skipsched_cli.signals import stopping

if TYPE_CHECKING:
    from skipsched.insight.explanation import Explanation
    from skipsched.insight.prospect import Prospect

_EPILOG = """\b
Examples:
  skipsched explain schedule.json
  skipsched solve geo-20 | skipsched explain -
  skipsched explain schedule.json --budget 300 --what-ifs 12
  skipsched explain schedule.json --budget 0 --json | jq .critical_path.times

Exit codes: 0 explained, 2 bad input, 130 interrupted (what is known is printed).
"""


@click.command("explain", epilog=_EPILOG)
@schedule_argument
@topology_option
@click.option(
    "--budget",
    type=Finite(min=0),
    default=30.0,
    show_default=True,
    metavar="S",
    help="Seconds of counted work in all to solve changes anew; 0: none are.",
)
@click.option(
    "--what-ifs",
    type=click.IntRange(0),
    default=6,
    show_default=True,
    metavar="N",
    help="How many changes are solved anew, the most promising ones.",
)
@seed_option
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@talk_options
def command(
    schedule: str,
    topology: str | None,
    budget: float,
    what_ifs: int,
    seed: int,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Say why the iteration of SCHEDULE (- for stdin) takes as long as it does, and what would shorten it."""
    from skipsched.insight.candidates import candidates
    from skipsched.insight.explanation import explained
    from skipsched.insight.prospect import Prospect
    from skipsched.insight.trials import Trials
    from skipsched.opened import open_schedule

    talk = talk_of(quiet, verbose)
    read, given = read_schedule(schedule, topology, talk)
    opened = open_schedule(read, given)
    explanation = explained(read, opened, own_topology=given is None)
    changes = candidates(opened, explanation.nodes, explanation.links, explanation.steps)
    trials = Trials(opened, read, explanation.bound, budget, seed, talk.step)
    with stopping(trials):
        if budget > 0 and what_ifs > 0:
            wait_until_compiled(talk, trials)
        outcomes = trials.run(changes, what_ifs)
    prospect = Prospect(outcomes, trials.unchanged, budget, seed, trials.stopped)
    if as_json:
        click.echo(json.dumps(explanation.document() | {"what_if": prospect.document()}, indent=1))
    else:
        _print(explanation, prospect)
    return exit_codes.INTERRUPTED if trials.stopped else exit_codes.YES


def _print(explanation: Explanation, prospect: Prospect) -> None:
    from skipsched.insight import explanation_tables as told

    console = report_console()
    console.print(told.headline(explanation), markup=False)
    print_table(console, *told.parts(explanation))
    for sentence in told.sentences(explanation):
        console.print(sentence, markup=False)
    for title, table, legend in (
        ("The busiest nodes", told.nodes(explanation), told.NODE_LEGEND),
        ("The links that most of the critical path hangs on", told.links(explanation), told.LINK_LEGEND),
        ("What would shorten it", told.changes(explanation, prospect), told.CHANGE_LEGEND),
    ):
        console.print(f"\n{title}", markup=False)
        print_table(console, *table)
        for line in legend:
            console.print(line, markup=False)
    for line in told.remarks(explanation, prospect):
        console.print(printable(line), markup=False)
