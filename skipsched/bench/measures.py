"""Figures of one run that follow from its history."""

from __future__ import annotations

from skipsched.bench.run import Outcome

#: A run has settled once it is within this of its final iteration time.
SETTLED = 0.05


def first_at(outcome: Outcome) -> float | None:
    """Seconds until the first schedule stood; None if there is none."""
    return outcome.history[0][0] if outcome.history else None


def settled_at(outcome: Outcome) -> float | None:
    """Seconds until the iteration time was within 5 % of its final one; None without a schedule."""
    if outcome.iteration_time is None:
        return None
    enough = outcome.iteration_time * (1 + SETTLED)
    return next((at for at, time in outcome.history if time <= enough), None)


def over_best(time: int | None, best: int | None) -> float | None:
    """How far above the best known: ``iteration time / best known - 1``; None where one is missing."""
    return None if time is None or not best else time / best - 1


def primal_integral(outcome: Outcome, best: int | None, until: float) -> float | None:
    """How long, in seconds, it took to be good, and how good: 0 is the best known at once.

    The integral over time of the primal gap ``(time - best) / time``, which is 1 as long as there is no
    schedule (Berthold, Measuring the impact of primal heuristics, Operations Research Letters 41, 2013).

    Parameters
    ----------
    outcome
        Of the run.
    best
        The best known iteration time, microseconds; None if none is.
    until
        Seconds to integrate over; after the last better schedule things stay as they are.
    """
    if best is None:
        return None
    area, before, gap = 0.0, 0.0, 1.0
    for at, time in outcome.history:
        area += gap * (min(at, until) - min(before, until))
        before, gap = at, max(0.0, (time - best) / time) if time else 0.0
    return area + gap * (until - min(before, until))
