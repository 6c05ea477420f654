"""Where a piece of text stands: the file, and a place in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

#: What YAML counts as the end of a line. Marks are counted by it, so lines are cut by it too.
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


@dataclass(frozen=True)
class Source:
    """A text and the name under which messages speak of it.

    Parameters
    ----------
    name
        The file's name as the user gave it; ``<stdin>`` or ``<text>`` where there is none.
    text
        The whole text.
    placed
        Whether marks in it are places in that text. A document out of a schedule has no lines to point at.
    """

    name: str
    text: str = field(repr=False)
    placed: bool = True

    @cached_property
    def lines(self) -> list[str]:
        """The lines, without their ends."""
        return _BREAK.split(self.text)

    def line(self, number: int) -> str:
        """Line ``number`` (from 0); empty beyond the last one."""
        return self.lines[number] if number < len(self.lines) else ""

    def mark_at(self, offset: int) -> Mark:
        """The mark of the character at an offset."""
        before = _BREAK.split(self.text[:offset])
        return Mark(self, len(before) - 1, len(before[-1]))


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a source. Line and column count from 0; they are printed from 1."""

    source: Source
    line: int
    column: int
    length: int = 1

    @property
    def aside(self) -> str:
        """`` (line 3)`` for the end of a message that refers to another place; empty if it has no line."""
        return f" (line {self.line + 1})" if self.source.placed else ""
