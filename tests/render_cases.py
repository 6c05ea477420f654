"""Small schedules to draw, whose times are worked out by hand."""

from __future__ import annotations

import json

from check_cases import TINY
from cli_cases import solved_document
from solver_cases import order_of, scheduled, topology

from skipsched import Schedule
from skipsched.instance import Instance
from skipsched.opened import Opened, open_schedule
from skipsched.plan import Actions, Plan, Routes
from skipsched.render.chart import View, whole

#: Names that mean something to HTML, to XML, to JavaScript or to a terminal.
HOSTILE = ("</script><b>%%data%%", "${x}\\ \"&'<!-- 日本")


def planned(
    nodes: str, sizes: str, paths: tuple[tuple[int, ...], ...], *rows: str, workload: str = "microbatches=1"
) -> Opened:
    """A schedule of stages that hold the nodes in turn; a forward takes 10 ms, a transfer 1 ms."""
    loaded = topology(nodes, sizes, workload=workload)
    tables = Instance.of(loaded)
    allocation = tuple(stage for stage, size in enumerate(sizes.split()) for _ in range(int(size)))
    routes = Routes(allocation, paths)
    order = order_of(Actions.of(tables, routes), *rows)
    return Opened(loaded, tables, scheduled(tables, Plan(routes, tuple(map(tuple, order)))))


def single() -> Opened:
    """One microbatch through two stages.

    On a: F 0-10, L at 22, B 44-64. On b: F 11-21, B 23-43.
    """
    return planned("a, b", "1 1", ((0, 1),), "F0 L0 B0", "F0 B0")


def averaged() -> Opened:
    """Two nodes in each stage, two microbatches, and gradients: the longest all-reduce ends at 66 ms.

    Each pair is as in `single`; a and b hold stage 0, c and d stage 1. An all-reduce of 1 kB takes
    ``2 * (0.1 ms + 500 B / (1 MB/s))`` = 1.2 ms, one of 0 B nothing.
    """
    rows = ("F0 L0 B0", "F1 L1 B1", "F0 B0", "F1 B1")
    workload = "microbatches=1, gradient=[0 B, 1 kB], backward_ratio=2"
    return planned("a, b, c, d", "2 2", ((0, 2), (1, 3)), *rows, workload=workload)


def hostile() -> Opened:
    """A schedule whose names are hostile."""
    text = TINY.replace("name: tiny", 'name: "</title><i>&日本語"')
    for plain, name in zip("ab", HOSTILE, strict=True):
        text = text.replace(f"id: {plain},", f"id: {json.dumps(name)}, location: {json.dumps(name + '!')},")
    return open_schedule(Schedule(solved_document(text)))


def everything(opened: Opened) -> View:
    """All there is."""
    return View(*whole(opened))
