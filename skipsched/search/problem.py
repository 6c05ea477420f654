"""What the search is given: the instance's tables as flat arrays for compiled code."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skipsched.bounds.tables import holds
from skipsched.instance import Instance
from skipsched.plan import Routes
from skipsched.search.keeping import ANY_PATHS, Keeping

#: In plans with more actions, times are computed strictly by time. That saves computing some of them again
#: and again, but changing rows takes longer than it saves where there are few.
_MANY_ACTIONS = 20_000
#: Farther ahead than any time.
_ANY_STRIDE = 2**60

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Problem(NamedTuple):
    """What does not change during a search.

    Parameters
    ----------
    overhead, path_length
        As in the instance; times in microseconds throughout.
    forward, backward, slots
        ``[node, stage]``.
    loss, microbatches
        Of each node, if it is a data node.
    transfer
        ``[source, target]``; `NO_LINK` where there is none.
    allowed
        Whether a node may hold a stage, ``[node, stage]``.
    min_sizes, max_sizes
        Fewest and most nodes of each stage.
    max_swaps, max_swap_distance, max_jump, even_stages, even_nodes, cover
        The rules.
    mates
        The microbatches that share a path, itself first; -1 behind the last: ``[microbatch, i]``.
    home, price
        The path that each microbatch is to keep, ``[microbatch, position]``, -1 throughout for none; and the
        microseconds that leaving it has to gain.
    gradient
        Size of each stage's gradients.
    link
        The number of a link's figures, ``[source, target]``; empty where nothing is to be averaged.
    latency, slowness
        Microseconds of each of the links' figures, by their number: for a message as such, and for each unit
        of gradients. A latency of `NO_LINK` where there is none.
    stride
        By how much a row's times may be computed ahead of those that other rows wait for, microseconds.
    """

    overhead: int
    path_length: int
    forward: Ints
    backward: Ints
    slots: Ints
    loss: Ints
    microbatches: Ints
    transfer: Ints
    allowed: Flags
    min_sizes: Ints
    max_sizes: Ints
    max_swaps: int
    max_swap_distance: int
    max_jump: int
    even_stages: bool
    even_nodes: bool
    cover: bool
    mates: Ints
    home: Ints
    price: int
    gradient: Floats
    link: Ints
    latency: Floats
    slowness: Floats
    stride: int

    @classmethod
    def of(cls, instance: Instance, routes: Routes, keeping: Keeping = ANY_PATHS) -> Problem:
        """The tables for searching among plans with the microbatches that some routes have."""
        nowhere = (-1,) * instance.path_length
        rules, allreduce = instance.rules, instance.allreduce
        link = np.array(allreduce.links(), np.int64) if allreduce.present else np.zeros((0, 0), np.int64)
        figures = allreduce.link_figures()
        actions = len(routes.paths) * (2 * instance.path_length + 1)
        return cls(
            overhead=instance.overhead,
            path_length=instance.path_length,
            forward=np.array(instance.forward, np.int64),
            backward=np.array(instance.backward, np.int64),
            slots=np.array(instance.slots, np.int64),
            loss=np.array(instance.loss, np.int64),
            microbatches=np.array(instance.microbatches, np.int64),
            transfer=np.array(instance.transfer, np.int64),
            allowed=holds(instance),
            min_sizes=np.array(instance.min_sizes, np.int64),
            max_sizes=np.array(instance.max_sizes, np.int64),
            max_swaps=rules.max_swaps,
            max_swap_distance=rules.max_swap_distance,
            max_jump=rules.max_jump,
            even_stages=rules.even_stages,
            even_nodes=rules.even_nodes,
            cover=rules.cover,
            mates=_mates(routes, rules.path_period),
            home=np.array([home or nowhere for home in keeping.homes(routes)], np.int64),
            price=keeping.price,
            gradient=np.array([float(allreduce.gradient(k)) for k in range(instance.stages)]),
            link=link,
            latency=np.array([latency for latency, _ in figures]),
            slowness=np.array([slowness for _, slowness in figures]),
            stride=_ANY_STRIDE if actions <= _MANY_ACTIONS else 0,
        )


def _mates(routes: Routes, period: int | None) -> Ints:
    """Who shares a path with whom, by `path-period`."""
    count: dict[int, int] = {}
    groups: dict[tuple[int, int], list[int]] = {}
    keys = []
    for microbatch, path in enumerate(routes.paths):
        index = count.get(path[0], 0)
        count[path[0]] = index + 1
        keys.append((path[0], index if period is None else index % period))
        groups.setdefault(keys[-1], []).append(microbatch)
    mates = np.full((len(keys), max(map(len, groups.values()))), -1, np.int64)
    for microbatch, key in enumerate(keys):
        others = [other for other in groups[key] if other != microbatch]
        mates[microbatch, : len(others) + 1] = [microbatch, *others]
    return mates
