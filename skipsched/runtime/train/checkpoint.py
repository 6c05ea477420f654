"""Checkpoints: what training goes on from.

A folder that all nodes share holds one file for each stage, written by one of its nodes, and `latest.json`,
which names the step. That file is moved into place when those of all stages are there, so a run that was
killed at any moment finds the last whole checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from skipsched.files.atomic import replacing, write_atomically
from skipsched.files.document import Kind, document_text
from skipsched.runtime.pipeline import Pipeline
from skipsched.runtime.train.model import Shape
from skipsched.runtime.world import refused

_KIND = Kind("checkpoint", "skipsched.checkpoint/1", most_bytes=2**20, hint="`latest.json` is JSON")


class Checkpoints:
    """The checkpoints of a run.

    Parameters
    ----------
    folder
        Where they are; made if it is not there.
    pipeline
        Whose modules and optimizer are kept.
    shape, seed
        What a run that goes on has to have in common with the one that wrote.

    Raises
    ------
    OSError
        If there can be no such folder.
    """

    def __init__(self, folder: Path, pipeline: Pipeline, shape: Shape, seed: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._latest = folder / "latest.json"
        self._pipeline = pipeline
        self._run = json.loads(json.dumps(asdict(shape) | {"seed": seed}))

    def load(self) -> int:
        """Take up the last checkpoint; returns its step, 0 if there is none.

        Raises
        ------
        InputError
            If it is another run's, cannot be read, or the nodes see different ones.
        """
        found = _KIND.read(self._latest) if self._latest.exists() else {"step": 0, "run": self._run}
        told = self._pipeline.gather("checkpoint", json.dumps(found))
        if len(set(told)) > 1:
            raise refused(f"not all nodes see the same checkpoint in {self._folder}: it has to be shared")
        step, run = found.get("step"), found.get("run")
        if not isinstance(step, int) or not isinstance(run, dict):
            raise _KIND.refused(f"{self._latest} has no step, or no run")
        for key, value in self._run.items():
            if run.get(key) != value:
                what = key.replace("_", " ")
                raise refused(f"{self._folder} is of a run with {what} {run.get(key)}, this one has {value}")
        if step > 0:
            self._restore(self._read(step), step)
        return step

    def save(self, step: int) -> None:
        """Keep what there is after some steps, and forget what was kept before. All nodes do so together."""
        if self._pipeline.writes:
            state = {
                "modules": self._pipeline.modules.state_dict(),
                "optimizer": self._pipeline.optimizer.state_dict(),
            }
            with replacing(self._file(step)) as file:
                torch.save(state, file)
        self._pipeline.gather(f"saved {step}", "")
        if self._pipeline.writes and self._pipeline.stage == 0:
            document = {"format": _KIND.format, "step": step, "run": self._run}
            write_atomically(self._latest, document_text(document))
        self._pipeline.gather(f"marked {step}", "")
        if self._pipeline.writes:
            for old in self._folder.glob(f"stage-{self._pipeline.stage}.step-*.pt"):
                if old != self._file(step):
                    old.unlink(missing_ok=True)

    def _file(self, step: int) -> Path:
        return self._folder / f"stage-{self._pipeline.stage}.step-{step}.pt"

    def _read(self, step: int) -> Mapping[str, Any]:
        try:
            found: Mapping[str, Any] = torch.load(self._file(step), map_location="cpu", weights_only=True)
        except OSError as error:
            raise _KIND.refused(f"cannot read {self._file(step)}: {error.strerror}") from None
        except Exception:  # torch raises whatever bytes that it did not write lead it to
            raise _KIND.refused(f"cannot read {self._file(step)}: torch did not write it") from None
        return found

    def _restore(self, state: Mapping[str, Any], step: int) -> None:
        try:
            self._pipeline.modules.load_state_dict(state["modules"])
            self._pipeline.optimizer.load_state_dict(state["optimizer"])
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError):
            raise _KIND.refused(f"{self._file(step)} does not fit the model") from None
