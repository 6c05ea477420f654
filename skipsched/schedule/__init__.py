"""The schedule file: the document a plan becomes, reading and writing it."""

from __future__ import annotations

from skipsched.schedule.file import Schedule

__all__ = ["Schedule"]
