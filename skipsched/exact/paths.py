"""The paths that microbatches may take: enumerated, or the cheapest of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from skipsched.clock import NO_LIMIT, Clock
from skipsched.instance import NO_LINK, Instance

#: Nodes that a microbatch visits, its data node first.
Path = tuple[int, ...]

#: Of a stage, so many nodes are looked at in any case, or one for so many paths that are kept.
_FEWEST_LOOKED_AT, _BEGINNINGS_PER_NODE = 16, 4
#: Steps of a loop that extending one path by one node is worth.
_STEPS_PER_EXTENSION = 4


@dataclass(frozen=True, slots=True)
class Choices:
    """Paths of one data node, cheapest round trip first.

    Parameters
    ----------
    paths
        The paths.
    complete
        Whether these are all that the rules allow.
    """

    paths: tuple[Path, ...]
    complete: bool


class _Begun(NamedTuple):
    """A path as far as it has come: its cost, its nodes."""

    cost: int
    nodes: Path


def cheapest_paths(
    instance: Instance,
    members: Sequence[Sequence[int]],
    data_node: int,
    most: int,
    clock: Clock = NO_LIMIT,
) -> Choices:
    """The paths with the cheapest round trips that an allocation offers a data node.

    Layer by layer through the automaton of stage orders, keeping the `most` cheapest beginnings at every
    state, the hop home counted; of a stage with many nodes only the nearest ones are looked at. As long as
    nothing had to be left out these are all paths; otherwise they are good ones, not exactly the best.

    Parameters
    ----------
    members
        Nodes of each stage.
    most
        How many paths to return at most, and to keep at every state on the way.

    Raises
    ------
    OutOfTime
        If the clock runs out.
    """
    orders, trip = instance.orders, instance.round_trip
    # Where there is no way home at once the path may yet lead to one.
    farthest = max(trip[data_node])
    home = [farthest if cost == NO_LINK else cost for cost in trip[data_node]]
    looked_at = max(_FEWEST_LOOKED_AT, most // _BEGINNINGS_PER_NODE)
    nearest = _nearest(instance, members, looked_at)
    complete = all(len(nodes) <= looked_at for nodes in members[1:])
    begun: dict[int, list[_Begun]] = {} if orders.empty else {0: [_Begun(0, (data_node,))]}
    for _ in orders.layers[1:]:
        extended: dict[int, list[_Begun]] = {}
        for state, beginnings in begun.items():
            for after in orders.successors[state]:
                stage = orders.stage[after]
                ways = [
                    _Begun(cost + way, (*nodes, n))
                    for cost, nodes in beginnings
                    for way, n in nearest(nodes[-1], stage)
                ]
                clock.spend(len(ways) * _STEPS_PER_EXTENSION)
                extended.setdefault(after, []).extend(ways)
        for beginnings in extended.values():
            if len(beginnings) > most:
                beginnings.sort(key=lambda path: (path.cost + home[path.nodes[-1]], path.nodes))
                del beginnings[most:]
                complete = False
        begun = extended
    closed = sorted(
        _Begun(cost + trip[nodes[-1]][data_node], nodes)
        for beginnings in begun.values()
        for cost, nodes in beginnings
        if trip[nodes[-1]][data_node] != NO_LINK
    )
    return Choices(tuple(nodes for _, nodes in closed[:most]), complete and len(closed) <= most)


def _nearest(
    instance: Instance, members: Sequence[Sequence[int]], most: int
) -> Callable[[int, int], Sequence[tuple[int, int]]]:
    """By node and stage: the nodes of the stage that are linked with the node, the nearest ones first.

    Each with the microseconds of the way there and back and of the F and B done there.
    """
    known: dict[tuple[int, int], list[tuple[int, int]]] = {}

    def nearest(node: int, stage: int) -> list[tuple[int, int]]:
        if (node, stage) not in known:
            trips = instance.round_trip[node]
            ways = sorted(
                (trips[n] + instance.forward[n][stage] + instance.backward[n][stage], n)
                for n in members[stage]
                if trips[n] != NO_LINK
            )
            known[node, stage] = ways[:most]
        return known[node, stage]

    return nearest
