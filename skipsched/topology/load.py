"""topology.yaml -> `Topology`, with every error of the file told at once."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skipsched.text import tree
from skipsched.text.diagnostics import Diagnostic, InputError, Report, did_you_mean, quoted
from skipsched.text.quantities import UnreadableError
from skipsched.text.source import Mark, Source
from skipsched.text.tree import Mapping, Scalar, Value
from skipsched.topology.document import normalised
from skipsched.topology.fields import Fields
from skipsched.topology.model import Topology
from skipsched.topology.read_network import check_transfers, read_network
from skipsched.topology.read_nodes import Group, read_nodes
from skipsched.topology.read_rules import read_rules
from skipsched.topology.read_workload import check_together, read_workload
from skipsched.topology.shipped import shipped_names, shipped_path

_KEYS = ("skipsched", "name", "nodes", "network", "workload", "rules")
STDIN = "-"


def load_topology(path_or_text: str | Path) -> Topology:
    """Load a topology.

    Parameters
    ----------
    path_or_text
        A path, ``-`` for standard input, the name of a shipped instance (if no such file exists), or the text
        of a topology (anything with a line break).

    Returns
    -------
    Topology
        Warnings are in its `warnings`.

    Raises
    ------
    InputError
        With every error found, if the topology is wrong by itself.
    """
    if isinstance(path_or_text, str) and "\n" in path_or_text:
        return load_source(read_source("<text>", path_or_text.encode("utf-8", "surrogatepass")), Path())
    if path_or_text == STDIN:
        return load_source(read_source("<stdin>", sys.stdin.buffer.read(tree.MAX_BYTES + 1)), Path())
    path = Path(path_or_text)
    # os.path: other than Path.exists it does not raise for names that no file can have.
    # A folder is no topology: it does not hide an instance of its name.
    if not os.path.exists(path) or os.path.isdir(path):  # noqa: PTH110, PTH112
        path = shipped_path(str(path_or_text)) or path
    return load_source(read_source(str(path), _read_bytes(path)), path.parent)


def load_document(document: MappingType[str, Any]) -> Topology:
    """Load a topology from a normalised document, such as a schedule carries.

    Raises
    ------
    InputError
        If the document is wrong by itself; its errors name fields, not lines.
    """
    mark = Mark(Source("<topology of the schedule>", "", placed=False), 0, 0)
    report = Report()
    return _load(_tree_of(document, mark, 0), report, None)


def load_source(source: Source, folder: Path) -> Topology:
    """Load a topology from a text.

    Parameters
    ----------
    source
        The text.
    folder
        What the path of a `links_file` is relative to.
    """
    report = Report()
    root = tree.parse(source, report)
    if root is None:
        raise InputError(report.diagnostics())
    return _load(root, report, folder)


def read_source(name: str, data: bytes) -> Source:
    """Decode a file, within the limit on bytes.

    Raises
    ------
    InputError
        If the file is too large or not UTF-8 text.
    """
    nowhere = Source(name, "")
    if len(data) > tree.MAX_BYTES:
        message = f"the file is larger than {tree.MAX_BYTES // 2**20} MiB, the most the program reads"
        raise _input_error("limit", message, Mark(nowhere, 0, 0))
    try:
        return Source(name, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n"), error.start - (before.rfind(b"\n") + 1)
        message = f"not UTF-8 text: byte 0x{data[error.start]:02x} at offset {error.start}"
        raise _input_error("yaml", message, Mark(nowhere, line, column), "save the file as UTF-8") from None


def _input_error(rule: str, message: str, mark: Mark | None, hint: str | None = None) -> InputError:
    return InputError([Diagnostic("error", rule, "", message, mark, hint)])


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(tree.MAX_BYTES + 1)
    except OSError as error:
        hint = did_you_mean(str(path), shipped_names()) if error.errno == errno.ENOENT else None
        message = f"cannot read {quoted(str(path))}: {error.strerror}"
        raise _input_error("unreadable", message, None, hint) from None
    except ValueError:
        raise _input_error("unreadable", f"not the name of a file: {quoted(str(path))}", None) from None


def _tree_of(value: Any, mark: Mark, depth: int) -> Value:
    """A tree of the values of a JSON document, all at one mark."""
    if depth > tree.MAX_DEPTH:
        raise _input_error("limit", f"nested deeper than {tree.MAX_DEPTH} levels", mark)
    if isinstance(value, MappingType):
        return Mapping(
            {str(k): (Scalar(str(k), True, mark), _tree_of(v, mark, depth + 1)) for k, v in value.items()},
            mark,
        )
    if isinstance(value, list):
        return tree.Sequence([_tree_of(item, mark, depth + 1) for item in value], mark)
    if isinstance(value, bool):
        return Scalar(str(value).lower(), False, mark)
    return Scalar("" if value is None else str(value), isinstance(value, str), mark)


def _load(root: Value, report: Report, folder: Path | None) -> Topology:
    if not isinstance(root, Mapping):
        report.error("type", "", f"a topology is a mapping, not {tree.kind(root)}", root.mark)
        raise InputError(report.diagnostics())
    if "format" in root.entries and "actions" in root.entries:
        mark = root.entries["format"][0].mark
        hint = "`skipsched validate` reads schedules"
        raise _input_error("type", "this is a schedule, not a topology", mark, hint)
    places: dict[str, Mark] = {}
    top = Fields(root, "", report, _KEYS, places)
    _read_version(top)
    name = top.text("name", required=True)
    workload = read_workload(top, report, places)
    stages = workload.stages if workload else None
    rules = read_rules(top, report, places, stages)
    nodes = read_nodes(top, report, places, workload.microbatches if workload else None, stages)
    network = read_network(top, report, places, nodes, folder)
    check_transfers(network, workload, report)
    checked = check_together(workload, nodes, rules, report)
    report.raise_if_failed()
    # Whatever is None has been reported.
    assert name is not None and checked is not None and rules is not None
    return Topology(
        name=name,
        nodes=nodes.nodes,
        network=network.network,
        workload=checked,
        rules=rules,
        document=normalised(root, nodes.groups, network.file_rows),
        warnings=report.diagnostics(),
        places=_by_node(places, nodes.groups),
    )


def _by_node(places: dict[str, Mark], groups: Sequence[Group]) -> dict[str, Mark]:
    """The same places with nodes numbered as in the document, where each node of a group stands alone."""
    expanded = {path: mark for path, mark in places.items() if not path.startswith("nodes[")}
    index = 0
    for group in groups:
        own = group.fields.where
        told = [path for path in (own, *map(group.fields.path, group.entry.entries)) if path in places]
        for _ in group.nodes:
            expanded |= {f"nodes[{index}]{path.removeprefix(own)}": places[path] for path in told}
            index += 1
    return expanded


def _read_version(top: Fields) -> None:
    def reader(text: str) -> int:
        if text != "1":
            raise UnreadableError("version", f"this program reads format version 1, not {quoted(text)}")
        return 1

    top.read(top.scalar("skipsched", required=True), "skipsched", reader)
