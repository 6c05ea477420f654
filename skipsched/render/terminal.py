"""A chart as lines of text that fit a window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from skipsched.render.chart import NAMES, Bar, Chart, Kind, Row
from skipsched.render.colors import KINDS, ColorBy, color_of
from skipsched.render.columns import Column, columns_of
from skipsched.render.ticks import ticks
from skipsched.text.diagnostics import cells
from skipsched.text.words import counted, seconds

#: The first character of a bar, and what fills it where no colour does.
_LETTERS: dict[Kind, str] = {"F": "F", "L": "L", "B": "B", "overhead": "-", "all-reduce": "="}
_FILLS: dict[Kind, str] = {"F": ">", "L": "~", "B": "<", "overhead": "-", "all-reduce": "="}
_IDLE = "·"
_OTHER = ":"
#: Columns of a window that nothing fits into; a narrower one is taken for as wide.
_NARROWEST = 40
_STAGE = "stage"


@dataclass(frozen=True, slots=True)
class Window:
    """What a chart has to fit into.

    Parameters
    ----------
    columns
        Characters of a line.
    lines
        Lines; None where there is no end of them.
    colored
        Whether colours are understood.
    """

    columns: int
    lines: int | None
    colored: bool


def text_of(chart: Chart, window: Window, color_by: ColorBy = "kind") -> str:
    """The chart as text, without a line end after the last line.

    Where the window has too few lines for all nodes, it has the busiest of each stage: first one of each,
    then a second of each, and so on.
    """
    drawing = _Drawing(chart, window, color_by)
    ranked = _ranked(chart)
    # The last line of the window is for the prompt.
    room = len(ranked) if window.lines is None else window.lines - 1
    for count in range(min(len(ranked), room), 1, -1):
        lines = drawing.lines(sorted(ranked[:count]))
        if window.lines is None or len(lines) <= room:
            return "\n".join(lines)
    return "\n".join(drawing.lines(ranked[:1]))


def _ranked(chart: Chart) -> list[int]:
    """Rows in the order in which they are worth a line."""
    view = chart.view

    def idle(row: int) -> int:
        bars = chart.rows[row].bars
        return -sum(bar.within(view.begin, view.end) for bar in bars if bar.chosen and bar.is_action)

    ranked: list[tuple[int, int]] = []
    for _, members in groupby(range(len(chart.rows)), key=lambda row: chart.rows[row].stage):
        ranked += enumerate(sorted(members, key=idle))
    return [row for _, row in sorted(ranked)]


class _Drawing:
    """Draws some rows of a chart; those drawn once are kept."""

    def __init__(self, chart: Chart, window: Window, color_by: ColorBy) -> None:
        self.chart = chart
        self.pen = _Pen(window.colored, color_by)
        self.columns = max(window.columns, _NARROWEST)
        widest = max(cells(row.node) for row in chart.rows)
        self.label = min(max(widest, len("node")), self.columns // 3)
        self.width = self.columns - len(_STAGE) - self.label - 2
        self.drawn: dict[int, tuple[str, set[Kind], list[Bar]]] = {}

    def lines(self, rows: Sequence[int]) -> list[str]:
        """The whole chart with these rows."""
        body, hidden, kinds, stage = [], [], set(), None
        for number in rows:
            row = self.chart.rows[number]
            text, shown, left = self._row(number, row)
            label = str(row.stage) if row.stage != stage else ""
            body.append(f"{label:<{len(_STAGE)}} {_fitted(row.node, self.label)} {text}")
            stage = row.stage
            hidden += left
            kinds |= shown
        head = [*self._wrapped(self.chart.title), f"{_STAGE} {'node':<{self.label}} {self._axis()}"]
        notes = [*self._left_out(len(rows)), *_told(hidden)]
        return [*head, *body, *self._legend(kinds), *(line for note in notes for line in self._wrapped(note))]

    def _row(self, number: int, row: Row) -> tuple[str, set[Kind], list[Bar]]:
        """The text of a row, the kinds of bars it shows, and the bars it does not."""
        if number not in self.drawn:
            columns, hidden = columns_of(row.bars, self.chart.view, self.width)
            kinds = {column.bar.kind for column in columns if column.bar is not None and column.bar.chosen}
            self.drawn[number] = "".join(self._pieces(columns)), kinds, hidden
        return self.drawn[number]

    def _pieces(self, columns: Sequence[Column]) -> Iterator[str]:
        """The text of columns, one piece for each stretch that shows the same."""
        for column, same in groupby(columns):
            yield self.pen.piece(column, len(list(same)))

    def _axis(self) -> str:
        """Labels of round times, each behind a bar in the column in which its time begins."""
        view = self.chart.view
        line = ""
        for time, label in ticks(view.begin, view.end, self.width):
            place = (time - view.begin) * self.width // (view.end - view.begin)
            if place + 1 + len(label) <= self.width:
                line = f"{line:<{place}}|{label}"
        return line

    def _legend(self, kinds: Collection[Kind]) -> list[str]:
        """What the characters stand for, as many entries in a line as it has room for."""
        view = self.chart.view
        entries = [
            (f"{_LETTERS[kind]} {NAMES[kind]}", self.pen.sample(kind)) for kind in NAMES if kind in kinds
        ]
        entries.append((f"{_IDLE} idle", self.pen.faint(_IDLE)))
        if view.microbatches:
            entries.append((f"{_OTHER} other microbatches", self.pen.faint(_OTHER)))
        if self.pen.colored and self.pen.color_by == "microbatch":
            entries.append(("colours: microbatches", ""))
        entries.append((f"a column: {seconds((view.end - view.begin) / self.width)}", ""))
        entries.append(("small letters: less than half a column", ""))
        lines, used = [""], 0
        for text, sample in entries:
            if used and used + 2 + len(text) > self.columns:
                lines.append("")
                used = 0
            gap = "  " if used else ""
            lines[-1] += gap + (sample + text[1:] if sample else text)
            used += len(gap) + len(text)
        return lines

    def _left_out(self, shown: int) -> Iterator[str]:
        missing = len(self.chart.rows) - shown
        if missing:
            yield (
                f"{counted(missing, 'node')} of {len(self.chart.rows)} left out, the least busy of each "
                "stage; --node ID shows one, a pipe (| less) all"
            )
        if self.chart.left_out:
            yield f"{counted(self.chart.left_out, 'node')} left out that no microbatch asked for visits"

    def _wrapped(self, text: str) -> list[str]:
        """The text in lines that fit; a word that does not is cut."""
        lines = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".lstrip()
            if cells(longer) <= self.columns:
                lines[-1] = longer
            else:
                lines.append(_fitted(word, min(cells(word), self.columns)))
        return [line for line in lines if line]


class _Pen:
    """Writes pieces of a row, with colours where they are understood."""

    def __init__(self, colored: bool, color_by: ColorBy) -> None:
        self.colored = colored
        self.color_by = color_by

    def piece(self, column: Column, length: int) -> str:
        """Columns that show the same."""
        bar = column.bar
        if bar is None:
            return self.faint(_IDLE * length)
        if not bar.chosen:
            return self.faint(_OTHER * length)
        if bar.kind == "overhead":
            return self.faint(_FILLS[bar.kind] * length)
        letter = _LETTERS[bar.kind]
        if column.small:
            return self._in_color(letter.lower(), color_of(bar, self.color_by))
        number = "" if bar.microbatch is None else str(bar.microbatch)
        name = letter + (number if len(number) < length else "")
        fill = " " if self.colored and bar.is_action else _FILLS[bar.kind]
        return self._on_color(name.ljust(length, fill), color_of(bar, self.color_by))

    def sample(self, kind: Kind) -> str:
        """A bar for the legend."""
        if kind == "overhead" or self.color_by == "microbatch":
            return _LETTERS[kind]
        return self._on_color(_LETTERS[kind], KINDS[kind])

    def faint(self, text: str) -> str:
        """What is there, but not looked for."""
        return f"\x1b[2m{text}\x1b[0m" if self.colored else text

    def _in_color(self, text: str, color: str) -> str:
        return f"\x1b[38;5;{_nearest(color)}m{text}\x1b[0m" if self.colored else text

    def _on_color(self, text: str, color: str) -> str:
        # Black reads well on all of the palette's colours.
        return f"\x1b[38;5;16;48;5;{_nearest(color)}m{text}\x1b[0m" if self.colored else text


def _nearest(color: str) -> int:
    """The number of the nearest of the 216 colours that all terminals with 256 have.

    Their red, green and blue are 0, 95, 135, 175, 215 or 255.
    """
    levels = (0, 95, 135, 175, 215, 255)
    parts = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    red, green, blue = (min(range(6), key=lambda level: abs(levels[level] - part)) for part in parts)
    return 16 + 36 * red + 6 * green + blue


def _fitted(text: str, width: int) -> str:
    """The text, filled up with spaces or cut to some cells of a terminal."""
    if cells(text) > width:
        while cells(text) >= width:
            text = text[:-1]
        text += "…"
    return text + " " * (width - cells(text))


def _told(hidden: Sequence[Bar]) -> Iterator[str]:
    """What shows in no column, and why."""
    instant = Counter(bar.kind for bar in hidden if bar.begin == bar.end)
    short = Counter(bar.kind for bar in hidden if bar.begin < bar.end)
    if instant:
        yield f"not shown: {_listed(instant)} (they take no time)"
    if short:
        zoom = "--from and --to show more"
        yield f"not shown: {_listed(short)} (other bars take more of their columns; {zoom})"


def _listed(kinds: Mapping[Kind, int]) -> str:
    return ", ".join(f"{kinds[kind]} {name}" for kind, name in NAMES.items() if kinds.get(kind))
