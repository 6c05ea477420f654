"""What the published program of SkipPipe gives for geo-20: arrangement, collision-aware paths, times."""

from __future__ import annotations

import skipsched
from skipsched.instance import Instance
from skipsched.plan import Routes

#: Stages 0 to 5 by node number.
ARRANGEMENT = ("0 6 13 18 19", "10 8 11", "17 16 1", "3 5 2", "14 15 9", "4 7 12")
#: Paths by data node and slot; both waves take them.
PATHS = {
    0: "8-14-12 10-9-12 10-9-12",
    6: "17-14-3 17-10-5 1-11-4",
    13: "5-9-7 17-2-15 2-16-4",
    18: "1-15-3 11-15-4 1-11-4",
    19: "8-14-3 16-8-5 2-16-7",
}
#: Its iteration times in microseconds.
FULL_PIPELINE = 165_390_000
WITHOUT_COLLISION_AWARENESS = 79_890_000
COLLISION_AWARE = 77_720_000


def geo_20() -> Instance:
    """The shipped instance."""
    return Instance.of(skipsched.load_topology("geo-20"))


def allocation() -> tuple[int, ...]:
    """The stage of each node."""
    stage_of = {int(node): stage for stage, nodes in enumerate(ARRANGEMENT) for node in nodes.split()}
    return tuple(stage_of[node] for node in range(len(stage_of)))


def collision_aware() -> Routes:
    """The paths of all 30 microbatches."""
    paths: list[tuple[int, ...]] = []
    for data_node, text in PATHS.items():
        paths += [(data_node, *map(int, path.split("-"))) for path in text.split()] * 2
    return Routes(allocation(), tuple(paths))
