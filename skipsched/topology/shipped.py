"""Topologies that come with the program."""

from __future__ import annotations

from importlib import resources
from pathlib import Path


def shipped_names() -> list[str]:
    """Names of the shipped instances, sorted."""
    folder = resources.files("skipsched_instances")
    return sorted(Path(file.name).stem for file in folder.iterdir() if file.name.endswith(".yaml"))


def shipped_path(name: str) -> Path | None:
    """The file of a shipped instance, or None if there is none of that name."""
    if not name or "/" in name or "\\" in name:
        return None
    path = Path(str(resources.files("skipsched_instances"))) / f"{name}.yaml"
    try:
        return path if path.is_file() else None
    except (OSError, ValueError):
        return None
