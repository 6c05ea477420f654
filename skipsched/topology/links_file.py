"""The `links_file`: a table of links as CSV, one direction a row, its errors marked in that file."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from skipsched.text.diagnostics import Report, quoted
from skipsched.text.quantities import UnreadableError, number
from skipsched.text.source import Mark, Source
from skipsched.topology import limits
from skipsched.topology.fields import Fields, bounded, readable_name
from skipsched.topology.model import Link

COLUMNS = ("from", "to", "latency_ms", "bandwidth_mib_per_s")
_MS = Fraction(1, 1000)
_MIB = Fraction(2**20)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FileRow:
    """One row: its link, the figures also as their text, and where it stands."""

    source: str
    target: str
    latency_ms: str
    bandwidth_mib_per_s: str
    link: Link
    mark: Mark


def read_links_file(fields: Fields, key: str, path: Path, report: Report) -> Iterator[FileRow]:
    """Read the rows of a file that a key of the topology names; bad ones are reported and left out."""
    source = _read(fields, key, path)
    if source is not None:
        yield from _Reader(source, key, report).rows()


def _read(fields: Fields, key: str, path: Path) -> Source | None:
    shown = quoted(str(path), 200)
    try:
        # Anything but a file, such as a pipe, could keep the program waiting for ever.
        if path.exists() and not path.is_file():
            fields.error("unreadable", key, f"{shown} is not a file")
            return None
        with path.open("rb") as file:
            data = file.read(limits.MAX_LINKS_FILE_BYTES + 1)
        if len(data) > limits.MAX_LINKS_FILE_BYTES:
            most = limits.MAX_LINKS_FILE_BYTES // 2**20
            fields.error("limit", key, f"{shown} is larger than {most} MiB, the most the program reads")
            return None
        return Source(str(path), data.decode("utf-8-sig"))
    except OSError as error:
        fields.error("unreadable", key, f"cannot read {shown}: {error.strerror}")
    except UnicodeDecodeError as error:
        message = f"{shown} is not UTF-8 text: byte 0x{data[error.start]:02x} at offset {error.start}"
        fields.error("unreadable", key, message)
    return None


class _Reader:
    """Reads the rows of one text."""

    def __init__(self, source: Source, key: str, report: Report) -> None:
        self._source = source
        self._key = key
        self._report = report
        # Large tables repeat few figures, and exact arithmetic is slow.
        self._links: dict[tuple[str, str], Link] = {}

    def rows(self) -> Iterator[FileRow]:
        # The lines of the source, so that both count alike.
        reader = csv.reader((f"{line}\n" for line in self._source.lines), strict=True)
        row_begins = 0
        try:
            header = next(reader, [])
            if tuple(cell.strip() for cell in header) != COLUMNS:
                message = f"expected the columns {','.join(COLUMNS)} in the first line"
                self._report.error("links-file", self._key, message, Mark(self._source, 0, 0))
                return
            row_begins = reader.line_num
            for index, cells in enumerate(reader, 1):
                mark = Mark(self._source, row_begins, 0)
                row_begins = reader.line_num
                if index > limits.MAX_LINK_ROWS:
                    self._report.error("limit", self._key, f"more than {limits.MAX_LINK_ROWS} rows", mark)
                    return
                if cells and (row := self._row(cells, mark)) is not None:
                    yield row
        except csv.Error as error:
            mark = Mark(self._source, row_begins, 0)
            self._report.error("links-file", self._key, f"not CSV: {error}", mark)

    def _row(self, cells: list[str], mark: Mark) -> FileRow | None:
        if len(cells) != len(COLUMNS):
            plural = "cell" if len(cells) == 1 else "cells"
            message = f"expected {len(COLUMNS)} cells, got {len(cells)} {plural}"
            self._report.error("links-file", self._key, message, mark)
            return None
        source, target, latency, bandwidth = (cell.strip() for cell in cells)
        link = self._links.get((latency, bandwidth)) or self._link(cells, mark, latency, bandwidth)
        named = [self._cell(cells, mark, at, name, _name) for at, name in enumerate((source, target))]
        if link is None or None in named:
            return None
        return FileRow(sys.intern(source), sys.intern(target), latency, bandwidth, link, mark)

    def _link(self, cells: list[str], mark: Mark, latency: str, bandwidth: str) -> Link | None:
        seconds = self._cell(cells, mark, 2, latency, _latency)
        rate = self._cell(cells, mark, 3, bandwidth, _bandwidth)
        if seconds is None or rate is None:
            return None
        return self._links.setdefault((latency, bandwidth), Link(seconds, rate))

    def _cell(self, cells: list[str], mark: Mark, at: int, text: str, reader: Callable[[str], T]) -> T | None:
        """Read one cell, and report what its reader refuses."""
        try:
            return reader(text)
        except UnreadableError as trouble:
            line = self._source.line(mark.line)
            column = sum(len(cell) + 1 for cell in cells[:at]) if '"' not in line else max(0, line.find(text))
            place = Mark(self._source, mark.line, column, max(1, len(cells[at])))
            self._report.error(
                trouble.rule, self._key, f"{COLUMNS[at]}: {trouble.message}", place, trouble.hint
            )
            return None


def _name(text: str) -> str:
    # In CSV every cell is text: nothing takes a name for a number.
    return readable_name(text, "str")


def _latency(text: str) -> Fraction:
    return bounded(number(text, times=_MS), False, limits.MAX_SECONDS, " s", text)


def _bandwidth(text: str) -> Fraction:
    return bounded(number(text, times=_MIB), True, limits.MAX_BYTES, " B/s", text)
