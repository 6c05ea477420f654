"""Bottleneck matchings: who of one stage sends to whom of the next, the dearest link as cheap as possible."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import networkx
from networkx.algorithms.bipartite import hopcroft_karp_matching

from skipsched.instance import NO_LINK


def bottleneck_matching(
    costs: Sequence[Sequence[int]], sources: Sequence[int], targets: Sequence[int]
) -> tuple[int, dict[int, int]] | None:
    """Match as many nodes of two disjoint groups as the smaller one has, the dearest pair being cheapest.

    By threshold: the least cost that leaves enough pairs for a maximum matching (Hopcroft and Karp's, from
    networkx) to use up the smaller group.

    Parameters
    ----------
    costs
        Cost of each pair of nodes; `NO_LINK` where it cannot be matched.
    sources, targets
        The groups.

    Returns
    -------
    tuple or None
        The cost of the dearest pair and the target of each matched source; None if links are missing for any
        such matching.
    """
    rows = [[costs[a][b] for b in targets] for a in sources]
    if len(sources) > len(targets):
        rows = [list(column) for column in zip(*rows, strict=True)]
    # Everybody in the smaller group pays at least the cheapest cost of their own; often that is enough.
    cheapest = [min((cost for cost in row if cost != NO_LINK), default=NO_LINK) for row in rows]
    if NO_LINK in cheapest:
        return None
    least = max(cheapest)
    thresholds = sorted({cost for row in rows for cost in row if cost >= least})
    matchings: dict[int, dict[int, int]] = {}

    def enough(threshold: int) -> bool:
        matchings[threshold] = _matching(costs, sources, targets, threshold)
        return len(matchings[threshold]) == len(rows)

    # Not by bisection from the start: the first threshold is the likeliest, and the cheapest to test.
    at = 0 if enough(least) else bisect_left(thresholds, True, lo=1, key=enough)
    return (thresholds[at], matchings[thresholds[at]]) if at < len(thresholds) else None


def _matching(
    costs: Sequence[Sequence[int]], sources: Sequence[int], targets: Sequence[int], threshold: int
) -> dict[int, int]:
    """A largest matching of pairs that cost no more than a threshold: the target of each matched source."""
    graph: networkx.Graph[int] = networkx.Graph()
    graph.add_nodes_from(sources)
    for a in sources:
        row = costs[a]
        graph.add_edges_from((a, b) for b in targets if NO_LINK != row[b] <= threshold)
    matched = hopcroft_karp_matching(graph, sources)
    return {a: matched[a] for a in sources if a in matched}
