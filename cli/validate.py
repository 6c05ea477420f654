"""`skipsched validate`."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from skipsched.text.words import seconds
from skipsched_cli import exit_codes
from skipsched_cli.options import schedule_argument, talk_of, talk_options, topology_option
from skipsched_cli.reading import read_schedule

_EPILOG = """\b
Examples:
  skipsched validate schedule.json
  skipsched solve geo-20 | skipsched validate -
  skipsched validate schedule.json --topology measured.yaml
  skipsched validate schedule.json --json | jq '.violations[].rule'

Exit codes: 0 valid, 1 a rule or a figure is wrong, 2 bad input.
"""


@click.command("validate", epilog=_EPILOG)
@schedule_argument
@topology_option
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
@talk_options
def command(schedule: str, topology: str | None, as_json: bool, quiet: bool, verbose: bool) -> int:
    """Replay SCHEDULE (- for stdin) and check every rule, every figure and every route."""
    from skipsched.api import validate

    read, given = read_schedule(schedule, topology, talk_of(quiet, verbose))
    violations = validate(read, given)
    if as_json:
        verdict = {"valid": not violations, "violations": [asdict(violation) for violation in violations]}
        click.echo(json.dumps(verdict, ensure_ascii=False, indent=1))
        return exit_codes.NO if violations else exit_codes.YES
    for violation in violations:
        click.echo(violation.format())
    if violations:
        return exit_codes.NO
    document = read.document
    name = document["topology"]["name"]
    click.echo(f"valid: {name}, iteration time {seconds(document['iteration_time'])}")
    return exit_codes.YES
