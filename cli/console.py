"""What goes to stderr, as lines for a person or as JSON: diagnostics, progress, how it ended."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from skipsched.text.diagnostics import printable
from skipsched.text.words import seconds

if TYPE_CHECKING:
    from rich.console import Console

    from skipsched.conflict import Cause
    from skipsched.solver import Progress
    from skipsched.text.diagnostics import Diagnostic
    from skipsched.text.source import Mark

_COLORS = {"error": "red", "warning": "yellow"}
#: Columns of the widest report: more than any table has, and as many as a chart is useful with.
_WIDEST = 400
#: Columns of what is fitted to a window, where there is no window.
_PIPED = 100
#: Members of a conflict, and changes, that are listed.
_MOST_TOLD = 20
#: Under these keys the context of a run keeps whether stderr is JSON, and what the closing object says.
_AS_JSON, _CLOSING = "skipsched.progress-as-json", "skipsched.closing"


def speak_json(context: click.Context) -> None:
    """From here on write JSON lines to stderr, for ``--progress json``."""
    context.meta[_AS_JSON] = True


def speaks_json() -> bool:
    """Whether stderr is JSON lines."""
    context = click.get_current_context(silent=True)
    return context is not None and _AS_JSON in context.meta


def emit(event: str, **values: Any) -> None:
    """Write one JSON line to stderr; `docs/progress.md` lists the events and their keys."""
    from skipsched.instance import MICROSECONDS
    from skipsched_cli.main import STARTED

    elapsed = round((time.monotonic() - STARTED) * MICROSECONDS)
    click.echo(json.dumps({"event": event, "elapsed": elapsed, **values}), err=True)


def emit_end(code: int) -> None:
    """Write the closing object."""
    emit("end", exit_code=code, **click.get_current_context().meta.get(_CLOSING, {}))


def print_error(text: str) -> None:
    """Say what went wrong, which is said even if quiet."""
    if speaks_json():
        emit("error", **_located(text.removeprefix("error: ")))
    else:
        click.echo(text, err=True)


def _located(
    text: str,
    rule: str | None = None,
    where: str | None = None,
    hint: str | None = None,
    mark: Mark | None = None,
) -> dict[str, Any]:
    """The keys of errors and warnings; lines and columns count from 1."""
    placed = mark is not None and mark.source.placed
    return {
        "text": text,
        "rule": rule,
        "where": where,
        "file": mark.source.name if mark else None,
        "line": mark.line + 1 if mark and placed else None,
        "column": mark.column + 1 if mark and placed else None,
        "hint": hint,
    }


def color_wanted(stream_is_terminal: bool) -> bool:
    """Whether to colour a stream: as ``--color`` says, else on a terminal unless NO_COLOR is set."""
    context = click.get_current_context(silent=True)
    if context is not None and context.color is not None:
        return context.color
    return stream_is_terminal and not os.environ.get("NO_COLOR")


def window_size() -> tuple[int, int | None]:
    """Columns and lines for what is fitted to stdout's window, as COLUMNS and LINES say or as it is.

    Without a window there are 100 columns, and no end of lines (None). There are never more than 400 columns.
    """
    if sys.stdout.isatty():
        columns, lines = shutil.get_terminal_size()
        return min(columns, _WIDEST), lines
    given = [_positive(os.environ.get(name, "")) for name in ("COLUMNS", "LINES")]
    return min(given[0] or _PIPED, _WIDEST), given[1]


def _positive(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 10 and int(text) > 0 else None


def print_diagnostics(diagnostics: Iterable[Diagnostic]) -> None:
    """Print errors and warnings on stderr."""
    if speaks_json():
        for found in diagnostics:
            emit(
                found.severity,
                **_located(found.message, found.rule, found.where or None, found.hint, found.mark),
            )
        return
    colored = color_wanted(sys.stderr.isatty())
    for diagnostic in diagnostics:
        text = diagnostic.format()
        if colored:
            severity = click.style(diagnostic.severity, fg=_COLORS[diagnostic.severity], bold=True)
            text = text.replace(diagnostic.severity, severity, 1)
        click.echo(text, err=True, color=colored)


def told_cause(cause: Cause) -> str:
    """Why a topology is infeasible, what conflicts and where it stands, and what would make it feasible."""
    lines = [f"infeasible: {cause.message} [{', '.join(cause.rules)}]"]
    for member in cause.members[:_MOST_TOLD]:
        mark = member.mark
        placed = mark is not None and mark.source.placed
        place = f"{mark.source.name}:{mark.line + 1}:{mark.column + 1}: " if mark and placed else ""
        lines.append(f"  {place}{member.rule}: {member.says}")
    lines += _more(len(cause.members))
    for i, change in enumerate(cause.changes[:_MOST_TOLD]):
        lines.append(f"{'change' if i == 0 else '   and'}: {change.says}")
    lines += _more(len(cause.changes))
    if not cause.searched:
        found = "this is the smallest change found within the limits, there may be a smaller one"
        lines.append(found if cause.changes else "no change found within the limits")
    return "\n".join(map(printable, lines))


def _more(count: int) -> list[str]:
    """A line for those that are not listed."""
    return [f"  and {count - _MOST_TOLD} more; check --json lists them all"] if count > _MOST_TOLD else []


def report_console() -> Console:
    """A console on stdout for a report, whose lines are never cut: it is also read in logs and pipes."""
    from rich.console import Console

    class Report(Console):
        """Leaves a reader who went away to the caller; rich would say by its exit code: infeasible."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Report(highlight=False, soft_wrap=True, width=_WIDEST)


def print_table(console: Console, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table of texts, without markup and without breaking a cell."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(*heads, box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        column.no_wrap = True
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


@dataclass(slots=True)
class Talk:
    """What a command says on stderr: to a person, or with ``--progress json`` to a program.

    Parameters
    ----------
    quiet
        Nothing but errors.
    verbose
        Every better schedule as well.
    """

    quiet: bool = False
    verbose: bool = False

    def say(self, text: str) -> None:
        """A line for a person."""
        if speaks_json():
            emit("message", text=text)
        elif not self.quiet:
            click.echo(text, err=True, color=color_wanted(sys.stderr.isatty()))

    def detail(self, text: str) -> None:
        """A line for a person who asked for more."""
        if self.verbose:
            self.say(text)

    def warn(self, warnings: Iterable[Diagnostic]) -> None:
        """Warnings about an input."""
        if not self.quiet:
            print_diagnostics(warnings)

    def step(self, name: str, done: int | None = None, total: int | None = None) -> None:
        """Something begins that is one of several: how many of how many are done, where that is known."""
        if speaks_json():
            emit("step", name=name, done=done, total=total)
        else:
            self.say(f"{name} ...")

    def close(self, text: str | None, **result: Any) -> None:
        """Say how it ended: in a line for a person, if there is one, or in the closing object."""
        if speaks_json():
            click.get_current_context().meta[_CLOSING] = result
        elif text is not None:
            self.say(text)

    @contextmanager
    def live(self, remaining: Callable[[], float]) -> Iterator[Callable[[Progress], None]]:
        """A live line on a terminal while a solve runs; yields what to call with its progress.

        Parameters
        ----------
        remaining
            Seconds that are left of the time limit.
        """
        if speaks_json():
            yield _emitting(remaining)
            return
        if self.quiet or not sys.stderr.isatty():
            yield self._log
            return
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        latest: list[Progress] = []

        def line() -> Text:
            return Text(
                _progress_line(latest[-1], remaining()) if latest else "", overflow="ellipsis", no_wrap=True
            )

        console = Console(stderr=True, no_color=not color_wanted(True))
        with Live(get_renderable=line, console=console, transient=True, refresh_per_second=5):

            def take(progress: Progress) -> None:
                latest.append(progress)
                del latest[:-1]
                self._log(progress)

            yield take

    @contextmanager
    def steps(self, total: int) -> Iterator[tuple[Callable[[str], None], Callable[[str], None]]]:
        """A live bar on a terminal; yields what to call with a step's name when it begins and has ended."""
        if self.quiet or speaks_json() or not total or not sys.stderr.isatty():
            ended: list[str] = []

            def begin(name: str) -> None:
                if speaks_json():
                    self.step(name, len(ended), total)

            def end(name: str) -> None:
                ended.append(name)
                self.detail(f"ended: {name}")

            yield begin, end
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        console = Console(stderr=True, no_color=not color_wanted(True))
        text = TextColumn("{task.description}", markup=False)
        with Bar(
            text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console, transient=True
        ) as bar:
            task = bar.add_task("", total=total)

            def advance(name: str) -> None:
                bar.advance(task)
                self.detail(f"ended: {name}")

            yield (lambda name: bar.update(task, description=name)), advance

    def _log(self, progress: Progress) -> None:
        if progress.iteration_time is not None:
            self.detail(_progress_line(progress, None))


def _emitting(remaining: Callable[[], float]) -> Callable[[Progress], None]:
    """What writes progress as JSON: better figures, and each phase when it is entered first.

    Later the phases take turns, many times a second.
    """
    from skipsched.instance import MICROSECONDS

    entered: set[str] = set()
    known: list[tuple[int | None, int | None]] = []

    def take(progress: Progress) -> None:
        figures = (progress.iteration_time, progress.lower_bound)
        if progress.phase in entered and figures in known[-1:]:
            return
        entered.add(progress.phase)
        known.append(figures)
        emit(
            "progress",
            phase=progress.phase,
            iteration_time=progress.iteration_time,
            lower_bound=progress.lower_bound,
            gap=progress.gap,
            remaining=round(remaining() * MICROSECONDS),
        )

    return take


def _progress_line(progress: Progress, remaining: float | None) -> str:
    parts = [progress.phase]
    if progress.iteration_time is not None:
        parts.append(f"iteration {seconds(progress.iteration_time)}")
    if progress.lower_bound is not None:
        parts.append(f"bound {seconds(progress.lower_bound)}")
    if progress.gap is not None:
        parts.append(f"gap {100 * progress.gap:.1f} %")
    if remaining is not None:
        parts.append(f"{remaining:.0f} s left")
    return "  ".join(parts)
