"""What would shorten an iteration: changes in the order of what they bring, in one object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

from skipsched.insight.outcome import Outcome, Verdict
from skipsched.insight.trials import Unchanged


@dataclass(frozen=True)
class Prospect:
    """What would shorten an iteration.

    Parameters
    ----------
    found
        What changes bring, in any order.
    unchanged
        What is known of the topology as it is, after all solves.
    budget, seed
        Of the solves.
    interrupted
        Whether a stop left changes untried that would have been solved.
    """

    found: Sequence[Outcome]
    unchanged: Unchanged
    budget: float
    seed: int
    interrupted: bool

    def verdict(self, outcome: Outcome) -> Verdict:
        """What may be said of a change, against all that is known of the unchanged topology."""
        return outcome.verdict(self.unchanged.best, self.unchanged.bound.value)

    @property
    def ranked(self) -> list[Outcome]:
        """Gains first, prices last; among equal verdicts what shortens most first."""
        verdicts = list(get_args(Verdict))
        return sorted(
            self.found, key=lambda outcome: (verdicts.index(self.verdict(outcome)), self._ratio(outcome))
        )

    def _ratio(self, outcome: Outcome) -> float:
        """The iteration time of a change by the best that is known, as a multiple of the unchanged one."""
        solved = outcome.solved
        if solved is not None and solved.iteration_time is not None:
            return solved.iteration_time / max(1, solved.reference.iteration_time)
        return 1.0 if outcome.kept is None else outcome.kept / max(1, self.unchanged.best)

    def document(self) -> dict[str, Any]:
        """For machines; times in microseconds."""
        return {
            "budget": self.budget,
            "seed": self.seed,
            "interrupted": self.interrupted,
            "unchanged": {
                "best": self.unchanged.best,
                "lower_bound": self.unchanged.bound.value,
                "bound_kind": self.unchanged.bound.kind,
            },
            "changes": [self._change(outcome) for outcome in self.ranked],
        }

    def _change(self, outcome: Outcome) -> dict[str, Any]:
        solved = outcome.solved
        return {
            "kind": outcome.what_if.kind,
            "says": outcome.what_if.says,
            "fields": [asdict(change) for change in outcome.what_if.changes],
            "lower_bound": outcome.bound.value,
            "bound_kind": outcome.bound.kind,
            "order_kept": outcome.kept,
            "re_planned": None if solved is None else solved.iteration_time,
            "reference": None if solved is None else solved.reference.iteration_time,
            "margin": None if solved is None else round(solved.reference.margin),
            "verdict": self.verdict(outcome),
        }
