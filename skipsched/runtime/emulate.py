"""An emulated network: transfers and actions that take as long as the topology says.

All processes run on one machine, whose clock they share. Nobody waits busily, and every time is a real one:
an action begins when its input has come and its node is free, and ends after its expected duration, or later
if computing took longer, which is counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch

from skipsched.instance import MICROSECONDS, Instance
from skipsched.rings import ring_through
from skipsched.runtime.execute import Gather
from skipsched.runtime.program import Programs

#: Seconds in which every process has learnt when the iteration begins.
_LEAD = 0.1


class EmulatedPace:
    """Delays a node's actions, and the inputs that they wait for.

    Parameters
    ----------
    instance
        The figures of the schedule's topology.
    programs
        The schedule.
    node
        The node.
    scale
        What every time is multiplied by.
    device
        Where actions compute: they are over when it has done its work.
    """

    def __init__(
        self, instance: Instance, programs: Programs, node: str, scale: float, device: torch.device
    ) -> None:
        n, stage = instance.node_ids.index(node), programs.stage_of(node)
        unit = scale / MICROSECONDS
        self._duration = {
            "F": instance.forward[n][stage] * unit,
            "L": instance.loss[n] * unit,
            "B": instance.backward[n][stage] * unit,
        }
        self._overhead = instance.overhead * unit
        self._transfer = {
            source: instance.transfer[s][n] * unit for s, source in enumerate(instance.node_ids)
        }
        self._allreduce = _allreduce(instance, programs.stages[stage], stage) * unit
        self._device = device
        self._began = self._free = self._left_at = 0.0
        #: Actions that took longer than expected, so far.
        self.overruns = 0

    def start(self, gather: Gather) -> float:
        """Begin an iteration when all processes do, and return when that is."""
        at = max(map(float, gather(repr(time.monotonic())))) + _LEAD
        _sleep_until(at)
        self._free = self._left_at = at
        return at

    def begin(self, source: str | None, sent_at: float) -> None:
        """Wait until the node is free and the transfer is over."""
        arrives = 0.0 if source is None else sent_at + self._transfer[source]
        _sleep_until(max(self._free, arrives))
        self._began = time.monotonic()

    def end(self, op: str) -> float:
        """Wait until the action's expected duration is over; returns when the output leaves."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        expected = self._began + self._duration[op]
        if time.monotonic() > expected:
            self.overruns += 1
        _sleep_until(expected)
        self._left_at = time.monotonic()
        self._free = self._left_at + self._overhead
        return self._left_at

    def finish(self, latest: Callable[[float], float]) -> None:
        """Wait for the stage's all-reduce, which begins when the last of its nodes is done."""
        _sleep_until(latest(self._left_at) + self._allreduce)


def _sleep_until(at: float) -> None:
    """Sleep until a time of the monotonic clock; return at once if it has passed."""
    left = at - time.monotonic()
    if left > 0:
        time.sleep(left)


def _allreduce(instance: Instance, nodes: Sequence[str], stage: int) -> int:
    """Microseconds of a stage's all-reduce over its nodes in the order of their ring."""
    ring = ring_through(instance, stage, [instance.node_ids.index(node) for node in nodes])
    assert ring is not None, "the checker has followed it"
    return ring.allreduce
