"""The command `skipsched`: finds the command asked for, and turns what goes wrong into exit codes."""

from __future__ import annotations

import os
import signal
import sys
import time

#: When the process began, as nearly as Python tells: time limits count from here.
STARTED = time.monotonic() - time.process_time()

from collections.abc import Sequence  # noqa: E402
from importlib import import_module  # noqa: E402
from io import TextIOWrapper  # noqa: E402
from itertools import pairwise  # noqa: E402
from typing import TextIO  # noqa: E402

import click  # noqa: E402

from skipsched.text.diagnostics import InputError  # noqa: E402
from skipsched_cli import exit_codes  # noqa: E402
from skipsched_cli.console import (  # noqa: E402
    emit_end,
    print_diagnostics,
    print_error,
    speak_json,
    speaks_json,
)

_COMMANDS = {
    "solve": "Find a schedule for a topology.",
    "check": "Read a topology and report, without scheduling.",
    "validate": "Replay a schedule and check everything it claims.",
    "show": "Draw a schedule: in the terminal, as SVG, as a page.",
    "explain": "Say why the iteration takes as long as it does, and what would shorten it.",
    "simulate": "Replay a schedule many times under jitter, slow links, lost nodes.",
    "generate": "Write a random topology of a given size and kind.",
    "repair": "Repair a schedule after nodes left or came.",
    "compare": "Put skipsched beside the published methods.",
    "bench": "Measure methods on instances, over seeds and time limits.",
    "export": "Write a schedule in another tool's format.",
    "launch": "Run a schedule: one process for each node on this machine.",
    "schema": "Print the JSON Schema of a file format.",
}

_EPILOG = """\b
Examples:
  skipsched solve geo-20 -o schedule.json
  skipsched solve topology.yaml | skipsched validate -
  skipsched check topology.yaml

\b
Completion, for bash, zsh and fish:
  eval "$(_SKIPSCHED_COMPLETE=bash_source skipsched)"
"""


#: What ends a command early and is told without a traceback.
_ENDS = (click.ClickException, click.Abort, KeyboardInterrupt, InputError, OSError)


class _Commands(click.Group):
    """Loads a command's module only when it is run or its own help is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"skipsched_cli.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> int:
        """Run a command; returns the exit code.

        What goes wrong is told here, while the command's options are still known, and before click takes a
        pipe that broke for exit code 1: no.
        """
        try:
            code = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()
        except _ENDS as error:
            # What the parser of options refuses comes before any option is read.
            if isinstance(error, click.UsageError) and _asks_for_json(sys.argv):
                speak_json(ctx)
            code = _told(error)
        code = code if isinstance(code, int) else exit_codes.YES
        if speaks_json():
            try:
                emit_end(code)
            except BrokenPipeError:
                return _reader_gone(sys.stderr)
        return code

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from skipsched.version import __version__

        click.echo(f"skipsched {__version__}")
        ctx.exit()


@click.command(cls=_Commands, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
def cli() -> None:
    """Path schedules for training language models over uneven networks.

    Describe nodes and links in a topology, get a schedule: which node holds which stage, which path every
    microbatch takes, and in which order each node works.
    """


def main() -> None:
    """Run the command line and exit."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _prepare_streams()
    sys.exit(run())


def _prepare_streams() -> None:
    """Results are UTF-8 whatever the locale; where a stream is closed, no file of ours takes its number."""
    if sys.stdin is None:
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY))
    if sys.stdout is None:
        os.open(os.devnull, os.O_WRONLY)
    elif isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def run() -> int:
    """Run the command line; returns the exit code."""
    try:
        code = cli.main(prog_name="skipsched", standalone_mode=False)
    except _ENDS as error:
        return _told(error)
    return code if isinstance(code, int) else exit_codes.YES


def _told(error: BaseException) -> int:
    """Say what ended a command, one of `_ENDS`; returns the exit code."""
    if isinstance(error, InputError):
        print_diagnostics(error.diagnostics)
    elif isinstance(error, click.ClickException):
        if speaks_json():
            print_error(error.format_message())
        else:
            error.show()
    elif isinstance(error, BrokenPipeError):
        return _reader_gone(sys.stdout)
    elif isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        print_error(f"error: {place}{error.strerror or error}")
    else:
        if isinstance(error, KeyboardInterrupt) and not speaks_json():
            click.echo(err=True)  # the terminal has ^C on the last line
        return exit_codes.INTERRUPTED
    return exit_codes.BAD_INPUT


def _asks_for_json(words: Sequence[str]) -> bool:
    return "--progress=json" in words or ("--progress", "json") in pairwise(words)


def _reader_gone(stream: TextIO) -> int:
    """Nobody reads any more: what is left in the buffer must not complain when Python closes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return exit_codes.BROKEN_PIPE


if __name__ == "__main__":
    main()
