"""The best of the bounds."""

from __future__ import annotations

from dataclasses import dataclass

from skipsched.bounds.allocation import allocation_bound
from skipsched.bounds.in_flight import in_flight_bound
from skipsched.bounds.load import load_bound
from skipsched.bounds.path import path_bound
from skipsched.bounds.prices import prices_bound
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
        Which argument gave it: ``load``, ``in-flight``, ``path`` or ``model``.
    """

    value: int
    kind: str


def best_bound(instance: Instance, clock: Clock = NO_LIMIT) -> Bound:
    """The largest of the quick bounds, and which it is; the cheapest first, those that there is time for."""
    bounds = [Bound(load_bound(instance), "load")]
    try:
        trips = round_trips(instance, clock)
        bounds.append(Bound(path_bound(instance, trips), "path"))
        bounds.append(Bound(in_flight_bound(instance, trips), "in-flight"))
    except OutOfTime:
        pass  # whoever asked will see that for himself
    return max(bounds, key=lambda bound: bound.value)


def model_bound(instance: Instance, known: Bound, most: int, clock: Clock) -> Bound:
    """A better bound than a known one, if a model has one.

    Parameters
    ----------
    known
        A bound that is proved already.
    most
        The iteration time of a schedule.
    clock
        The limit; what is proved until it is reached counts.
    """
    value = prices_bound(instance, known.value, most, clock)
    value = allocation_bound(instance, value, most, clock)
    return Bound(value, "model") if value > known.value else known
