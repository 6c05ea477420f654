"""The benchmark's tables as Markdown, with what made them."""

from __future__ import annotations

from collections.abc import Sequence

from skipsched.bench.against import Comparison
from skipsched.bench.results import Results
from skipsched.bench.rows import rows
from skipsched.bench.tables import COMPARED, LEGEND, Table, compared_table, means, table

#: Columns of text; the others are figures.
_TEXT = ("instance", "method", "verdict")


def report(results: Results, compared: Sequence[Comparison] = ()) -> str:
    """Table, means, comparison if there is one, and the command, date, machine and versions behind them."""
    found = rows(results)
    parts = [_lines(table(found)), [f"* {line}" for line in means(found)], LEGEND]
    if compared:
        parts += [_lines(compared_table(compared)), COMPARED]
    parts.append(_provenance(results))
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _lines(content: Table) -> list[str]:
    heads, body = content
    rule = ["---" if head in _TEXT else "--:" for head in heads]
    return [f"| {' | '.join(map(_cell, texts))} |" for texts in [heads, rule, *body]]


def _cell(text: str) -> str:
    """A text that does not end its cell."""
    return text.replace("|", "\\|")


def _provenance(results: Results) -> list[str]:
    """What made the results."""
    machine, program = results.machine, dict(results.program)
    version, code = program.pop("skipsched"), program.pop("code")
    libraries = ", ".join(f"{name} {number}" for name, number in program.items())
    return [
        f"Command: `{results.command}`  ",
        f"{results.date}, skipsched {version} (code {code}), {libraries}; {machine['cores']} cores of "
        f"{machine['processor']}, {machine['memory']}, {machine['system']}.",
    ]
