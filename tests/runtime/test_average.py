"""Averaging gradients: what is divided by what, and how tensors are put together."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from skipsched.runtime import average as averaging
from skipsched.runtime.average import average, divisor


def test_divisors() -> None:
    assert divisor("executed", executed=4, total=6) == 4
    assert divisor("total", executed=4, total=6) == 6


def test_sums_over_nodes_are_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(averaging, "_BUCKET", 40)
    sizes = ((3,), (2, 2), (), (9,))
    parameters = [nn.Parameter(torch.ones(size, dtype=torch.float64)) for size in sizes]
    parameters.append(nn.Parameter(torch.ones(2, dtype=torch.float32)))
    for i, parameter in enumerate(parameters):
        parameter.grad = torch.full_like(parameter, i + 1.0)
    parameters[2].grad = None
    sums: list[Tensor] = []

    def add_up(flat: Tensor) -> Tensor:
        """As if the other node had the same."""
        sums.append(flat)
        return 2 * flat

    average(parameters, 4, add_up)
    expected = (0.5, 1.0, 0.0, 2.0, 2.5)
    for parameter, value in zip(parameters, expected, strict=True):
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, torch.full_like(parameter, value))
    # Three numbers of 8 bytes; four and one; nine, which are too many but alone; another dtype.
    assert [(flat.numel(), flat.dtype) for flat in sums] == [
        (3, torch.float64),
        (5, torch.float64),
        (9, torch.float64),
        (2, torch.float32),
    ]


def test_a_node_alone_only_divides() -> None:
    parameter = nn.Parameter(torch.ones(2))
    parameter.grad = torch.full((2,), 6.0)
    average([parameter], 3, None)
    assert torch.equal(parameter.grad, torch.full((2,), 2.0))
