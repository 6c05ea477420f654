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


def size(count: int) -> str:
    """A number of bytes for a person."""
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if count >= 1024**power:
            return f"{count / 1024**power:.2f} {unit}"
    return f"{count} B"
