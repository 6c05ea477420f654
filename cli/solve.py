"""`skipsched solve`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from skipsched.clock import Clock
from skipsched.schedule import Schedule
from skipsched.solver import DEFAULT_TIME_LIMIT, CheckFailed, Options, Result, run_solver
from skipsched.text.words import counted, seconds
from skipsched.topology.load import load_topology
from skipsched_cli import exit_codes
from skipsched_cli.console import Talk, print_error, speaks_json, told_cause
from skipsched_cli.main import STARTED
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

_EPILOG = """\b
Examples:
  skipsched solve geo-20 -o schedule.json
  skipsched solve topology.yaml --time-limit 10 | skipsched validate -
  cat topology.yaml | skipsched solve - --gap 0.05 > schedule.json
  skipsched solve topology.yaml --hint schedule.json -o better.json

Exit codes: 0 a schedule was written, 1 infeasible, 2 bad input, 3 nothing found in time, 130 interrupted
before any schedule; with one in hand, Ctrl-C and SIGTERM write it and exit 0.
"""


@click.command("solve", epilog=_EPILOG)
@topology_argument
@click.option("-o", "--output", default="-", metavar="FILE", help="Where the schedule goes; - is stdout.")
@click.option(
    "--time-limit",
    type=Finite(min=0, min_open=True),
    default=DEFAULT_TIME_LIMIT,
    show_default=True,
    metavar="S",
    help="Seconds from start to exit; with --deterministic, of counted work.",
)
@click.option(
    "--gap",
    type=Finite(0, 1),
    default=0.0,
    show_default=True,
    metavar="G",
    help="Stop once the proven gap is at most this: 0.05 for 5 %.",
)
@seed_option
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=None,
    help="Search workers; fixed with --deterministic.  [default: one per core]",
)
@click.option("--deterministic", is_flag=True, help="The same bytes on every machine.")
@click.option("--hint", metavar="SCHEDULE", help="Start from this schedule; the result is never worse.")
@click.option("--allocation-from", metavar="SCHEDULE", help="Keep this schedule's allocation.")
@click.option("--no-windows", is_flag=True, help="Search without windows of the exact model.")
@click.option(
    "--robust",
    type=Finite(0, 1, min_open=True, max_open=True),
    metavar="Q",
    help="Choose by this quantile of simulated iteration times: 0.95.",
)
@click.option("--stats", is_flag=True, help="Say on stderr what each phase did.")
@talk_options
def command(
    topology: str,
    output: str,
    time_limit: float,
    gap: float,
    seed: int,
    workers: int | None,
    deterministic: bool,
    hint: str | None,
    allocation_from: str | None,
    no_windows: bool,
    robust: float | None,
    stats: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Find a schedule for TOPOLOGY: a file, - for stdin, or the name of a shipped instance."""
    talk = talk_of(quiet, verbose)
    refuse_unwritable(output)
    refuse_overwriting(output, topology)
    if [topology, hint, allocation_from].count("-") > 1:
        raise click.UsageError("only one file can be read from stdin")
    clock = Clock(time_limit, deterministic, STARTED)
    loaded = load_topology(topology)
    talk.warn(loaded.warnings)
    options = Options(
        gap=gap,
        seed=seed,
        workers=workers,
        hint=Schedule.read(hint) if hint is not None else None,
        allocation_from=Schedule.read(allocation_from) if allocation_from is not None else None,
        windows=not no_windows,
        robust=robust,
    )
    with stopping(clock):
        try:
            with talk.live(clock.remaining) as progress:
                result = run_solver(loaded, options, clock, progress)
        except CheckFailed as error:
            print_error(f"internal error, please report it: the schedule found is not valid\n{error}")
            return exit_codes.INTERNAL_ERROR
        if result.schedule is not None:
            result.schedule.write(output)
        _close(talk, result, clock, stats)
        if result.statistics.has_waited:
            talk.say("part of the search was compiled first, which happens once after installation")
        if (
            robust is not None
            and result.schedule is not None
            and not result.schedule.document["solver"].get("robust")
        ):
            talk.say("chosen by the iteration time alone: there is no time to simulate several schedules")
        if stats and not speaks_json():
            _print_stats(result)
    if result.schedule is not None:
        return exit_codes.YES
    if result.cause is not None:
        return exit_codes.NO
    return exit_codes.INTERRUPTED if result.stop_reason == "interrupted" else exit_codes.NOTHING_FOUND


def _close(talk: Talk, result: Result, clock: Clock, stats: bool) -> None:
    """Say how it ended; why there is no schedule is said even if quiet."""
    document = None if result.schedule is None else result.schedule.document
    if result.cause is not None:
        print_error(told_cause(result.cause))
    elif document is None:
        print_error(f"no schedule found ({result.stop_reason.replace('_', ' ')})")
    talk.close(
        None if document is None else _line(result, document, clock),
        status=result.status,
        stop_reason=result.stop_reason,
        iteration_time=None if document is None else document["iteration_time"],
        lower_bound=result.lower_bound,
        bound_kind=result.bound_kind,
        gap=None if document is None else document["gap"],
        cause=None if result.cause is None else result.cause.document(),
        statistics=result.statistics.document() if stats else None,
        report=None,
    )


def _line(result: Result, document: Mapping[str, Any], clock: Clock) -> str:
    """The closing line of a schedule."""
    parts = [f"{result.status}: iteration time {seconds(document['iteration_time'])}"]
    robust = document["solver"].get("robust")
    if robust:
        among = counted(robust["candidates"], "schedule")
        parts.append(f"p{100 * robust['quantile']:g} {seconds(robust['time'])}, best of {among}")
    if result.lower_bound is not None:
        parts.append(f"bound {seconds(result.lower_bound)} ({result.bound_kind})")
        parts.append(f"gap {100 * document['gap']:.1f} %")
    parts.append(f"{clock.elapsed():.1f} s ({result.stop_reason.replace('_', ' ')})")
    return ", ".join(parts)


def _print_stats(result: Result) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(stderr=True, highlight=False)
    phases = Table("phase", "seconds", "better schedules", box=box.SIMPLE_HEAD)
    for name, phase in result.statistics.phases.items():
        phases.add_row(name, f"{phase.seconds:.2f}", str(phase.better))
    console.print(phases)
    if result.statistics.neighbourhoods:
        moves = Table("neighbourhood", "tried", "accepted", "gained", "seconds", box=box.SIMPLE_HEAD)
        for name, done in result.statistics.neighbourhoods.items():
            counts = (str(done.tried), str(done.accepted), seconds(done.gained), f"{done.seconds:.2f}")
            moves.add_row(name, *counts)
        console.print(moves)
    history = Table("after", "iteration time", box=box.SIMPLE_HEAD)
    for at, time in result.statistics.incumbents:
        history.add_row(f"{at:.2f} s", seconds(time))
    console.print(history)
