"""Reading the schedule that a command works on, and the topology it may be given beside it."""

from __future__ import annotations

import click

from skipsched.schedule import Schedule
from skipsched.topology.model import Topology
from skipsched_cli.console import Talk


def read_schedule(schedule: str, topology: str | None, talk: Talk) -> tuple[Schedule, Topology | None]:
    """Read a schedule and the topology given, if any; says so if the schedule was made for another one.

    Raises
    ------
    click.UsageError
        If both are to come from standard input.
    InputError
        If one of them cannot be read.
    """
    from skipsched.topology.load import load_topology

    if schedule == "-" and topology == "-":
        raise click.UsageError("only one file can be read from stdin")
    read = Schedule.read(schedule)
    if topology is None:
        return read, None
    given = load_topology(topology)
    talk.warn(given.warnings)
    carried = read.document.get("topology")
    if not isinstance(carried, dict) or carried.get("sha256") != given.sha256:
        talk.say(f"note: the schedule was made for another topology than {topology}; judged by {topology}")
    return read, given
