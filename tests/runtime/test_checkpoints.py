"""Checkpoints of one process that is all nodes: what is refused before training, and what is told after."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest
import torch
from torch import nn
from torch.optim import AdamW

from skipsched.runtime.train import checkpoint, loop
from skipsched.runtime.train.checkpoint import Checkpoints
from skipsched.runtime.train.model import Shape
from skipsched.runtime.train.text import Text
from skipsched.text.diagnostics import InputError

SHAPE = Shape((1,), 4, 1, 4, 1)


def checkpoints(folder: Path, *others: str) -> Checkpoints:
    """Of a node that hears of others of the probes that they left."""
    modules = nn.Linear(2, 2)
    pipeline: Any = SimpleNamespace(
        writes=True,
        stage=0,
        node="a",
        modules=modules,
        optimizer=AdamW(modules.parameters(), lr=0.5),
        gather=lambda key, text: [text, *others] if key == "probe" else [text],
    )
    return Checkpoints(folder, pipeline, SHAPE, 0)


def test_what_killed_writers_left_is_removed(tmp_path: Path) -> None:
    for name in (".skipsched.1.part", ".skipsched.1.probe", "mine.part"):
        (tmp_path / name).touch()
    assert checkpoints(tmp_path).load() == 0
    assert [path.name for path in tmp_path.iterdir()] == ["mine.part"]


def test_a_folder_that_is_not_shared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not shared by all nodes: some do not see"):
        checkpoints(tmp_path, json.dumps([".skipsched.elsewhere.probe", ""])).load()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot write to .*/file/kept: Not a directory"):
        checkpoints(tmp_path / "file" / "kept").load()


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def full(path: Path) -> Iterator[IO[bytes]]:  # noqa: ARG001
        with Path("/dev/full").open("wb", buffering=0) as file:
            yield file

    monkeypatch.setattr(checkpoint, "replacing", full)
    with pytest.raises(OSError, match=r"stage-0\.step-3\.pt") as raised:
        checkpoints(tmp_path).save(3)
    assert raised.value.filename == str(tmp_path / "stage-0.step-3.pt")


def test_a_step_below_zero_is_refused(tmp_path: Path) -> None:
    kept = checkpoints(tmp_path)
    kept.save(3)
    assert checkpoints(tmp_path).load() == 3
    latest = tmp_path / "latest.json"
    latest.write_text(latest.read_text(encoding="utf-8").replace("3", "-3"), encoding="utf-8")
    with pytest.raises(InputError, match="has no step that can be"):
        checkpoints(tmp_path).load()


def test_the_learning_rate_is_the_one_given() -> None:
    optimizer = AdamW(nn.Linear(2, 2).parameters(), lr=0.5)
    loop._set_rate(optimizer, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25]
    loop._set_rate(None, 0.25)


def test_processes_whose_settings_differ_are_refused() -> None:
    settings: Any = SimpleNamespace(**dict.fromkeys(loop._SHARED, 1), checkpoint="kept")
    told = dict.fromkeys(loop._SHARED, 1) | {"checkpoint": "given"}

    def compare(**other: object) -> None:
        pipeline: Any = SimpleNamespace(
            node="a", gather=lambda _, text: [text, json.dumps(["b", told | other])]
        )
        loop._compare(pipeline, settings)

    compare()
    with pytest.raises(InputError, match="a and b differ in --learning-rate: 1 and 2"):
        compare(learning_rate=2)
    with pytest.raises(InputError, match="a and b differ in --checkpoint: given and not given"):
        compare(checkpoint="not given")


def test_a_sample_longer_than_the_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skipsched.runtime.train.text._sources", lambda: bytes(20))
    tokens, targets = Text(["a", "b"], 1, 9, 0).microbatch(1, 1)
    assert tokens.shape == targets.shape == torch.Size([1, 9])
    with pytest.raises(InputError, match=r"--sequence-length 10 is too long: .* has 10 bytes"):
        Text(["a", "b"], 1, 10, 0)
