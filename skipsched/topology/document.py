"""The normalised document of a topology: what a schedule carries to stand alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skipsched.text.tree import Mapping, Scalar, Value
from skipsched.text.tree import Sequence as List
from skipsched.topology.fields import FLAGS
from skipsched.topology.links_file import FileRow
from skipsched.topology.read_nodes import Group


def normalised(root: Mapping, groups: Sequence[Group], rows: Sequence[FileRow]) -> dict[str, Any]:
    """The document: groups expanded, rows of the links file inlined, every figure as its text.

    Loading it gives the same topology; its canonical JSON is what `topology.sha256` hashes.
    """
    document = {key: _plain(value) for key, (_, value) in root.entries.items() if not _is_empty(value)}
    document["nodes"] = [
        {key: text for key, text in _plain(group.entry).items() if key != "count"} | {"id": node.id}
        for group in groups
        for node in group.nodes
    ]
    network = document.get("network")
    if network is not None:
        network.pop("links_file", None)
        if rows:
            network["links"] = network.get("links", []) + [_link(row) for row in rows]
    return document


def _link(row: FileRow) -> dict[str, str]:
    return {
        "from": row.source,
        "to": row.target,
        "latency": f"{row.latency_ms} ms",
        "bandwidth": f"{row.bandwidth_mib_per_s} MiB/s",
    }


def _is_empty(value: Value) -> bool:
    return isinstance(value, Scalar) and value.is_null


def _plain(value: Value) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, (_, entry) in value.entries.items() if not _is_empty(entry)}
    if isinstance(value, List):
        return [_plain(item) for item in value.items]
    if not value.quoted and value.text in FLAGS:
        return FLAGS[value.text]
    return value.text
