"""The comparison as a page of its own, that needs nothing else."""

from __future__ import annotations

from html import escape

from skipsched.compare.report import Report
from skipsched.compare.tables import LEGEND, TEXT, Table, tables

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c1f24; margin: 2rem }
h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #d8dce2; text-align: right; white-space: nowrap }
th { border-bottom: 2px solid #8a919c }
.text { text-align: left }
tbody tr:hover { background: #f1f4f8 }
p { color: #565d68 }
"""


def page(report: Report) -> str:
    """The page."""
    parts = [f"<h2>{escape(title)}</h2>\n{_table(content)}" for title, content in tables(report)]
    notes = [" ".join(LEGEND)]
    if report.source is not None:
        notes.append(f"Published figures: {report.source}.")
    title = f"skipsched compare {report.topology}"
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n<h1>{escape(report.topology)}</h1>\n"
        + "\n".join([*parts, *(f"<p>{escape(note)}</p>" for note in notes)])
        + "\n</html>\n"
    )


def _table(content: Table) -> str:
    heads, rows = content
    kinds = [' class="text"' if head in TEXT else "" for head in heads]

    def line(tag: str, cells: list[str]) -> str:
        return "".join(
            f"<{tag}{kind}>{escape(cell)}</{tag}>" for kind, cell in zip(kinds, cells, strict=True)
        )

    body = "\n".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    return f"<table>\n<thead><tr>{line('th', heads)}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
