"""Random topologies of a given size and kind: `skipsched generate`.

Each kind has a module that draws a `Draft`; one module writes any draft as a topology that a person can read.
"""

from __future__ import annotations

from skipsched.generate.kinds import KINDS, generate_topology
from skipsched.generate.sizes import LEAST_NODES, MOST_NODES

__all__ = ["KINDS", "LEAST_NODES", "MOST_NODES", "generate_topology"]
