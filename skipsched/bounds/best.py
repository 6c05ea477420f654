"""The best of the bounds."""

from __future__ import annotations

from dataclasses import dataclass

from skipsched.bounds.in_flight import in_flight_bound
from skipsched.bounds.load import load_bound
from skipsched.bounds.path import path_bound
from skipsched.bounds.round_trips import round_trips
from skipsched.clock import NO_LIMIT, Clock, OutOfTime
from skipsched.instance import Instance


@dataclass(frozen=True, slots=True)
class Bound:
    """A lower bound on the iteration time.

    Parameters
    ----------
    value
        Microseconds.
    kind
        Which argument gave it: ``load``, ``in-flight`` or ``path``.
    """

    value: int
    kind: str


def best_bound(instance: Instance, clock: Clock = NO_LIMIT) -> Bound:
    """The largest of the bounds, and which it is; of those that there is time for, the cheapest first."""
    bounds = [Bound(load_bound(instance), "load")]
    try:
        trips = round_trips(instance, clock)
        bounds.append(Bound(path_bound(instance, trips), "path"))
        bounds.append(Bound(in_flight_bound(instance, trips), "in-flight"))
    except OutOfTime:
        pass  # whoever asked will see that for himself
    return max(bounds, key=lambda bound: bound.value)
