"""In which order groups of nodes become stages: the open travelling salesman over them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

#: Up to this many groups the best order is found: 10**5 steps or so.
EXACT_UP_TO = 12

#: A cost and the groups in their order.
Tour = tuple[int, tuple[int, ...]]


def best_tour(distance: Sequence[Sequence[int]], fits: Sequence[Sequence[bool]]) -> Tour | None:
    """The cheapest order of all groups, from group 0 on, with no way back.

    Exact up to `EXACT_UP_TO` groups. Beyond, the better of two orders: the one given, and networkx's greedy
    tour without its way back. The latter knows nothing of `fits` and counts only if it happens to keep it.

    Parameters
    ----------
    distance
        Cost of having two groups next to each other, symmetric.
    fits
        Whether a group may stand at a place, ``[group][place]``.

    Returns
    -------
    tuple or None
        The sum of the distances and the groups in their order; None if no order found fits.
    """
    if not fits[0][0]:
        return None
    return _held_karp(distance, fits) if len(distance) <= EXACT_UP_TO else _approximate(distance, fits)


def _held_karp(distance: Sequence[Sequence[int]], fits: Sequence[Sequence[bool]]) -> Tour | None:
    """Dynamic programming over (groups placed, last one): Held and Karp 1962."""
    groups = range(1, len(distance))
    layers: list[dict[tuple[int, int], tuple[int, int]]] = [{(1, 0): (0, 0)}]
    for place in groups:
        fitting = [group for group in groups if fits[group][place]]
        layer: dict[tuple[int, int], tuple[int, int]] = {}
        for (placed, last), (cost, _) in layers[-1].items():
            row = distance[last]
            for group in fitting:
                if not placed >> group & 1:
                    key = (placed | 1 << group, group)
                    candidate = (cost + row[group], last)
                    if key not in layer or candidate < layer[key]:
                        layer[key] = candidate
        layers.append(layer)
    if not layers[-1]:
        return None
    (placed, last), (total, _) = min(layers[-1].items(), key=lambda item: (item[1], item[0]))
    order = [last]
    for layer in layers[:0:-1]:
        before = layer[placed, last][1]
        placed, last = placed & ~(1 << last), before
        order.append(last)
    return total, tuple(reversed(order))


def _approximate(distance: Sequence[Sequence[int]], fits: Sequence[Sequence[bool]]) -> Tour | None:
    import networkx
    from networkx.algorithms.approximation import greedy_tsp

    graph: networkx.Graph[int] = networkx.Graph()
    graph.add_weighted_edges_from((a, b, row[b]) for a, row in enumerate(distance) for b in range(a))
    orders = [tuple(range(len(distance))), tuple(greedy_tsp(graph, source=0)[:-1])]
    tours = [
        (sum(distance[a][b] for a, b in pairwise(order)), order)
        for order in orders
        if all(fits[group][place] for place, group in enumerate(order))
    ]
    return min(tours, default=None)
