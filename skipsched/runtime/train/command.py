"""The reference trainer's command line: one process of a run."""

from __future__ import annotations

import math
import os
from typing import Any

import click

from skipsched.runtime.needs import refuse_without_torch
from skipsched.text.diagnostics import InputError

#: Exit codes, those of every command.
_DONE, _FAILED, _BAD_INPUT, _INTERRUPTED = 0, 1, 2, 130
#: What torch's launcher sets for the processes that it starts.
_BY_TORCH = "TORCHELASTIC_RUN_ID"

_EPILOG = """\b
Examples:
  skipsched solve small-8 | skipsched launch - -- python -m skipsched.runtime.train --steps 50
  skipsched launch schedule.json -- python -m skipsched.runtime.train --emulate --time-scale 0.1
  torchrun --nnodes 8 --nproc-per-node 1 --rdzv-backend c10d --rdzv-endpoint HOST:29500 \\
    -m -- skipsched.runtime.train --schedule schedule.json --node eu0

Exit codes: 0 trained, 1 a node was lost, 2 bad input, 130 interrupted.
"""


def _positive(ctx: click.Context, param: click.Parameter, value: float) -> float:  # noqa: ARG001
    if not 0 < value < math.inf:
        raise click.BadParameter(f"{value} is not positive and finite")
    return value


@click.command(
    "python -m skipsched.runtime.train",
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.option(
    "--schedule", metavar="FILE", help="The schedule; by default the one that SKIPSCHED_SCHEDULE names."
)
@click.option(
    "--node", metavar="ID", help="The node of this process; by default the one at its rank's place."
)
@click.option(
    "--steps", type=click.IntRange(1), default=50, help="Iterations, those before a checkpoint counted."
)
@click.option("--seed", type=click.IntRange(0), default=0, help="Of weights and samples.")
@click.option("--hidden-size", type=click.IntRange(2), default=64, help="Width of the model.")
@click.option("--heads", type=click.IntRange(1), default=4, help="Of attention.")
@click.option("--sequence-length", type=click.IntRange(1), default=64, help="Bytes of a sample.")
@click.option("--learning-rate", type=float, callback=_positive, default=3e-3, help="Of AdamW.")
@click.option("--checkpoint", metavar="FOLDER", help="Go on from the checkpoint there, and write new ones.")
@click.option(
    "--checkpoint-every", type=click.IntRange(1), default=50, metavar="N", help="Steps between them."
)
@click.option("--log", metavar="FILE", help="Append a line of JSON for each step.")
@click.option(
    "--recompute", is_flag=True, help="Keep only inputs of forwards, and do them again for backwards."
)
@click.option("--bf16-transfers", is_flag=True, help="Send activations and gradients in bfloat16.")
@click.option("--emulate", is_flag=True, help="Let transfers and actions take what the topology says.")
@click.option("--time-scale", type=float, callback=_positive, default=1.0, help="Times that, with --emulate.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", help="Where to compute.")
@click.option(
    "--timeout",
    type=float,
    callback=_positive,
    default=300.0,
    metavar="S",
    help="Longer silence ends the run.",
)
def command(**options: Any) -> int:
    """Train a small LLaMA-style model on the Python standard library's sources, as a schedule says.

    This is one process of a run, started for each node by `skipsched launch`, torchrun, or whatever sets
    RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT.
    """
    refuse_without_torch()
    from skipsched.runtime.train.loop import Settings, train
    from skipsched.runtime.watch import NodeLost

    try:
        train(Settings(**options))
    except NodeLost as error:
        click.echo(f"error: {error}", err=True)
        return _FAILED
    return _DONE


def _speaks() -> bool:
    """Whether this process tells what is wrong.

    Torch's launcher gives all processes of a machine the same words: before they meet the others, one of them
    speaks for all. Whatever else starts processes may give each words of its own.
    """
    if os.environ.get("LOCAL_RANK", "0") == "0" or _BY_TORCH not in os.environ:
        return True
    from torch import distributed

    return distributed.is_initialized()


def run() -> int:
    """Run the command line; returns the exit code."""
    try:
        code = command.main(standalone_mode=False)
    except click.ClickException as error:
        if _speaks():
            error.show()
        return _BAD_INPUT
    except InputError as error:
        if _speaks():
            click.echo(str(error), err=True)
        return _BAD_INPUT
    except OSError as error:
        if _speaks():
            click.echo(f"error: {error.filename or ''}: {error.strerror}", err=True)
        return _BAD_INPUT
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    return code if isinstance(code, int) else _DONE
