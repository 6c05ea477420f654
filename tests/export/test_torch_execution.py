"""PyTorch itself loads and executes what is exported, and comes to the gradients of one process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from check_cases import tiny
from cli_cases import solved_document
from export_cases import STRAIGHT, opened
from runtime_cases import Crew, Raised, crew
from torch_csv_cases import execute, reference

from skipsched.export.torch_csv import files
from skipsched.files.atomic import write_folder_atomically

#: Sums of a few float64 in another order.
ROUND_OFF = 1e-12


@pytest.fixture(scope="module")
def eight() -> Iterator[Crew]:
    with crew(8) as made:
        yield made


def check(made: Crew, document: dict[str, Any], folder: Path) -> None:
    """Gradients summed over the pipelines, and each microbatch's loss, are those of one process."""
    write_folder_atomically(folder, files(opened(document)))
    losses: dict[int, float] = {}
    gradients: dict[str, torch.Tensor] = {}
    for ran in made.call(len(document["actions"]), execute, str(folder)):
        assert not isinstance(ran, Raised), ran.traceback
        for name, gradient in ran.gradients.items():
            gradients[name] = gradients.get(name, torch.zeros_like(gradient)) + gradient
        losses |= ran.losses
    expected, of_each = reference(len(document["stages"]), len(document["microbatches"]))
    assert gradients.keys() == expected.keys()
    for name, gradient in expected.items():
        assert gradient.abs().max() > 0
        assert (gradients[name] - gradient).abs().max() < ROUND_OFF * gradient.abs().max()
    assert [losses[microbatch] for microbatch in sorted(losses)] == pytest.approx(of_each, rel=ROUND_OFF)


def test_losses_out_of_the_order_of_microbatches(eight: Crew, tmp_path: Path) -> None:
    """Two ranks: activations to the head and gradients from it share their link with those of stage 1."""
    document = tiny(a="F0 F1 F2 L1 L0 L2 B1 B0 B2", b="F1 F0 F2 B1 B0 B2")
    check(eight, document, tmp_path / "pipelines")


def test_one_forward_one_backward(eight: Crew, tmp_path: Path) -> None:
    document = tiny(a="F0 F1 L0 F2 B0 L1 L2 B1 B2", b="F0 F1 B0 B1 F2 B2")
    check(eight, document, tmp_path / "pipelines")


@pytest.mark.parametrize("stages", [3, 4])
def test_several_pipelines(eight: Crew, tmp_path: Path, stages: int) -> None:
    sizes = f"stages: {stages}, stage_sizes: [{', '.join(['2'] * stages)}]"
    wider = STRAIGHT.replace("stages: 3, stage_sizes: [2, 2, 2]", sizes)
    wider = wider.replace("count: 4", f"count: {2 * stages - 2}")
    document = solved_document(wider)
    assert len(document["stages"]) == stages
    check(eight, document, tmp_path / "pipelines")
