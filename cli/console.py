"""What goes to a person on stderr: diagnostics, the live line, the closing line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from skipsched.routes.cause import Cause
    from skipsched.solver import Progress
    from skipsched.text.diagnostics import Diagnostic
    from skipsched.topology.model import Topology

_COLORS = {"error": "red", "warning": "yellow"}


def color_wanted(stream_is_terminal: bool) -> bool:
    """Whether to colour a stream: as ``--color`` says, else on a terminal unless NO_COLOR is set."""
    context = click.get_current_context(silent=True)
    if context is not None and context.color is not None:
        return context.color
    return stream_is_terminal and not os.environ.get("NO_COLOR")


def print_diagnostics(diagnostics: Iterable[Diagnostic]) -> None:
    """Print errors and warnings on stderr."""
    colored = color_wanted(sys.stderr.isatty())
    for diagnostic in diagnostics:
        text = diagnostic.format()
        if colored:
            severity = click.style(diagnostic.severity, fg=_COLORS[diagnostic.severity], bold=True)
            text = text.replace(diagnostic.severity, severity, 1)
        click.echo(text, err=True, color=colored)


def told_cause(cause: Cause, topology: Topology) -> str:
    """Why a topology is infeasible, and where in its text the rules in conflict stand."""
    from skipsched.routes.cause import FIELDS

    fields = [field for rule in cause.rules for field in FIELDS[rule] if field in topology.places]
    marks = [(field, topology.places[field]) for field in fields]
    places = [f"  {mark.source.name}:{mark.line + 1}:{mark.column + 1}: {field}" for field, mark in marks]
    return "\n".join([f"infeasible: {cause.message} [{', '.join(cause.rules)}]", *places])


def seconds(microseconds: int) -> str:
    """A time for a person."""
    if 0 < microseconds < 100_000:
        return f"{microseconds / 1e3:.3g} ms"
    return f"{microseconds / 1e6:.2f} s"


@dataclass(slots=True)
class Talk:
    """How much a command says on stderr.

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
        if not self.quiet:
            click.echo(text, err=True, color=color_wanted(sys.stderr.isatty()))

    @contextmanager
    def live(self, remaining: Callable[[], float]) -> Iterator[Callable[[Progress], None]]:
        """A live line on a terminal while a solve runs; yields what to call with its progress."""
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

    def _log(self, progress: Progress) -> None:
        if self.verbose and progress.iteration_time is not None:
            self.say(_progress_line(progress, None))


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
