"""`skipsched validate`."""

from __future__ import annotations

import click

from skipsched.text.words import seconds
from skipsched_cli import exit_codes
from skipsched_cli.console import print_diagnostics
from skipsched_cli.options import TopologyName, schedule_argument, talk_of, talk_options

_EPILOG = """\b
Examples:
  skipsched validate schedule.json
  skipsched solve geo-20 | skipsched validate -
  skipsched validate schedule.json --topology measured.yaml

Exit codes: 0 valid, 1 a rule or a figure is wrong, 2 bad input.
"""


@click.command("validate", epilog=_EPILOG)
@schedule_argument
@click.option(
    "--topology",
    type=TopologyName(),
    help="Judge by this topology, not by the one that the schedule carries.",
)
@talk_options
def command(schedule: str, topology: str | None, quiet: bool, verbose: bool) -> int:
    """Replay SCHEDULE (- for stdin) and check every rule, every figure and every route."""
    from skipsched.api import validate
    from skipsched.schedule import Schedule
    from skipsched.topology.load import load_topology

    talk = talk_of(quiet, verbose)
    if schedule == "-" and topology == "-":
        raise click.UsageError("only one file can be read from stdin")
    read = Schedule.read(schedule)
    given = load_topology(topology) if topology is not None else None
    if given is not None:
        if not quiet:
            print_diagnostics(given.warnings)
        carried = read.document.get("topology")
        if not isinstance(carried, dict) or carried.get("sha256") != given.sha256:
            talk.say(
                f"note: the schedule was made for another topology than {topology}; judged by {topology}"
            )
    violations = validate(read, given)
    for violation in violations:
        click.echo(violation.format())
    if violations:
        return exit_codes.NO
    document = read.document
    name = document["topology"]["name"]
    click.echo(f"valid: {name}, iteration time {seconds(document['iteration_time'])}")
    return exit_codes.YES
