"""Charts in the terminal: exact texts worked out by hand, and that they fit the window."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from cli_cases import solved_document
from hypothesis import given, settings
from hypothesis import strategies as st
from render_cases import averaged, everything, hostile, planned, single

from skipsched import Schedule
from skipsched.opened import Opened, open_schedule
from skipsched.render.chart import View, chart_of
from skipsched.render.colors import ColorBy
from skipsched.render.terminal import Window, text_of
from skipsched.text.diagnostics import cells

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def text(
    opened: Opened, columns: int, lines: int | None = None, view: View | None = None, **more: Any
) -> str:
    chart = chart_of(opened, view or everything(opened))
    return text_of(chart, Window(columns, lines, more.pop("colored", False)), **more)


def rows(drawn: str) -> dict[str, str]:
    """The rows of nodes with names of up to four letters."""
    found = (re.fullmatch(r"(?:\d| ) {5}(\w{1,4}) +([^ ].*)", line) for line in drawn.splitlines())
    return {row[1]: row[2] for row in found if row}


def test_one_microbatch() -> None:
    """A column is a millisecond: 11 columns for stage and node, 64 for the 64 ms."""
    assert text(single(), 75) == "\n".join(
        [
            "small: iteration time 64 ms, bubble ratio 53.1 %, 2 nodes, 2 stages, 1",
            "microbatch",
            "stage node |0 ms     |10 ms    |20 ms    |30 ms    |40 ms    |50 ms",
            f"0     a    F0{8 * '>'}{34 * '·'}B0{18 * '<'}",
            f"1     b    {11 * '·'}F0{8 * '>'}··B0{18 * '<'}{21 * '·'}",
            "F forward  B backward  · idle  a column: 1 ms",
            "small letters: less than half a column",
            "not shown: 1 loss (they take no time)",
        ]
    )


def test_a_part() -> None:
    """Eight columns for each of 8 ms: F of b ends at 21, L of a takes 22 to 24, B of b comes at 25."""
    case = planned("a, b", "1 1", ((0, 1),), "F0 L0 B0", "F0 B0", workload="microbatches=1, loss_ratio=0.2")
    body = text(case, 75, view=View(20_000, 28_000)).splitlines()
    assert body[0].startswith("small: ")
    assert body[1].endswith("from 20 ms to 28 ms")
    assert body[2:5] == [
        "stage node |20 ms  |21 ms  |22 ms  |23 ms  |24 ms  |25 ms  |26 ms  |27 ms",
        f"0     a    {16 * '·'}L0{14 * '~'}{32 * '·'}",
        f"1     b    F0{6 * '>'}{32 * '·'}B0{22 * '<'}",
    ]


def test_the_allreduce_ends_the_rows_of_its_stage() -> None:
    """Stage 1 ends its backwards at 43 ms and averages until 44.2 ms; stage 0 has nothing to average."""
    drawn = rows(text(averaged(), 11 + 640))
    assert drawn["a"].count("=") == drawn["b"].count("=") == 0
    assert drawn["c"][430:442] == drawn["d"][430:442] == 12 * "="
    assert drawn["c"].count("=") == 12


def test_overheads_and_microbatches_that_stand_out() -> None:
    """F 10 ms, B 20 ms, 3 ms unavailable after each: the second forward of a from 13 to 23 ms."""
    case = planned(
        "a memory=2, b memory=2",
        "1 1",
        ((0, 1), (0, 1)),
        "F0 F1 L0 L1 B0 B1",
        "F0 F1 B0 B1",
        workload="microbatches=2, action_overhead=3 ms",
    )
    length = case.scheduled.objective.iteration_time // 1000
    drawn = rows(text(case, 11 + length))
    assert drawn["a"].startswith("F0>>>>>>>>---F1>>>>>>>>---")
    assert drawn["b"].startswith(f"{11 * '·'}F0>>>>>>>>---F1>>>>>>>>---")
    # The overhead of a node's last action counts for nothing.
    assert drawn["a"].endswith("<")
    chosen = View(0, length * 1000, microbatches=frozenset([1]))
    assert rows(text(case, 11 + length, view=chosen))["a"].startswith(f"{13 * ':'}F1>>>>>>>>---")


def test_nodes_that_are_not_visited_are_left_out() -> None:
    opened = averaged()
    end = opened.scheduled.objective.iteration_time
    drawn = text(opened, 80, view=View(0, end, microbatches=frozenset([1])))
    assert "2 nodes left out that no microbatch asked for visits" in drawn
    assert set(rows(drawn)) == {"b", "d"}
    # Nodes asked for are drawn whoever visits them.
    both = View(0, end, frozenset([0]), frozenset([1]))
    assert set(rows(text(opened, 80, view=both))) == {"a"}


def test_colours_change_no_letter() -> None:
    plain = text(single(), 75)
    colored = text(single(), 75, colored=True)
    assert "\x1b[" not in plain
    # Colour fills a bar where without it characters do.
    without = ESCAPE.sub("", colored)
    assert re.sub("[><]", " ", plain) == without
    assert len(set(ESCAPE.findall(colored))) > 3


@pytest.mark.parametrize(("by", "differ"), [("kind", False), ("microbatch", True)])
def test_what_colours_tell_apart(by: ColorBy, differ: bool) -> None:
    """Two forwards of different microbatches on one node, one after the other."""
    case = planned("a memory=2, b memory=2", "1 1", ((0, 1), (0, 1)), "F0 F1 L0 L1 B0 B1", "F0 F1 B0 B1")
    row = text(case, 120, colored=True, color_by=by).splitlines()[2]
    first, second = re.findall(r"(\x1b\[38;5;16;48;5;\d+m)F[01]", row)
    assert (first != second) == differ


def test_names_are_cut_by_the_cells_they_take() -> None:
    """Of forty columns a third is for names; a character of Japanese takes two."""
    drawn = text(hostile(), 40).splitlines()
    assert any(line[5:].startswith(" </script><b>… ") for line in drawn)
    assert max(map(cells, drawn)) <= 40
    # So is the name of the whole.
    chart = replace(chart_of(hostile(), everything(hostile())), title=40 * "語")
    assert text_of(chart, Window(40, None, False)).splitlines()[0] == f"{19 * '語'}… "


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 160), st.integers(1, 60) | st.none(), st.booleans())
def test_it_fits_the_window(columns: int, lines: int | None, colored: bool) -> None:
    opened = open_schedule(Schedule(solved_document("geo-20")))
    drawn = ESCAPE.sub("", text(opened, columns, lines, colored=colored)).splitlines()
    assert max(map(cells, drawn)) <= max(columns, 40)
    rows = sum("·" in line[12:] for line in drawn if "idle" not in line)
    missing = next((int(line.split()[0]) for line in drawn if "left out" in line), 0)
    assert rows + missing == 20
    if lines is None:
        assert missing == 0
    elif rows > 1:
        assert len(drawn) < lines


def test_the_busiest_of_each_stage_stay() -> None:
    opened = open_schedule(Schedule(solved_document("geo-20")))
    drawn = text(opened, 200, 12).splitlines()
    shown = [line.split()[:2] for line in drawn if re.match(r"\d {5}", line)]
    busy = {
        opened.instance.node_ids[node]: sum(opened.scheduled.actions.duration[a] for a in order)
        for node, order in enumerate(opened.scheduled.plan.order)
    }
    stages = opened.scheduled.plan.routes.members(6)
    assert len(shown) == 6
    for stage, node in shown:
        others = [busy[opened.instance.node_ids[n]] for n in stages[int(stage)]]
        assert busy[node] == max(others)
