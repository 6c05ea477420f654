"""The runtime: executes a schedule with torch.distributed.

Needs the extra `torch`. One process a node; each brings the model's stages to a `Pipeline`, which then runs
iterations as the schedule says:

>>> from skipsched.runtime import Model, Pipeline  # doctest: +SKIP
>>> with Pipeline(model, optimizer) as pipeline:  # doctest: +SKIP
...     loss = pipeline.iteration(data).loss
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skipsched.runtime.average import Weighting
    from skipsched.runtime.model import Model
    from skipsched.runtime.pipeline import IterationResult, Pipeline, Summary
    from skipsched.runtime.program import Instruction, Message, Programs
    from skipsched.runtime.watch import NodeLost
    from skipsched.runtime.world import World

__all__ = [
    "Instruction",
    "IterationResult",
    "Message",
    "Model",
    "NodeLost",
    "Pipeline",
    "Programs",
    "Summary",
    "Weighting",
    "World",
]

_HOMES = {
    "Instruction": "program",
    "IterationResult": "pipeline",
    "Message": "program",
    "Model": "model",
    "NodeLost": "watch",
    "Pipeline": "pipeline",
    "Programs": "program",
    "Summary": "pipeline",
    "Weighting": "average",
    "World": "world",
}


def __getattr__(name: str) -> Any:
    """Load a public name where it is first used: torch only where something runs."""
    if name not in _HOMES:
        raise AttributeError(f"module 'skipsched.runtime' has no attribute {name!r}")
    from importlib import import_module

    from skipsched.runtime.needs import NEEDS_TORCH

    try:
        return getattr(import_module(f"skipsched.runtime.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ImportError(NEEDS_TORCH) from None
