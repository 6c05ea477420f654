"""How neighbourhoods may share out the stages, and what that is worth before there are paths."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skipsched.clock import Clock
from skipsched.instance import Instance
from skipsched.routes.estimate import Estimate

#: Stages of each neighbourhood, those of given size first.
Sharing = tuple[tuple[int, ...], ...]

#: Neighbourhoods are weighed by their nodes times the ratio of two numbers between this and 1.
_UNLIKE = 0.2
#: Sharings drawn by chance for each that is chosen.
_DRAWN = 30
#: A sharing that was chosen before counts as so much worse each time: close ones all get their turn.
_AGAIN = 0.03
#: Steps of a stage order's automaton beyond which ways are not looked for: there chance alone decides.
_MOST_STEPS = 2_000
#: Steps of a loop that count for an element of the linear programme's basis, and for a pair of nodes.
_STEPS_PER_PIVOT = 0.5
_STEPS_PER_PAIR = 0.1


class Sharings:
    """Chooses sharings: the best of some that chance draws, by what is estimated of their iteration time."""

    def __init__(self, instance: Instance, estimate: Estimate, rng: random.Random, clock: Clock) -> None:
        self._instance = instance
        self._estimate = estimate
        self._rng = rng
        self._clock = clock
        self._ways = Ways(instance, clock)
        self._cost = np.array(estimate.cost, np.float64)
        np.fill_diagonal(self._cost, np.inf)  # no path passes from a node to itself
        self._chosen: Counter[frozenset[tuple[int, tuple[int, ...]]]] = Counter()

    def next(self, neighbourhoods: Sequence[Sequence[int]]) -> Sharing:
        """A sharing for some neighbourhoods.

        Raises
        ------
        OutOfTime
            If the clock runs out.
        """
        if len(neighbourhoods) == 1 or not self._ways.known:
            return self._drawn(neighbourhoods)
        near = self._near(neighbourhoods)
        drawn = {self._drawn(neighbourhoods) for _ in range(_DRAWN)}
        keys = {sharing: _key(neighbourhoods, sharing) for sharing in drawn}

        def counts(sharing: Sharing) -> tuple[float, Sharing]:
            again = 1 + _AGAIN * self._chosen[keys[sharing]]
            return again * self._time(neighbourhoods, sharing, near), sharing

        best = min(drawn, key=counts)
        self._chosen[keys[best]] += 1
        return best

    def _drawn(self, neighbourhoods: Sequence[Sequence[int]]) -> Sharing:
        """A sharing by chance.

        Each stage goes where most nodes are left, of which each other stage already there takes its part, as
        chance weighs them.
        """
        rng, instance = self._rng, self._instance
        left = [len(nodes) for nodes in neighbourhoods]
        free = [1] * len(left)
        shared: list[list[int]] = [[] for _ in neighbourhoods]
        stages = list(range(instance.stages))
        rng.shuffle(stages)
        for stage in sorted(stages, key=lambda stage: not instance.has_fixed_size(stage)):
            fixed = instance.has_fixed_size(stage)
            size = instance.min_sizes[stage] if fixed else 0
            chances = [rng.uniform(_UNLIKE, 1) / rng.uniform(_UNLIKE, 1) for _ in left]
            weights = [
                (n >= size, n / parts * chance) for n, parts, chance in zip(left, free, chances, strict=True)
            ]
            chosen = weights.index(max(weights))
            shared[chosen].append(stage)
            left[chosen] -= size
            free[chosen] += not fixed
        return tuple(map(tuple, shared))

    def _near(self, neighbourhoods: Sequence[Sequence[int]]) -> list[list[float]]:
        """Mean round trip from a node of one neighbourhood to the nearer half of another's, microseconds."""
        self._clock.spend(int(_STEPS_PER_PAIR * self._instance.nodes**2))
        return [
            [_nearer(self._cost[np.ix_(nodes, others)]) for others in neighbourhoods]
            for nodes in neighbourhoods
        ]

    def _time(
        self, neighbourhoods: Sequence[Sequence[int]], sharing: Sharing, near: Sequence[Sequence[float]]
    ) -> float:
        """Microseconds, roughly: as `Estimate.of`, but on the best paths, and without all-reduces."""
        instance = self._instance
        at = {stage: place for place, stages in enumerate(sharing) for stage in stages}
        home = neighbourhoods[at[0]]
        action = [
            _mean([instance.forward[n][k] + instance.backward[n][k] for n in neighbourhoods[at[k]]])
            for k in range(instance.stages)
        ]
        hop = [[near[at[k]][at[m]] for m in range(instance.stages)] for k in range(instance.stages)]
        way = self._ways.least(hop, [0.0, *action[1:]])
        own = action[0] + _mean([instance.loss[n] for n in home])
        waves = _mean(
            [
                instance.microbatches[n] / max(1, min(instance.microbatches[n], instance.slots[n][0]))
                for n in home
            ]
        )
        flight = waves * (own + way)
        executed = _mean([instance.microbatches[n] for n in home]) * instance.data_nodes
        executed *= (instance.path_length - 1) / (instance.stages - 1)
        loads: list[float] = []
        misfits = 0
        for nodes, stages in zip(neighbourhoods, sharing, strict=True):
            # Who may hold none of them spreads a stage over neighbourhoods; so does a stage without nodes.
            misfits += sum(not any(stage in instance.allowed[n] for stage in stages) for n in nodes)
            sizes = sizes_within(instance, self._estimate, len(nodes), stages)
            misfits += sum(round(size) < 1 for size in sizes)
            for stage, size in zip(stages, sizes, strict=True):
                if stage > 0:
                    loads.append(executed * (action[stage] + 2 * instance.overhead) / max(1.0, size))
        return (1 + misfits) * (max(flight, *loads) + flight + _mean(loads))


def sizes_within(instance: Instance, estimate: Estimate, nodes: int, stages: Sequence[int]) -> list[float]:
    """Nodes that stages get of a neighbourhood's; those of given size must come first.

    By its likely size each of the others gets a part of what is left.
    """
    likely = sum(estimate.sizes[stage] for stage in stages if not instance.has_fixed_size(stage))
    left = float(nodes)
    sizes: list[float] = []
    for stage in stages:
        size = estimate.sizes[stage]
        if not instance.has_fixed_size(stage):
            size, likely = max(0.0, left) * size / likely, likely - size
        sizes.append(size)
        left -= round(size)
    return sizes


def _key(neighbourhoods: Sequence[Sequence[int]], sharing: Sharing) -> frozenset[tuple[int, tuple[int, ...]]]:
    """A sharing, whatever the order in which its neighbourhoods and their stages stand."""
    pairs = zip(neighbourhoods, sharing, strict=True)
    return frozenset((min(nodes), tuple(sorted(stages))) for nodes, stages in pairs)


def _nearer(costs: NDArray[np.float64]) -> float:
    """The mean over rows of the nearer half of each; 0 for a single node and itself."""
    others = int(np.isfinite(costs[0]).sum())
    return float(np.sort(costs, axis=1)[:, : (others + 1) // 2].mean()) if others else 0.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


class Ways:
    """The mean round trip of paths, at its least: a linear programme over the steps of stage orders.

    Its variables are how often each step of the automaton of stage orders is taken; every path takes one way
    through it, and with `even-stages` all stages but the first are executed equally often.
    """

    def __init__(self, instance: Instance, clock: Clock) -> None:
        orders = instance.orders
        self._clock = clock
        #: Whether there is such a programme, and an answer to it.
        self.known = 0 < sum(map(len, orders.successors)) <= _MOST_STEPS
        if not self.known:
            return
        from ortools.linear_solver import pywraplp  # type: ignore[import-untyped]

        self._solver: Any = pywraplp.Solver.CreateSolver("GLOP")
        self._solver.Objective().SetMinimization()
        states = [self._solver.Constraint(float(s == 0), float(s == 0)) for s in range(len(orders.stage))]
        executed = (instance.path_length - 1) / (instance.stages - 1)
        least, most = (executed, executed) if instance.rules.even_stages else (0.0, 1.0)
        stages = [self._solver.Constraint(least, most) for _ in range(1, instance.stages)]
        #: Each step: its variable, and the stages that it leads from and to.
        self._steps: list[tuple[Any, int, int]] = []
        for state, following in enumerate(orders.successors):
            for after in following:
                step = self._step(states[state], orders.stage[state], orders.stage[after])
                states[after].SetCoefficient(step, -1)
                stages[orders.stage[after] - 1].SetCoefficient(step, 1)
        for state in orders.layers[-1]:
            self._step(states[state], orders.stage[state], 0)
        self.known = self._solver.Solve() == self._solver.OPTIMAL

    def _step(self, source: Any, stage: int, target: int) -> Any:
        step = self._solver.NumVar(0, 1, "")
        source.SetCoefficient(step, 1)
        self._steps.append((step, stage, target))
        return step

    def least(self, hop: Sequence[Sequence[float]], action: Sequence[float]) -> float:
        """Microseconds of the mean path: the round trips of its hops, the way home too, and its actions.

        Parameters
        ----------
        hop
            Microseconds of the round trip from each stage to each.
        action
            Microseconds of forward and backward on each stage.

        Raises
        ------
        OutOfTime
            If the clock runs out.
        """
        objective = self._solver.Objective()
        for step, stage, target in self._steps:
            objective.SetCoefficient(step, hop[stage][target] + action[target])
        self._solver.Solve()
        self._clock.spend(
            len(self._steps)
            + int(_STEPS_PER_PIVOT * self._solver.iterations() * self._solver.NumConstraints())
        )
        return float(objective.Value())
