"""One run of the benchmark: what is asked, and what comes out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from skipsched.text.words import counted
from skipsched.topology.model import Topology


@dataclass(frozen=True, slots=True)
class Run:
    """What is asked.

    Parameters
    ----------
    instance
        The topology's name.
    sha256
        Of the topology's document: another topology of the same name is another run.
    method
        A key of `METHODS`.
    seed
        Of all random choices.
    time_limit
        Seconds; of counted work if `deterministic`.
    deterministic
        Whether the schedule is the same on every machine.
    workers
        Search workers; None for one per core.
    """

    instance: str
    sha256: str
    method: str
    seed: int
    time_limit: float
    deterministic: bool
    workers: int | None

    @property
    def says(self) -> str:
        """The run for messages."""
        return f"{self.group.says}, seed {self.seed}"

    @property
    def group(self) -> Group:
        """The group it belongs to."""
        return Group(
            self.instance, self.sha256, self.method, self.time_limit, self.deterministic, self.workers
        )


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that differ in their seed alone; the fields are those of `Run`."""

    instance: str
    sha256: str
    method: str
    time_limit: float
    deterministic: bool
    workers: int | None

    @property
    def says(self) -> str:
        """Instance, method and limit, for messages."""
        workers = "" if self.workers is None else f", {counted(self.workers, 'worker')}"
        return f"{self.instance} ({self.method}, {self.limit}{workers})"

    @property
    def limit(self) -> str:
        """The time limit, for tables."""
        return f"{self.time_limit:g} s" + (" of work" if self.deterministic else "")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What comes out. Seconds count from the start of the process that made the run.

    Parameters
    ----------
    status, stop_reason
        As in a `Result`.
    iteration_time, lower_bound
        Microseconds; None if there is none. A schedule that does not pass the checker is none.
    bound_kind
        Which argument gave the bound.
    violations
        What the checker, reading the schedule as a file, found wrong with it.
    imported_at
        Seconds until the program was loaded, the topology not yet.
    wall_time
        Seconds until the method had ended.
    peak_memory
        Most bytes that the run's processes held together, looked at several times a second; of its first
        process to the byte where the system tells.
    history
        Seconds and iteration time in microseconds of each better schedule.
    """

    status: str
    stop_reason: str
    iteration_time: int | None
    lower_bound: int | None
    bound_kind: str | None
    violations: tuple[str, ...]
    imported_at: float
    wall_time: float
    peak_memory: int
    history: tuple[tuple[float, int], ...]

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Outcome:
        """The outcome in a row of JSON; further keys do not matter."""
        fields = {name: row[name] for name in cls.__dataclass_fields__}
        fields["violations"] = tuple(row["violations"])
        fields["history"] = tuple((at, found) for at, found in row["history"])
        return cls(**fields)


def plan(
    topologies: Iterable[Topology],
    methods: Iterable[str],
    time_limits: Iterable[float],
    seeds: Iterable[int],
    deterministic: bool,
    workers: int | None,
) -> list[Run]:
    """All runs of a benchmark, each once.

    Seeds come outermost, so that whatever else loads the machine for a while falls on all instances, and
    methods innermost, so that those compared run one after the other.
    """
    product = itertools.product(seeds, time_limits, topologies, methods)
    runs = (
        Run(topology.name, topology.sha256, method, seed, limit, deterministic, workers)
        for seed, limit, topology, method in product
    )
    return list(dict.fromkeys(runs))
