"""New results beside former ones, as ratios, and what became worse."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from skipsched.bench.measures import first_at, settled_at
from skipsched.bench.results import Results
from skipsched.bench.rows import grouped, middle
from skipsched.bench.run import Group, Outcome

#: How much worse a figure may be, 0.01 being one percent: counted work comes out the same on every machine
#: as long as the code does the same, what a clock ends does not.
TOLERANCE_COUNTED = 0.01
TOLERANCE_TIMED = 0.05


@dataclass(frozen=True, slots=True)
class Comparison:
    """One group of runs, before and now: medians over the seeds that both results have.

    Parameters
    ----------
    group
        The runs.
    seeds
        How many both have.
    before, now
        Iteration times, microseconds; None where most runs have no schedule.
    ratios
        ``now / before`` of each figure, by its name; figures that one side lacks are left out.
    worse
        What became worse by more than the tolerance, each in a sentence; empty if nothing did.
    """

    group: Group
    seeds: int
    before: float | None
    now: float | None
    ratios: dict[str, float]
    worse: tuple[str, ...]


_FIGURES: dict[str, Callable[[Outcome], float | None]] = {
    "iteration time": lambda outcome: outcome.iteration_time,
    "lower bound": lambda outcome: outcome.lower_bound,
    "first at": first_at,
    "settled at": settled_at,
    "peak memory": lambda outcome: outcome.peak_memory,
}
#: What a missing figure counts as, where more is better.
_WORST = {"lower bound": -math.inf}


def compare(before: Results, now: Results, tolerance: float | None = None) -> list[Comparison]:
    """Compare the runs that two results have in common.

    Times of the search and memory are given as ratios and not judged: they depend on what else the machine
    does.

    Parameters
    ----------
    before, now
        The results.
    tolerance
        How much larger an iteration time, and smaller a lower bound, may be; by default `TOLERANCE_COUNTED`
        where the time limit counts work, else `TOLERANCE_TIMED`.

    Returns
    -------
    list of Comparison
        For each group with common runs, in the order of `now`.
    """
    common = [run for run in now.outcomes if run in before.outcomes]
    found = []
    for group, runs in grouped(common).items():
        sides = [[side.outcomes[run] for run in runs] for side in (before, now)]
        medians = {
            name: [middle(map(of, side), _WORST.get(name, math.inf)) for side in sides]
            for name, of in _FIGURES.items()
        }
        allowed = tolerance
        if allowed is None:
            allowed = TOLERANCE_COUNTED if group.deterministic else TOLERANCE_TIMED
        ratios = {name: new / old for name, (old, new) in medians.items() if old and new is not None}
        times = medians["iteration time"]
        found.append(
            Comparison(group, len(runs), times[0], times[1], ratios, _worse(medians, ratios, allowed))
        )
    return found


def _worse(
    medians: dict[str, list[float | None]], ratios: dict[str, float], tolerance: float
) -> tuple[str, ...]:
    told = []
    old, new = medians["iteration time"]
    if old is not None and new is None:
        told.append("no schedule, where there was one")
    if (ratio := ratios.get("iteration time", 1.0)) > 1 + tolerance:
        told.append(f"the iteration time is {100 * (ratio - 1):.1f} % longer")
    old, new = medians["lower bound"]
    if old is not None and new is None:
        told.append("no lower bound, where there was one")
    if (ratio := ratios.get("lower bound", 1.0)) < 1 - tolerance:
        told.append(f"the lower bound is {100 * (1 - ratio):.1f} % smaller")
    return tuple(told)
