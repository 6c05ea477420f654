"""Asking the exact model: questions in, answers out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ortools.sat.python import cp_model

from skipsched.clock import Clock
from skipsched.cp_sat import Outcome, run_all
from skipsched.exact.frozen import Frozen
from skipsched.exact.model import ExactModel, Goal
from skipsched.instance import Instance
from skipsched.rings import Ring
from skipsched.scheduled import Scheduled

#: How far CP-SAT's bound, a whole number, may lie from it as a float.
_ROUNDING = 1e-3


@dataclass(frozen=True, slots=True)
class Question:
    """One question for the exact model.

    Parameters
    ----------
    instance
        The tables, with the numbers of the rules.
    frozen
        What is given.
    rings
        The ring of each stage under the allocation that is given.
    goal
        What to minimise.
    hint
        A schedule to start from, in emission order (`in_emission_order`).
    """

    instance: Instance
    frozen: Frozen
    rings: Sequence[Ring]
    goal: Goal
    hint: Scheduled | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the exact model says.

    Parameters
    ----------
    status
        ``OPTIMAL``, ``FEASIBLE``, ``INFEASIBLE`` or ``UNKNOWN``, of the question as it was put; a question to
        decide is never more than ``FEASIBLE``.
    scheduled
        The best schedule found.
    bound
        Proved: no schedule of what was asked has a smaller iteration time. One more than what was allowed if
        there is none within; 0 if nothing is proved.
    """

    status: str
    scheduled: Scheduled | None
    bound: int


def ask(questions: Sequence[Question], clock: Clock, effort: float = math.inf) -> list[Answer]:
    """Answer some questions side by side, each with one search worker.

    Parameters
    ----------
    effort
        Deterministic seconds that each may take at most.

    Raises
    ------
    TooLarge
        If memory would not hold a model.
    OutOfTime
        If the clock runs out before the models are built.
    """
    models = [ExactModel(q.instance, q.frozen, q.rings, q.goal, q.hint, clock) for q in questions]
    outcomes = run_all([model.model for model in models], clock, effort=effort, tune=_tune)
    return [_answer(model, outcome) for model, outcome in zip(models, outcomes, strict=True)]


def _tune(solver: cp_model.CpSolver) -> None:
    """What measured best for one worker (docs/model.md): much propagation, no linear programme."""
    parameters = solver.parameters
    parameters.linearization_level = 0
    # Looking closer at the model beforehand took most of the effort, and found nothing.
    parameters.cp_model_probing_level = 0
    parameters.find_big_linear_overlap = False
    # Between decisions likewise: in a short search they took more than the search itself.
    parameters.inprocessing_probing_dtime = 0.0
    parameters.transitive_precedences_work_limit = 0
    parameters.use_strong_propagation_in_disjunctive = True
    parameters.use_dynamic_precedence_in_disjunctive = True
    parameters.use_overload_checker_in_cumulative = True
    parameters.use_timetable_edge_finding_in_cumulative = True
    parameters.use_hard_precedences_in_cumulative = True


def _answer(model: ExactModel, outcome: Outcome) -> Answer:
    status, solver = outcome
    if status == "INFEASIBLE":
        return Answer(status, None, model.frozen.within + 1)
    bound = 0
    if model.goal is Goal.ITERATION:
        # A whole number as a float: what lies above one by a rounding error is no more than that.
        bound = max(0, math.ceil(solver.best_objective_bound - _ROUNDING))
    if status == "UNKNOWN":
        return Answer(status, None, bound)
    scheduled = model.scheduled(solver)
    if scheduled is None:
        return Answer("UNKNOWN", None, bound)
    return Answer("FEASIBLE" if model.goal is Goal.DECIDE else status, scheduled, bound)
