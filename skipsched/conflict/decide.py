"""Whether a problem has routes: constructed ones, or what the exact model says."""

from __future__ import annotations

from dataclasses import replace

from skipsched.clock import Clock, TooLarge
from skipsched.conflict.relax import Problem
from skipsched.instance import Instance
from skipsched.orders import TooManyOrdersError
from skipsched.routes.allocate import allocations
from skipsched.routes.find import routes_for
from skipsched.routes.holders import TooFew, assign
from skipsched.topology import limits

#: Steps that setting a question up is worth, per node and stage.
_STEPS = 10
#: Steps that compiling one state of the stage orders is worth.
_ORDER_STEPS = 20


def feasible(problem: Problem, clock: Clock, workers: int) -> bool:
    """Decide whether a problem has routes.

    Raises
    ------
    OutOfTime
        If the clock ran out first, or, as `TooLarge`, if the rules leave too many choices to decide.
    """
    instance = problem.instance
    clock.spend(_STEPS * instance.nodes * instance.stages)
    if not allocatable(problem):
        return False
    cases, decided = _cases(problem, clock)
    # All that might be constructed comes before the first proof: that one case fails says nothing of others.
    if any(_constructed(problem, case, clock) for case in cases):
        return True
    for case in cases:
        try:
            if _decided(problem, case, clock, workers):
                return True
        except TooLarge:
            decided = False
    if not decided:
        raise TooLarge
    return False


def allocatable(problem: Problem) -> bool:
    """Whether pins, memory and sizes admit an allocation."""
    instance = problem.instance
    return not isinstance(assign(instance, instance.allowed, range(instance.nodes)), TooFew)


def _cases(problem: Problem, clock: Clock) -> tuple[list[Instance], bool]:
    """The problem for each path length, and whether these are all: up to one that allows too many orders."""
    cases: list[Instance] = []
    for case in problem.cases():
        clock.spend(_ORDER_STEPS)
        try:
            # What the rules leave open makes as many for the lengths next to it: one failure is enough.
            clock.spend(_ORDER_STEPS * len(case.orders.stage))
        except TooManyOrdersError:
            clock.spend(_ORDER_STEPS * limits.MAX_ORDER_STATES)
            return cases, False
        cases.append(case)
    return cases, True


def _decided(problem: Problem, case: Instance, clock: Clock, workers: int) -> bool:
    """What the exact model says: first on one microbatch a data node and no rule about many, then on all."""
    from skipsched.routes.model import RoutesModel

    # Most often some data node has no path at all, and that is proved with a fraction of the literals.
    alone = replace(case.rules, even_stages=False, even_nodes=False, cover=False, path_period=None)
    single = replace(case, rules=alone, microbatches=tuple(min(1, count) for count in case.microbatches))
    free = None if problem.free is None else replace(problem.free, most=1)
    if RoutesModel(single, clock, free).solution(workers) is None:
        return False
    return RoutesModel(case, clock, problem.free).solution(workers) is not None


def _constructed(problem: Problem, case: Instance, clock: Clock) -> bool:
    """Whether a first construction succeeds; numbers that are open stay as they are written, if positive."""
    if problem.free is not None:
        case = replace(case, microbatches=problem.written)
    allocation = next(allocations(case, clock), None)
    return allocation is not None and routes_for(case, allocation, 1.0, clock) is not None
