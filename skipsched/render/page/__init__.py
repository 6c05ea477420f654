"""A schedule as a page of its own, to be looked at in a browser: no network, nothing beside it."""

from __future__ import annotations

from skipsched.render.page.page import page

__all__ = ["page"]
