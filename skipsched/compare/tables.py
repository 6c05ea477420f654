"""How a comparison is written, in every kind of table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from skipsched.compare.attempt import COMPLETE, CUT
from skipsched.compare.report import Report, Row
from skipsched.text.words import seconds

#: Heads and rows of a table.
Table = tuple[list[str], list[list[str]]]


def _time(microseconds: int | None) -> str:
    return "-" if microseconds is None else seconds(microseconds)


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def remark(row: Row) -> str:
    """How it ended, where there is more to say than that it did."""
    notes = []
    if row.end == CUT:
        notes.append("cut short")
    elif row.end != COMPLETE:
        notes.append(row.end if row.why is None else f"{row.end}: {row.why}")
    if row.without:
        notes.append(f"without {', '.join(row.without)}")
    return "; ".join(notes)


#: The figures that stand in every table: the head, and what stands below it.
_FIGURES: dict[str, Callable[[Row], str]] = {
    "iteration": lambda row: _time(row.iteration_time),
    "to full": lambda row: _ratio(row.to_full_pipeline),
    "to SkipPipe": lambda row: _ratio(row.to_skippipe),
    "per second": lambda row: _ratio(row.throughput),
    "bubble": lambda row: "-" if row.bubble_ratio is None else f"{100 * row.bubble_ratio:.1f} %",
    "slots": lambda row: "-" if row.peak_slots is None else str(row.peak_slots),
    "solved in": lambda row: "-" if row.seconds is None else f"{row.seconds:.1f} s",
}
_METHODS: dict[str, Callable[[Row], str]] = {
    "method": lambda row: row.name,
    "what": lambda row: row.text,
    **_FIGURES,
    "own replay": lambda row: _time(row.own_time),
    "published": lambda row: _time(row.published),
    "note": remark,
}
_STEPS: dict[str, Callable[[Row], str]] = {
    "step": lambda row: row.name,
    **_FIGURES,
    "note": remark,
    "set by": lambda row: row.text or "defaults",
}
#: Columns of text; the others are figures.
TEXT = ("method", "what", "step", "note", "set by")
#: What the heads mean.
LEGEND = (
    "to full, to SkipPipe: the iteration time as a multiple of the full pipeline's and of SkipPipe's;",
    "per second: microbatches; slots: most microbatches in flight on a node; cut short: by the budget, or a",
    "stop; own replay: under the first come, first served replay that the method was published with, which",
    "knows no all-reduce; published: as printed by the reference implementation, with as much time as it",
    "needs.",
)


def tables(report: Report) -> list[tuple[str, Table]]:
    """Titles and tables of a comparison."""
    budget = f"{report.budget:g} s of work" if report.deterministic else f"{report.budget:g} s"
    found = []
    if report.rows:
        title = f"{report.topology}, {budget} a row, seed {report.seed}"
        found.append((title, _table(_METHODS, report.rows)))
    if report.ablation:
        found.append((f"{report.topology}, one freedom after the other", _table(_STEPS, report.ablation)))
    return found


def _table(columns: dict[str, Callable[[Row], str]], rows: Sequence[Row]) -> Table:
    return list(columns), [[column(row) for column in columns.values()] for row in rows]
