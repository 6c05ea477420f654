"""How stages, microbatches and data nodes grow with the nodes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from skipsched.topology import derive

LEAST_NODES = 8
MOST_NODES = 1000

#: Stages and microbatches of each data node, from so many nodes on.
_SIZES = (
    # nodes, stages, microbatches
    (8, 4, 3),
    (20, 6, 6),
    (50, 6, 8),
    (100, 8, 12),
    (200, 8, 16),
    (500, 12, 32),
    (1000, 12, 48),
)


@dataclass(frozen=True, slots=True)
class Shape:
    """What follows from the number of nodes.

    Parameters
    ----------
    nodes, stages
        How many there are.
    skip_ratio
        The share of the stages that a path skips, as it is written.
    path_length
        Stages of a path, fewer than there are.
    microbatches
        Microbatches that each data node emits per iteration.
    """

    nodes: int
    stages: int
    skip_ratio: str
    path_length: int
    microbatches: int

    @classmethod
    def of(cls, nodes: int, skip_ratio: str) -> Shape:
        """The shape for a number of nodes."""
        stages, microbatches = next(row[1:] for row in reversed(_SIZES) if row[0] <= nodes)
        length = derive.path_length(stages, Fraction(skip_ratio))
        return cls(nodes, stages, skip_ratio, length, microbatches)

    @property
    def data_nodes(self) -> int:
        """Data nodes: so many that they carry about as many microbatches as any other node."""
        return self.nodes // self.path_length

    @property
    def stage_sizes(self) -> tuple[int, ...]:
        """Nodes of each stage: the data nodes, and the others spread evenly."""
        least, more = divmod(self.nodes - self.data_nodes, self.stages - 1)
        return (self.data_nodes, *(least + (stage < more) for stage in range(self.stages - 1)))

    @property
    def emitted(self) -> str:
        """What to say of the microbatches."""
        return f"per data node: {self.data_nodes * self.microbatches} in all"

    def slots(self, most: int) -> int:
        """Slots of a node: at most so many, and fewer than a data node emits, so that memory binds."""
        return min(most, self.microbatches - 1)
