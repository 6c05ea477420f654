"""How the bench writes its figures, in every kind of table."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from skipsched.bench.against import FIGURES, Comparison
from skipsched.bench.rows import Mean, Row, totals
from skipsched.text.words import seconds


def _percent(share: float | None) -> str:
    """A share."""
    return "-" if share is None else f"{100 * share:.1f} %"


def _time(microseconds: float | None) -> str:
    return "-" if microseconds is None else seconds(microseconds)


def _wall(time: float | None) -> str:
    return "-" if time is None else f"{time:.1f} s"


def _mean(mean: Mean, rows: int) -> str:
    """A mean, and of how many if some are missing."""
    return _percent(mean.value) + (f" ({mean.count} of {rows})" if mean.count < rows else "")


def _runs(row: Row) -> str:
    """How many, and if not all of them have a schedule, how many have."""
    if row.infeasible:
        return "infeasible"
    return str(row.runs) if row.found == row.runs else f"{row.found} of {row.runs}"


def _memory(row: Row) -> str:
    return "-" if row.peak_memory is None else f"{row.peak_memory / 2**20:.0f} MiB"


#: The columns of the table: the head, and what stands below it.
COLUMNS: dict[str, Callable[[Row], str]] = {
    "instance": lambda row: row.group.instance,
    "method": lambda row: row.group.method,
    "limit": lambda row: row.group.limit,
    "runs": _runs,
    "iteration": lambda row: _time(row.iteration_time),
    "over best": lambda row: _percent(row.over_best_known),
    "bound": lambda row: _time(row.lower_bound),
    "gap": lambda row: _percent(row.gap),
    "first at": lambda row: _wall(row.first_at),
    "5 % at": lambda row: _wall(row.settled_at),
    "integral": lambda row: _wall(row.primal_integral),
    "memory": _memory,
}
#: What the heads mean.
LEGEND = [
    "Medians over the seeds. over best: above the best known iteration time; gap: the proven one;",
    "first at: the first schedule; 5 % at: within 5 % of the final iteration time;",
    "integral: the primal integral; memory: the peak of all processes.",
]


#: Heads and rows of a table.
Table = tuple[list[str], list[list[str]]]


def table(rows: Iterable[Row]) -> Table:
    """The table of some rows."""
    return list(COLUMNS), [[column(row) for column in COLUMNS.values()] for row in rows]


def means(rows: Iterable[Row]) -> list[str]:
    """A line for each method and time limit with several instances."""
    return [
        f"{total.method}, {total.limit}, mean over {total.rows} instances: "
        f"over best {_mean(total.over_best_known, total.rows)}, gap {_mean(total.gap, total.rows)}"
        for total in totals(rows)
    ]


#: What the heads of comparisons mean.
COMPARED = [
    "x: now, as a multiple of before. Worse is a longer iteration time or a smaller bound than the tolerance",
    "allows, or fewer schedules or proofs; the other figures depend on what else the machine does.",
]


def compared_table(comparisons: Iterable[Comparison]) -> Table:
    """The table of comparisons: figures now, in parts of what they were."""
    ratios = [f"{name} x" for name in FIGURES]
    heads = ["instance", "method", "limit", "runs", "iteration before", "now", *ratios, "verdict"]
    return heads, [
        [
            comparison.group.instance,
            comparison.group.method,
            comparison.group.limit,
            str(comparison.seeds),
            _time(comparison.before),
            _time(comparison.now),
            *(f"{comparison.ratios[name]:.3f}" if name in comparison.ratios else "-" for name in FIGURES),
            comparison.verdict,
        ]
        for comparison in comparisons
    ]
