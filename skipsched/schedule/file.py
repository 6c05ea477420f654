"""Reading and writing schedules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skipsched.files.document import Kind, document_text, write_document
from skipsched.schedule.document import FORMAT
from skipsched.topology.load import load_document
from skipsched.topology.model import Topology

KIND = Kind(
    "schedule",
    FORMAT,
    most_bytes=512 * 2**20,
    hint="a schedule is JSON; `skipsched check` reads topologies",
)


@dataclass(frozen=True)
class Schedule:
    """A schedule, as its document.

    Parameters
    ----------
    document
        The whole document; what it means is in the format's description. Reading checks that it is a JSON
        object that claims the format, nothing more: `skipsched.validate` says whether it is right.
    """

    document: Mapping[str, Any]

    @classmethod
    def read(cls, path: str | Path) -> Schedule:
        """Read a schedule from a file, or from standard input if the path is ``-``.

        Raises
        ------
        InputError
            If it cannot be read, or is no JSON object of the format.
        """
        return cls(KIND.read(path))

    @classmethod
    def parse(cls, name: str, data: bytes) -> Schedule:
        """Read a schedule from bytes; `name` is what messages call it."""
        return cls(KIND.parse(name, data))

    def write(self, path: str | Path) -> None:
        """Write the schedule: to a file all at once or not at all, to standard output if the path is ``-``.

        Raises
        ------
        OSError
            If it cannot be written; a file that was there before is then as it was.
        """
        write_document(self.document, path)

    def text(self) -> str:
        """The file's text: JSON, one line for each microbatch and each action."""
        return document_text(self.document)

    def topology(self) -> Topology:
        """The topology it carries.

        Raises
        ------
        InputError
            If it carries none, or one that is wrong by itself.
        """
        carried = self.document.get("topology")
        document = carried.get("document") if isinstance(carried, dict) else None
        if not isinstance(document, dict):
            raise KIND.refused("the schedule carries no topology (`topology.document`)")
        return load_document(document)
