"""A topology that has been drawn but not written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from skipsched.generate.sizes import Shape


@dataclass(frozen=True, slots=True)
class Group:
    """Equal nodes of one place; figures are texts with units.

    Parameters
    ----------
    id
        What their ids begin with.
    count
        How many there are.
    location, layer_time, memory
        As in a topology.
    card
        What computes there, for the reader; empty if that needs no saying.
    """

    id: str
    count: int
    location: str
    layer_time: str
    memory: str
    card: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of links: from one location to another, or between both if it is the same either way."""

    source: str
    target: str
    latency: str
    bandwidth: str
    both: bool = True


class Entry(NamedTuple):
    """A key of `workload` or `rules`, its value, and what to say of it."""

    key: str
    value: object
    note: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a kind draws.

    Parameters
    ----------
    comment
        Paragraphs for the head of the file; one begins with ``Figures:`` and says where these come from.
    groups, rows
        Nodes and links.
    overhead
        What is added to every transfer.
    default
        Latency and bandwidth of pairs without a row, if these have a link.
    workload
        Entries of the section.
    shape
        Gives the rules.
    """

    comment: Sequence[str]
    groups: Sequence[Group]
    rows: Sequence[Row]
    overhead: str
    workload: Sequence[Entry]
    shape: Shape
    default: tuple[str, str] | None = None
