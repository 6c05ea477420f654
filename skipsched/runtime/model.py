"""What a user brings: a model, cut into stages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True, slots=True)
class Model:
    """A model cut into stages.

    Its parts are made where they are needed, by functions of the user's.

    Parameters
    ----------
    stages
        Number of stages.
    stage
        The module of a stage, by its number: an activation in, an activation out.
    embedding
        What comes before the first stage on its data node: inputs in, an activation out.
    head
        What ends a forward on the data node: an activation and targets in, the loss out, a scalar. It belongs
        to the first stage, as the embedding does.
    activation
        Shape of the activation of one microbatch.
    dtype
        Of activations.
    """

    stages: int
    stage: Callable[[int], nn.Module]
    embedding: Callable[[], nn.Module]
    head: Callable[[], nn.Module]
    activation: tuple[int, ...]
    dtype: torch.dtype = torch.float32
