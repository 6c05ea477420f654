"""The page in a browser: it draws itself, and answers to mouse and keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_cases import CHROMIUM, Browser, browser
from cli_cases import solved_document
from render_cases import HOSTILE, everything, hostile

from skipsched import Schedule
from skipsched.opened import Opened, open_schedule
from skipsched.render.chart import View
from skipsched.render.page import page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on the PATH")

#: How many different colours a canvas shows.
COLORS = """(() => {
  const canvas = document.getElementById(%s);
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return new Set(new Uint32Array(data.buffer)).size;
})()"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("chromium")) as driven:
        yield driven


@pytest.fixture
def chromium(shared: Browser) -> Iterator[Browser]:
    """A browser whose pages had nothing to complain of."""
    yield shared
    complaints, shared.complaints = shared.complaints, []
    assert complaints == []


def geo() -> Opened:
    return open_schedule(Schedule(solved_document("geo-20")))


def show(chromium: Browser, folder: Path, opened: Opened, view: View | None = None, **size: Any) -> None:
    file = folder / "page.html"
    file.write_text(page(opened, view or everything(opened)), encoding="utf-8")
    chromium.open(file, **size)


def place(chromium: Browser, selector: str = "#gantt") -> dict[str, float]:
    """Where an element is."""
    box = f"JSON.stringify(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
    found: dict[str, float] = json.loads(chromium.evaluate(box))
    return found


def pointed(chromium: Browser, x: float, y: float) -> str:
    """What is said of what is under the mouse; empty if nothing is."""
    chromium.mouse("mouseMoved", x, y)
    hidden = chromium.evaluate("document.getElementById('tip').hidden")
    return "" if hidden else chromium.text("#tip").replace("\n\n", "\n")


def found_bar(chromium: Browser, what: str) -> tuple[float, float]:
    """A place in the chart of which something is said; the first row is looked through."""
    box = place(chromium)
    y = box["top"] + 33
    for step in range(0, int(box["width"]), 11):
        if what in pointed(chromium, box["left"] + step, y):
            return box["left"] + step + 2, y
    raise AssertionError(f"nothing is called {what}")


@pytest.mark.parametrize("dark", [False, True])
def test_it_draws_itself(chromium: Browser, tmp_path: Path, dark: bool) -> None:
    show(chromium, tmp_path, geo(), dark=dark)
    for canvas in ("gantt", "slots", "network"):
        assert chromium.evaluate(COLORS % json.dumps(canvas)) > 5
    ground = chromium.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(18, 22, 28)" if dark else "rgb(255, 255, 255)")
    # Nothing is wider than the window.
    assert not chromium.evaluate("document.documentElement.scrollWidth > innerWidth")


def test_a_window_made_small(chromium: Browser, tmp_path: Path) -> None:
    show(chromium, tmp_path, geo())
    chromium.resize(420, 700)
    assert not chromium.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert chromium.evaluate(COLORS % json.dumps("gantt")) > 5


def test_the_tables_are_those_of_the_schedule(chromium: Browser, tmp_path: Path) -> None:
    opened = geo()
    show(chromium, tmp_path, opened)
    rows = "document.querySelectorAll('#%s tbody tr').length"
    used = {
        (a, b)
        for path in opened.scheduled.plan.routes.paths
        for a, b in zip(path, [*path[1:], path[0]], strict=True)
    }
    assert chromium.evaluate(rows % "nodes") == 20
    assert chromium.evaluate(rows % "links") == len(used | {(b, a) for a, b in used})
    time = opened.scheduled.objective.iteration_time / 1e6
    assert chromium.text("#figures div").split("\n") == ["iteration time", f"{time:.2f} s"]
    # A click on a head sorts, another one turns the order round.
    each = (
        "[...document.querySelectorAll('#links tbody tr')].map(row => parseFloat(row.cells[2].textContent))"
    )
    head = "document.querySelectorAll('#links th button')[2].click()"
    chromium.evaluate(head)
    down = chromium.evaluate(each)
    chromium.evaluate(head)
    assert down == sorted(down, reverse=True)
    assert chromium.evaluate(each) == sorted(down)


def test_hovering_says_what_a_bar_is(chromium: Browser, tmp_path: Path) -> None:
    opened = geo()
    show(chromium, tmp_path, opened)
    node = opened.instance.node_ids[opened.scheduled.plan.routes.members(6)[0][0]]
    x, y = found_bar(chromium, "forward of microbatch 0")
    said = pointed(chromium, x, y).splitlines()
    assert said[0].startswith(f"forward of microbatch 0 on {node} (stage 0, ")
    assert said[1] == "0.00 s to 1.76 s, 1.76 s"
    assert said[2] == "started as the iteration began"
    assert said[3].startswith("its output goes to n")
    chromium.mouse("mouseMoved", 5, 5)
    assert chromium.evaluate("document.getElementById('tip').hidden")


def test_a_click_follows_the_microbatch_everywhere(chromium: Browser, tmp_path: Path) -> None:
    opened = geo()
    show(chromium, tmp_path, opened)
    network = "document.getElementById('network').toDataURL()"
    before = chromium.evaluate(network)
    chromium.click(*found_bar(chromium, "forward of microbatch 1 "))
    assert chromium.evaluate("document.getElementById('microbatch').value") == "1"
    walk = chromium.evaluate(
        "[...document.querySelectorAll('#walk tbody tr')].map(row => row.cells[1].textContent)"
    )
    path = [opened.instance.node_ids[node] for node in opened.scheduled.plan.routes.paths[1]]
    assert walk == [*path, path[0], *path[::-1]]
    assert chromium.evaluate("document.querySelectorAll('#links tr.chosen').length") == 2 * len(path)
    assert chromium.text("#details").startswith("forward of microbatch 1 on ")
    assert chromium.evaluate(network) != before
    chromium.press("Escape")
    assert chromium.evaluate("document.querySelectorAll('#walk tbody tr').length") == 0


def test_wheel_and_dragging(chromium: Browser, tmp_path: Path) -> None:
    """Zoomed around a bar it stays under the pointer; dragged, it goes along; a button undoes both."""
    show(chromium, tmp_path, geo())
    x, y = found_bar(chromium, "forward of microbatch 1 ")
    said = pointed(chromium, x, y)
    for _ in range(4):
        chromium.mouse("mouseWheel", x, y, deltaX=0, deltaY=-400)
    assert pointed(chromium, x, y) == said
    box = place(chromium)
    chromium.mouse("mouseMoved", x, y)
    chromium.mouse("mousePressed", x, y, button="left", clickCount=1)
    chromium.mouse("mouseMoved", x + 60, y, button="left", buttons=1)
    chromium.mouse("mouseReleased", x + 60, y, button="left", clickCount=1)
    assert pointed(chromium, x + 60, y) == said
    # Dragging is no click.
    assert chromium.evaluate("document.getElementById('microbatch').value") == ""
    chromium.evaluate("document.getElementById('fit').click()")
    chromium.settle()
    assert place(chromium) == box
    assert pointed(chromium, x, y) == said


def test_the_critical_path_leads_through_the_chart(chromium: Browser, tmp_path: Path) -> None:
    opened = geo()
    show(chromium, tmp_path, opened)
    ends = "[...document.querySelectorAll('#critical tbody tr')].map(row => row.cells[4].textContent)"
    assert chromium.evaluate(ends)[0] == "0.00 s"
    steps = len(chromium.evaluate(ends))
    chromium.evaluate("document.querySelector('#critical tbody tr:last-child button').click()")
    chromium.settle()
    assert chromium.evaluate("document.querySelectorAll('#critical tr.chosen').length") == 1
    assert chromium.evaluate("document.getElementById('show-critical').checked")
    assert chromium.text("#details").startswith("backward of microbatch ")
    assert chromium.text("#critical-says").startswith(f"{steps} steps ")


def test_keys(chromium: Browser, tmp_path: Path) -> None:
    opened = geo()
    show(chromium, tmp_path, opened)
    ids, order = opened.instance.node_ids, opened.scheduled.plan.order
    by_stage = [node for members in opened.scheduled.plan.routes.members(6) for node in members]
    chromium.evaluate("document.getElementById('gantt').focus()")
    chromium.press("ArrowDown")
    assert chromium.text("#details").startswith(f"{ids[by_stage[1]]} (stage ")
    for number in range(2):
        chromium.press("ArrowRight")
        action = order[by_stage[1]][number]
        assert f"microbatch {action // 9} on {ids[by_stage[1]]} " in chromium.text("#details").splitlines()[0]
    chromium.press("Enter")
    assert chromium.evaluate("document.querySelectorAll('#walk tbody tr').length") == 9
    chromium.press("c")
    assert chromium.evaluate("document.getElementById('show-critical').checked")
    chromium.press("Escape")
    assert not chromium.evaluate("document.getElementById('show-critical').checked")


def test_what_was_asked_for_is_shown_first(chromium: Browser, tmp_path: Path) -> None:
    view = View(5_000_000, 15_000_000, frozenset([3, 4]), frozenset([2]))
    show(chromium, tmp_path, geo(), view)
    assert chromium.evaluate("document.getElementById('microbatch').value") == "2"
    box = place(chromium)
    assert box["height"] < 100
    shown = {pointed(chromium, box["left"] + 70, box["top"] + y).split(" ")[0] for y in (33, 50)}
    assert shown == {"n3", "n4"}
    chromium.evaluate("document.getElementById('every-node').click()")
    chromium.settle()
    assert place(chromium)["height"] > 200


def test_names_are_shown_as_they_are(chromium: Browser, tmp_path: Path) -> None:
    show(chromium, tmp_path, hostile())
    assert chromium.text("#name") == "</title><i>&日本語"
    names = chromium.evaluate(
        "[...document.querySelectorAll('#nodes tbody button')].map(cell => cell.textContent)"
    )
    assert sorted(names) == sorted(HOSTILE)
    assert chromium.evaluate("document.querySelectorAll('b, i:not(.key i)').length") == 0


def test_rows_that_do_not_fit_scroll(chromium: Browser, tmp_path: Path) -> None:
    """Made taller, twenty rows do not fit; the last one comes into view when it is chosen."""
    show(chromium, tmp_path, geo())
    for _ in range(3):
        chromium.evaluate("document.getElementById('taller').click()")
        chromium.settle()
    hidden = (
        "(box => box.scrollHeight - box.clientHeight - box.scrollTop)(document.getElementById('gantt-box'))"
    )
    assert chromium.evaluate(hidden) > 100
    chromium.evaluate("document.querySelector('#nodes tbody tr:last-child').click()")
    chromium.settle()
    assert chromium.evaluate(hidden) < 2
    name = chromium.evaluate("document.querySelector('#nodes tbody tr:last-child').cells[0].textContent")
    box = place(chromium, "#gantt-box")
    assert pointed(chromium, box["left"] + 70, box["bottom"] - 6).startswith(f"{name} ")
