"""Arguments and options, each defined once."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from skipsched.files.atomic import end_of_links
from skipsched.topology.limits import MAX_SEED
from skipsched_cli.console import Talk

Command = TypeVar("Command", bound=Callable[..., Any])


class TopologyName(click.ParamType[str]):
    """A file, ``-``, or the name of a shipped instance; completed as all of these."""

    name = "topology"

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """Shipped instances that begin so, and files."""
        from skipsched.topology.shipped import shipped_names

        names = [CompletionItem(name) for name in shipped_names() if name.startswith(incomplete)]
        return [*names, CompletionItem(incomplete, type="file")]


class Finite(click.FloatRange):
    """A range of numbers that, unlike click's, neither infinity nor what is no number passes."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number.", param, ctx)
        return number


topology_argument = click.argument("topology", type=TopologyName())
seed_option = click.option(
    "--seed",
    type=click.IntRange(0, MAX_SEED),
    default=0,
    show_default=True,
    help="Of all random choices.",
)
topology_option = click.option(
    "--topology",
    type=TopologyName(),
    help="Judge by this topology, not by the one that the schedule carries.",
)
schedule_argument = click.argument("schedule", type=click.Path(allow_dash=True, path_type=str))


def _set_color(ctx: click.Context, _: click.Parameter, value: str) -> None:
    # The root's as well: errors are told when the command's own context is gone.
    ctx.color = ctx.find_root().color = {"always": True, "never": False}.get(value)


def talk_options(command: Command) -> Command:
    """``--quiet``, ``--verbose`` and ``--color``; `talk_of` makes a `Talk` of the first two."""
    color = click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        expose_value=False,
        is_eager=True,
        callback=_set_color,
        help="Colour; auto: on a terminal, unless NO_COLOR is set.",
    )
    quiet = click.option("-q", "--quiet", is_flag=True, help="Say nothing on stderr but errors.")
    verbose = click.option("-v", "--verbose", is_flag=True, help="Say more on stderr.")
    return quiet(verbose(color(command)))


def talk_of(quiet: bool, verbose: bool) -> Talk:
    """The `Talk` that ``--quiet`` and ``--verbose`` ask for."""
    if quiet and verbose:
        raise click.UsageError("--quiet and --verbose exclude each other")
    return Talk(quiet, verbose)


def refuse_overwriting(output: str, source: str, what: str = "topology") -> None:
    """Refuse an output that would replace the topology, or whatever it is made from, under whatever name.

    Raises
    ------
    click.UsageError
        If both are the same file.
    """
    if "-" in (output, source):
        return
    try:
        same = Path(output).samefile(source)
    except (OSError, ValueError):
        return  # one of them is not there: nothing is replaced
    # What is written to a pipe or a device replaces nothing.
    if same and Path(output).is_file():
        raise click.UsageError(f"{output} would overwrite the {what} {source}")


def refuse_unwritable(path: str, option: str = "-o") -> None:
    """Refuse an output path before the work is done, not after.

    Raises
    ------
    click.BadParameter
        If its folder does not exist or takes no files, or it is a folder itself.
    """
    if path == "-":
        return
    try:
        target = end_of_links(Path(path))
    except OSError as error:
        raise click.BadParameter(f"{path}: {error.strerror}", param_hint=option) from None
    if target.is_dir():
        raise click.BadParameter(f"{path or 'an empty name'} is a folder", param_hint=option)
    if not target.parent.is_dir():
        raise click.BadParameter(f"there is no folder {target.parent}", param_hint=option)
    replaced = target.is_file() or not target.exists()
    if not os.access(target.parent if replaced else target, os.W_OK):
        raise click.BadParameter(f"no permission to write {path}", param_hint=option)
