"""Words for messages."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """A number and its noun, in the plural unless it is one."""
    return f"{number} {what}" + ("" if number == 1 else "es" if what.endswith("ch") else "s")


def seconds(microseconds: float) -> str:
    """A time for a person."""
    if 0 < microseconds < 100_000:
        return f"{microseconds / 1e3:.3g} ms"
    return f"{microseconds / 1e6:.2f} s"
