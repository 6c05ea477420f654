"""What a change to a topology brings, and when that may be called a gain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from skipsched.bounds import Bound
from skipsched.insight.candidates import WhatIf

#: The part of an iteration time by which short searches of the same topology differ, from seed to seed.
NOISE = 0.04

#: What may be said of a change, the best first. ``gain``, ``cost``: shorter or longer by more than searches
#: differ by, or proved to be. ``none found``: neither. ``not re-solved``: it was not among those that are, or
#: a stop came first. ``nothing found``: the work did not suffice for a schedule. ``cannot help``: by its
#: bound it is no better than what the unchanged topology comes to. ``infeasible``: proved.
Verdict = Literal["gain", "none found", "not re-solved", "nothing found", "cannot help", "cost", "infeasible"]


@dataclass(frozen=True, slots=True)
class Reference:
    """What the unchanged topology comes to, solved anew with the same work from the same start.

    Parameters
    ----------
    iteration_time
        Microseconds of the best of several such solves.
    spread
        How much worse the worst of them is, microseconds.
    """

    iteration_time: int
    spread: int

    @property
    def margin(self) -> float:
        """Microseconds by which another solve may differ without any reason."""
        return max(NOISE * self.iteration_time, self.spread)


@dataclass(frozen=True, slots=True)
class Solved:
    """What solving a changed topology came to.

    Parameters
    ----------
    iteration_time
        Microseconds; None without a schedule.
    infeasible
        Whether it is proved that there is none.
    reference
        What it is measured by.
    """

    iteration_time: int | None
    infeasible: bool
    reference: Reference


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a change brings, as far as it is known.

    Parameters
    ----------
    what_if
        The change.
    bound
        A lower bound on the changed topology.
    kept
        Microseconds of an iteration of the schedule at hand there, its routes, orders and rings as they are.
        None where it is no schedule of the changed topology.
    solved
        What solving it anew came to; None if it was not.
    """

    what_if: WhatIf
    bound: Bound
    kept: int | None
    solved: Solved | None = None

    def may_gain(self, best: int) -> bool:
        """Whether a schedule of the changed topology may be faster than one of the unchanged topology."""
        return self.bound.value < best

    def verdict(self, best: int, bound: int) -> Verdict:
        """What may be said of the change.

        Parameters
        ----------
        best, bound
            Of the unchanged topology, the smallest iteration time and the best bound known, microseconds.
        """
        if self.solved is None:
            return "not re-solved" if self.may_gain(best) else "cannot help"
        if self.solved.iteration_time is None:
            return "infeasible" if self.solved.infeasible else "nothing found"
        time, reference = self.solved.iteration_time, self.solved.reference
        if time < bound or time + reference.margin < reference.iteration_time:
            return "gain"
        if self.bound.value > best or time > reference.iteration_time + reference.margin:
            return "cost"
        return "none found" if self.may_gain(best) else "cannot help"
