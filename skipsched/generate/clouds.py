"""Nodes of one speed in cloud regions, joined by links as they were measured.

The figures in ``cloud_links.csv`` were measured between twelve regions and published by the authors of
SkipPipe (arXiv 2502.19913, code gensyn-ai/skippipe); the file holds them as published.
"""

from __future__ import annotations

import csv
from decimal import Decimal
from importlib import resources

from skipsched.generate import figures
from skipsched.generate.draft import Draft, Entry, Group, Row
from skipsched.generate.draw import Draw
from skipsched.generate.sizes import Shape

#: A pair whose bandwidth the source gives in a unit 1024 times too large.
_SLIP = {"NL", "London"}
_LAYERS = 4
_SLOTS = 3


def draft(nodes: int, draw: Draw) -> Draft:
    """Draw regions, who is where, and how fast a node is.

    Parameters
    ----------
    nodes
        How many nodes.
    draw
        Makes the choices.
    """
    shape = Shape.of(nodes, "1/3")
    links = _published_links()
    every = list(dict.fromkeys(row.source for row in links) | {row.target: None for row in links})
    regions = draw.some(every, min(len(every), 2 + nodes // 4))
    layer_time = figures.time(draw.between(0.045, 0.065))
    groups = [
        Group(region.lower(), len(here), region, layer_time, str(shape.slots(_SLOTS)))
        for region, here in zip(regions, draw.spread(range(nodes), len(regions)), strict=True)
    ]
    return Draft(
        comment=_comment(shape, regions),
        groups=groups,
        rows=[row for row in links if {row.source, row.target} <= set(regions)],
        overhead="350 ms",
        default=("1 ms", "2 GiB/s"),
        workload=_workload(shape),
        shape=shape,
    )


def _published_links() -> list[Row]:
    """The measured links, GiB/s there written as exact MiB/s."""
    text = (resources.files(__package__) / "cloud_links.csv").read_text(encoding="utf-8")
    rows = []
    for record in csv.DictReader(text.splitlines()):
        ends = record["location_a"], record["location_b"]
        bandwidth = Decimal(record["bandwidth_gib_per_s"]) * 1024 * (1024 if set(ends) == _SLIP else 1)
        rows.append(Row(*ends, f"{record['latency_ms']} ms", f"{bandwidth.normalize():f} MiB/s"))
    return rows


def _comment(shape: Shape, regions: list[str]) -> list[str]:
    about = (
        f"{shape.nodes} equal nodes at random in {len(regions)} cloud regions: what distance costs, and what "
        "is gained by giving badly connected nodes less to do."
    )
    source = (
        "Figures: latency and bandwidth between the regions as measured and published by the authors of "
        "SkipPipe (arXiv 2502.19913, code gensyn-ai/skippipe), GiB/s there written here as exact MiB/s."
    )
    if set(regions) >= _SLIP:
        source += (
            " The pair NL-London, plainly a slip of units in the source, is corrected by the factor 1024, to "
            "what its neighbours have."
        )
    source += (
        " Overheads, sizes and rules are those of the set-up published there (geo-20), and so is the time of "
        "a layer, about: 55 ms there."
    )
    return [about, source]


def _workload(shape: Shape) -> list[Entry]:
    return [
        Entry("stages", shape.stages),
        Entry("layers", _LAYERS * shape.stages),
        Entry("stage_sizes", list(shape.stage_sizes)),
        Entry("samples_per_microbatch", 8),
        Entry("microbatches", shape.microbatches, shape.emitted),
        Entry("activation", "32 MiB", "4 x 1024 x 1024 x 8 bytes"),
        Entry("backward_ratio", 1.5),
        Entry("loss_ratio", 0.25),
        Entry("action_overhead", "130 ms"),
    ]
