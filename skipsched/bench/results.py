"""Results of a benchmark: a file that grows by every finished run, read back to go on or to compare."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from skipsched.bench import measures
from skipsched.bench.run import Outcome, Run
from skipsched.catalogue import best_known
from skipsched.files.document import Kind, write_document
from skipsched.machine import machine, program
from skipsched.text.diagnostics import short

_KIND = Kind(
    "bench result",
    "skipsched.bench/1",
    most_bytes=256 * 2**20,
    hint="a result is what `skipsched bench` writes",
)
_NUMBER = (int, float)
#: No figure of a run is larger.
_MOST = 2**63
_NONE = type(None)
_WORDS = {int: "a number from 0 on", str: "a text", bool: "true or false", list: "a list", dict: "an object"}
_WORDS |= {_NONE: "null"}
#: What each key of a row that is read back may be.
_TYPES: dict[str, tuple[type, ...]] = {
    "instance": (str,),
    "sha256": (str,),
    "method": (str,),
    "seed": (int,),
    "time_limit": _NUMBER,
    "deterministic": (bool,),
    "workers": (int, _NONE),
    "status": (str,),
    "stop_reason": (str,),
    "iteration_time": (int, _NONE),
    "lower_bound": (int, _NONE),
    "bound_kind": (str, _NONE),
    "violations": (list,),
    "imported_at": _NUMBER,
    "wall_time": _NUMBER,
    "peak_memory": (int,),
    "history": (list,),
}


@dataclass(slots=True)
class Results:
    """Finished runs of one program on one machine.

    Parameters
    ----------
    program, machine
        What made them, as `skipsched.machine` tells.
    command
        The command line that asked for them.
    date
        When the last was made: year, month and day.
    outcomes
        Of each finished run.
    """

    program: Mapping[str, Any]
    machine: Mapping[str, Any]
    command: str
    date: str
    outcomes: dict[Run, Outcome] = field(default_factory=dict)

    @classmethod
    def resumed(cls, path: str | Path, command: str) -> Results:
        """What a file holds, to go on from; nothing yet if there is no such file.

        Parameters
        ----------
        path
            The file.
        command
            The command line that asks for more.

        Raises
        ------
        InputError
            If the file holds something else, or results of another program or machine, which would mix.
        """
        results = cls(program(), machine(), command, _today())
        results._take_in(path)
        return results

    def _take_in(self, path: str | Path) -> None:
        """Add what a file holds beside these results, if there is one and it is of the same making."""
        if not Path(path).exists() or not Path(path).stat().st_size:
            return
        held = self.read(path)
        for what, now, then in (
            ("another program", self.program, held.program),
            ("another machine", self.machine, held.machine),
        ):
            other = ", ".join(f"{key} {then.get(key)}" for key in now if now[key] != then.get(key))
            if other:
                hint = "give another file with -o, or delete this one"
                raise _KIND.refused(f"{path} holds results of {what}: {other}", hint=hint)
        if not self.outcomes:
            self.date = held.date
        self.outcomes = held.outcomes | self.outcomes

    @classmethod
    def read(cls, path: str | Path) -> Results:
        """Read results back.

        Raises
        ------
        InputError
            If the file cannot be read, or holds something else.
        """
        document = _KIND.read(path)
        types = {"program": (dict,), "machine": (dict,), "command": (str,), "date": (str,), "runs": (list,)}
        _check(document, types, f"{path}: ")
        outcomes: dict[Run, Outcome] = {}
        for i, row in enumerate(document["runs"]):
            where = f"{path}: runs[{i}]"
            if not isinstance(row, dict):
                raise _KIND.refused(f"{where}: an object is expected")
            _check(row, _TYPES, f"{where}.")
            _check_violations(row["violations"], f"{where}.violations")
            _check_history(row["history"], f"{where}.history")
            run = Run(**{name: row[name] for name in Run.__dataclass_fields__})
            if run in outcomes:
                raise _KIND.refused(f"{where}: {run.says} stands there twice")
            outcomes[run] = Outcome.of_row(row)
        return cls(document["program"], document["machine"], document["command"], document["date"], outcomes)

    def add(self, run: Run, outcome: Outcome) -> None:
        """Take a finished run."""
        self.outcomes[run] = outcome
        self.date = _today()

    def write(self, path: str | Path) -> None:
        """Write them all, at once or not at all; what another bench has put there meanwhile stays.

        Raises
        ------
        InputError
            If something else has been put there meanwhile.
        OSError
            If it cannot be written; what was there before is then untouched.
        """
        self._take_in(path)
        write_document(self.document(), path)

    def document(self) -> dict[str, Any]:
        """As JSON: what was asked, what came out, and the figures that follow from it, a row for each run."""
        return {
            "format": _KIND.format,
            "program": dict(self.program),
            "machine": dict(self.machine),
            "command": self.command,
            "date": self.date,
            "runs": [
                asdict(run) | asdict(outcome) | self._figures(run, outcome)
                for run, outcome in self.outcomes.items()
            ],
        }

    def of(self, runs: Iterable[Run]) -> Results:
        """Those of some runs, in their order; runs that are not finished are left out."""
        kept = {run: self.outcomes[run] for run in runs if run in self.outcomes}
        return Results(self.program, self.machine, self.command, self.date, kept)

    def best(self, run: Run) -> int | None:
        """What a run's iteration time is held against: the best known, microseconds; None if nothing is."""
        return best_known(run.instance, run.sha256)

    def reference(self, run: Run) -> int | None:
        """The best known, or the best of these results where that is better or nothing is known."""
        times = [
            outcome.iteration_time
            for other, outcome in self.outcomes.items()
            if other.sha256 == run.sha256 and outcome.iteration_time is not None
        ]
        best = self.best(run)
        return min([*times, *([] if best is None else [best])], default=None)

    def integral(self, run: Run) -> float | None:
        """The primal integral of a run over its time limit; over all its time if the limit counts work."""
        outcome = self.outcomes[run]
        until = outcome.wall_time if run.deterministic else run.time_limit
        return measures.primal_integral(outcome, self.reference(run), until)

    def _figures(self, run: Run, outcome: Outcome) -> dict[str, Any]:
        """The figures of a run that are not read back, for those who read the file otherwise."""
        best = self.best(run)
        over, integral = measures.over_best(outcome.iteration_time, best), self.integral(run)
        return {
            "best_known": best,
            "over_best_known": None if over is None else round(over, 4),
            "first_at": measures.first_at(outcome),
            "settled_at": measures.settled_at(outcome),
            "primal_integral": None if integral is None else round(integral, 3),
        }


def _today() -> str:
    return datetime.date.today().isoformat()


def _check(found: Mapping[str, Any], types: Mapping[str, tuple[type, ...]], where: str) -> None:
    """Refuse an object that lacks a key or has something strange under one."""
    for key, allowed in types.items():
        if key not in found:
            raise _KIND.refused(f"{where}{key} is missing")
        value = found[key]
        # A boolean is an int for Python, not for those who wrote the file.
        fits = isinstance(value, allowed) and (bool in allowed or not isinstance(value, bool))
        if not fits or (isinstance(value, _NUMBER) and not 0 <= value <= _MOST):
            expected = " or ".join(_WORDS[kind] for kind in allowed if kind is not float)
            raise _KIND.refused(f"{where}{key}: {expected} is expected, not {short(repr(value))}")


def _check_violations(violations: list[Any], where: str) -> None:
    for i, violation in enumerate(violations):
        _check({f"[{i}]": violation}, {f"[{i}]": (str,)}, where)


def _check_history(history: list[Any], where: str) -> None:
    for i, entry in enumerate(history):
        if not isinstance(entry, list) or len(entry) != 2:
            raise _KIND.refused(f"{where}[{i}]: seconds and microseconds are expected")
        _check(
            {"seconds": entry[0], "time": entry[1]}, {"seconds": _NUMBER, "time": (int,)}, f"{where}[{i}]."
        )
