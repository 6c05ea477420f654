"""Lower bounds on the iteration time, each valid for every allocation that the topology allows."""

from __future__ import annotations

from skipsched.bounds.allocation import allocation_bound
from skipsched.bounds.best import Bound, best_bound, model_bound
from skipsched.bounds.in_flight import in_flight_bound
from skipsched.bounds.load import load_bound
from skipsched.bounds.path import path_bound
from skipsched.bounds.prices import prices_bound

__all__ = [
    "Bound",
    "allocation_bound",
    "best_bound",
    "in_flight_bound",
    "load_bound",
    "model_bound",
    "path_bound",
    "prices_bound",
]
