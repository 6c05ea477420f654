"""Tables as Markdown, with what made them: the benchmark's, and parts that other documents use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skipsched.bench.against import Comparison
from skipsched.bench.results import Results
from skipsched.bench.rows import rows
from skipsched.bench.tables import COMPARED, LEGEND, Table, compared_table, means, table

#: Columns of text; the others are figures.
_TEXT = ("instance", "method", "verdict")


def report(results: Results, compared: Sequence[Comparison] = ()) -> str:
    """Table, means, comparison if there is one, and the command, date, machine and versions behind them."""
    found = rows(results)
    parts = [markdown(table(found), _TEXT), [f"* {line}" for line in means(found)], LEGEND]
    if compared:
        parts += [markdown(compared_table(compared), _TEXT), COMPARED]
    made = provenance(results.date, results.program, results.machine)
    parts.append([f"Command: `{results.command}`  ", made])
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def markdown(content: Table, text: Sequence[str]) -> list[str]:
    """The lines of a table.

    Parameters
    ----------
    content
        The table.
    text
        Heads of the columns of text; the others are figures.
    """
    heads, body = content
    rule = ["---" if head in text else "--:" for head in heads]
    return [f"| {' | '.join(map(_cell, texts))} |" for texts in [heads, rule, *body]]


def _cell(text: str) -> str:
    """A text that does not end its cell."""
    return text.replace("|", "\\|")


def provenance(date: str, program: Mapping[str, Any], machine: Mapping[str, Any]) -> str:
    """When results were made, by which program and on what machine, as `skipsched.machine` tells."""
    libraries = dict(program)
    version, code = libraries.pop("skipsched"), libraries.pop("code")
    versions = ", ".join(f"{name} {number}" for name, number in libraries.items())
    return (
        f"{date}, skipsched {version} (code {code}), {versions}; {machine['cores']} cores of "
        f"{machine['processor']}, {machine['memory']}, {machine['system']}."
    )
