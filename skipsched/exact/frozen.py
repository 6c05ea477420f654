"""What is decided before the exact model is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from skipsched.exact.paths import Path


@dataclass(frozen=True, slots=True)
class Frozen:
    """What the exact model takes as given; everything else it decides.

    Numbers of the rules (slots, swaps, jumps, ...) come with the instance: replace them there.

    Parameters
    ----------
    allocation
        Stage of each node.
    paths
        For each microbatch the paths it may take, one or several; microbatches are numbered data node by data
        node, as in `Routes`.
    precedences
        Pairs of actions (numbered as in `Actions`): the first is over, with its overhead, before the second
        begins. Keeps the order of a node's actions wherever it is not to be searched.
    executed
        Fewest and most microbatches that may execute a stage, over what the rules say.
    carried
        Fewest and most microbatches that may visit a node, over what the rules say.
    within
        The iteration time allowed, microseconds.
    """

    allocation: tuple[int, ...]
    paths: Sequence[Sequence[Path]]
    within: int
    precedences: Sequence[tuple[int, int]] = ()
    executed: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    carried: Mapping[int, tuple[int, int]] = field(default_factory=dict)
