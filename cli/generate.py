"""`skipsched generate`."""

from __future__ import annotations

from pathlib import Path

import click

from skipsched.files.atomic import write_atomically
from skipsched.generate import KINDS, LEAST_NODES, MOST_NODES, generate_topology
from skipsched_cli.options import refuse_unwritable, seed_option

_EPILOG = """\b
Examples:
  skipsched generate --kind homes --nodes 50 -o homes-50.yaml
  skipsched generate --kind clouds --nodes 20 --seed 3 | skipsched solve - -o schedule.json
  for seed in 1 2 3; do skipsched generate --seed $seed | skipsched check - --strict; done

\b
Kinds: clouds: regions, with links measured between them; gpus: several generations in a few data centres,
memory in bytes; homes: volunteers' lines; equal: equal nodes in one place; islands: fast inside, slow
between.
"""


@click.command("generate", epilog=_EPILOG)
@click.option("--kind", type=click.Choice(KINDS), default="clouds", show_default=True, help="What is drawn.")
@click.option(
    "--nodes",
    type=click.IntRange(LEAST_NODES, MOST_NODES),
    default=20,
    show_default=True,
    help="How many; stages and microbatches follow from it.",
)
@seed_option
@click.option("-o", "--output", default="-", metavar="FILE", help="Where the topology goes; - is stdout.")
def command(kind: str, nodes: int, seed: int, output: str) -> None:
    """Write a random topology of a given size and kind, the same for the same seed on every machine."""
    refuse_unwritable(output)
    text = generate_topology(kind, nodes, seed)
    if output == "-":
        click.echo(text, nl=False)
    else:
        write_atomically(Path(output), text)
