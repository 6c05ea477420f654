"""The benchmark's table: one row for each instance, method and time limit, over all seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean, median

from skipsched.bench.measures import first_at, over_best, settled_at
from skipsched.bench.results import Results
from skipsched.bench.run import Group, Run
from skipsched.schedule.document import gap


@dataclass(frozen=True, slots=True)
class Row:
    """Medians over the seeds of a group; None where most runs have no such figure.

    Parameters
    ----------
    group
        What was asked.
    runs, found
        How many runs there are, and how many of them have a schedule.
    infeasible
        Whether it is proved that there are no schedules.
    iteration_time, lower_bound
        Microseconds.
    over_best_known
        How far the iteration time is above the best known; 0.01 is one percent.
    gap
        The proven gap.
    first_at, settled_at, primal_integral
        Seconds; see `skipsched.bench.measures`.
    peak_memory
        Bytes.
    """

    group: Group
    runs: int
    found: int
    infeasible: bool
    iteration_time: float | None
    over_best_known: float | None
    lower_bound: float | None
    gap: float | None
    first_at: float | None
    settled_at: float | None
    primal_integral: float | None
    peak_memory: float | None


def grouped(runs: Iterable[Run]) -> dict[Group, list[Run]]:
    """Runs by their group, in the order in which groups first come up."""
    groups: dict[Group, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.group, []).append(run)
    return groups


def rows(results: Results) -> list[Row]:
    """The table of some results."""
    return [_row(results, group, runs) for group, runs in grouped(results.outcomes).items()]


def _row(results: Results, group: Group, runs: list[Run]) -> Row:
    outcomes = [results.outcomes[run] for run in runs]
    best = results.best(runs[0])
    gaps = [
        gap(found.iteration_time, found.lower_bound)
        if found.iteration_time is not None and found.lower_bound is not None
        else None
        for found in outcomes
    ]
    return Row(
        group=group,
        runs=len(runs),
        found=sum(found.iteration_time is not None for found in outcomes),
        infeasible=any(found.status == "INFEASIBLE" for found in outcomes),
        iteration_time=middle(found.iteration_time for found in outcomes),
        over_best_known=middle(over_best(found.iteration_time, best) for found in outcomes),
        lower_bound=middle((found.lower_bound for found in outcomes), worst=-math.inf),
        gap=middle(gaps),
        first_at=middle(map(first_at, outcomes)),
        settled_at=middle(map(settled_at, outcomes)),
        primal_integral=middle(map(results.integral, runs)),
        peak_memory=middle(found.peak_memory for found in outcomes),
    )


def middle(figures: Iterable[float | None], worst: float = math.inf) -> float | None:
    """The median; a missing figure is worse than any other, and if it is in the middle there is no median.

    Parameters
    ----------
    figures
        None where one is missing.
    worst
        What a missing one counts as: infinity where less is better, else minus infinity.
    """
    all_of_them = [worst if figure is None else figure for figure in figures]
    found = median(all_of_them) if all_of_them else worst
    return None if found == worst else found


@dataclass(frozen=True, slots=True)
class Mean:
    """An arithmetic mean of the figures that there are, and how many these are; None of none."""

    value: float | None
    count: int

    @classmethod
    def of(cls, figures: Iterable[float | None]) -> Mean:
        """The mean of what is not missing."""
        known = [figure for figure in figures if figure is not None]
        return cls(fmean(known) if known else None, len(known))


@dataclass(frozen=True, slots=True)
class Total:
    """Means over the instances of all rows with one method and time limit.

    Parameters
    ----------
    method, limit
        Of those rows.
    rows
        How many there are.
    over_best_known, gap
        Over the rows that have such a figure.
    """

    method: str
    limit: str
    rows: int
    over_best_known: Mean
    gap: Mean


def totals(table: Iterable[Row]) -> list[Total]:
    """One summary for each method and time limit, where it sums up more than one row."""
    kinds: dict[tuple[str, str], list[Row]] = {}
    for row in table:
        kinds.setdefault((row.group.method, row.group.limit), []).append(row)
    return [
        Total(
            method,
            limit,
            len(of_kind),
            Mean.of(row.over_best_known for row in of_kind),
            Mean.of(row.gap for row in of_kind),
        )
        for (method, limit), of_kind in kinds.items()
        if len(of_kind) > 1
    ]
