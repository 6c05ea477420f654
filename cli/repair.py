"""`skipsched repair`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from skipsched.clock import Clock
from skipsched.files.document import write_document
from skipsched.opened import Opened, open_schedule
from skipsched.repair.run import DEFAULT_TIME_LIMIT, Repaired, on_topology, without_nodes
from skipsched.schedule import Schedule
from skipsched.solver import CheckFailed
from skipsched.text.words import seconds
from skipsched.topology.load import load_topology
from skipsched.topology.model import Topology
from skipsched_cli import exit_codes
from skipsched_cli.console import Talk, print_error, speaks_json, told_cause
from skipsched_cli.main import STARTED
from skipsched_cli.options import (
    Finite,
    TopologyName,
    refuse_overwriting,
    refuse_unwritable,
    schedule_argument,
    seed_option,
    talk_of,
    talk_options,
)
from skipsched_cli.signals import stopping

_EPILOG = """\b
Examples:
  skipsched repair schedule.json --without n4 -o repaired.json
  skipsched repair schedule.json --without n4 --without n7 | skipsched validate -
  skipsched repair schedule.json --topology now.yaml --report report.json -o repaired.json

Exit codes: 0 a schedule was written, 1 what is left is infeasible, 2 bad input, 3 nothing found in time,
130 interrupted before any schedule; with one in hand, Ctrl-C and SIGTERM write it and exit 0.
"""


@click.command("repair", epilog=_EPILOG)
@schedule_argument
@click.option("--without", multiple=True, metavar="NODE", help="A node that left; may be repeated.")
@click.option("--topology", type=TopologyName(), help="What there is now; nodes are matched by their ids.")
@click.option("-o", "--output", default="-", metavar="FILE", help="Where the schedule goes; - is stdout.")
@click.option("--report", metavar="FILE", help="Write as JSON what was kept and what was not.")
@click.option(
    "--time-limit",
    type=Finite(min=0, min_open=True),
    default=DEFAULT_TIME_LIMIT,
    show_default=True,
    metavar="S",
    help="Seconds from start to exit; with --deterministic, of counted work.",
)
@seed_option
@click.option("--deterministic", is_flag=True, help="The same bytes on every machine.")
@talk_options
def command(
    schedule: str,
    without: tuple[str, ...],
    topology: str | None,
    output: str,
    report: str | None,
    time_limit: float,
    seed: int,
    deterministic: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Repair SCHEDULE (- for stdin) after nodes left or came, keeping allocation and paths where it can."""
    talk = talk_of(quiet, verbose)
    if bool(without) == (topology is not None):
        raise click.UsageError("give either --without, for each node that left, or --topology")
    _refuse_outputs(schedule, topology, output, report)
    clock = Clock(time_limit, deterministic, STARTED)
    opened, now = _opened(schedule, topology, talk)
    with stopping(clock):
        try:
            with talk.live(clock.remaining) as progress:
                if now is None:
                    repair = without_nodes(opened, without, clock, seed, progress)
                else:
                    repair = on_topology(opened, now, clock, seed, progress)
        except CheckFailed as error:
            print_error(f"internal error, please report it: the repaired schedule is not valid\n{error}")
            return exit_codes.INTERNAL_ERROR
        if repair.schedule is not None:
            repair.schedule.write(output)
        if repair.report is not None and report is not None:
            write_document(repair.report.document(), report)
        _close(talk, repair, clock)
    if repair.schedule is not None:
        return exit_codes.YES
    if repair.cause is not None:
        return exit_codes.NO
    return exit_codes.INTERRUPTED if repair.stop_reason == "interrupted" else exit_codes.NOTHING_FOUND


def _refuse_outputs(schedule: str, topology: str | None, output: str, report: str | None) -> None:
    """Refuse before the work is done what cannot be written, or would replace what is read."""
    if topology is not None:
        if schedule == "-" and topology == "-":
            raise click.UsageError("only one file can be read from stdin")
        refuse_overwriting(output, topology)
    refuse_unwritable(output)
    if report is None:
        return
    if report == output:
        raise click.UsageError("the schedule and the report cannot both go to the same file")
    refuse_unwritable(report, "--report")
    refuse_overwriting(report, schedule, "schedule")
    if topology is not None:
        refuse_overwriting(report, topology)


def _opened(schedule: str, topology: str | None, talk: Talk) -> tuple[Opened, Topology | None]:
    """The schedule, and the topology given, if any."""
    read = Schedule.read(schedule)
    now = None if topology is None else load_topology(topology)
    if now is not None:
        talk.warn(now.warnings)
    return open_schedule(read), now


def _close(talk: Talk, repair: Repaired, clock: Clock) -> None:
    """The report, and how it ended; why there is no schedule is said even if quiet."""
    document = None if repair.schedule is None else repair.schedule.document
    if repair.cause is not None:
        print_error(told_cause(repair.cause))
    elif document is None:
        print_error(f"no schedule found ({repair.stop_reason.replace('_', ' ')})")
    elif repair.report is not None and not speaks_json():
        for line in repair.report.told():
            talk.say(line)
    talk.close(
        None if document is None else _line(repair, document, clock),
        status=None if document is None else document["solver"]["status"],
        stop_reason=repair.stop_reason,
        iteration_time=None if document is None else document["iteration_time"],
        lower_bound=None if document is None else document["lower_bound"],
        bound_kind=None if document is None else document["bound_kind"],
        gap=None if document is None else document["gap"],
        cause=None if repair.cause is None else repair.cause.document(),
        statistics=None,
        report=None if repair.report is None else repair.report.document(),
    )
    if repair.has_waited:
        talk.say("part of the search was being compiled, which happens once after installation")


def _line(repair: Repaired, document: Mapping[str, Any], clock: Clock) -> str:
    """The closing line of a schedule."""
    time, status = seconds(document["iteration_time"]), document["solver"]["status"]
    before = "" if repair.report is None else f", {seconds(repair.report.before)} before"
    reason = repair.stop_reason.replace("_", " ")
    return f"{status}: iteration time {time}{before}, {clock.elapsed():.1f} s ({reason})"
