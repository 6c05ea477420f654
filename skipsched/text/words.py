"""Words for messages."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """A number and its noun, in the plural unless it is one."""
    return f"{number} {what}" + ("" if number == 1 else "s")
