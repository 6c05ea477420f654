"""The colours of bars, readable on light and dark ground and told apart by colour-blind eyes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from skipsched.render.chart import Bar, Kind

ColorBy = Literal["kind", "microbatch"]

KINDS: dict[Kind, str] = {
    "F": "#4a8fd9",
    "L": "#c458a0",
    "B": "#e3a02c",
    "overhead": "#9aa4b1",
    "all-reduce": "#5aa18a",
}
#: Used in turn: neighbouring microbatches differ, distant ones may share a colour.
MICROBATCHES: Sequence[str] = (
    "#4a8fd9",
    "#e3a02c",
    "#5fae5b",
    "#c458a0",
    "#3fb3b8",
    "#d9605a",
    "#8f7bd8",
    "#b3a53a",
    "#7f9bb0",
    "#e08bb4",
    "#2f9e78",
    "#b37a4c",
)


def color_of(bar: Bar, by: ColorBy) -> str:
    """The colour of a bar; overheads and all-reduces keep theirs."""
    if by == "kind" or not bar.is_action or bar.microbatch is None:
        return KINDS[bar.kind]
    return MICROBATCHES[bar.microbatch % len(MICROBATCHES)]
