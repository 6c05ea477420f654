"""Equal nodes in one place."""

from __future__ import annotations

from skipsched.generate import language_models
from skipsched.generate.draft import Draft, Entry, Group, Row
from skipsched.generate.draw import Draw
from skipsched.generate.language_models import NARROW as MODEL
from skipsched.generate.sizes import Shape

#: Cards, their published dense 16-bit peaks in TFLOP/s, and networks that go with them.
_CARDS = (
    ("H100", 989, (("10 us", "50 Gbit/s"), ("10 us", "100 Gbit/s"))),
    ("A100", 312, (("15 us", "25 Gbit/s"), ("10 us", "50 Gbit/s"))),
    ("L40S", 362, (("20 us", "25 Gbit/s"), ("15 us", "50 Gbit/s"))),
    ("V100", 125, (("50 us", "10 Gbit/s"), ("20 us", "25 Gbit/s"))),
)
_LAYERS = 6
_SAMPLES = 4
_PLACE = "Hall"


def draft(nodes: int, draw: Draw) -> Draft:
    """Draw the card and the network.

    Parameters
    ----------
    nodes
        How many nodes.
    draw
        Makes the choices.
    """
    shape = Shape.of(nodes, "1/4")
    card, peak, networks = draw.one_of(_CARDS)
    latency, bandwidth = draw.one_of(networks)
    # Fewer slots than a path has stages: a data node cannot have one microbatch on each of them.
    slots = str(shape.slots(shape.path_length - 1))
    return Draft(
        comment=[
            f"{nodes} equal nodes in one place: only paths and order are left to arrange.",
            f"Figures: {language_models.source_of_times(MODEL, [(card, peak)])} Gradients are 2 bytes a "
            "parameter. Slots and network are made up.",
        ],
        groups=[Group("n", nodes, _PLACE, language_models.layer_time(MODEL, peak), slots, card)],
        rows=[Row(_PLACE, _PLACE, latency, bandwidth)],
        overhead="1 ms",
        workload=language_models.workload(
            MODEL,
            shape,
            Entry("stage_sizes", list(shape.stage_sizes)),
            language_models.activation(MODEL, _SAMPLES, 16),
            layers=_LAYERS,
            samples=_SAMPLES,
            action_overhead="2 ms",
            gradient_bits=16,
        ),
        shape=shape,
    )
