"""New results beside former ones, as ratios, and what became worse."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
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
    tolerance
        The part of a figure by which it may become worse.
    worse
        What became worse by more than the tolerance, each in a sentence; empty if nothing did.
    """

    group: Group
    seeds: int
    before: float | None
    now: float | None
    ratios: dict[str, float]
    tolerance: float
    worse: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """``worse``, ``better`` (the iteration time, by more than the tolerance) or ``as before``."""
        if self.worse:
            return "worse"
        return "better" if self.ratios.get("iteration", 1.0) < 1 - self.tolerance else "as before"


#: What is compared, by the heads of the table.
FIGURES: dict[str, Callable[[Outcome], float | None]] = {
    "iteration": lambda outcome: outcome.iteration_time,
    "bound": lambda outcome: outcome.lower_bound,
    "first at": first_at,
    "5 % at": settled_at,
    "memory": lambda outcome: outcome.peak_memory,
}
#: What a missing figure counts as, where more is better.
_WORST = {"bound": -math.inf}


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
            for name, of in FIGURES.items()
        }
        allowed = tolerance
        if allowed is None:
            allowed = TOLERANCE_COUNTED if group.deterministic else TOLERANCE_TIMED
        ratios = {name: new / old for name, (old, new) in medians.items() if old and new is not None}
        times = medians["iteration"]
        worse = [*_lost(sides[0], sides[1], group.deterministic), *_worse(medians, ratios, allowed)]
        found.append(Comparison(group, len(runs), times[0], times[1], ratios, allowed, tuple(worse)))
    return found


def not_compared(before: Results, now: Results) -> list[str]:
    """What is not compared, and why, a line for each group of runs."""
    known, present = ({run.instance: run.sha256 for run in side.outcomes} for side in (before, now))
    told = []
    for group, runs in grouped(now.outcomes).items():
        missing = sum(run not in before.outcomes for run in runs)
        if missing and known.get(group.instance, group.sha256) != group.sha256:
            told.append(f"{group.says}: the former topology of that name is another one")
        elif missing:
            told.append(f"{group.says}: {missing} of {len(runs)} runs are not in the former result")
    for group, runs in grouped(before.outcomes).items():
        missing = sum(run not in now.outcomes for run in runs)
        if missing and present.get(group.instance, group.sha256) == group.sha256:
            told.append(f"{group.says}: {missing} of {len(runs)} former runs are not made now")
    return told


def _lost(before: list[Outcome], now: list[Outcome], counted: bool) -> Iterator[str]:
    """What fewer runs have reached: a schedule, or, where nothing depends on a clock, a proof."""
    for what, reached in (
        ("a schedule", lambda outcome: outcome.iteration_time is not None),
        ("a proof", lambda outcome: counted and outcome.status in ("OPTIMAL", "INFEASIBLE")),
    ):
        old, new = (sum(map(reached, side)) for side in (before, now))
        if new < old:
            yield f"{new} of {len(now)} runs have {what}, {old} had"


def _worse(
    medians: dict[str, list[float | None]], ratios: dict[str, float], tolerance: float
) -> Iterator[str]:
    """Which medians have become worse by more than the tolerance."""
    if (ratio := ratios.get("iteration", 1.0)) > 1 + tolerance:
        yield f"the iteration time is {100 * (ratio - 1):.1f} % longer"
    old, new = medians["bound"]
    if old is not None and new is None:
        yield "no lower bound, where there was one"
    if (ratio := ratios.get("bound", 1.0)) < 1 - tolerance:
        yield f"the lower bound is {100 * (1 - ratio):.1f} % smaller"
