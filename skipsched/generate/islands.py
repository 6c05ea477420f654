"""A few fast islands, joined by slow links."""

from __future__ import annotations

from itertools import combinations

from skipsched.generate import figures, language_models
from skipsched.generate.draft import Draft, Entry, Group, Row
from skipsched.generate.draw import Draw
from skipsched.generate.language_models import WIDE as MODEL
from skipsched.generate.sizes import Shape

_NAMES = ("North", "East", "South", "West", "Centre")
#: Cards and their published dense 16-bit peaks in TFLOP/s.
_CARDS = (("A100", 312.0), ("L40S", 362.0), ("RTX 4090", 165.0), ("V100", 125.0))
_LAYERS = 4
_SAMPLES = 4
_SLOTS = 4
#: Bits that are sent of a value of an activation and of a parameter's gradient.
_ACTIVATION_BITS = 8
_GRADIENT_BITS = 2


def draft(nodes: int, draw: Draw) -> Draft:
    """Draw islands, their cards, and the links between them.

    Parameters
    ----------
    nodes
        How many nodes.
    draw
        Makes the choices.
    """
    shape = Shape.of(nodes, "1/3")
    islands = _NAMES[: draw.whole(2, min(len(_NAMES), nodes // 4))]
    cards = draw.some(_CARDS, draw.whole(1, 2))
    slots = str(shape.slots(_SLOTS))
    groups = []
    for index, members in enumerate(draw.spread(range(nodes), len(islands))):
        island, (card, peak) = islands[index], cards[index % len(cards)]
        time = language_models.layer_time(MODEL, peak)
        groups.append(Group(island.lower(), len(members), island, time, slots, card))
    rows = [Row(island, island, "20 us", f"{draw.one_of((50, 100))} Gbit/s") for island in islands]
    for here, there in combinations(islands, 2):
        latency = figures.time(draw.between(0.02, 0.15))
        rows.append(Row(here, there, latency, figures.rate(draw.log_between(100, 1_000))))
    return Draft(
        comment=_comment(nodes, len(islands), cards),
        groups=groups,
        rows=rows,
        overhead="2 ms",
        workload=language_models.workload(
            MODEL,
            shape,
            Entry("data_nodes", shape.data_nodes),
            language_models.activation(MODEL, _SAMPLES, _ACTIVATION_BITS),
            layers=_LAYERS,
            samples=_SAMPLES,
            action_overhead="5 ms",
            gradient_bits=_GRADIENT_BITS,
        ),
        shape=shape,
    )


def _comment(nodes: int, islands: int, cards: list[tuple[str, float]]) -> list[str]:
    return [
        f"{nodes} nodes on {islands} fast islands joined by slow links: paths that stay at home are quick "
        "but must share the stages evenly, and a stage spread over islands pays for its all-reduce. How many "
        "nodes a stage gets is free.",
        f"Figures: {language_models.source_of_times(MODEL, cards)} Slots and links are made up: 50 or 100 "
        "Gbit/s within an island, 0.1 to 1 Gbit/s and 20 to 150 ms between. Activations are compressed to "
        f"{_ACTIVATION_BITS} bits a value, gradients to {_GRADIENT_BITS} bits a parameter.",
    ]
