"""Measures variants of the search's chains against each other: the tables of docs/search.md.

    python docs/chains.py TABLE [--seconds S] [--seeds N]

TABLE is `moves` (each move left out in turn), `heat`, or `apart` (which plan every second chain begins from
where stages average gradients). Every cell is the mean over the seeds of iteration time, in seconds, that
chains alone reach in so many counted seconds from the same first schedules: no windows, no proof. The work is
counted, so the figures are the same on every machine.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import mean
from typing import Any

from skipsched.clock import NO_LIMIT, Clock
from skipsched.construct import construct, constructed
from skipsched.instance import Instance
from skipsched.routes import sharing
from skipsched.routes.allocate import allocations
from skipsched.routes.blocks import allocations_in_blocks
from skipsched.routes.find import find_routes
from skipsched.scheduled import Scheduled
from skipsched.search import audition, chains, cooling, effort
from skipsched.topology.load import load_topology

INSTANCES = ("geo-20", "homes-20", "islands-20", "uneven-24", "clouds-50", "gpus-50")
#: Those of the table `apart`, whose stages average gradients.
APART = ("islands-20", "islands-50", "uneven-24", "gpus-50")
#: Plans constructed first, of which the best is where chains begin.
FIRST = 20

#: What each variant sets: a module, the name in it, and the value.
Variant = list[tuple[Any, str, Any]]


def variants(table: str) -> dict[str, Variant]:
    """The rows of a table: the package as it is first."""
    rows: dict[str, Variant] = {"as it is": []}
    if table == "moves":
        for move in effort.EFFORT:
            rows[f"without {move}"] = [(effort, "EFFORT", effort.EFFORT | {move: 0})]
    elif table == "heat":
        for factor in (0.1, 0.3, 3.0):
            values = {name: factor * getattr(cooling, name) for name in ("_HOT", "_HOTTEST")}
            rows[f"{factor:g} times as hot"] = [(cooling, name, value) for name, value in values.items()]
        rows["all chains alike"] = [(chains, "_HOTTER", 1)]
    else:
        rows["the best as constructed"] = [(audition, "_WORK", 0)]
        rows["the first of them"] = [(chains, "_HEARING", 0)]
        rows["shared out by chance"] = [(sharing, "_DRAWN", 1)]
    return rows


@contextmanager
def with_(variant: Variant) -> Iterator[None]:
    """The package with some of its constants set to other values."""
    before = [(module, name, getattr(module, name)) for module, name, _ in variant]
    for module, name, value in variant:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


def first(instance: Instance, seed: int) -> Scheduled:
    """The best of some constructed plans."""
    candidates = allocations(instance, NO_LIMIT, seed)
    routes = find_routes(instance, NO_LIMIT, 1, candidates)
    plans = construct(instance, routes, candidates, NO_LIMIT, seed)
    return [next(plans) for _ in range(FIRST)][-1]


def reached(instance: Instance, begin: Scheduled, seconds: float, seed: int, *, apart: bool) -> float:
    """Seconds of iteration time that two chains reach, one of them begun apart or both alike."""
    clock = Clock(2 * seconds, deterministic=True)
    others = constructed(instance, allocations(instance, NO_LIMIT, seed + 1), NO_LIMIT)
    blocks = allocations_in_blocks(instance, clock, seed) if apart else iter(())
    plans = constructed(instance, blocks, clock)
    search = chains.Chains(instance, clock, 2, seed, begin, seconds, others, plans)
    best = begin
    while not search.are_cold():
        best = search.step(best) or best
    return best.objective.iteration_time / 10**6


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("table", choices=("moves", "heat", "apart"))
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    names = APART if arguments.table == "apart" else INSTANCES
    begins = {
        name: (instance, [first(instance, seed) for seed in range(arguments.seeds)])
        for name, instance in ((name, Instance.of(load_topology(name))) for name in names)
    }
    print("| variant |", " | ".join(names), "|")
    print("| --- |", " | ".join("--:" for _ in names), "|")
    for row, variant in variants(arguments.table).items():
        cells = []
        for instance, plans in begins.values():
            with with_(variant):
                times = [
                    reached(instance, plan, arguments.seconds, seed, apart=arguments.table == "apart")
                    for seed, plan in enumerate(plans)
                ]
            cells.append(f"{mean(times):.2f}")
        print(f"| {row} |", " | ".join(cells), "|")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
