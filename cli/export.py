"""`skipsched export`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from skipsched.export.formats import FILES, FOLDERS, NOTES
from skipsched_cli import exit_codes
from skipsched_cli.console import print_diagnostics
from skipsched_cli.options import (
    refuse_overwriting,
    refuse_unwritable,
    schedule_argument,
    talk_of,
    talk_options,
    topology_option,
)
from skipsched_cli.reading import read_schedule

_EPILOG = """\b
Examples:
  skipsched export schedule.json --to chrome-trace -o trace.json
  skipsched solve geo-20 | skipsched export - --to csv > actions.csv
  skipsched export schedule.json --to torch-csv -o pipelines

\b
Formats:
  chrome-trace  what ui.perfetto.dev and chrome://tracing show: a process a node
  csv           a row an action, times in microseconds
  skippipe      the JSON of SkipPipe's trainer
  torch-csv     a folder of compute-only schedules for PyTorch's pipelining

Exit codes: 0 written, 1 the format cannot express the schedule (all reasons are told, with what to set),
2 bad input.
"""


@click.command("export", epilog=_EPILOG)
@schedule_argument
@click.option(
    "--to", "form", required=True, type=click.Choice(sorted({*FILES, *FOLDERS})), help="The format."
)
@click.option(
    "-o",
    "--output",
    default="-",
    metavar="PATH",
    help="Where it goes; - is stdout. torch-csv needs a folder, new or empty.",
)
@topology_option
@talk_options
def command(schedule: str, form: str, output: str, topology: str | None, quiet: bool, verbose: bool) -> int:
    """Write SCHEDULE (- for stdin) in the format of another tool, all of it or nothing."""
    from skipsched.export.refused import NotExpressible
    from skipsched.files.atomic import write_folder_atomically
    from skipsched.files.document import write_text
    from skipsched.opened import open_schedule

    talk = talk_of(quiet, verbose)
    if form in FOLDERS:
        _refuse_folder(output, form)
    else:
        refuse_unwritable(output)
        refuse_overwriting(output, schedule, "schedule")
    opened = open_schedule(*read_schedule(schedule, topology, talk))
    try:
        if form in FOLDERS:
            write_folder_atomically(Path(output), FOLDERS[form](opened))
        else:
            write_text(FILES[form](opened), output)
    except NotExpressible as refused:
        print_diagnostics(refused.diagnostics)
        return exit_codes.NO
    if form in NOTES:
        talk.say(f"note: {NOTES[form]}")
    return exit_codes.YES


def _refuse_folder(output: str, form: str) -> None:
    """Refuse what cannot become a folder of its own.

    Raises
    ------
    click.BadParameter
        If it is standard output, a file or a folder with something in it, or cannot be made.
    """
    if output in ("-", ""):
        raise click.BadParameter(f"{form} writes several files: give a folder", param_hint="-o")
    folder = Path(os.path.realpath(output))
    try:
        if folder.exists() and not folder.is_dir():
            raise click.BadParameter(f"{output} is no folder", param_hint="-o")
        if folder.is_dir() and any(folder.iterdir()):
            raise click.BadParameter(f"{output} is not empty: give a folder of its own", param_hint="-o")
        if not folder.parent.is_dir():
            raise click.BadParameter(f"there is no folder {folder.parent}", param_hint="-o")
    except OSError as error:
        raise click.BadParameter(f"{output}: {error.strerror}", param_hint="-o") from None
    if not os.access(folder.parent, os.W_OK):
        raise click.BadParameter(f"no permission to write in {folder.parent}", param_hint="-o")
