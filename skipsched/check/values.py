"""Values of a parsed JSON document, of which nothing is known beforehand: tests of type, words for messages.

Integers of a document may have any number of digits, texts any character, and containers any depth: whatever
is shown of them is kept short and is never computed by walking them.
"""

from __future__ import annotations

import json
from typing import Any, TypeGuard

from skipsched.text.diagnostics import quoted

#: Integers beyond this many bits are described, not printed: Python refuses to print very long ones.
_PRINTED_BITS = 128
_LISTED = 8


def is_integer(value: Any) -> TypeGuard[int]:
    """Whether a value is an integer; JSON's ``true`` is not, though Python's is."""
    return type(value) is int


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether a value is a finite number."""
    return is_integer(value) or (type(value) is float and value - value == 0.0)


def seconds(microseconds: int) -> str:
    """A time as people read it: ``12.345678 s``."""
    if microseconds.bit_length() > _PRINTED_BITS:
        return shown(microseconds)
    whole, rest = divmod(abs(microseconds), 10**6)
    return f"{'-' if microseconds < 0 else ''}{whole}.{rest:06d} s"


def shown(value: Any) -> str:
    """A value in a message: short scalars as they are, a list by its first items, the rest by kind."""
    if not isinstance(value, list):
        return _scalar(value)
    items = [_scalar(item) for item in value[:_LISTED]]
    return f"[{', '.join(items + ['...'] * (len(value) > _LISTED))}]"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, int) and value.bit_length() > _PRINTED_BITS:
        return f"an integer of {value.bit_length()} bits"
    if value is None or isinstance(value, int | float):
        return json.dumps(value)
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else "no JSON value"
