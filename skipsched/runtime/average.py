"""Averaging gradients within a stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor

#: What the sum of a stage's gradients is divided by: the microbatches that the stage executed in the
#: iteration, or all microbatches of the iteration.
Weighting = Literal["executed", "total"]

#: Bytes of gradients that are averaged at once: few operations, and little memory beside the gradients.
_BUCKET = 32 * 2**20


def divisor(weighting: Weighting, executed: int, total: int) -> int:
    """What the sum of a stage's gradients is divided by.

    Parameters
    ----------
    weighting
        Which way.
    executed
        Microbatches that the stage executed in the iteration.
    total
        All microbatches of the iteration.
    """
    return executed if weighting == "executed" else total


def average(parameters: Sequence[Tensor], divided_by: int, add_up: Callable[[Tensor], Tensor] | None) -> None:
    """Replace the gradients of a stage's parameters by their sum over its nodes, divided.

    Parameters
    ----------
    parameters
        The same ones on all nodes of the stage. One without a gradient counts as having zeros.
    divided_by
        By what.
    add_up
        The sum of a flat tensor over all nodes; None if this one is alone.
    """
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if add_up is not None:
        for bucket in _buckets(gradients):
            total = add_up(torch.cat([gradient.reshape(-1) for gradient in bucket]))
            parts = torch.split(total, [gradient.numel() for gradient in bucket])
            for gradient, part in zip(bucket, parts, strict=True):
                gradient.copy_(part.view_as(gradient))
    for gradient in gradients:
        gradient.div_(divided_by)


def _buckets(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Gradients of one dtype, in order, up to `_BUCKET` bytes or a single larger one."""
    by_dtype: dict[torch.dtype, list[Tensor]] = {}
    for gradient in gradients:
        by_dtype.setdefault(gradient.dtype, []).append(gradient)
    for of_dtype in by_dtype.values():
        bucket: list[Tensor] = []
        held = 0
        for gradient in of_dtype:
            if bucket and held + gradient.nbytes > _BUCKET:
                yield bucket
                bucket, held = [], 0
            bucket.append(gradient)
            held += gradient.nbytes
        yield bucket
