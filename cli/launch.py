"""`skipsched launch`."""

from __future__ import annotations

import os
import shutil

import click

from skipsched_cli import exit_codes
from skipsched_cli.console import print_error
from skipsched_cli.options import schedule_argument, talk_of, talk_options

_EPILOG = """\b
Examples:
  skipsched launch schedule.json -- python train.py --epochs 3
  skipsched solve small-8 | skipsched launch - -- python -m skipsched.runtime.train --steps 50
  skipsched launch schedule.json -- python -m skipsched.runtime.train --emulate --time-scale 0.1

Every process finds the schedule in the file that SKIPSCHED_SCHEDULE names, and RANK, WORLD_SIZE, MASTER_ADDR
and MASTER_PORT as torchrun sets them; ranks follow the nodes of the topology. Over several machines run
torchrun on each (docs/runtime.md). Needs the extra `torch`.

Exit codes: 0 all processes ended well, 1 torch's launcher failed, 2 bad input, 130 interrupted; else that of
the process that failed first, or 128 and the number of the signal that ended it.
"""


@click.command("launch", epilog=_EPILOG)
@talk_options
@schedule_argument
@click.argument("program", nargs=-1, type=click.UNPROCESSED, required=True, metavar="-- PROGRAM [ARGS]...")
def command(schedule: str, program: tuple[str, ...], quiet: bool, verbose: bool) -> int:
    """Run PROGRAM in one process for each node of SCHEDULE (- for stdin), on this machine."""
    from skipsched.runtime.needs import refuse_without_torch
    from skipsched.schedule import Schedule

    talk = talk_of(quiet, verbose)
    refuse_without_torch()
    if shutil.which(program[0]) is None:
        raise click.BadParameter(f"there is no program {program[0]}", param_hint="PROGRAM")
    read = Schedule.read(schedule)
    # What is left of it is not for the processes, nor is a terminal.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    from skipsched.runtime.launch import LaunchFailed, launch

    try:
        failure = launch(read, program)
    except LaunchFailed as error:
        print_error(f"error: {error}")
        return exit_codes.NO
    if failure is None:
        talk.detail("all processes ended well")
        return exit_codes.YES
    print_error(f"node {failure.node} (rank {failure.rank}) {failure.how}")
    return failure.exit_code
