"""The command `skipsched`: finds the command asked for, and turns what goes wrong into exit codes."""

from __future__ import annotations

import os
import signal
import sys
import time

#: When the process began, as nearly as Python tells: time limits count from here.
STARTED = time.monotonic() - time.process_time()

from importlib import import_module  # noqa: E402
from io import TextIOWrapper  # noqa: E402
from typing import Any  # noqa: E402

import click  # noqa: E402

from skipsched_cli import exit_codes  # noqa: E402
from skipsched_cli.console import print_diagnostics  # noqa: E402

_COMMANDS = {
    "solve": "Find a schedule for a topology.",
    "check": "Read a topology and report, without scheduling.",
    "validate": "Replay a schedule and check everything it claims.",
    "generate": "Write a random topology of a given size and kind.",
    "repair": "Repair a schedule after nodes left or came.",
    "compare": "Put skipsched beside the published methods.",
    "bench": "Measure methods on instances, over seeds and time limits.",
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


class _Commands(click.Group):
    """Loads a command's module only when it is run or its own help is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"skipsched_cli.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what click would do about these errors is not what `run` wants.

        Bad input is told while `--color` is still known. A pipe that broke would end with exit code 1: no.
        """
        from skipsched.text.diagnostics import InputError

        try:
            return super().invoke(ctx)
        except InputError as error:
            print_diagnostics(error.diagnostics)
            return exit_codes.BAD_INPUT
        except BrokenPipeError:
            return _reader_gone()

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
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return exit_codes.BAD_INPUT
    except (click.Abort, KeyboardInterrupt):
        return exit_codes.INTERRUPTED
    except BrokenPipeError:
        return _reader_gone()
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        click.echo(f"error: {place}{error.strerror}", err=True)
        return exit_codes.BAD_INPUT
    return code if isinstance(code, int) else exit_codes.YES


def _reader_gone() -> int:
    """Nobody reads any more: what is left in the buffer must not complain when Python closes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return exit_codes.BROKEN_PIPE


if __name__ == "__main__":
    main()
