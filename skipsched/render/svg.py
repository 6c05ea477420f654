"""A chart as an SVG image that stands alone."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import groupby

from skipsched.render.chart import NAMES, Bar, Chart, Row
from skipsched.render.colors import KINDS, ColorBy, color_of
from skipsched.render.ticks import ticks
from skipsched.text.diagnostics import cells
from skipsched.text.words import seconds

#: Pixels. Bars of a row leave a gap to the next row's; what is narrower than a hair is drawn as a hair, or
#: left out if it is an overhead.
_PLOT, _ROW, _GAP, _HAIR = 1100, 18, 3, 0.4
_TOP, _BOTTOM, _MARGIN = 52, 34, 12
#: Pixels of a character of the labels, about.
_CHARACTER = 6.6
_STAGE = 58
#: A label longer than this, in characters, is cut; the title of its row has all of it.
_LONGEST = 28

_STYLE = """
text { font: 11px system-ui, sans-serif; fill: #1c2430 }
.title { font-size: 14px; font-weight: 600 }
.ground { fill: #ffffff } .band { fill: #f3f5f8 } .grid { stroke: #c9d0d9; stroke-width: .5 }
.bar { text-anchor: middle; fill: #10151c; pointer-events: none }
.faint { opacity: .16 }
@media (prefers-color-scheme: dark) {
text { fill: #e3e7ec } .ground { fill: #14181e } .band { fill: #1c222b } .grid { stroke: #3b4552 }
}
"""


def svg_of(chart: Chart, color_by: ColorBy = "kind") -> str:
    """The chart as SVG: all its rows, with a title on every bar that says what it is."""
    return "\n".join(_Drawing(chart, color_by).parts()) + "\n"


class _Drawing:
    """Lays a chart out: stages and nodes to the left of the plot, the axis over and under it."""

    def __init__(self, chart: Chart, color_by: ColorBy) -> None:
        self.chart = chart
        self.color_by = color_by
        longest = max(cells(_cut(row.node)) for row in chart.rows)
        self.left = _MARGIN + _STAGE + longest * _CHARACTER + 8
        self.width = self.left + _PLOT + _MARGIN + 24
        self.height = _TOP + _ROW * len(chart.rows) + _BOTTOM

    def parts(self) -> Iterator[str]:
        """The elements, from the ground up."""
        size = f'width="{self.width:.0f}" height="{self.height}"'
        box = f'viewBox="0 0 {self.width:.0f} {self.height}"'
        yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} role="img">'
        yield f"<title>{escape(self.chart.title)}</title>"
        yield f"<style>{_STYLE}</style>"
        yield f'<rect class="ground" width="{self.width:.0f}" height="{self.height}"/>'
        yield f'<text class="title" x="{_MARGIN}" y="22">{escape(self.chart.title)}</text>'
        yield from self._bands()
        yield from self._axis()
        for number, row in enumerate(self.chart.rows):
            yield from self._row(row, _TOP + _ROW * number)
        yield from self._legend()
        yield "</svg>"

    def _bands(self) -> Iterator[str]:
        """The stages: every other one on a ground of its own."""
        y = _TOP
        for number, (stage, rows) in enumerate(groupby(self.chart.rows, key=lambda row: row.stage)):
            height = _ROW * len(list(rows))
            if number % 2 == 0:
                yield f'<rect class="band" y="{y}" width="{self.width:.0f}" height="{height}"/>'
            yield f'<text x="{_MARGIN}" y="{y + 13}">stage {stage}</text>'
            y += height

    def _axis(self) -> Iterator[str]:
        view = self.chart.view
        bottom = self.height - _BOTTOM
        for time, label in ticks(view.begin, view.end, int(_PLOT / _CHARACTER)):
            x = self._x(time)
            yield f'<line class="grid" x1="{x:.1f}" y1="{_TOP - 4}" x2="{x:.1f}" y2="{bottom}"/>'
            yield f'<text x="{x:.1f}" y="{_TOP - 8}">{label}</text>'

    def _x(self, time: int) -> float:
        view = self.chart.view
        return self.left + _PLOT * (time - view.begin) / (view.end - view.begin)

    def _row(self, row: Row, y: int) -> Iterator[str]:
        name = f"<title>{escape(row.node)}</title>{escape(_cut(row.node))}"
        yield f'<g><text x="{_MARGIN + _STAGE}" y="{y + 13}">{name}</text>'
        for bar in row.bars:
            yield from self._bar(bar, row, y)
        yield "</g>"

    def _bar(self, bar: Bar, row: Row, y: int) -> Iterator[str]:
        """A bar, as far as the view shows it, and its microbatch where that fits."""
        view = self.chart.view
        begin, end = self._x(max(bar.begin, view.begin)), self._x(min(bar.end, view.end))
        height: float = _ROW - _GAP
        top = y + _GAP / 2
        if bar.kind == "overhead":
            if end - begin < _HAIR:
                return
            top, height = top + height / 3, height / 3
        place = f'x="{begin:.2f}" y="{top:g}" width="{max(end - begin, _HAIR):.2f}" height="{height:g}"'
        faint = "" if bar.chosen else ' class="faint"'
        fill = color_of(bar, self.color_by)
        yield f'<rect {place} fill="{fill}"{faint}><title>{escape(_says(bar, row))}</title></rect>'
        # Where colours tell microbatches apart, letters tell kinds.
        label = f"{bar.kind if self.color_by == 'microbatch' else ''}{bar.microbatch}"
        if bar.is_action and bar.chosen and end - begin > len(label) * _CHARACTER + 3:
            yield f'<text class="bar" x="{(begin + end) / 2:.2f}" y="{y + 13}">{label}</text>'

    def _legend(self) -> Iterator[str]:
        """Each kind of bar there is, under the plot; by microbatch, colours say nothing of the kind."""
        present = {bar.kind for row in self.chart.rows for bar in row.bars}
        x, y = self.left, self.height - _BOTTOM + 20
        for kind, name in NAMES.items():
            if kind not in present or (self.color_by == "microbatch" and kind in ("F", "L", "B")):
                continue
            yield f'<rect x="{x:.0f}" y="{y - 10}" width="12" height="12" fill="{KINDS[kind]}"/>'
            yield f'<text x="{x + 17:.0f}" y="{y}">{name}</text>'
            x += 17 + len(name) * _CHARACTER + 22
        if self.color_by == "microbatch":
            yield f'<text x="{x:.0f}" y="{y}">colours and numbers: microbatches</text>'


def _says(bar: Bar, row: Row) -> str:
    """What a bar is, in words."""
    what = NAMES[bar.kind]
    if bar.is_action:
        what += f" of microbatch {bar.microbatch}"
    when = f"{seconds(bar.begin)} to {seconds(bar.end)}, {seconds(bar.end - bar.begin)}"
    return f"{row.node}, stage {row.stage}: {what}, {when}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
