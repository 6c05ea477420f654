"""The bench's pictures: drawn for whatever came out, and the same for the same results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from bench_cases import NOTHING, OUTCOME, RUN, results, taking

from skipsched.bench.plots import write_plots
from skipsched.bench.run import Outcome, Run

BOTH = ["incumbents.svg", "profile.svg"]


def drawn(outcomes: dict[Run, Outcome], folder: Path) -> dict[str, str]:
    """The pictures' texts by their names; each is an SVG."""
    paths = write_plots(results(outcomes), folder)
    assert paths == [folder / name for name in BOTH]
    assert sorted(path.name for path in folder.iterdir()) == BOTH
    for path in paths:
        assert ElementTree.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    return {path.name: path.read_text() for path in paths}


def test_the_same_results_give_the_same_bytes_and_others_do_not(tmp_path: Path) -> None:
    first = drawn(taking(1_000_000, 1_100_000), tmp_path / "deep" / "er")
    assert drawn(taking(1_000_000, 1_100_000), tmp_path / "again") == first
    changed = taking(1_000_000, 1_100_000) | {replace(RUN, method="first"): OUTCOME}
    other = drawn(changed, tmp_path / "other")
    assert all(other[name] != first[name] for name in BOTH)


def test_there_is_a_panel_for_each_instance_and_a_legend_for_each_kind(tmp_path: Path) -> None:
    outcomes = {
        replace(RUN, instance=name, sha256=name, method=method): OUTCOME
        for name in ("a", "b", "c", "d", "e")
        for method in ("solve", "first")
    }
    texts = drawn(outcomes, tmp_path)
    # Texts are drawn as curves; what they say stands beside them as a comment.
    assert all(texts["incumbents.svg"].count(f"<!-- {name} -->") == 1 for name in "abcde")
    for text in texts.values():
        assert all(text.count(f"<!-- {kind}, 10 s -->") == 1 for kind in ("solve", "first"))


@pytest.mark.parametrize(
    "outcomes",
    [{}, {RUN: NOTHING}, taking(None, None, 100), taking(0)],
    ids=["no runs", "no schedules", "one schedule", "no time"],
)
def test_whatever_came_out_can_be_drawn(outcomes: dict[Run, Outcome], tmp_path: Path) -> None:
    drawn(outcomes, tmp_path)


def test_a_name_is_no_formula(tmp_path: Path) -> None:
    outcomes = {replace(RUN, instance=name, sha256=name): OUTCOME for name in (r"$\bad$", "<a> & --b--")}
    assert r"$\bad$" in drawn(outcomes, tmp_path)["incumbents.svg"]
