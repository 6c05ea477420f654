"""Figures as a person writes them."""

from __future__ import annotations

#: Seconds, Mbit/s and bytes of the units, smallest first.
_TIMES = ((1e-6, "us"), (1e-3, "ms"), (1.0, "s"))
_RATES = ((1.0, "Mbit/s"), (1e3, "Gbit/s"))
_SIZES = ((1e6, "MB"), (1e9, "GB"))


def text(figure: float, digits: int) -> str:
    """A figure of so many significant digits, without an exponent.

    Two digits for what is drawn, three for what is worked out: enough to read, and few enough that the
    last bit of a power or a cosine, which is not the same on every machine, does not show.
    """
    rounded = float(f"{figure:.{digits}g}")
    return str(int(rounded)) if rounded.is_integer() else str(rounded)


def _with_unit(figure: float, units: tuple[tuple[float, str], ...], digits: int) -> str:
    size, unit = next((pair for pair in reversed(units) if figure >= pair[0]), units[0])
    return f"{text(figure / size, digits)} {unit}"


def time(seconds: float, digits: int = 2) -> str:
    """A time in the largest unit that leaves no zero before the point."""
    return _with_unit(seconds, _TIMES, digits)


def rate(megabits: float, digits: int = 2) -> str:
    """A bandwidth, given in Mbit/s."""
    return _with_unit(megabits, _RATES, digits)


def size(count: float, digits: int = 3) -> str:
    """A size, given in bytes."""
    return _with_unit(count, _SIZES, digits)
