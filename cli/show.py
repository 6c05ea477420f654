"""`skipsched show`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from skipsched_cli import exit_codes
from skipsched_cli.console import color_wanted, window_size
from skipsched_cli.options import (
    Time,
    refuse_overwriting,
    refuse_unwritable,
    schedule_argument,
    talk_of,
    talk_options,
    topology_option,
)
from skipsched_cli.reading import read_schedule

if TYPE_CHECKING:
    from skipsched.opened import Opened
    from skipsched.render.chart import View

_EPILOG = """\b
Examples:
  skipsched show schedule.json
  skipsched solve geo-20 | skipsched show - --html geo-20.html
  skipsched show schedule.json --node n3 --node n4 --from '10 s' --to '25 s'
  skipsched show schedule.json --microbatch 7 --svg microbatch-7.svg
  skipsched show schedule.json --color always | less -R

In the terminal, F, L and B are forward, loss and backward, each followed by its microbatch where that
fits. With --svg or --html the chart goes to files instead; - is stdout. The page needs no network: zoom
with the wheel, drag to move, click on a bar to follow its microbatch.

Exit codes: 0 drawn, 2 bad input, among it a schedule that is not valid.
"""


@click.command("show", epilog=_EPILOG)
@schedule_argument
@topology_option
@click.option("--node", "nodes", multiple=True, metavar="ID", help="Draw this node; may be repeated.")
@click.option(
    "--microbatch",
    "microbatches",
    multiple=True,
    type=click.IntRange(min=0),
    metavar="N",
    help="Let this microbatch stand out, on the nodes it visits; may be repeated.",
)
@click.option("--from", "begin", type=Time(), metavar="TIME", help="Begin here, such as '10 s'.")
@click.option("--to", "end", type=Time(), metavar="TIME", help="End here, such as '12.5 s'.")
@click.option(
    "--color-by",
    type=click.Choice(["kind", "microbatch"]),
    default="kind",
    show_default=True,
    help="What colours tell apart.",
)
@click.option("--svg", metavar="FILE", help="Write the chart as SVG.")
@click.option("--html", metavar="FILE", help="Write a page: chart, links, critical path.")
@talk_options
def command(
    schedule: str,
    topology: str | None,
    nodes: tuple[str, ...],
    microbatches: tuple[int, ...],
    begin: int | None,
    end: int | None,
    color_by: Literal["kind", "microbatch"],
    svg: str | None,
    html: str | None,
    quiet: bool,
    verbose: bool,
) -> int:
    """Draw SCHEDULE (- for stdin): when every node does what, in a chart that fits the window."""
    from skipsched.files.atomic import write_atomically
    from skipsched.opened import open_schedule
    from skipsched.render.chart import chart_of
    from skipsched.render.page import page
    from skipsched.render.svg import svg_of
    from skipsched.render.terminal import Window, text_of

    talk = talk_of(quiet, verbose)
    _refuse_what_cannot_be_written(schedule, topology, svg, html)
    read, given = read_schedule(schedule, topology, talk)
    opened = open_schedule(read, given)
    view = _view(opened, nodes, microbatches, begin, end)
    lower_bound = read.document["lower_bound"] if given is None else None
    drawn: dict[str | None, Callable[[], str]] = {
        svg: lambda: svg_of(chart_of(opened, view), color_by),
        html: lambda: page(opened, view, color_by, lower_bound),
    }
    for target, draw in drawn.items():
        if target == "-":
            click.echo(draw(), nl=False)
        elif target is not None:
            write_atomically(Path(target), draw())
            talk.say(f"wrote {target}")
    if svg is None and html is None:
        colored = color_wanted(sys.stdout.isatty())
        window = Window(*window_size(), colored)
        click.echo(text_of(chart_of(opened, view), window, color_by), color=colored)
    return exit_codes.YES


def _refuse_what_cannot_be_written(
    schedule: str, topology: str | None, svg: str | None, html: str | None
) -> None:
    """Tell before the work, not after."""
    for option, target in (("--svg", svg), ("--html", html)):
        if target is not None:
            refuse_unwritable(target, option)
            refuse_overwriting(target, schedule, "schedule")
            if topology is not None:
                refuse_overwriting(target, topology)
    if svg is not None and html is not None and (svg == html or Path(svg).resolve() == Path(html).resolve()):
        raise click.UsageError("--svg and --html need a file each")


def _view(
    opened: Opened, nodes: tuple[str, ...], microbatches: tuple[int, ...], begin: int | None, end: int | None
) -> View:
    """The part of the schedule that is asked for.

    Raises
    ------
    InputError
        If it names what the schedule does not have.
    """
    from skipsched.render.chart import View, whole
    from skipsched.text.diagnostics import Diagnostic, InputError, did_you_mean, quoted
    from skipsched.text.words import seconds

    ids = opened.instance.node_ids
    microbatch_count = len(opened.scheduled.plan.routes.paths)
    first, last = whole(opened)
    begin, end = begin or first, last if end is None else min(end, last)
    errors: list[Diagnostic] = []
    for name in dict.fromkeys(nodes):
        if name not in ids:
            message = f"there is no node {quoted(name)}"
            errors.append(Diagnostic("error", "node", "--node", message, hint=did_you_mean(name, ids)))
    for number in dict.fromkeys(microbatches):
        if number >= microbatch_count:
            message = f"there is no microbatch {number}, the last one is {microbatch_count - 1}"
            errors.append(Diagnostic("error", "microbatch", "--microbatch", message))
    if begin >= last:
        message = f"the iteration ends at {seconds(last)}, there is nothing to draw from {seconds(begin)} on"
        errors.append(Diagnostic("error", "time", "--from", message))
    elif begin >= end:
        message = f"{seconds(end)} is not after {seconds(begin)}, where the chart begins"
        errors.append(Diagnostic("error", "time", "--to", message))
    if errors:
        raise InputError(errors)
    chosen = frozenset(ids.index(name) for name in nodes)
    return View(begin, end, chosen, frozenset(microbatches))
