"""YAML text -> a tree of marked values, within limits, with nothing silently converted.

PyYAML's own loader accepts duplicate keys, turns ``no`` into False and ``012`` into 10, expands any number of
aliases and recurses as deep as the text says. Only its stream of events is used here; every scalar keeps its
text, and the tree is built without recursion.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from skipsched.text.diagnostics import Report, quoted, short
from skipsched.text.source import Mark, Source

#: Limits on a text, checked before or while it is parsed.
MAX_BYTES = 16 * 2**20
MAX_DEPTH = 32
MAX_VALUES = 250_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER: Any = yaml.resolver.Resolver()
# What YAML allows in a text: no control characters but tab and line ends, no halves of surrogate pairs.
_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


# Not frozen: large files are mostly scalars, and freezing triples what one costs.
@dataclass(slots=True)
class Scalar:
    """A single value as it was written."""

    text: str
    quoted: bool
    mark: Mark

    @property
    def is_null(self) -> bool:
        """Whether nothing stands there (empty, ``~`` or ``null``)."""
        return not self.quoted and self.yaml_type == "null"

    @property
    def yaml_type(self) -> str:
        """The type YAML 1.1 gives the text: ``str``, ``int``, ``float``, ``bool``, ``null`` and so on."""
        if self.quoted:
            return "str"
        tag: str = _RESOLVER.resolve(yaml.ScalarNode, self.text, (True, False))
        return tag.rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list of values."""

    items: list[Value]
    mark: Mark


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values, in the order of the text; duplicate keys have been reported and dropped."""

    entries: dict[str, tuple[Scalar, Value]]
    mark: Mark


Value = Scalar | Sequence | Mapping


def kind(value: Value) -> str:
    """What the value is, for a message."""
    if isinstance(value, Scalar):
        return "nothing" if value.is_null else quoted(value.text)
    return "a list" if isinstance(value, Sequence) else "a mapping"


@dataclass(slots=True)
class _Open:
    """A container whose end has not been read yet."""

    value: Sequence | Mapping
    anchor: str | None
    key: Scalar | None = None
    size: int = field(default=1)


class _RefusedError(Exception):
    """The text cannot be read on; why has been reported."""


def parse(source: Source, report: Report) -> Value | None:
    """Read the one document of a text.

    Parameters
    ----------
    source
        The text; the caller has kept it below `MAX_BYTES`.
    report
        Takes every error found: syntax, tags, duplicate keys, limits.

    Returns
    -------
    Value or None
        The root, or None if the text cannot be read at all.
    """
    # Looked for here, since the parser tells their place in bytes and not in characters.
    if (stray := _NOT_TEXT.search(source.text)) is not None:
        message = f"not YAML: the character U+{ord(stray[0]):04X} is not allowed in a text"
        report.error("yaml", "", message, source.mark_at(stray.start()))
        return None
    builder = _Builder(source, report)
    try:
        for event in yaml.parse(source.text, Loader=_LOADER):
            builder.feed(event)
    except yaml.MarkedYAMLError as error:
        _report_syntax(error, source, report)
        return None
    except _RefusedError:
        return None
    if builder.root is None:
        report.error("yaml", "", "the file is empty", Mark(source, 0, 0))
    return builder.root


def _report_syntax(error: yaml.MarkedYAMLError, source: Source, report: Report) -> None:
    problem, context = error.problem_mark, error.context_mark
    at_end = problem is not None and not any(line.strip() for line in source.lines[problem.line :])
    # Where the text ends too early there is nothing to show; what has no end says more.
    place = context if at_end and context else problem or context
    mark = _mark(source, place, place) if place else Mark(source, 0, 0)
    message = f"not YAML: {error.problem or error.context}"
    if error.problem and error.context:
        message += f" {error.context}"
        if context and context.line != mark.line:
            message += f" that begins in line {context.line + 1}"
    rest = source.line(mark.line)[mark.column :]
    hint = None
    if rest.startswith("\t"):
        hint = "YAML indents with spaces, not with tabs"
    elif rest.startswith("{}"):
        hint = 'put a text with {} in quotes, such as "eu{}"'
    report.error("yaml", "", message, mark, hint)


def _mark(source: Source, start: Any, end: Any) -> Mark:
    length = end.column - start.column if end.line == start.line else 1
    return Mark(source, start.line, start.column, max(1, length))


class _Builder:
    """Builds the tree from events, iteratively."""

    def __init__(self, source: Source, report: Report) -> None:
        self.source = source
        self.report = report
        self.root: Value | None = None
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Value, int]] = {}
        self._values = 0
        self._documents = 0

    def feed(self, event: Any) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents == 2:
                self._refuse("yaml", "a second document begins here; only one is read", event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.NodeEvent):
            self._node(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            ended = self._open.pop()
            if ended.anchor is not None:
                self._anchors[ended.anchor] = (ended.value, ended.size)
            self._place(ended.value, ended.size)

    def _node(self, event: Any) -> None:
        self._count(1, event)
        mark = _mark(self.source, event.start_mark, event.end_mark)
        if event.tag is not None:
            message = f"tags are not allowed: {quoted(event.tag)}"
            self.report.error("yaml", self._where(), message, mark)
        if isinstance(event, yaml.ScalarEvent):
            scalar = Scalar(event.value, event.style not in (None, ""), mark)
            if event.anchor is not None:
                self._anchors[event.anchor] = (scalar, 1)
            self._place(scalar, 1)
            return
        if len(self._open) >= MAX_DEPTH:
            self._refuse("limit", f"nested deeper than {MAX_DEPTH} levels", event)
        value: Sequence | Mapping = (
            Sequence([], mark) if isinstance(event, yaml.SequenceStartEvent) else Mapping({}, mark)
        )
        if self._open and self._takes_key(self._open[-1]):
            self._refuse("yaml", f"a key must be a plain text, not {kind(value)}", event)
        self._open.append(_Open(value, event.anchor))

    def _alias(self, event: Any) -> None:
        found = self._anchors.get(event.anchor)
        if found is None:
            message = f"the alias {quoted('*' + event.anchor)} refers to nothing that ends before it"
            self._refuse("yaml", message, event)
        value, size = found
        # An alias stands for everything below it: that is what makes a bomb of it, and what is counted.
        self._count(size, event)
        self._place(value, size)

    def _count(self, size: int, event: Any) -> None:
        self._values += size
        if self._values > MAX_VALUES:
            hint = "rows of links may stand in a `links_file`"
            self._refuse("limit", f"more than {MAX_VALUES} values, aliases expanded", event, hint)

    def _refuse(self, rule: str, message: str, event: Any, hint: str | None = None) -> NoReturn:
        self.report.error(
            rule, self._where(), message, _mark(self.source, event.start_mark, event.end_mark), hint
        )
        raise _RefusedError

    def _where(self) -> str:
        """The path of the value being read."""
        where = ""
        for container in self._open:
            if isinstance(container.value, Sequence):
                where += f"[{len(container.value.items)}]"
            elif container.key is not None:
                where += f"{'.' if where else ''}{container.key.text}"
        return short(where)

    @staticmethod
    def _takes_key(container: _Open) -> bool:
        return isinstance(container.value, Mapping) and container.key is None

    def _place(self, value: Value, size: int) -> None:
        if not self._open:
            self.root = value
            return
        parent = self._open[-1]
        parent.size += size
        if isinstance(parent.value, Sequence):
            parent.value.items.append(value)
        elif parent.key is None:
            parent.key = self._key(value)
        else:
            key, parent.key = parent.key, None
            if key.text in parent.value.entries:
                first = parent.value.entries[key.text][0].mark
                message = f"the key {quoted(key.text)} stands here already{first.aside}"
                self.report.error("duplicate-key", self._where(), message, key.mark)
            else:
                parent.value.entries[key.text] = (key, value)

    def _key(self, value: Value) -> Scalar:
        if not isinstance(value, Scalar):
            self.report.error(
                "yaml", self._where(), f"a key must be a plain text, not {kind(value)}", value.mark
            )
            raise _RefusedError
        if value.text == "<<" and not value.quoted:
            hint = "write the keys out, or make the nodes one group with `count`"
            self.report.error("yaml", self._where(), "merge keys (<<) are not supported", value.mark, hint)
            # What they would bring in would be reported missing.
            raise _RefusedError
        return value
