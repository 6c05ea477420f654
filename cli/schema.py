"""`skipsched schema`."""

from __future__ import annotations

from typing import Literal

import click

_EPILOG = """\b
Examples:
  skipsched schema topology > topology.schema.json
  skipsched schema schedule | jq .required
"""


@click.command("schema", epilog=_EPILOG)
@click.argument("name", type=click.Choice(["topology", "schedule"]))
def command(name: Literal["topology", "schedule"]) -> None:
    """Print the JSON Schema of topology.yaml or schedule.json."""
    from skipsched.schemas import schema_text

    click.echo(schema_text(name), nl=False)
