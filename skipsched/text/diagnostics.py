"""Diagnostics: what is wrong with an input, where, and what would mend it."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from skipsched.text.source import Mark

#: After this many errors reading stops, and of warnings no more are kept: a file is not worth a longer list,
#: and a large one that is wrong everywhere must not swell.
MOST_SHOWN = 200
_LINE_WIDTH = 120


class InputError(ValueError):
    """The input is wrong by itself: exit code 2.

    Attributes
    ----------
    diagnostics
        Every error and warning found in it, in the order of the text.
    """

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(d.format() for d in self.diagnostics))


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One error or warning.

    Parameters
    ----------
    severity
        ``error`` or ``warning``.
    rule
        A short name of what was broken, the same in every message of its kind.
    where
        The field, as a path such as ``nodes[2].memory``; empty for the whole file.
    message
        One sentence without a full stop.
    mark
        Where in the text, if there is a text.
    hint
        What would mend it, where that is known.
    """

    severity: str
    rule: str
    where: str
    message: str
    mark: Mark | None = None
    hint: str | None = None

    def format(self) -> str:
        """``file:line:column: error[rule] where: message``, the line, a marker under it, the hint."""
        mark = self.mark
        excerpt: list[str] = []
        place = ""
        if mark is not None:
            place = f"{mark.source.name}: "
            if mark.source.placed:
                place = f"{mark.source.name}:{mark.line + 1}:{mark.column + 1}: "
                excerpt = _excerpt(mark)
        where = f"{self.where}: " if self.where else ""
        hint = [f"    hint: {printable(self.hint)}"] if self.hint is not None else []
        head = printable(f"{place}{self.severity}[{self.rule}] {where}{self.message}")
        return "\n".join([head, *excerpt, *hint])


def _excerpt(mark: Mark) -> list[str]:
    """The line, cut to a readable width around the mark, and the marker beneath; nothing if it is empty."""
    line = mark.source.line(mark.line)
    if not line.strip():
        return []
    begin = max(0, mark.column - _LINE_WIDTH // 2) if len(line) > _LINE_WIDTH else 0
    shown = printable(line[begin : begin + _LINE_WIDTH])
    before = shown[: mark.column - begin]
    marked = shown[len(before) : len(before) + mark.length]
    number = f"{mark.line + 1:>5} | "
    indent = " " * (len(number) + cells(before))
    return [number + shown, indent + "^" + "~" * (cells(marked) - 1)]


def cells(text: str) -> int:
    """Cells a text takes on a terminal: two for a wide character, none for a combining one."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def printable(text: str) -> str:
    """The text with control characters replaced, so that no file writes to the terminal's own channel."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def short(text: str, most: int = 60) -> str:
    """The text for a message: shortened and made printable."""
    return printable(text if len(text) <= most else text[: most - 3] + "...")


def quoted(text: str, most: int = 60) -> str:
    """The text in quotes for a message, shortened and made printable."""
    return f'"{short(text, most)}"'


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint naming the nearest known word, if one is near."""
    near = difflib.get_close_matches(word[:100], list(known), n=1, cutoff=0.6)
    return f'did you mean "{printable(near[0])}"?' if near else None


class Report:
    """Collects the diagnostics of one input, so that all of them are told in one run.

    The error that reaches `MOST_SHOWN` raises `InputError` at once.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], Diagnostic] = {}
        self._count = {"error": 0, "warning": 0}

    def error(self, rule: str, where: str, message: str, mark: Mark | None, hint: str | None = None) -> None:
        """Add an error."""
        self._add(Diagnostic("error", rule, where, message, mark, hint))
        if self._count["error"] >= MOST_SHOWN:
            enough = f"reading stopped after {MOST_SHOWN} errors; there may be more"
            raise InputError([*self.diagnostics(), Diagnostic("error", "limit", "", enough)])

    def warning(
        self, rule: str, where: str, message: str, mark: Mark | None, hint: str | None = None
    ) -> None:
        """Add a warning."""
        self._add(Diagnostic("warning", rule, where, message, mark, hint))

    def _add(self, found: Diagnostic) -> None:
        mark = found.mark
        # An aliased value is read wherever it is used; its fault is one fault, so the field does not count.
        placed = mark is not None and mark.source.placed
        place = (mark.source.name, mark.line, mark.column) if mark and placed else found.where
        key = (found.severity, found.rule, found.message, place)
        if key in self._found:
            return
        self._count[found.severity] += 1
        if self._count[found.severity] <= MOST_SHOWN:
            self._found[key] = found

    @property
    def failed(self) -> bool:
        """Whether an error was found."""
        return self._count["error"] > 0

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What was found, in the order of the text, and a line for warnings that are not shown."""

        def place(found: Diagnostic) -> tuple[str, int, int]:
            mark = found.mark
            return (mark.source.name, mark.line, mark.column) if mark else ("", -1, -1)

        ordered = sorted(self._found.values(), key=place)
        more = self._count["warning"] - MOST_SHOWN
        if more > 0:
            ordered.append(Diagnostic("warning", "more", "", f"{more} more warnings are not shown"))
        return tuple(ordered)

    def raise_if_failed(self) -> None:
        """Raise `InputError` if an error was found."""
        if self.failed:
            raise InputError(self.diagnostics())
