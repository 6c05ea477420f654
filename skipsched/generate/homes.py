"""Volunteers' machines behind home lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from skipsched.generate import figures, language_models, places
from skipsched.generate.draft import Draft, Entry, Group, Row
from skipsched.generate.draw import Draw
from skipsched.generate.language_models import NARROW as MODEL
from skipsched.generate.places import Place
from skipsched.generate.sizes import Shape


class _Card(NamedTuple):
    name: str
    peak: float
    slots: int
    share: float


class _Kind(NamedTuple):
    """What lines of a kind have.

    Upload rates in Mbit/s have a Pareto distribution of this least value and shape; download rates are so
    many times as high; the last mile takes so many milliseconds.
    """

    name: str
    least: float
    shape: float
    faster_down: tuple[float, float]
    last_mile: tuple[float, float]


class _Line(NamedTuple):
    """The line of the homes of one location; rates in Mbit/s, the last mile in seconds."""

    location: str
    town: Place
    up: float
    down: float
    last_mile: float


#: Published dense 16-bit peaks in TFLOP/s; slots by memory, 24 to 8 GiB.
_CARDS = (
    _Card("RTX 4090", 165, 4, 0.15),
    _Card("RTX 3090", 71, 4, 0.15),
    _Card("RTX 4080", 97.5, 3, 0.15),
    _Card("RTX 4070 Ti", 80.2, 2, 0.15),
    _Card("RTX 3080", 59.5, 2, 0.2),
    _Card("RTX 3070", 40.6, 1, 0.2),
)
_KINDS = (
    _Kind("dsl", 10, 2.0, (3, 8), (8, 15)),
    _Kind("cable", 20, 1.2, (5, 15), (5, 12)),
    _Kind("fibre", 100, 1.1, (1, 3), (1, 4)),
)
#: Upload rates beyond are no home's.
_MOST_UP = 1000
_LAYERS = 6
_SAMPLES = 2
#: Bits that are sent of a value of an activation and of a parameter's gradient.
_ACTIVATION_BITS = 4
_GRADIENT_BITS = 0.25


def draft(nodes: int, draw: Draw) -> Draft:
    """Draw towns and lines, and who has which card where.

    Parameters
    ----------
    nodes
        How many nodes.
    draw
        Makes the choices.
    """
    shape = Shape.of(nodes, "1/3")
    # So many rows at most as there are nodes, twice: a row for each ordered pair of locations.
    lines = _lines(max(6, math.isqrt(2 * nodes)), draw)
    groups = []
    for line, here in zip(lines, draw.spread(_cards(nodes), len(lines)), strict=True):
        groups += [_group(line, card, here.count(card)) for card in _CARDS if card in here]
    return Draft(
        comment=_comment(nodes, lines),
        groups=groups,
        rows=[_row(source, target) for source, target in product(lines, repeat=2)],
        overhead="20 ms",
        workload=language_models.workload(
            MODEL,
            shape,
            Entry("data_nodes", shape.data_nodes),
            language_models.activation(MODEL, _SAMPLES, _ACTIVATION_BITS),
            layers=_LAYERS,
            samples=_SAMPLES,
            action_overhead="5 ms",
            gradient_bits=_GRADIENT_BITS,
        ),
        shape=shape,
    )


def _lines(count: int, draw: Draw) -> list[_Line]:
    """Locations: a town and a kind of line each, about two kinds a town."""
    towns = draw.some(places.TOWNS, (count + 1) // 2)
    lines = []
    for town, kind in draw.some(list(product(towns, _KINDS)), count):
        up = min(_MOST_UP, draw.pareto(kind.least, kind.shape))
        down = up * draw.between(*kind.faster_down)
        lines.append(_Line(f"{town.name}-{kind.name}", town, up, down, draw.between(*kind.last_mile) / 1000))
    return lines


def _cards(nodes: int) -> list[_Card]:
    """The card of each node, in shares as they are meant."""
    until = 0.0
    cards: list[_Card] = []
    for card in _CARDS:
        until += card.share
        cards += [card] * (round(until * nodes) - len(cards))
    return cards


def _group(line: _Line, card: _Card, count: int) -> Group:
    name = f"{line.location}-{card.name}-".lower().replace(" ", "")
    return Group(
        name, count, line.location, language_models.layer_time(MODEL, card.peak), str(card.slots), card.name
    )


def _row(source: _Line, target: _Line) -> Row:
    latency = source.last_mile + places.latency(source.town, target.town) + target.last_mile
    bandwidth = figures.rate(min(source.up, target.down))
    return Row(source.location, target.location, figures.time(latency), bandwidth, both=source == target)


def _comment(nodes: int, lines: Sequence[_Line]) -> list[str]:
    return [
        f"{nodes} volunteers' machines in {len(lines)} places, on home lines that send far more slowly than "
        "they receive and differ by an order of magnitude and more. Homes of one town and line share a "
        "location. How many nodes a stage gets is free.",
        f"Figures: {language_models.source_of_times(MODEL, [(card.name, card.peak) for card in _CARDS])} "
        "Slots go by the cards' memory and are made up, as are the lines: upload rates are drawn from Pareto "
        f"distributions (DSL, cable and fibre), at most {_MOST_UP} Mbit/s; a pair has the sender's upload "
        "rate, or the receiver's download rate if that is less. Latency is that of both last miles and of "
        f"{places.LIGHT}. Activations are compressed to {_ACTIVATION_BITS} bits a value, gradients to a bit "
        f"for {1 / _GRADIENT_BITS:g} parameters.",
    ]
