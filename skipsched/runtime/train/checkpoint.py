"""Checkpoints: what training goes on from.

A folder that all nodes share holds one file for each stage, written by one of its nodes, and `latest.json`,
which names the step. That file is moved into place when those of all stages are there, so a run that was
killed at any moment finds the last whole checkpoint.
"""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from skipsched.files.atomic import replacing, write_atomically
from skipsched.files.document import Kind, document_text
from skipsched.runtime.pipeline import Pipeline
from skipsched.runtime.train.model import Shape
from skipsched.runtime.world import first_line, refused

_KIND = Kind("checkpoint", "skipsched.checkpoint/1", most_bytes=2**20, hint="`latest.json` is JSON")
#: How the names of files begin that are there for a moment, and how those of probes end.
_OURS, _PROBE = ".skipsched.", ".probe"


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
    """

    def __init__(self, folder: Path, pipeline: Pipeline, shape: Shape, seed: int) -> None:
        self._folder = folder
        self._latest = folder / "latest.json"
        self._pipeline = pipeline
        self._run = json.loads(json.dumps(asdict(shape) | {"seed": seed}))

    def load(self) -> int:
        """Take up the last checkpoint; returns its step, 0 if there is none.

        Raises
        ------
        InputError
            If it is another run's, cannot be read, or the nodes see different ones; if the folder is not
            shared, or cannot be written to.
        """
        self._probe()
        found = _KIND.read(self._latest) if self._latest.exists() else {"step": 0, "run": self._run}
        told = self._pipeline.gather("checkpoint", json.dumps(found))
        if len(set(told)) > 1:
            raise refused(f"not all nodes see the same checkpoint in {self._folder}: it has to be shared")
        step, run = found.get("step"), found.get("run")
        if not isinstance(step, int) or step < 0 or not isinstance(run, dict):
            raise _KIND.refused(f"{self._latest} has no step that can be, or no run")
        for key, value in self._run.items():
            if run.get(key) != value:
                what = key.replace("_", " ")
                raise refused(f"{self._folder} is of a run with {what} {run.get(key)}, this one has {value}")
        if step > 0:
            self._restore(self._read(step), step)
        return step

    def _probe(self) -> None:
        """Refuse now what would fail at a checkpoint: each writer leaves a file that all have to see."""
        probe, failed = self._left() if self._pipeline.writes else (None, "")
        told = [json.loads(text) for text in self._pipeline.gather("probe", json.dumps([probe, failed]))]
        probes = {name for name, _ in told if name is not None}
        if self._pipeline.writes and self._pipeline.stage == 0:
            self._tidy(probes)
        hidden = sum(not (self._folder / name).exists() for name in probes)
        unseen = max(map(int, self._pipeline.gather("probes seen", str(hidden))))
        if probe is not None:
            (self._folder / probe).unlink(missing_ok=True)
        cannot = next((how for _, how in told if how), None)
        if cannot is not None:
            raise _KIND.refused(f"cannot write to {self._folder}: {cannot}")
        if unseen:
            raise _KIND.refused(
                f"{self._folder} is not shared by all nodes: some do not see what others write there"
            )

    def _left(self) -> tuple[str | None, str]:
        """The name of a file that is left in the folder, or why there can be none."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=self._folder, prefix=_OURS, suffix=_PROBE)
            os.close(descriptor)
        except OSError as error:
            return None, str(error.strerror)
        return Path(name).name, ""

    def _tidy(self, probes: Collection[str]) -> None:
        """Remove what writers left that were killed. Nobody writes now."""
        for suffix in (_PROBE, ".part"):
            for path in self._folder.glob(f"{_OURS}*{suffix}"):
                if path.name not in probes:
                    path.unlink(missing_ok=True)

    def save(self, step: int) -> None:
        """Keep what there is after some steps, and forget what was kept before. All nodes do so together."""
        if self._pipeline.writes:
            self._write(step)
        self._pipeline.gather(f"saved {step}", "")
        if self._pipeline.writes and self._pipeline.stage == 0:
            document = {"format": _KIND.format, "step": step, "run": self._run}
            write_atomically(self._latest, document_text(document))
        self._pipeline.gather(f"marked {step}", "")
        if self._pipeline.writes:
            for old in self._folder.glob(f"stage-{self._pipeline.stage}.step-*.pt"):
                if old != self._file(step):
                    old.unlink(missing_ok=True)

    def _write(self, step: int) -> None:
        optimizer = self._pipeline.optimizer
        state = {
            "modules": self._pipeline.modules.state_dict(),
            "optimizer": {} if optimizer is None else optimizer.state_dict(),
        }
        try:
            with replacing(self._file(step)) as file:
                torch.save(state, file)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._file(step))) from None
        except RuntimeError as error:  # what torch makes of a full disk
            how = f"torch cannot write it, the disk may be full ({first_line(error)})"
            raise OSError(errno.EIO, how, str(self._file(step))) from None

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
            if self._pipeline.optimizer is not None:
                self._pipeline.optimizer.load_state_dict(state["optimizer"])
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError):
            raise _KIND.refused(f"{self._file(step)} does not fit the model") from None
