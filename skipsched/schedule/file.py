"""Reading and writing schedules."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skipsched.schedule.atomic import write_atomically
from skipsched.schedule.document import FORMAT
from skipsched.text.diagnostics import Diagnostic, InputError, quoted
from skipsched.text.source import Mark, Source
from skipsched.topology.load import STDIN, load_document
from skipsched.topology.model import Topology

#: A larger file is refused before it is parsed.
MAX_BYTES = 512 * 2**20


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
        if path == STDIN:
            return cls.parse("<stdin>", sys.stdin.buffer.read(MAX_BYTES + 1))
        try:
            with Path(path).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise _refused(f"cannot read {quoted(str(path))}: {error.strerror}") from None
        except ValueError:
            raise _refused("not the name of a file") from None
        return cls.parse(str(path), data)

    @classmethod
    def parse(cls, name: str, data: bytes) -> Schedule:
        """Read a schedule from bytes; `name` is what messages call it."""
        if len(data) > MAX_BYTES:
            raise _refused(f"{name} is larger than {MAX_BYTES // 2**20} MiB, the most the program reads")
        try:
            source = Source(name, data.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise _refused(f"{name} is not UTF-8 text: a strange byte at offset {error.start}") from None
        try:
            document = json.loads(
                source.text, object_pairs_hook=_without_duplicates, parse_constant=_no_constant
            )
        except json.JSONDecodeError as error:
            if not source.text.strip():
                raise _refused(f"{name} is empty: no schedule came") from None
            mark = Mark(source, error.lineno - 1, error.colno - 1)
            hint = "a schedule is JSON; `skipsched check` reads topologies"
            raise _refused(f"not JSON: {error.msg}", mark, hint) from None
        except RecursionError:
            raise _refused(f"{name} is nested too deeply") from None
        except ValueError as error:
            raise _refused(f"{name}: {error}") from None
        if not isinstance(document, dict):
            raise _refused(f"{name} is no schedule: a JSON object is expected", Mark(source, 0, 0))
        claimed = document.get("format")
        if claimed != FORMAT:
            found = "has no `format`" if claimed is None else f"is of the format {quoted(str(claimed))}"
            raise _refused(f'{name} {found}; this program reads "{FORMAT}"')
        return cls(document)

    def write(self, path: str | Path) -> None:
        """Write the schedule: to a file all at once or not at all, to standard output if the path is ``-``.

        Raises
        ------
        OSError
            If it cannot be written; a file that was there before is then as it was.
        """
        if path == STDIN:
            if sys.stdout is None:
                raise OSError(errno.EBADF, "standard output is closed")
            sys.stdout.buffer.write(self.text().encode())
            sys.stdout.buffer.flush()
        else:
            write_atomically(Path(path), self.text())

    def text(self) -> str:
        """The file's text: JSON, one line for each microbatch and each action."""
        return _Layout().text(self.document)

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
            raise _refused("the schedule carries no topology (`topology.document`)")
        return load_document(document)


class _Layout:
    """JSON whose rows stand on one line each: a microbatch, an action, a node or a link of the topology."""

    def text(self, document: Mapping[str, Any]) -> str:
        return self._value(document, 0) + "\n"

    def _value(self, value: Any, depth: int) -> str:
        if not isinstance(value, (Mapping, list)) or not value or self._is_row(value, depth):
            return json.dumps(value, ensure_ascii=False)
        indent = " " * (depth + 1)
        if isinstance(value, Mapping):
            rows = [
                f"{json.dumps(str(k), ensure_ascii=False)}: {self._value(v, depth + 1)}"
                for k, v in value.items()
            ]
            opening, closing = "{", "}"
        else:
            rows = [self._value(item, depth + 1) for item in value]
            opening, closing = "[", "]"
        return f"{opening}\n" + ",\n".join(indent + row for row in rows) + "\n" + " " * depth + closing

    @staticmethod
    def _is_row(value: Mapping[str, Any] | list[Any], depth: int) -> bool:
        """Whether a container is written on one line: one without containers in it, below the top."""
        inner = value.values() if isinstance(value, Mapping) else value
        return (
            depth > 0
            and not any(isinstance(item, Mapping) for item in inner)
            and (depth > 1 or not any(isinstance(item, list) for item in inner))
        )


def _refused(message: str, mark: Mark | None = None, hint: str | None = None) -> InputError:
    return InputError([Diagnostic("error", "schedule", "", message, mark, hint)])


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {quoted(twice)} stands twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")
