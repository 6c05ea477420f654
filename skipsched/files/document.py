"""JSON documents that claim a format: reading them without trust, writing them whole or not at all."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skipsched.files.atomic import write_atomically
from skipsched.text.diagnostics import Diagnostic, InputError, quoted
from skipsched.text.source import Mark, Source

#: What stands for standard input or output where a file is named.
STREAM = "-"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of document.

    Parameters
    ----------
    name
        What messages call one; also the rule of its errors.
    format
        What its key ``format`` has to say.
    most_bytes
        A larger file is refused before it is parsed.
    hint
        Told where a file is no JSON at all.
    """

    name: str
    format: str
    most_bytes: int
    hint: str

    def read(self, path: str | Path) -> dict[str, Any]:
        """Read a document from a file, or from standard input if the path is ``-``.

        Raises
        ------
        InputError
            If it cannot be read, or is no JSON object of the format.
        """
        if path == STREAM:
            return self.parse("<stdin>", sys.stdin.buffer.read(self.most_bytes + 1))
        try:
            with Path(path).open("rb") as file:
                data = file.read(self.most_bytes + 1)
        except OSError as error:
            raise self.refused(f"cannot read {quoted(str(path))}: {error.strerror}") from None
        except ValueError:
            raise self.refused("not the name of a file") from None
        return self.parse(str(path), data)

    def parse(self, name: str, data: bytes) -> dict[str, Any]:
        """Read a document from bytes; `name` is what messages call them.

        Raises
        ------
        InputError
            If they are no JSON object of the format.
        """
        if len(data) > self.most_bytes:
            raise self.refused(f"{name} is larger than {self.most_bytes // 2**20} MiB, the most that is read")
        try:
            source = Source(name, data.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise self.refused(f"{name} is not UTF-8 text: a strange byte at offset {error.start}") from None
        try:
            document = json.loads(
                source.text, object_pairs_hook=_without_duplicates, parse_constant=_no_constant
            )
        except json.JSONDecodeError as error:
            if not source.text.strip():
                raise self.refused(f"{name} is empty: no {self.name} came") from None
            mark = Mark(source, error.lineno - 1, error.colno - 1)
            raise self.refused(f"not JSON: {error.msg}", mark, self.hint) from None
        except RecursionError:
            raise self.refused(f"{name} is nested too deeply") from None
        except ValueError as error:
            raise self.refused(f"{name}: {error}") from None
        if not isinstance(document, dict):
            raise self.refused(f"{name} is no {self.name}: a JSON object is expected", Mark(source, 0, 0))
        claimed = document.get("format")
        if claimed != self.format:
            found = "has no `format`" if claimed is None else f"is of the format {quoted(str(claimed))}"
            raise self.refused(f'{name} {found}; this program reads "{self.format}"')
        return document

    def refused(self, message: str, mark: Mark | None = None, hint: str | None = None) -> InputError:
        """The error that refuses a file of this kind."""
        return InputError([Diagnostic("error", self.name, "", message, mark, hint)])


def write_document(document: Mapping[str, Any], path: str | Path) -> None:
    """Write a document: to a file all at once or not at all, to standard output if the path is ``-``.

    Raises
    ------
    OSError
        If it cannot be written; a file that was there before is then as it was.
    """
    write_text(document_text(document), path)


def write_text(text: str, path: str | Path) -> None:
    """Write a text as `write_document` writes a document.

    Raises
    ------
    OSError
        If it cannot be written; a file that was there before is then as it was.
    """
    if path == STREAM:
        if sys.stdout is None:
            raise OSError(errno.EBADF, "standard output is closed")
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
    else:
        write_atomically(Path(path), text)


def document_text(document: Mapping[str, Any]) -> str:
    """The file's text: JSON in which each row of a list stands on a line of its own."""
    return _laid_out(document, 0) + "\n"


def _laid_out(value: Any, depth: int) -> str:
    if not isinstance(value, (Mapping, list)) or not value or _is_row(value, depth):
        return json.dumps(value, ensure_ascii=False)
    indent = " " * (depth + 1)
    if isinstance(value, Mapping):
        rows = [
            f"{json.dumps(str(k), ensure_ascii=False)}: {_laid_out(v, depth + 1)}" for k, v in value.items()
        ]
        opening, closing = "{", "}"
    else:
        rows = [_laid_out(item, depth + 1) for item in value]
        opening, closing = "[", "]"
    return f"{opening}\n" + ",\n".join(indent + row for row in rows) + "\n" + " " * depth + closing


def _is_row(value: Mapping[str, Any] | list[Any], depth: int) -> bool:
    """Whether a container is written on one line: one without mappings in it, at the top not even lists."""
    inner = value.values() if isinstance(value, Mapping) else value
    return (
        depth > 0
        and not any(isinstance(item, Mapping) for item in inner)
        and (depth > 1 or not any(isinstance(item, list) for item in inner))
    )


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {quoted(twice)} stands twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")
