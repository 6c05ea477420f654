"""JSON Schemas (draft 2020-12) of the two file formats, for editors and other programs."""

from __future__ import annotations

from importlib import resources
from typing import Literal


def schema_text(name: Literal["topology", "schedule"]) -> str:
    """The text of a format's JSON Schema."""
    return (resources.files(__name__) / f"{name}.json").read_text(encoding="utf-8")
