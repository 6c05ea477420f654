"""The kinds of topologies, by name."""

from __future__ import annotations

from collections.abc import Callable

from skipsched.generate import clouds, equal, gpus, homes, islands
from skipsched.generate.draft import Draft
from skipsched.generate.draw import Draw
from skipsched.generate.sizes import LEAST_NODES, MOST_NODES
from skipsched.generate.write import written
from skipsched.topology.limits import MAX_SEED

_DRAFTS: dict[str, Callable[[int, Draw], Draft]] = {
    "clouds": clouds.draft,
    "gpus": gpus.draft,
    "homes": homes.draft,
    "equal": equal.draft,
    "islands": islands.draft,
}
#: How far apart the draws of two seeds lie. It never changes: the topologies of all seeds would.
_APART = 1001
#: Names of the kinds.
KINDS = tuple(_DRAFTS)


def generate_topology(kind: str, nodes: int, seed: int = 0) -> str:
    """Generate a random topology.

    Parameters
    ----------
    kind
        One of `KINDS`: ``clouds`` (regions, with figures measured between them), ``gpus`` (several
        generations in a few data centres, memory in bytes), ``homes`` (volunteers' lines), ``equal`` (equal
        nodes in one place) or ``islands`` (fast inside, slow between).
    nodes
        How many nodes, from 8 to 1000. Stages, microbatches and data nodes follow.
    seed
        Of all random choices, from 0 to 2147483647.

    Returns
    -------
    str
        The topology as YAML, feasible, named after kind, nodes and, unless it is 0, the seed. The same
        arguments give the same text on every machine.

    Raises
    ------
    ValueError
        If an argument is none of these.

    Examples
    --------
    >>> text = skipsched.generate_topology("homes", 20, seed=7)
    >>> skipsched.load_topology(text).name
    'homes-20-seed7'
    """
    if kind not in _DRAFTS:
        raise ValueError(f"there is no kind {kind!r}, only {', '.join(KINDS)}")
    for what, number, least, most in (
        ("nodes", nodes, LEAST_NODES, MOST_NODES),
        ("seed", seed, 0, MAX_SEED),
    ):
        if type(number) is not int or not least <= number <= most:
            raise ValueError(f"{what} must be a whole number from {least} to {most}, not {number}")
    name = f"{kind}-{nodes}" + (f"-seed{seed}" if seed else "")
    command = f"skipsched generate --kind {kind} --nodes {nodes} --seed {seed}"
    # Sizes of one seed are drawn apart, so that a family has more than one draw of what does not grow.
    draw = Draw(seed * _APART + nodes)
    return written(_DRAFTS[kind](nodes, draw), name, command)
