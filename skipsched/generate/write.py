"""A draft as the text of a topology."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from skipsched.generate.draft import Draft, Entry, Group, Row

#: Columns of a comment's line.
_WIDTH = 118
#: Columns of an entry that has a note behind it.
_NOTES = 32


def written(draft: Draft, name: str, command: str) -> str:
    """The text of a topology.

    Parameters
    ----------
    draft
        What was drawn.
    name
        The topology's name.
    command
        What makes the same text again.
    """
    lines = [
        *_comment([*draft.comment, f"Made by: {command}"]),
        "skipsched: 1",
        f"name: {name}",
        "",
        "nodes:",
        *_nodes(draft.groups),
        "",
        "network:",
        f"  overhead: {draft.overhead}",
        *_default(draft.default),
        *_links(draft.rows),
        "",
        "workload:",
        *_entries(draft.workload),
        "",
        "rules:",
        *_entries(_rules(draft)),
    ]
    return "\n".join(lines) + "\n"


def _comment(paragraphs: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for paragraph in paragraphs:
        # Words stay whole: how hyphens break has changed between versions of Python.
        lines += ["", *wrap(paragraph, _WIDTH - 2, break_long_words=False, break_on_hyphens=False)]
    return [f"# {line}".rstrip() for line in lines[1:]]


def _nodes(groups: Sequence[Group]) -> list[str]:
    rows = [
        (
            f'id: "{group.id}{{}}"' if group.count > 1 else f"id: {group.id}0",
            f"count: {group.count}" if group.count > 1 else "",
            f"location: {group.location}",
            f"layer_time: {group.layer_time}",
            f"memory: {group.memory}",
        )
        for group in groups
    ]
    notes = [f"    # {group.card}" if group.card else "" for group in groups]
    return [line + note for line, note in zip(_aligned(rows), notes, strict=True)]


def _default(figures: tuple[str, str] | None) -> Iterator[str]:
    if figures is not None:
        latency, bandwidth = figures
        yield f"  default: {{latency: {latency}, bandwidth: {bandwidth}}}"


def _links(rows: Sequence[Row]) -> Iterator[str]:
    if not rows:
        return
    yield "  links:"
    for line in _aligned(
        [(_ends(row), f"latency: {row.latency}", f"bandwidth: {row.bandwidth}") for row in rows]
    ):
        yield f"  {line}"


def _ends(row: Row) -> str:
    if row.both:
        return f"between: [{row.source}, {row.target}]"
    return f"from: {row.source}, to: {row.target}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as YAML's mappings of one line, cell under cell; an empty cell has no key."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            (f"{cell}, " if cell else "").ljust(width + 2 if width else 0)
            for cell, width in zip(row[:-1], widths, strict=False)
        ]
        lines.append(f"  - {{{''.join(cells)}{row[-1]}}}")
    return lines


def _entries(entries: Sequence[Entry]) -> Iterator[str]:
    for key, value, note in entries:
        line = f"  {key}: {value}"
        yield f"{line.ljust(_NOTES)}# {note}" if note else line


def _rules(draft: Draft) -> list[Entry]:
    shape = draft.shape
    return [
        Entry("skip_ratio", shape.skip_ratio, f"paths of {shape.path_length} stages"),
        Entry("max_swaps", 2),
        Entry("max_swap_distance", 1),
        Entry("max_jump", 4),
        Entry("even_stages", "true"),
    ]
