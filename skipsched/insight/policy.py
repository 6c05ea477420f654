"""Policies, by which nodes choose what to do next, and what comes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, get_args

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from skipsched.insight.durations import Durations
    from skipsched.insight.jitter import Floats

#: How a node chooses its next action: in the schedule's order, or whatever arrived first.
PolicyName = Literal["order", "fifo"]
POLICIES: tuple[PolicyName, ...] = get_args(PolicyName)


@dataclass(frozen=True, slots=True)
class Ran:
    """Some runs.

    Parameters
    ----------
    end
        Of each action, microseconds, ``[action, run]``; infinite if it never ends.
    before
        The action before it on its node, -1 for a node's first: ``[action, run]``, or with a single column
        where that is the same in all runs.
    """

    end: Floats
    before: NDArray[np.int64]


class Policy(Protocol):
    """Executes a schedule with given durations."""

    def run(self, durations: Durations) -> Ran:
        """The times of some runs."""
