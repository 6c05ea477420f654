"""Figures are read exactly, or refused with a reason."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skipsched.text.quantities import (
    RATE,
    SIZE,
    TIME,
    Units,
    UnreadableError,
    number,
    quantity,
    ratio,
    scaled,
    whole,
)


@pytest.mark.parametrize(
    ("text", "units", "expected"),
    [
        ("55 ms", TIME, Fraction(55, 1000)),
        ("55ms", TIME, Fraction(55, 1000)),
        ("1.2 s", TIME, Fraction(6, 5)),
        ("200 us", TIME, Fraction(1, 5000)),
        ("1.5 min", TIME, Fraction(90)),
        (".5 s", TIME, Fraction(1, 2)),
        ("2. s", TIME, Fraction(2)),
        ("0.1 s", TIME, Fraction(1, 10)),  # no float could say this
        ("1e-3 s", TIME, Fraction(1, 1000)),
        ("1.25E2 ms", TIME, Fraction(1, 8)),
        ("-1 s", TIME, Fraction(-1)),  # the range is the caller's matter
        ("0", TIME, Fraction(0)),
        ("0.0", SIZE, Fraction(0)),
        ("16 MiB", SIZE, Fraction(16 * 1024**2)),
        ("1 kB", SIZE, Fraction(1000)),
        ("1 KB", SIZE, Fraction(1000)),
        ("1 KiB", SIZE, Fraction(1024)),
        ("24 GB", SIZE, Fraction(24 * 10**9)),
        ("10.7 MiB/s", RATE, Fraction(107, 10) * 1024**2),
        ("160 Mbit/s", RATE, Fraction(20 * 10**6)),
        ("1 bit/s", RATE, Fraction(1, 8)),
        ("2 kbit/s", RATE, Fraction(250)),
        ("10 Gbit/s", RATE, Fraction(10**10, 8)),
        ("1 B/s", RATE, Fraction(1)),
    ],
)
def test_a_quantity_is_read_exactly(text: str, units: Units, expected: Fraction) -> None:
    assert quantity(text, units) == expected


@pytest.mark.parametrize(
    ("text", "units", "rule", "fragment"),
    [
        ("55", TIME, "unit", "expected one of us ms s min"),
        ("55 parsec", TIME, "unit", 'unknown unit "parsec"'),
        ("fast", TIME, "type", 'expected a time such as "55 ms"'),
        ("", TIME, "type", "expected a time"),
        ("55 ms ", TIME, "type", "expected a time"),
        ("5 5 ms", TIME, "type", "expected a time"),
        ("1,5 s", TIME, "unit", "unknown unit"),
        ("٣ s", TIME, "type", "expected a time"),  # digits, but not the ones every reader reads
        ("1:30", TIME, "ambiguous", "as 90 (base 60)"),
        ("010 ms", TIME, "ambiguous", "begins with a zero"),
        ("1_000 ms", TIME, "unit", "unknown unit"),
        ("nan", TIME, "range", "not a finite number"),
        (".inf s", TIME, "range", "not a finite number"),
        ("1e31 s", TIME, "limit", "exponent"),
        ("1" * 61 + " s", TIME, "limit", "longer than 60 characters"),
    ],
)
def test_what_is_no_quantity_is_refused(text: str, units: Units, rule: str, fragment: str) -> None:
    with pytest.raises(UnreadableError) as raised:
        quantity(text, units)
    assert raised.value.rule == rule
    assert fragment in raised.value.message


@pytest.mark.parametrize(
    ("text", "units", "meant"),
    [
        ("5 sec", TIME, "s"),
        ("5 MS", TIME, "ms"),
        ("5 µs", TIME, "us"),
        ("5 gb", SIZE, "GB"),
        ("5 mib", SIZE, "MiB"),
        ("300 Mbps", RATE, "Mbit/s"),
        ("300 Mb/s", RATE, "Mbit/s"),  # and not MB/s, eight times as much
        ("300 mbit/s", RATE, "Mbit/s"),
        ("300 mbps", RATE, "Mbit/s"),
    ],
)
def test_the_hint_names_the_unit_meant(text: str, units: Units, meant: str) -> None:
    with pytest.raises(UnreadableError) as raised:
        quantity(text, units)
    assert raised.value.hint == f'did you mean "{meant}"?'


def test_numbers_ratios_and_whole_numbers() -> None:
    assert number("1.50") == Fraction(3, 2)
    assert number("+2e3") == 2000
    assert number("-.25") == Fraction(-1, 4)
    assert ratio("1/4") == ratio("0.25") == ratio("1 / 4") == Fraction(1, 4)
    assert whole("+12") == 12


@pytest.mark.parametrize("text", ["4.0", "4e0", "four", "0x4", "4 "])
def test_only_digits_are_a_whole_number(text: str) -> None:
    with pytest.raises(UnreadableError):
        whole(text)


@pytest.mark.parametrize("text", ["1/0", "1/2/3", "1/", "/2", "1.5/2", "25%"])
def test_what_is_no_ratio_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError):
        ratio(text)


def test_long_texts_are_refused_at_once() -> None:
    """Neither a regular expression nor an exact fraction may grow with the text."""
    for text in ("1" * 10**6, "1." * 10**6, "1:1" * 10**6, "1" * 10**6 + " ms", "1_" * 10**6):
        with pytest.raises(UnreadableError, match="longer than"):
            quantity(text, TIME)
        with pytest.raises(UnreadableError, match="longer than"):
            whole(text)


@pytest.mark.parametrize(
    ("text", "factor", "expected"),
    [
        ("55 ms", "0.5", "27.5 ms"),
        ("10.0625 MiB/s", "2", "20.125 MiB/s"),
        ("50 kB", "2", "100 kB"),
        (".5s", "0.5", "0.25 s"),
        ("2. s", "2", "4 s"),
        ("1e3 us", "2", "2000 us"),
        ("0", "2", "0"),
    ],
)
def test_scaled(text: str, factor: str, expected: str) -> None:
    assert scaled(text, Decimal(factor)) == expected


@settings(deadline=None)
@given(
    st.decimals(Decimal("1e-28"), Decimal("1e28"), places=28),
    st.sampled_from(["us", "ms", "s", "min"]),
    st.sampled_from([Decimal(2), Decimal("0.5")]),
)
def test_scaled_is_exact(figure: Decimal, unit: str, factor: Decimal) -> None:
    text = f"{figure:f} {unit}"
    if len(text) > 55:
        return  # its half may be too long for a figure
    assert quantity(scaled(text, factor), TIME) == quantity(text, TIME) * Fraction(factor)
