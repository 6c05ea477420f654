"""The paths that microbatches may take: enumerated, or the cheapest of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from skipsched.clock import NO_LIMIT, Clock
from skipsched.instance import NO_LINK, Instance

#: Nodes that a microbatch visits, its data node first.
Path = tuple[int, ...]

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
    state, the hop home counted. As long as nothing had to be dropped these are all paths; otherwise they
    are good ones, not exactly the best.

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
    work = [
        [forward + backward for forward, backward in zip(*rows, strict=True)]
        for rows in zip(instance.forward, instance.backward, strict=True)
    ]
    complete = True
    begun: dict[int, list[_Begun]] = {} if orders.empty else {0: [_Begun(0, (data_node,))]}
    for _ in orders.layers[1:]:
        extended: dict[int, list[_Begun]] = {}
        for state, beginnings in begun.items():
            for after in orders.successors[state]:
                stage = orders.stage[after]
                clock.spend(len(beginnings) * len(members[stage]) * _STEPS_PER_EXTENSION)
                extended.setdefault(after, []).extend(
                    _Begun(cost + trip[nodes[-1]][n] + work[n][stage], (*nodes, n))
                    for cost, nodes in beginnings
                    for n in members[stage]
                    if trip[nodes[-1]][n] != NO_LINK
                )
        for beginnings in extended.values():
            if len(beginnings) > most:
                home = trip[data_node]
                beginnings.sort(key=lambda path: (path.cost + max(0, home[path.nodes[-1]]), path.nodes))
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
