"""Windows: small parts of a schedule freed and searched by the exact model, all else kept.

The allocation stays. A window frees either the paths of a few microbatches, together with their places in the
orders of the nodes, or the order of everything within a stretch of time. The schedule at hand is the hint, so
that no window makes it worse.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from skipsched.clock import Clock
from skipsched.exact.ask import Question, ask
from skipsched.exact.frozen import Frozen
from skipsched.exact.model import Goal
from skipsched.exact.paths import Path, cheapest_paths
from skipsched.instance import Instance
from skipsched.plan import members_of
from skipsched.scheduled import Scheduled
from skipsched.statistics import Neighbourhood

#: Deterministic seconds for one window.
_EFFORT = 0.1
#: Paths that a freed microbatch may take beside its own: the cheapest ones.
_PATHS = 60
#: How many microbatches are freed together, and which part of the iteration time: at first, and at least.
_FREED, _FEWEST_FREED = 3.0, 2.0
_STRETCH, _SHORTEST_STRETCH = 0.3, 0.05
#: Windows grow by this when searched through, and shrink by it when not.
_GROWTH = 1.1
#: How far chance may bring the end of a microbatch forward when the latest are looked for.
_SHAKE = 0.4


@dataclass(frozen=True, slots=True)
class _Window:
    """What is freed: the paths of some microbatches, or the order within a stretch of time, microseconds."""

    microbatches: frozenset[int] = frozenset()
    stretch: range = range(0)


class Windows:
    """Improves a schedule window by window.

    Parameters
    ----------
    instance
        The tables.
    clock, workers
        Limit, and how many windows are searched side by side.
    seed
        Of the choice of windows.
    """

    def __init__(self, instance: Instance, clock: Clock, workers: int, seed: int) -> None:
        self._instance = instance
        self._clock = clock
        self._workers = workers
        self._rng = random.Random(seed)
        self._freed = _FREED
        self._stretch = _STRETCH
        self._kinds = {
            "any microbatches": self._any,
            "latest microbatches": self._latest,
            "through one node": self._through_one_node,
            "stretch of time": self._during,
        }
        #: What each kind of window has done so far.
        self.neighbourhoods = {name: Neighbourhood() for name in self._kinds}
        #: The cheapest paths by allocation, data node and the nodes they may visit.
        self._cheapest: dict[tuple[tuple[int, ...], int, tuple[int, ...]], Sequence[Path]] = {}

    def step(self, best: Scheduled) -> Scheduled | None:
        """Search some windows of a schedule; returns a better one if there is any in them.

        Raises
        ------
        TooLarge
            If memory would not hold a model.
        OutOfTime
            If the clock runs out.
        """
        names = [self._chosen() for _ in range(self._workers)]
        windows = [self._kinds[name](best) for name in names]
        began = self._clock.elapsed()
        answers = ask([self._question(best, window) for window in windows], self._clock, _EFFORT)
        seconds = self._clock.elapsed() - began
        better = best
        for name, window, answer in zip(names, windows, answers, strict=True):
            self._resize(window, answer.status == "OPTIMAL", len(best.plan.routes.paths))
            gained = _gained(best, answer.scheduled)
            self.neighbourhoods[name].add(1, int(gained is not None), gained or 0, seconds)
            if answer.scheduled is not None and answer.scheduled.objective < better.objective:
                better = answer.scheduled
        return None if better is best else better

    def _chosen(self) -> str:
        """A kind of window, the more often the more often it has led to something better."""
        done = self.neighbourhoods.values()
        weights = [(1 + each.accepted) / (1 + each.tried) for each in done]
        return self._rng.choices(list(self.neighbourhoods), weights)[0]

    def _any(self, best: Scheduled) -> _Window:
        """Any microbatches."""
        return self._freeing(range(len(best.plan.routes.paths)))

    def _latest(self, best: Scheduled) -> _Window:
        """Microbatches that are home late."""
        per = best.actions.per_microbatch
        home = [end * (1 - _SHAKE * self._rng.random()) for end in best.end[per - 1 :: per]]
        late = sorted(range(len(home)), key=lambda m: -home[m])
        return self._freeing(late[: round(self._freed)])

    def _through_one_node(self, best: Scheduled) -> _Window:
        """Microbatches that meet on some node."""
        paths = best.plan.routes.paths
        node = self._rng.choice(self._rng.choice(paths))
        return self._freeing([m for m, path in enumerate(paths) if node in path])

    def _freeing(self, among: Sequence[int]) -> _Window:
        return _Window(frozenset(self._rng.sample(among, min(len(among), round(self._freed)))))

    def _during(self, best: Scheduled) -> _Window:
        """Everything within a stretch of time, which may reach over either end."""
        time = best.objective.iteration_time
        length = int(self._stretch * time) + 1
        begin = self._rng.randrange(-length // 2, max(1, time - length // 2))
        return _Window(stretch=range(begin, begin + length))

    def _resize(self, window: _Window, searched_through: bool, microbatches: int) -> None:
        growth = _GROWTH if searched_through else 1 / _GROWTH
        if window.microbatches:
            self._freed = min(max(_FEWEST_FREED, self._freed * growth), float(max(2, microbatches)))
        else:
            self._stretch = min(max(_SHORTEST_STRETCH, self._stretch * growth), 1.0)

    def _question(self, best: Scheduled, window: _Window) -> Question:
        routes = best.plan.routes
        among: Sequence[int] = range(self._instance.nodes)
        if self._instance.rules.even_nodes:
            # Cheap paths take load to good nodes. Where loads must stay even, nodes can only be exchanged.
            among = sorted({n for m in window.microbatches for n in routes.paths[m]})
        frozen = Frozen(
            allocation=routes.allocation,
            paths=[
                self._choices(routes.allocation, path, among) if m in window.microbatches else (path,)
                for m, path in enumerate(routes.paths)
            ],
            within=best.objective.iteration_time,
            precedences=list(_kept(best, window)),
        )
        return Question(self._instance, frozen, best.rings, Goal.SMOOTH, hint=best)

    def _choices(self, allocation: tuple[int, ...], path: Path, among: Sequence[int]) -> Sequence[Path]:
        """The paths that a microbatch may take: its own, and the cheapest ones over some nodes."""
        key = (allocation, path[0], tuple(among))
        if key not in self._cheapest:
            members = [
                [n for n in nodes if n in among] for nodes in members_of(allocation, self._instance.stages)
            ]
            self._cheapest[key] = cheapest_paths(self._instance, members, path[0], _PATHS, self._clock).paths
        return tuple(dict.fromkeys((path, *self._cheapest[key])))


def _gained(best: Scheduled, found: Scheduled | None) -> int | None:
    """Microseconds by which a schedule ends earlier; None if it is not better, even by its completions."""
    if found is None or found.objective >= best.objective:
        return None
    return best.objective.iteration_time - found.objective.iteration_time


def _kept(best: Scheduled, window: _Window) -> Iterator[tuple[int, int]]:
    """The order of each node but for what is freed, as pairs of actions.

    What lies in the stretch of a window comes, in whatever order, between what comes before and after it.
    """
    per = best.actions.per_microbatch
    for sequence in best.plan.order:
        before: list[int] = []  # what the next action comes after
        loose: list[int] = []  # freed actions met since
        for action in sequence:
            if action // per in window.microbatches:
                continue
            begin, end = best.end[action] - best.actions.duration[action], best.end[action]
            yield from ((earlier, action) for earlier in before)
            if begin < window.stretch.stop and end > window.stretch.start:
                loose.append(action)
            else:
                yield from ((earlier, action) for earlier in loose)
                before, loose = [action], []
