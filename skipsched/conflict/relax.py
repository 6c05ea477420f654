"""A topology's tables with some of its rules and numbers left out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from skipsched.conflict.member import Key, Kind
from skipsched.instance import Instance
from skipsched.routes.slots import FreeNumbers
from skipsched.topology.model import Rules, Topology


@dataclass(frozen=True, slots=True)
class Problem:
    """Tables, and what is open in them: feasible if routes exist for any of the path lengths.

    Parameters
    ----------
    instance
        The tables. For nodes whose number of microbatches is open they hold its highest value.
    lengths
        The path lengths allowed, the topology's own first, then those next to it.
    free
        The numbers of microbatches that are open; None if all are given.
    written
        The numbers of microbatches that the topology gives.
    """

    instance: Instance
    lengths: tuple[int, ...]
    free: FreeNumbers | None
    written: tuple[int, ...]

    def cases(self) -> Iterator[Instance]:
        """The tables for each path length."""
        for length in self.lengths:
            yield replace(self.instance, rules=replace(self.instance.rules, path_length=length))


class Relaxations:
    """The problems that a topology becomes when members are left out, each by the meaning of its `Kind`.

    Parameters
    ----------
    topology
        The topology.
    allocation
        The stage of each node if it is to be kept from a schedule.
    """

    def __init__(self, topology: Topology, allocation: Sequence[int] | None = None) -> None:
        self._topology = topology
        self._allocation = allocation
        self.instance = Instance.of(topology)

    def without(self, dropped: Collection[Key]) -> Problem:
        """The problem without some members."""
        instance = self.instance
        kinds = {kind for kind, _ in dropped}
        rules = self._rules(kinds)
        free, emitted = self._numbers(dropped)
        if free is not None and not (rules.even_stages or rules.even_nodes or rules.cover):
            # Then paths do not ask how many follow them, and one microbatch is as good as any larger number.
            free, emitted = replace(free, most=1), tuple(min(1, count) for count in emitted)
        relaxed = replace(
            instance,
            rules=rules,
            allowed=tuple(self._allowed(n, dropped) for n in range(instance.nodes)),
            slots=tuple(self._slots(n, dropped) for n in range(instance.nodes)),
            microbatches=emitted,
        )
        if Kind.SIZES in kinds:
            most = instance.nodes - instance.stages + 1
            relaxed = replace(relaxed, min_sizes=(1,) * instance.stages, max_sizes=(most,) * instance.stages)
        if Kind.LINK in kinds:
            relaxed = replace(
                relaxed, transfer=tuple(tuple(max(0, c) for c in row) for row in instance.transfer)
            )
        if Kind.LINK in kinds or Kind.RING in kinds:
            # Where every pair is linked there are rings.
            relaxed = replace(relaxed, allreduce=instance.allreduce.without_gradients())
        length = rules.path_length
        others = range(2, instance.stages + 1) if Kind.PATH_LENGTH in kinds else [length]
        lengths = sorted(others, key=lambda other: (abs(other - length), -other))
        return Problem(relaxed, tuple(lengths), free, instance.microbatches)

    def _rules(self, kinds: Collection[Kind]) -> Rules:
        rules, stages = self.instance.rules, self.instance.stages
        return replace(
            rules,
            max_jump=stages if Kind.MAX_JUMP in kinds else rules.max_jump,
            max_swap_distance=stages if Kind.MAX_SWAP_DISTANCE in kinds else rules.max_swap_distance,
            max_swaps=stages**2 if Kind.MAX_SWAPS in kinds else rules.max_swaps,
            even_stages=rules.even_stages and Kind.EVEN_STAGES not in kinds,
            even_nodes=rules.even_nodes and Kind.EVEN_NODES not in kinds,
            cover=rules.cover and Kind.COVER not in kinds,
            path_period=None if Kind.PATH_PERIOD in kinds else rules.path_period,
        )

    def _allowed(self, node: int, dropped: Collection[Key]) -> tuple[int, ...]:
        """The stages that a node may hold."""
        if self._allocation is not None and (Kind.GIVEN, None) not in dropped:
            return (self._allocation[node],)
        pin = None if (Kind.PIN, node) in dropped else self._topology.nodes[node].stage
        slots = self._slots(node, dropped)
        return tuple(k for k, count in enumerate(slots) if pin in (None, k) and count > 0)

    def _slots(self, node: int, dropped: Collection[Key]) -> tuple[int, ...]:
        """The slots of a node on each stage."""
        slots = self.instance.slots[node]
        return tuple(max(1, count) for count in slots) if (Kind.MEMORY, node) in dropped else slots

    def _numbers(self, dropped: Collection[Key]) -> tuple[FreeNumbers | None, tuple[int, ...]]:
        """The numbers of microbatches that are open, and all numbers with the highest value for these."""
        written = self.instance.microbatches
        nodes = self._topology.document["nodes"]
        groups: list[tuple[tuple[int, ...], int]] = [
            ((n,), 0) for n in range(self.instance.nodes) if (Kind.OWN_MICROBATCHES, n) in dropped
        ]
        if (Kind.MICROBATCHES, None) in dropped:
            alike = tuple(n for n, node in enumerate(nodes) if "microbatches" not in node)
            groups.append((alike, 1))
        opened = {n for alike, _ in groups for n in alike}
        if not opened:
            return None, written
        most = most_microbatches(self._topology)
        emitted = tuple(most if n in opened else w for n, w in enumerate(written))
        return FreeNumbers(tuple(groups), most), emitted


def most_microbatches(topology: Topology) -> int:
    """The highest number of microbatches that is tried for a node; see `Kind.MICROBATCHES`."""
    return max(topology.workload.stages - 1, *(node.microbatches for node in topology.nodes), 1)
