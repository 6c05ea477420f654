"""Lower bounds of shipped instances, each with and without `succession`: the table of docs/search.md.

    python docs/bounds.py

Seconds. The work is counted and limited by its amount alone, so the figures are the same on every machine.
"""

from __future__ import annotations

from unittest.mock import patch

from skipsched.bounds import best_bound, model_bound
from skipsched.catalogue import entries
from skipsched.clock import Clock
from skipsched.instance import Instance
from skipsched.topology.load import load_topology

INSTANCES = (
    *("geo-20", "clouds-20", "cluster-20", "equal-20", "gpus-20", "homes-20", "islands-20"),
    *("clouds-50", "equal-50", "clouds-200"),
)
#: Counted seconds: more than any of the bounds takes.
ENOUGH = 60.0


def none(*_: object) -> int:
    """No microbatches in succession."""
    return 0


def unlimited(*_: object) -> int:
    """As many microbatches as there is room for otherwise."""
    return 10**9


def bounds_of(name: str) -> list[str]:
    """The best of the quick bounds, and of all."""
    instance = Instance.of(load_topology(name))
    quick = best_bound(instance)
    most = entries()[name]["iteration_time"]["value"]
    best = model_bound(instance, quick, most, Clock(ENOUGH, deterministic=True))
    return [f"{bound.value / 10**6:.2f} ({bound.kind})" for bound in (quick, best)]


def main() -> None:
    """Print the table."""
    print("| instance | quick, without | all, without | quick | all |")
    print("| --- | --: | --: | --: | --: |")
    for name in INSTANCES:
        with (
            patch("skipsched.bounds.in_flight.successive", none),
            patch("skipsched.bounds.in_flight.successive_within", unlimited),
            patch("skipsched.bounds.holders.successive", none),
            patch("skipsched.bounds.holders.Holders._in_succession", unlimited),
        ):
            without = bounds_of(name)
        print(f"| {' | '.join([name, *without, *bounds_of(name)])} |", flush=True)


if __name__ == "__main__":
    main()
