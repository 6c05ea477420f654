"""Topologies that come with the program."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

#: The folder of those that `skipsched generate` makes, beside those written by hand.
_FAMILIES = "families"


def shipped_names() -> list[str]:
    """Names of the shipped instances, sorted."""
    return sorted(written_names() + family_names())


def written_names() -> list[str]:
    """Names of the shipped instances that were written by hand, sorted."""
    return _names(_folder())


def family_names() -> list[str]:
    """Names of the shipped instances that `skipsched generate` makes, sorted."""
    return _names(_folder() / _FAMILIES)


def shipped_path(name: str) -> Path | None:
    """The file of a shipped instance, or None if there is none of that name."""
    if not name or "/" in name or "\\" in name:
        return None
    try:
        for folder in (_folder(), _folder() / _FAMILIES):
            path = folder / f"{name}.yaml"
            if path.is_file():
                return path
    except (OSError, ValueError):
        pass
    return None


def _folder() -> Path:
    return Path(str(resources.files("skipsched_instances")))


def _names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.yaml"))
