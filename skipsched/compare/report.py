"""The comparison: rows of figures, in one object from which every form of it is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from skipsched.baselines.arrangement import NoPipelines
from skipsched.catalogue import published
from skipsched.clock import OutOfTime
from skipsched.compare.ablation import Step, steps
from skipsched.compare.attempt import Attempt
from skipsched.compare.contest import Contest
from skipsched.compare.methods import FULL_PIPELINE, METHODS, SKIPPIPE
from skipsched.instance import MICROSECONDS
from skipsched.machine import machine, program
from skipsched.schedule import Schedule

#: The name that asks for the ablation.
ABLATION = "ablation"


@dataclass(frozen=True, slots=True)
class Row:
    """One method, or one step of the ablation. Figures are None where there is no schedule.

    Parameters
    ----------
    name, text
        What it is.
    end
        How it ended (`skipsched.compare.attempt`).
    why
        Why it has no schedule, where that is known.
    iteration_time
        Microseconds; its nodes run their actions in the schedule's order.
    own_time
        Microseconds under the replay that the method was published with.
    published
        Microseconds that the published implementation reached on this topology.
    throughput
        Microbatches per second.
    bubble_ratio
        As in a schedule.
    peak_slots
        Most microbatches in flight on a node.
    seconds
        That it took; None for counted work.
    to_full_pipeline, to_skippipe
        Its iteration time as a multiple of theirs.
    without
        Rules of the topology that it does not keep.
    """

    name: str
    text: str
    end: str
    why: str | None
    iteration_time: int | None
    own_time: int | None
    published: int | None
    throughput: float | None
    bubble_ratio: float | None
    peak_slots: int | None
    seconds: float | None
    without: tuple[str, ...]
    to_full_pipeline: float | None = None
    to_skippipe: float | None = None

    @classmethod
    def of(cls, name: str, text: str, attempt: Attempt, seconds: float | None, published: int | None) -> Row:
        """The row of what a method came to."""
        document = None if attempt.schedule is None else attempt.schedule.document
        time = None if document is None else document["iteration_time"]
        count = 0 if document is None else len(document["microbatches"])
        return cls(
            name=name,
            text=text,
            end=attempt.end,
            why=attempt.why,
            iteration_time=time,
            own_time=attempt.own_time,
            published=published,
            throughput=round(count * MICROSECONDS / time, 6) if time else None,
            bubble_ratio=None if document is None else document["bubble_ratio"],
            peak_slots=None if attempt.schedule is None else peak_slots(attempt.schedule),
            seconds=None if seconds is None else round(seconds, 2),
            without=attempt.without,
        )


def peak_slots(schedule: Schedule) -> int:
    """Most microbatches in flight on a node at any time: counted along its order, as F begin and B end."""
    most = 0
    for actions in schedule.document["actions"].values():
        held = 0
        for action in actions:
            held += {"F": 1, "L": 0, "B": -1}[action["op"]]
            most = max(most, held)
    return most


@dataclass(frozen=True, slots=True)
class Report:
    """A whole comparison.

    Parameters
    ----------
    topology, sha256
        What was compared on.
    budget
        Seconds of each row; of counted work if `deterministic`.
    seed, deterministic
        As of solve.
    source
        Where published figures come from; None without any.
    rows, ablation
        The methods, and the steps from the full pipeline to ours.
    """

    topology: str
    sha256: str
    budget: float
    seed: int
    deterministic: bool
    source: str | None
    rows: tuple[Row, ...]
    ablation: tuple[Row, ...]

    def document(self) -> dict[str, Any]:
        """For machines: everything, and the machine and the program it was measured with."""
        return asdict(self) | {"machine": machine(), "program": program()}


def compared(
    contest: Contest,
    methods: Sequence[str],
    *,
    begin: Callable[[str], None],
    take: Callable[[str, Schedule], None],
) -> Report:
    """Run methods, and the ablation. What a stop leaves no time for is not in the report.

    Parameters
    ----------
    contest
        Topology and budget.
    methods
        Names: of `METHODS`, and `ABLATION`.
    begin
        Told each row's name before it runs.
    take
        Given each row's name, as a word, and its schedule, if there is one.
    """
    source, known = published(contest.topology)

    def run(name: str, word: str, text: str, make: Callable[[Contest], Attempt]) -> Row:
        begin(name)
        attempt, seconds = contest.run(make)
        if attempt.schedule is not None:
            take(word, attempt.schedule)
        return Row.of(name, text, attempt, seconds, known.get(name))

    chosen = [(name, method) for name, method in METHODS.items() if name in methods]
    rows = [run(name, name, method.text, method.make) for name, method in chosen if not contest.stopped]
    freedoms = _steps(contest) if ABLATION in methods and not contest.stopped else []
    ablation = [run(step.name, step.word, step.text, step.make) for step in freedoms if not contest.stopped]
    return Report(
        topology=contest.topology.name,
        sha256=contest.topology.sha256,
        budget=contest.budget,
        seed=contest.seed,
        deterministic=contest.deterministic,
        source=source,
        rows=tuple(_related(rows, rows)),
        ablation=tuple(_related(ablation, rows)),
    )


def _steps(contest: Contest) -> list[Step]:
    """The steps of the ablation; none where there is no arrangement to begin with."""
    try:
        return list(steps(contest))
    except (NoPipelines, OutOfTime):
        return []


def _related(rows: Sequence[Row], to: Sequence[Row]) -> list[Row]:
    """The rows with their iteration times as multiples of the full pipeline's and of SkipPipe's."""
    times = {row.name: row.iteration_time for row in to}

    def ratio(time: int | None, name: str) -> float | None:
        other = times.get(name)
        return None if time is None or not other else round(time / other, 4)

    return [
        replace(
            row,
            to_full_pipeline=ratio(row.iteration_time, FULL_PIPELINE),
            to_skippipe=ratio(row.iteration_time, SKIPPIPE),
        )
        for row in rows
    ]
