"""Figures with units, read exactly from their text.

Every reader returns a `Fraction` (seconds, bytes, bytes per second, or a bare number) or raises
`UnreadableError` with what is wrong; the caller knows the place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction

from skipsched.text.diagnostics import did_you_mean, quoted


@dataclass(frozen=True, eq=False)
class Units:
    """The units of one kind of quantity.

    Parameters
    ----------
    what
        The kind, for messages: ``a time``.
    example
        A figure of that kind.
    base
        The unit that counts as 1.
    factors
        Every unit in terms of `base`.
    """

    what: str
    example: str
    base: str
    factors: Mapping[str, Fraction]


_SIZES = {
    "B": Fraction(1),
    **{f"{prefix}B": Fraction(1000**power) for prefix, power in (("k", 1), ("K", 1), ("M", 2), ("G", 3))},
    **{f"{prefix}iB": Fraction(1024**power) for prefix, power in (("K", 1), ("M", 2), ("G", 3))},
}
_BITS = {f"{prefix}bit/s": Fraction(1000**power, 8) for power, prefix in enumerate(("", "k", "M", "G"))}

TIME = Units(
    "a time",
    "55 ms",
    "s",
    {"us": Fraction(1, 10**6), "ms": Fraction(1, 1000), "s": Fraction(1), "min": Fraction(60)},
)
SIZE = Units("a size", "16 MiB", "B", _SIZES)
RATE = Units("a rate", "300 Mbit/s", "B/s", {**{f"{unit}/s": size for unit, size in _SIZES.items()}, **_BITS})

#: What people write for a unit, where the nearest spelling would not be what they mean.
_MEANT = {
    **dict.fromkeys(("µs", "μs", "usec"), "us"),
    **dict.fromkeys(("msec", "milliseconds"), "ms"),
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "mins", "minute", "minutes"), "min"),
    **{f"{prefix}{short}": f"{prefix}bit/s" for prefix in ("", "k", "M", "G") for short in ("b/s", "bps")},
}

# A figure longer than this is a slip or an attack: exact fractions would swell with it.
_MAX_LENGTH = 60
_MAX_EXPONENT = 30
_ONE = Fraction(1)

# ASCII digits alone: \d would take those of every script. No text can be matched in two ways, which keeps the
# time linear.
_NUMBER = re.compile(r"([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]{1,4}))?")
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?) *([^0-9\s](?:.*\S)?)?")
_WHOLE = re.compile(r"[+-]?[0-9]+")
_NOT_FINITE = re.compile(r"[+-]?\.?(inf|nan|infinity)\b.*", re.IGNORECASE)
_PREFIXED = re.compile(r"[+-]?(0x[0-9a-fA-F]+|0b[01]+)")
_SEXAGESIMAL = re.compile(r"[+-]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?")


class UnreadableError(ValueError):
    """A text that is not the figure expected.

    Attributes
    ----------
    rule, message, hint
        As in a diagnostic.
    """

    def __init__(self, rule: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message
        self.hint = hint


def number(text: str, expected: str = "a number", times: Fraction = _ONE) -> Fraction:
    """A decimal number, exactly, multiplied by a factor.

    Raises
    ------
    UnreadableError
        If the text is none, or one that YAML would turn into another number.
    """
    match = _NUMBER.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if match is None:
        refuse_surprises(text)
        raise UnreadableError("type", f"expected {expected}, got {quoted(text)}")
    sign, digits, decimals, decimals_alone, exponent = match.groups()
    digits, decimals = digits or "0", decimals or decimals_alone or ""
    if len(digits) > 1 and digits[0] == "0":
        message = f"{quoted(text)} begins with a zero: YAML reads such a number as octal"
        raise UnreadableError("ambiguous", message, "leave the leading zero out")
    power = int(exponent or 0)
    if abs(power) > _MAX_EXPONENT:
        message = f"the exponent of {quoted(text)} is beyond the limit of {_MAX_EXPONENT}"
        raise UnreadableError("limit", message)
    # One fraction in lowest terms, and no others on the way: large tables are full of these.
    above = int(sign + digits + decimals) * 10 ** max(power, 0) * times.numerator
    return Fraction(above, 10 ** (len(decimals) - min(power, 0)) * times.denominator)


def refuse_surprises(text: str) -> None:
    """Refuse texts that YAML silently turns into another value, and values that are no number at all."""
    if len(text) > _MAX_LENGTH:
        raise UnreadableError(
            "limit", f"{quoted(text)} is longer than {_MAX_LENGTH} characters, too long for a figure"
        )
    if _NOT_FINITE.fullmatch(text):
        raise UnreadableError("range", f"{quoted(text)} is not a finite number")
    if _SEXAGESIMAL.fullmatch(text):
        value = 0
        for part in text.lstrip("+-").split(".")[0].split(":"):
            value = value * 60 + int(part)
        raise UnreadableError(
            "ambiguous", f"YAML reads {quoted(text)} as {value} (base 60)", "write it with a unit"
        )
    if _PREFIXED.fullmatch(text):
        message = f"YAML reads {quoted(text)} as {int(text, 0)}"
        raise UnreadableError("ambiguous", message, "write it as a decimal number")
    if "_" in text and text.replace("_", "").replace(".", "").isdigit():
        raise UnreadableError(
            "ambiguous", f"{quoted(text)} has underscores", f"write {text.replace('_', '')}"
        )


def ratio(text: str) -> Fraction:
    """A number or a fraction of two whole numbers such as ``1/4``, exactly."""
    expected = 'a number or a fraction such as "1/4"'
    above, slash, below = text.partition("/")
    if text.endswith("%"):
        raise UnreadableError("type", f"expected {expected}, got {quoted(text)}", "30 % is 0.3 or 3/10")
    if not slash:
        return number(text, expected)
    upper, lower = whole(above.rstrip(" "), expected), whole(below.lstrip(" "), expected)
    if lower == 0:
        raise UnreadableError("range", f"{quoted(text)} divides by zero")
    return Fraction(upper, lower)


def whole(text: str, expected: str = "a whole number") -> int:
    """A whole number.

    Raises
    ------
    UnreadableError
        If the text is anything else, ``4.0`` and ``4e0`` included.
    """
    value = number(text, expected)
    if not _WHOLE.fullmatch(text):
        raise UnreadableError("type", f"expected {expected}, got {quoted(text)}")
    return int(value)


def quantity(text: str, units: Units) -> Fraction:
    """A figure with its unit, in terms of the base unit; a bare ``0`` needs none."""
    match = _QUANTITY.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if match is None:
        refuse_surprises(text)
        raise UnreadableError("type", f'expected {units.what} such as "{units.example}", got {quoted(text)}')
    figure, unit = match.groups()
    if unit in units.factors:
        return number(figure, times=units.factors[unit])
    refuse_surprises(text)
    value = number(figure)
    known = " ".join(units.factors)
    if unit is not None:
        message = f"unknown unit {quoted(unit)}; expected one of {known}"
        raise UnreadableError("unit", message, _meant(unit, units))
    if value == 0:
        return value
    hint = f'write {units.what} with its unit, such as "{units.example}"'
    raise UnreadableError("unit", f"{quoted(text)} has no unit; expected one of {known}", hint)


def scaled(text: str, factor: Decimal) -> str:
    """A figure with its unit, as `quantity` reads it, multiplied exactly and in the same unit.

    >>> scaled("55 ms", Decimal("0.5"))
    '27.5 ms'
    """
    match = _QUANTITY.fullmatch(text)
    assert match is not None, "it has been read before"
    figure, unit = match.groups()
    with localcontext(prec=2 * _MAX_LENGTH):
        product = (Decimal(figure) * factor).normalize()
    return f"{product:f} {unit}" if unit else f"{product:f}"


def _meant(unit: str, units: Units) -> str | None:
    """A hint at the unit meant: a known slip, then another case, then the nearest spelling."""
    if (meant := _meant_any_case(unit)) in units.factors:
        return f'did you mean "{meant}"?'
    same = [known for known in units.factors if known.casefold() == unit.casefold()]
    return f'did you mean "{same[0]}"?' if same else did_you_mean(unit, units.factors)


def _meant_any_case(unit: str) -> str | None:
    """What a known slip stands for, as it is written or in another case (``mbps``)."""
    folded = (meant for slip, meant in _MEANT.items() if slip.casefold() == unit.casefold())
    return _MEANT.get(unit) or next(folded, None)
