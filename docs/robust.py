"""Measures whether `solve --robust` pays: the table of docs/simulate.md.

    python docs/robust.py [--time-limit S] [--seeds N]

Each instance is solved as usual and with `robust=0.95`, from the same seeds and with the same counted work:
the figures are the same on every machine. Both are judged by 10,000 runs with a luck that neither has seen.
"""

from __future__ import annotations

import argparse
from statistics import mean

import skipsched
from skipsched.schedule import Schedule

INSTANCES = ("geo-20", "homes-20", "uneven-24")
QUANTILE = 0.95
RUNS = 10_000
#: The seed of what judges; schedules are chosen with the seeds of a stream of their own.
JUDGE = 1000


def solved(instance: str, time_limit: float, seed: int, robust: float | None) -> Schedule:
    """The schedule of one solve."""
    result = skipsched.solve(instance, time_limit=time_limit, seed=seed, deterministic=True, robust=robust)
    assert result.schedule is not None, instance
    return result.schedule


def judged(schedule: Schedule) -> tuple[float, float]:
    """Seconds that a schedule promises, and the quantile of what it then takes."""
    found = skipsched.simulate(schedule, runs=RUNS, seed=JUDGE)
    time = found.quantile(QUANTILE)
    assert time is not None, "nothing is lost"
    return found.promised / 1e6, time / 1e6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--time-limit", type=float, default=10.0)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    print("| instance | seed | promised | p95 | promised, robust | p95, robust | p95 changes by |")
    print("| --- | --: | --: | --: | --: | --: | --: |")
    for instance in INSTANCES:
        changes = []
        for seed in range(options.seeds):
            usual, robust = (
                judged(solved(instance, options.time_limit, seed, asked)) for asked in (None, QUANTILE)
            )
            changes.append(robust[1] / usual[1] - 1)
            figures = " | ".join(f"{time:.2f} s" for time in (*usual, *robust))
            print(f"| {instance} | {seed} | {figures} | {100 * changes[-1]:+.1f} % |", flush=True)
        print(f"| {instance} | mean | | | | | {100 * mean(changes):+.1f} % |", flush=True)


if __name__ == "__main__":
    main()
