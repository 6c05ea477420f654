"""Text that every machine has: the sources of Python's standard library, byte by byte."""

from __future__ import annotations

import sysconfig
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from skipsched.runtime.train.model import seed_of
from skipsched.runtime.world import refused


class Text:
    """Samples of the text.

    Each data node reads a part of its own. What a microbatch reads follows from the seed, the step and its id
    alone, so a resumed run reads on where the interrupted one would have.

    Parameters
    ----------
    data_nodes
        The data node of each microbatch.
    samples, sequence_length
        Of a microbatch.
    seed
        Of all choices.

    Raises
    ------
    InputError
        If a part is too short for a sample.
    """

    def __init__(self, data_nodes: Sequence[str], samples: int, sequence_length: int, seed: int) -> None:
        self._bytes = torch.frombuffer(bytearray(_sources()), dtype=torch.uint8)
        self._data_nodes = data_nodes
        self._parts = list(dict.fromkeys(data_nodes))
        self._samples, self._length, self._seed = samples, sequence_length, seed
        self._part = len(self._bytes) // len(self._parts)
        if self._part <= sequence_length:
            raise refused(
                f"--sequence-length {sequence_length} is too long: "
                f"a data node's part of the text has {self._part} bytes"
            )

    def microbatch(self, step: int, microbatch: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets, each samples x tokens: every token's target is the byte after it."""
        begin = self._part * self._parts.index(self._data_nodes[microbatch])
        chance = torch.Generator().manual_seed(seed_of(self._seed, step, microbatch))
        starts = torch.randint(begin, begin + self._part - self._length, (self._samples, 1), generator=chance)
        drawn = self._bytes[starts + torch.arange(self._length + 1)].long()
        return drawn[:, :-1], drawn[:, 1:]


def _sources() -> bytes:
    """The modules at the top of the standard library, in the order of their names."""
    folder = Path(sysconfig.get_path("stdlib"))
    return b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))
