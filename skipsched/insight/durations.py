"""How long actions, transfers and all-reduces take in each simulated run.

Times are whole microseconds in floats, which hold them exactly up to 2**53 (285 years), and for what never
ends infinity. Each is rounded once, half up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skipsched.insight.conditions import Conditions, Slowed
from skipsched.insight.jitter import Drawn, Floats, Luck
from skipsched.instance import Instance
from skipsched.scheduled import Scheduled


@dataclass(frozen=True, slots=True)
class Durations:
    """What some runs take, in microseconds.

    Parameters
    ----------
    computing
        Of each action, ``[action, run]``; infinite on a lost node.
    travel
        Of the transfer of each action's input, likewise; 0 where nothing travels.
    allreduce
        Of each stage, ``[stage, run]``; infinite with a lost node in its ring.
    """

    computing: Floats
    travel: Floats
    allreduce: Floats


class Durable:
    """Draws durations for the runs of one schedule under some conditions.

    Parameters
    ----------
    instance, scheduled
        The schedule.
    conditions, slowed
        The conditions, and what they mean on its topology.
    luck
        What chance decides.
    """

    def __init__(
        self, instance: Instance, scheduled: Scheduled, conditions: Conditions, slowed: Slowed, luck: Luck
    ) -> None:
        actions = scheduled.actions
        self._conditions = conditions
        self._luck = luck
        self._node = np.array(actions.node, np.intp)
        slow, lost = np.array(slowed.node), np.array(slowed.lost)
        self._computing = (np.array(actions.duration, np.float64) * slow[self._node])[:, np.newaxis]
        self._lost = lost[self._node]
        self._nodes = instance.nodes
        links = [(actions.node[a - 1], n) for a, n in enumerate(actions.node)]
        factor = np.array([slowed.link.get(link, 1.0) for link in links])
        self._travel = (np.array(actions.lag, np.float64) * factor)[:, np.newaxis]
        self._rings = [
            _Ring.of(instance, stage, ring.nodes, slowed) for stage, ring in enumerate(scheduled.rings)
        ]

    def draw(self, runs: range) -> Durations:
        """The durations of some runs, the same whichever others there are."""
        return Durations(self._drawn_computing(runs), self._drawn_travel(runs), self._drawn_allreduce(runs))

    def _drawn_computing(self, runs: range) -> Floats:
        jitter, stragglers = self._conditions.compute_jitter, self._conditions.stragglers
        time = self._luck.factors(Drawn.COMPUTING, len(self._node), runs, jitter)
        time *= self._computing
        if stragglers is not None:
            slow = self._luck.happens(Drawn.STRAGGLER, self._nodes, runs, stragglers.share)
            time *= np.where(slow, stragglers.factor, 1.0)[self._node]
        time = _rounded(time)
        time[self._lost] = np.inf
        return time

    def _drawn_travel(self, runs: range) -> Floats:
        time = self._luck.factors(Drawn.TRANSFER, len(self._node), runs, self._conditions.link_jitter)
        time *= self._travel
        return _rounded(time)

    def _drawn_allreduce(self, runs: range) -> Floats:
        time = np.zeros((len(self._rings), len(runs)))
        if not any(ring.hops.any() for ring in self._rings):
            return time
        factors = self._luck.factors(Drawn.HOP, self._nodes, runs, self._conditions.link_jitter)
        for stage, ring in enumerate(self._rings):
            time[stage] = np.inf if ring.lost else _rounded(factors[ring.nodes] * ring.hops).max(axis=0)
        return time


@dataclass(frozen=True, slots=True)
class _Ring:
    """A stage's ring: its nodes, what each one's hop to the next contributes, and whether it is broken."""

    nodes: list[int]
    hops: Floats
    lost: bool

    @classmethod
    def of(cls, instance: Instance, stage: int, nodes: tuple[int, ...], slowed: Slowed) -> _Ring:
        links = list(zip(nodes, [*nodes[1:], *nodes[:1]], strict=True))
        hops = [
            instance.allreduce.hop(stage, len(nodes), *link) * slowed.link.get(link, 1.0) for link in links
        ]
        needed = instance.allreduce.needs_ring(stage, len(nodes))
        return cls(
            list(nodes),
            np.array(hops, np.float64)[:, np.newaxis],
            needed and any(slowed.lost[n] for n in nodes),
        )


def _rounded(time: Floats) -> Floats:
    """Whole microseconds, rounded half up; the array itself is changed."""
    time += 0.5
    return np.floor(time, out=time)
