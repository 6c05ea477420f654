"""Proof over allocations: each is refuted, or holds the best schedule.

One joint model with the allocation among its decisions proves little; one allocation at a time is decided in
a fraction of a second where problems are small. So allocations are enumerated, ordered by bounds, and asked
for a schedule better than the best known; those that cannot have one are done with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from skipsched.bounds import best_bound
from skipsched.clock import Clock, TooLarge
from skipsched.exact.allocations import few_allocations
from skipsched.exact.ask import Answer, Question, ask
from skipsched.exact.frozen import Frozen
from skipsched.exact.model import Goal
from skipsched.exact.paths import Path, cheapest_paths
from skipsched.instance import Instance
from skipsched.plan import members_of
from skipsched.rings import Ring, rings_of
from skipsched.scheduled import Scheduled

#: More allocations than these are not enumerated.
_MOST_ALLOCATIONS = 5_000
#: More paths of one data node than these are not enumerated.
_MOST_PATHS = 5_000
#: Deterministic seconds for each question of the first round; every further round doubles them.
_EFFORT = 0.25
#: The smallest part of the way to the best schedule that a bound tries to go at once.
_SMALLEST_STRIDE = Fraction(1, 16)
#: Allocations whose bounds are computed in one step, and the clock's steps for each.
_SEEN_TOGETHER = 50
_STEPS_PER_BOUND = 4_000


@dataclass(slots=True)
class _Case:
    """One allocation, up to exchanges of equal nodes.

    Parameters
    ----------
    allocation
        Stage of each node.
    rings
        The ring of each stage.
    bound
        Proved: none of its schedules has a smaller iteration time.
    stride
        Which part of the way from the bound to the best schedule the next question goes.
    paths
        All paths of each microbatch, once they have been asked for.
    """

    allocation: tuple[int, ...]
    rings: Sequence[Ring]
    bound: int
    stride: Fraction = Fraction(1)
    paths: Sequence[Sequence[Path]] | None = None


class Proof:
    """All allocations of a problem, each with what is proved about it.

    Parameters
    ----------
    instance
        The tables; restricted ones (`allowed`) for a proof of the restricted problem.
    clock, workers
        Limit, and how many questions are asked side by side.
    """

    def __init__(self, instance: Instance, clock: Clock, workers: int) -> None:
        self._instance = instance
        self._clock = clock
        self._workers = workers
        #: How often all that is open has been gone through.
        self.rounds = 0
        self._open: list[_Case] = []
        self._waiting: list[_Case] = []  # for this round, the next one last
        allocations = few_allocations(instance, _MOST_ALLOCATIONS, clock)
        if allocations is None:
            raise TooLarge
        self._unseen = allocations

    def bound(self, best: Scheduled) -> int:
        """What is proved for all allocations, given that there is a schedule as good as `best`."""
        if self._unseen:
            return 0
        return min([best.objective.iteration_time, *(case.bound for case in self._open)])

    def step(self, best: Scheduled, enough: int) -> Scheduled | None:
        """Look at some more allocations, or ask the next questions once all have been looked at.

        Parameters
        ----------
        best
            The best schedule known.
        enough
            The bound at which there is nothing more to prove, microseconds.

        Returns
        -------
        Scheduled or None
            A better schedule, if one was met.

        Raises
        ------
        TooLarge
            If memory would not hold a model.
        OutOfTime
            If the clock runs out.
        """
        if self._unseen:
            self._look_at(self._unseen[-_SEEN_TOGETHER:])
            del self._unseen[-_SEEN_TOGETHER:]
            return None
        cases = self._next(enough)
        withins = [case.bound + int(case.stride * (enough - 1 - case.bound)) for case in cases]
        questions = [self._question(*each) for each in zip(cases, withins, strict=True)]
        found = [best]
        effort = _EFFORT * 2 ** (self.rounds - 1)
        for case, answer in zip(cases, ask(questions, self._clock, effort), strict=True):
            self._learn(case, answer)
            if answer.scheduled is not None:
                found.append(answer.scheduled)
        better = min(found, key=lambda scheduled: scheduled.objective)
        return None if better is best else better

    def _next(self, enough: int) -> list[_Case]:
        """The most promising cases that this round has not asked yet."""
        self._waiting = [case for case in self._waiting if case.bound < enough]
        if not self._waiting:
            self._waiting = [case for case in self._open if case.bound < enough]
            self._waiting.sort(key=lambda case: case.bound, reverse=True)
            self.rounds += 1
        return [self._waiting.pop() for _ in range(min(self._workers, len(self._waiting)))]

    def _learn(self, case: _Case, answer: Answer) -> None:
        case.bound = max(case.bound, answer.bound)
        if answer.status == "INFEASIBLE":
            case.stride = min(Fraction(1), 2 * case.stride)
        else:
            # A schedule was met, or the question was too hard: the next one is to be easier.
            case.stride = max(_SMALLEST_STRIDE, case.stride / 2)

    def _look_at(self, allocations: Sequence[tuple[int, ...]]) -> None:
        """Open a case for each allocation that emits something and has its rings."""
        instance = self._instance
        for allocation in allocations:
            members = members_of(allocation, instance.stages)
            rings = rings_of(instance, members, self._clock, exact=True)
            if rings is not None and any(instance.microbatches[d] for d in members[0]):
                self._clock.spend(_STEPS_PER_BOUND)
                bound = best_bound(instance.restricted_to(allocation), self._clock)
                self._open.append(_Case(allocation, rings, bound.value))

    def _question(self, case: _Case, within: int) -> Question:
        if case.paths is None:
            case.paths = self._paths(case.allocation)
        frozen = Frozen(case.allocation, case.paths, within)
        return Question(self._instance, frozen, case.rings, Goal.DECIDE)

    def _paths(self, allocation: tuple[int, ...]) -> Sequence[Sequence[Path]]:
        """All paths of each microbatch."""
        instance = self._instance
        members = members_of(allocation, instance.stages)
        paths: list[Sequence[Path]] = []
        for d in members[0]:
            choices = cheapest_paths(instance, members, d, _MOST_PATHS, self._clock)
            if not choices.complete:
                raise TooLarge
            paths += [choices.paths] * instance.microbatches[d]
        return paths
