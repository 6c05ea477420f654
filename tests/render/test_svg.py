"""The chart as SVG: read as XML, its rectangles against the schedule's times."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

import pytest
from cli_cases import solved_document
from render_cases import HOSTILE, averaged, everything, hostile, single

from skipsched import Schedule
from skipsched.opened import Opened, open_schedule
from skipsched.render.chart import View, chart_of
from skipsched.render.colors import KINDS, MICROBATCHES, ColorBy
from skipsched.render.svg import svg_of

SPACE = "{http://www.w3.org/2000/svg}"


def drawn(opened: Opened, view: View | None = None, color_by: ColorBy = "kind") -> Xml.Element:
    return Xml.fromstring(svg_of(chart_of(opened, view or everything(opened)), color_by))


def bars(root: Xml.Element) -> dict[str, tuple[float, float, str]]:
    """Left, width and colour of each bar by its title."""
    found = {}
    for rect in root.iter(f"{SPACE}rect"):
        title = rect.find(f"{SPACE}title")
        if title is not None:
            found[title.text or ""] = (
                float(rect.get("x", "")),
                float(rect.get("width", "")),
                rect.get("fill", ""),
            )
    return found


def test_bars_by_hand() -> None:
    """The plot's 1100 pixels are 64 ms."""
    found = bars(drawn(single()))
    assert set(found) == {
        "a, stage 0: forward of microbatch 0, 0.00 s to 10 ms, 10 ms",
        "a, stage 0: loss of microbatch 0, 22 ms to 22 ms, 0.00 s",
        "a, stage 0: backward of microbatch 0, 44 ms to 64 ms, 20 ms",
        "b, stage 1: forward of microbatch 0, 11 ms to 21 ms, 10 ms",
        "b, stage 1: backward of microbatch 0, 23 ms to 43 ms, 20 ms",
    }
    left, width, color = found["a, stage 0: forward of microbatch 0, 0.00 s to 10 ms, 10 ms"]
    other, twice, _ = found["a, stage 0: backward of microbatch 0, 44 ms to 64 ms, 20 ms"]
    assert width == pytest.approx(1100 * 10 / 64, abs=0.01)
    assert twice == pytest.approx(2 * width, abs=0.02)
    assert other - left == pytest.approx(1100 * 44 / 64, abs=0.02)
    assert color == KINDS["F"]


def test_every_action_has_its_bar() -> None:
    document = solved_document("geo-20")
    found = bars(drawn(open_schedule(Schedule(document))))
    for letter, name in (("F", "forward"), ("L", "loss"), ("B", "backward")):
        rows = [row for rows in document["actions"].values() for row in rows if row["op"] == letter]
        assert sum(f": {name} of " in title for title in found) == len(rows) > 0
    assert sum(": overhead, " in title for title in found) == 270 - 20


def test_the_allreduce_is_on_every_node_of_its_stage() -> None:
    found = [title for title in bars(drawn(averaged())) if "all-reduce" in title]
    assert found == [f"{node}, stage 1: all-reduce, 43 ms to 44.2 ms, 1.2 ms" for node in "cd"]


def test_a_part_is_cut_and_its_titles_are_not() -> None:
    """From 5 to 15 ms: of the forward of a the second half, which is half the plot."""
    found = bars(drawn(single(), View(5_000, 15_000)))
    left, width, _ = found["a, stage 0: forward of microbatch 0, 0.00 s to 10 ms, 10 ms"]
    assert width == pytest.approx(550)
    assert len(found) == 2
    assert found["b, stage 1: forward of microbatch 0, 11 ms to 21 ms, 10 ms"][0] == pytest.approx(left + 660)


def test_microbatches_by_colour_and_letter() -> None:
    opened = averaged()
    root = drawn(opened, View(0, 64_000, microbatches=frozenset([1])), "microbatch")
    faint = [rect for rect in root.iter(f"{SPACE}rect") if rect.get("class") == "faint"]
    assert not faint  # it is alone on its nodes
    assert {color for title, (_, _, color) in bars(root).items() if "microbatch 1" in title} == {
        MICROBATCHES[1]
    }
    labels = {text.text for text in root.iter(f"{SPACE}text") if text.get("class") == "bar"}
    assert labels == {"F1", "B1"}


def test_others_are_faint() -> None:
    opened = open_schedule(Schedule(solved_document("small-8")))
    first, last = 0, opened.scheduled.objective.iteration_time
    root = drawn(opened, View(first, last, microbatches=frozenset([0])))
    for rect in root.iter(f"{SPACE}rect"):
        title = rect.findtext(f"{SPACE}title", "")
        if "of microbatch" in title:
            assert (rect.get("class") == "faint") == ("of microbatch 0," not in title)


def test_names_are_escaped() -> None:
    root = drawn(hostile())
    titles = {element.text for element in root.iter(f"{SPACE}title")}
    assert set(HOSTILE) <= titles
    assert any("</title><i>&日本語" in (title or "") for title in titles)
    assert not list(root.iter(f"{SPACE}i")) and not list(root.iter(f"{SPACE}b"))
