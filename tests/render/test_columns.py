"""Which column shows what: by hand, and that no action is lost without a word."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from skipsched.render.chart import Bar, View
from skipsched.render.columns import Column, columns_of


def bar(text: str, begin: int, end: int, *, chosen: bool = True) -> Bar:
    """A bar from its short form: ``F3``, or ``-3`` for the overhead after an action of microbatch 3."""
    kind = "overhead" if text[0] == "-" else text[0]
    return Bar(kind, int(text[1:]), begin, end, chosen)  # type: ignore[arg-type]


def shown(bars: list[Bar], end: int, count: int, begin: int = 0) -> tuple[str, list[str]]:
    """What columns show, small ones in small letters, and what is hidden."""
    columns, hidden = columns_of(bars, View(begin, end), count)
    return "".join(map(_letter, columns)), [f"{b.kind}{b.microbatch}" for b in hidden]


def _letter(column: Column) -> str:
    if column.bar is None:
        return "."
    letter = column.bar.kind[0] if column.bar.chosen else ":"
    return letter.lower() if column.small else letter


def test_a_column_shows_what_takes_half_of_it() -> None:
    assert shown([bar("F0", 0, 10), bar("B0", 15, 30)], 40, 4) == ("FBB.", [])
    assert shown([bar("F0", 0, 14)], 40, 4) == ("F...", [])


def test_the_kind_that_takes_most_shows() -> None:
    # Of ten, forwards take three and three, a backward four.
    mixed = [bar("F0", 0, 3), bar("F1", 3, 6), bar("B2", 6, 10)]
    assert shown(mixed, 10, 1) == ("F", ["F1", "B2"])


def test_what_shows_nowhere_gets_an_idle_column() -> None:
    assert shown([bar("L0", 12, 14), bar("F1", 25, 28)], 40, 4) == (".lf.", [])
    # Of two in a column the longer one.
    assert shown([bar("L0", 12, 13), bar("L1", 15, 18)], 40, 4) == (".l..", ["L0"])


def test_what_takes_no_time_is_hidden() -> None:
    assert shown([bar("L0", 12, 12)], 40, 4) == ("....", ["L0"])


def test_an_overhead_gives_way_and_is_not_told() -> None:
    bars = [bar("F0", 0, 10), bar("-0", 10, 16), bar("L1", 16, 17), bar("-1", 17, 18)]
    assert shown(bars, 20, 2) == ("Fl", [])
    assert shown(bars[:2], 20, 2) == ("Fo", [])


def test_what_stands_out_goes_first() -> None:
    bars = [bar("F0", 0, 9, chosen=False), bar("F1", 9, 10), bar("B0", 10, 20, chosen=False)]
    assert shown(bars, 20, 2) == ("f:", [])


def test_only_the_part_in_view_counts() -> None:
    assert shown([bar("F0", 0, 100)], 60, 2, begin=40) == ("FF", [])


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_every_action_shows_or_is_told(seed: int, count: int) -> None:
    rng = Random(seed)
    time, bars = 0, []
    for number in range(rng.randrange(1, 30)):
        begin = time + rng.choice([0, 0, 1, 7])
        time = begin + rng.randrange(0, 9)
        bars.append(bar(f"{rng.choice('FLB')}{number}", begin, time, chosen=rng.random() < 0.8))
    columns, hidden = columns_of(bars, View(0, max(1, time)), count)
    assert len(columns) == count
    visible = {column.bar for column in columns}
    assert {b for b in bars if b.chosen} == {b for b in (*visible, *hidden) if b is not None and b.chosen}
    assert not visible & set(hidden)
    # A column shows only what lies in it.
    for place, column in enumerate(columns):
        if column.bar is not None:
            length = max(1, time)
            assert column.bar.begin * count < (place + 1) * length
            assert column.bar.end * count > place * length
