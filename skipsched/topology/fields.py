"""Reading the fields of a mapping: each reader reports its own errors and returns None for a bad value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TypeVar

from skipsched.text.diagnostics import Report, did_you_mean, quoted
from skipsched.text.quantities import RATE, SIZE, TIME, Units, UnreadableError, quantity, ratio, whole
from skipsched.text.source import Mark
from skipsched.text.tree import Mapping, Scalar, Sequence, Value, kind
from skipsched.topology import limits

T = TypeVar("T")

_MOST = {
    TIME: limits.MAX_SECONDS,
    SIZE: limits.MAX_BYTES,
    RATE: limits.MAX_BYTES,
}
# YAML's own spellings; `yes`, `on` and the like, which it takes for booleans too, are refused.
FLAGS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


class Fields:
    """One mapping of the text and the keys it may have.

    Parameters
    ----------
    value
        The mapping.
    where
        Its path, for messages; empty for the document.
    report
        Takes the errors.
    known
        Every key it may have. Unknown ones are reported here.
    places
        Takes the mark of each field by its path, if that is wanted.
    """

    def __init__(
        self,
        value: Mapping,
        where: str,
        report: Report,
        known: tuple[str, ...],
        places: dict[str, Mark] | None = None,
    ) -> None:
        self.mark = value.mark
        self.where = where
        self._report = report
        self._entries = value.entries
        for text, (key, entry) in value.entries.items():
            if text not in known:
                hint = did_you_mean(text, known) or f"the keys here are {', '.join(known)}"
                report.error("unknown-key", self.path(""), f"unknown key {quoted(text)}", key.mark, hint)
            elif places is not None:
                places[self.path(text)] = entry.mark

    def path(self, key: str) -> str:
        """The path of a key."""
        return ".".join(part for part in (self.where, key) if part)

    def __contains__(self, key: str) -> bool:
        """Whether the key stands there, with or without a value."""
        return key in self._entries

    def value_mark(self, key: str) -> Mark:
        """Where the value stands; where the mapping begins if the key is missing."""
        return self._entries[key][1].mark if key in self._entries else self.mark

    def error(self, rule: str, key: str, message: str, hint: str | None = None) -> None:
        """Report an error at a key's value."""
        self._report.error(rule, self.path(key), message, self.value_mark(key), hint)

    def missing(self, *keys: str, why: str = "") -> None:
        """Report that none of the keys is there."""
        names = " or ".join(f"`{key}`" for key in keys)
        self._report.error("missing-key", self.where, f"{names} is missing{why}", self.mark)

    def exclusive(self, first: str, second: str) -> bool:
        """Report two keys of which only one may be given. Returns whether both are."""
        both = first in self and second in self
        if both:
            order = list(self._entries)
            later = max(first, second, key=order.index)
            self.error("conflict", later, f"`{first}` and `{second}` are both given; only one may be")
        return both

    def entry(self, key: str, required: bool = False) -> Value | None:
        """The raw value of a key, None if absent or empty; the latter two are errors if required."""
        if key not in self._entries:
            if required:
                self.missing(key)
            return None
        value = self._entries[key][1]
        if isinstance(value, Scalar) and value.is_null:
            self.error("missing-value", key, "has no value")
            return None
        return value

    def section(self, key: str, required: bool = False) -> Mapping | None:
        """A mapping; an empty optional section counts as absent."""
        value = self._collection(key, required)
        if value is None or isinstance(value, Mapping):
            return value
        self.error("type", key, f"expected a mapping, got {kind(value)}")
        return None

    def items(self, key: str, required: bool = False) -> Iterator[tuple[str, Value]]:
        """The items of a list with their paths; an empty optional list counts as absent."""
        value = self._collection(key, required)
        if isinstance(value, Sequence):
            yield from ((f"{self.path(key)}[{i}]", item) for i, item in enumerate(value.items))
        elif value is not None:
            self.error("type", key, f"expected a list, got {kind(value)}")

    def _collection(self, key: str, required: bool) -> Value | None:
        value = self._entries[key][1] if key in self._entries else None
        if not required and isinstance(value, Scalar) and value.is_null:
            return None
        return self.entry(key, required)

    def scalar(self, key: str, required: bool = False) -> Scalar | None:
        """A single value."""
        value = self.entry(key, required)
        if value is None or isinstance(value, Scalar):
            return value
        self.error("type", key, f"expected a single value, got {kind(value)}")
        return None

    def read(self, value: Scalar | None, where: str, reader: Callable[[str], T]) -> T | None:
        """Apply a reader of text to a scalar, and report what it refuses."""
        if value is None:
            return None
        try:
            return reader(value.text)
        except UnreadableError as trouble:
            self._report.error(trouble.rule, where, trouble.message, value.mark, trouble.hint)
            return None

    def text(self, key: str, required: bool = False) -> str | None:
        """A name. A bare integer is its own text; whatever else YAML would convert is refused."""
        value = self.scalar(key, required)
        return None if value is None else self.name_of(value, self.path(key))

    def path_text(self, key: str) -> str | None:
        """The path of a file, as it stands."""
        value = self.scalar(key)
        if value is not None and (len(value.text) > limits.MAX_PATH or not value.text.isprintable()):
            self.error("range", key, f"not the path of a file: {quoted(value.text)}")
            return None
        return None if value is None else value.text

    def name_of(self, value: Value, where: str) -> str | None:
        """A name from any value, such as an end of a link."""
        if not isinstance(value, Scalar):
            self._report.error("type", where, f"expected a name, got {kind(value)}", value.mark)
            return None
        return self.read(value, where, lambda text: readable_name(text, value.yaml_type))

    def count(self, key: str, least: int, most: int = limits.MAX_COUNT, required: bool = False) -> int | None:
        """A whole number within bounds."""
        return self.count_of(self.scalar(key, required), self.path(key), least, most)

    def count_of(self, value: Scalar | None, where: str, least: int, most: int) -> int | None:
        """A whole number within bounds from any scalar."""
        return self.read(value, where, lambda text: _in_range(whole(text), least, most, text))

    def list_of(self, key: str, of: str, reader: Callable[[Scalar, str], T | None]) -> tuple[T, ...] | None:
        """A list of single values, each read by `reader`; None if absent or if any of them is bad."""
        if key not in self:
            return None
        found: list[T | None] = []
        for where, value in self.items(key, required=True):
            if isinstance(value, Scalar):
                found.append(reader(value, where))
            else:
                self._report.error("type", where, f"expected {of}, got {kind(value)}", value.mark)
                found.append(None)
        good = tuple(item for item in found if item is not None)
        is_list = isinstance(self._entries[key][1], Sequence)
        return good if is_list and len(good) == len(found) else None

    def counts(self, key: str, least: int, most: int = limits.MAX_COUNT) -> tuple[int, ...] | None:
        """A list of whole numbers within bounds; None if absent or if any of them is bad."""
        return self.list_of(
            key, "a whole number", lambda value, where: self.count_of(value, where, least, most)
        )

    def flag(self, key: str, default: bool) -> bool:
        """``true`` or ``false``."""
        value = self.scalar(key)
        if value is None:
            return default
        if not value.quoted and value.text in FLAGS:
            return FLAGS[value.text]
        hint = None
        if value.text.lower() in _WORDS_FOR_FLAGS:
            hint = f"write {_WORDS_FOR_FLAGS[value.text.lower()]}, without quotes"
        self.error("type", key, f"expected true or false, got {quoted(value.text)}", hint)
        return default

    def number(self, key: str, positive: bool) -> Fraction | None:
        """A plain number or a fraction, positive or at least zero."""

        def reader(text: str) -> Fraction:
            return bounded(ratio(text), positive, limits.MAX_RATIO, "", text)

        return self.read(self.scalar(key), self.path(key), reader)

    def quantity(self, key: str, units: Units, positive: bool, required: bool = False) -> Fraction | None:
        """A figure with a unit."""
        return self.quantity_of(self.scalar(key, required), self.path(key), units, positive)

    def quantity_of(self, value: Scalar | None, where: str, units: Units, positive: bool) -> Fraction | None:
        """A figure with a unit from any scalar."""

        def reader(text: str) -> Fraction:
            return bounded(quantity(text, units), positive, _MOST[units], f" {units.base}", text)

        return self.read(value, where, reader)


def bounded(value: Fraction, positive: bool, most: int, unit: str, text: str) -> Fraction:
    """Refuse a value below zero (or zero itself if it must be positive) or beyond a limit."""
    if value.numerator < positive:
        message = f"must be {'positive' if positive else 'at least 0'}, got {quoted(text)}"
        raise UnreadableError("range", message)
    if value.numerator > most * value.denominator:
        raise UnreadableError("limit", f"{quoted(text)} is beyond the limit of {most}{unit}")
    return value


def _in_range(value: int, least: int, most: int, text: str) -> int:
    if value < least:
        raise UnreadableError("range", f"must be at least {least}, got {quoted(text)}")
    if value > most:
        raise UnreadableError("limit", f"{quoted(text)} is beyond the limit of {most}")
    return value


def readable_name(text: str, yaml_type: str) -> str:
    """Check a name; `yaml_type` is what YAML takes the bare text for (`Scalar.yaml_type`)."""
    if len(text) > limits.MAX_NAME:
        raise UnreadableError(
            "limit", f"a name of {len(text)} characters is beyond the limit of {limits.MAX_NAME}"
        )
    if yaml_type != "str" and not (yaml_type == "int" and _PLAIN_INTEGER.fullmatch(text)):
        message = f"YAML reads {quoted(text)} as {_TYPES.get(yaml_type, yaml_type)}, not as a name"
        raise UnreadableError("ambiguous", message, "put it in quotes" if text else None)
    if not text.strip() or text != text.strip():
        raise UnreadableError(
            "range", f"a name must not be empty nor begin or end with a space, got {quoted(text)}"
        )
    if not text.isprintable():
        raise UnreadableError("range", f"a name must be one line of printable characters, got {quoted(text)}")
    return text


# An integer that YAML, whatever its version, reads as these very digits.
_PLAIN_INTEGER = re.compile("-?[1-9][0-9]*|0")

_TYPES = {
    "bool": "true or false",
    "int": "another number",
    "float": "a number",
    "null": "nothing",
    "timestamp": "a date",
    "merge": "a merge key",
    "value": "a default value",
}
_WORDS_FOR_FLAGS = {
    **dict.fromkeys(("true", "yes", "y", "on", "1"), "true"),
    **dict.fromkeys(("false", "no", "n", "off", "0"), "false"),
}
