"""The page's parts, put together."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

from skipsched.opened import Opened
from skipsched.render.chart import View
from skipsched.render.colors import ColorBy
from skipsched.render.page.content import content_of

#: The parts of the script, in an order in which each needs only those before it.
_SCRIPTS = (
    "words.js",
    "schedule.js",
    "state.js",
    "canvas.js",
    "gantt.js",
    "slots.js",
    "network.js",
    "tables.js",
    "details.js",
    "main.js",
)


def page(opened: Opened, view: View, color_by: ColorBy = "kind", lower_bound: int | None = None) -> str:
    """The page of a schedule.

    Its only script is the program's own, which the page's policy names by its hash; the schedule is data.

    Parameters
    ----------
    view
        What it shows first.
    color_by
        What colours tell apart at first.
    lower_bound
        Microseconds; None if there is none.
    """
    folder = files("skipsched.render.page")
    script = "\n".join((folder / name).read_text("utf-8") for name in _SCRIPTS)
    script = f'"use strict";\n(() => {{\n{script}}})();\n'
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_hash(script)}'"
    parts = {
        "policy": escape(policy),
        "title": escape(f"skipsched show: {opened.instance.name}"),
        "style": (folder / "style.css").read_text("utf-8"),
        "script": script,
        "data": _embedded(content_of(opened, view, color_by, lower_bound)),
    }
    # Cut where the parts go, rather than replaced one by one: no part is looked through for the others.
    pieces = (folder / "page.html").read_text("utf-8").split("%%")
    return "".join(parts[piece] if place % 2 else piece for place, piece in enumerate(pieces))


def _embedded(content: dict[str, Any]) -> str:
    """JSON that no name in it can end the element of: what means anything in HTML is written as an escape."""
    text = json.dumps(content, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _hash(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode()
