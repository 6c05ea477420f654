"""Bars -> the columns of a terminal, each of which shows one bar at most; what shows nowhere is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from skipsched.render.chart import Bar, View


@dataclass(frozen=True, slots=True)
class Column:
    """What a column of a row shows.

    Parameters
    ----------
    bar
        The bar; None where the node is idle.
    small
        Whether it takes less than half of the column, and shows as it would show nowhere else.
    """

    bar: Bar | None = None
    small: bool = False


#: By column, the bars that have a part of it, and how much, in units of a microsecond over the columns.
_Shares = list[dict[Bar, int]]


def columns_of(bars: Sequence[Bar], view: View, count: int) -> tuple[list[Column], list[Bar]]:
    """Divide a row into columns.

    A column of which bars take half or more shows the kind that takes most of it. A bar that would show in no
    column gets the one that it takes most of, if that is idle otherwise. What stands out goes before what
    does not.

    Parameters
    ----------
    bars
        As in a `Row`.
    count
        Number of columns.

    Returns
    -------
    list of Column
        As many as asked for.
    list of Bar
        Those standing out, overheads excepted, that show in no column.
    """
    shares = _shares(bars, view, count)
    columns = [_fullest(taken, view.end - view.begin) for taken in shares]
    shown = {column.bar for column in columns}
    hidden = [bar for bar in bars if bar not in shown and bar.chosen and bar.kind != "overhead"]
    most = _most(shares)
    left = []
    for bar in sorted(hidden, key=lambda bar: -most.get(bar, (0, 0))[0]):
        share, place = most.get(bar, (0, 0))
        if share and _gives_way(columns[place].bar):
            columns[place] = Column(bar, small=True)
        else:
            left.append(bar)
    return columns, sorted(left, key=lambda bar: bar.begin)


def _most(shares: _Shares) -> dict[Bar, tuple[int, int]]:
    """The largest share each bar has of a column, and the first column of which it has so much."""
    most: dict[Bar, tuple[int, int]] = {}
    for place, taken in enumerate(shares):
        for bar, share in taken.items():
            if bar not in most or share > most[bar][0]:
                most[bar] = (share, place)
    return most


def _shares(bars: Collection[Bar], view: View, count: int) -> _Shares:
    """How much of each column each bar takes. Times are multiplied by the columns, which keeps them whole."""
    shares: _Shares = [{} for _ in range(count)]
    length = view.end - view.begin
    for bar in bars:
        begin = (max(bar.begin, view.begin) - view.begin) * count
        end = (min(bar.end, view.end) - view.begin) * count
        for place in range(begin // length, -(-end // length)):
            shares[place][bar] = min(end, (place + 1) * length) - max(begin, place * length)
    return shares


def _fullest(taken: Mapping[Bar, int], length: int) -> Column:
    """What fills most of a column of some length: first the kind, then the bar of that kind."""
    chosen = {bar: share for bar, share in taken.items() if bar.chosen}
    if 2 * sum(chosen.values()) >= length:
        candidates = chosen
    elif 2 * sum(taken.values()) >= length:
        candidates = {bar: share for bar, share in taken.items() if not bar.chosen}
    else:
        return Column()
    kinds: Counter[str] = Counter()
    for bar, share in candidates.items():
        kinds[bar.kind] += share
    kind = max(kinds, key=kinds.__getitem__)
    return Column(max((bar for bar in candidates if bar.kind == kind), key=candidates.__getitem__))


def _gives_way(bar: Bar | None) -> bool:
    """Whether a column shows nothing, or something that need not show."""
    return bar is None or not bar.chosen or bar.kind == "overhead"
