"""Several generations of GPUs in a few data centres, their memory in bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from skipsched.generate import figures, language_models, places
from skipsched.generate.draft import Draft, Entry, Group, Row
from skipsched.generate.draw import Draw
from skipsched.generate.places import Place
from skipsched.generate.sizes import Shape


class _Card(NamedTuple):
    name: str
    peak: float


#: Memory in GiB, the share of the nodes that have as much, and cards with their published dense 16-bit peaks
#: in TFLOP/s.
_CARDS: tuple[tuple[int, float, tuple[_Card, ...]], ...] = (
    (80, 0.10, (_Card("H100", 989), _Card("A100-80", 312))),
    (48, 0.15, (_Card("L40S", 362), _Card("A40", 150))),
    (40, 0.10, (_Card("A100-40", 312),)),
    (24, 0.40, (_Card("RTX 4090", 165), _Card("RTX 3090", 71), _Card("A10", 125))),
    (16, 0.25, (_Card("V100", 125), _Card("T4", 65))),
)
#: With six layers a stage and six samples a microbatch, cards of 16 GiB hold one microbatch on any stage but
#: the first, which they do not hold at all, and cards of 80 GiB hold seven.
_LAYERS = 6
_SAMPLES = 6
_MODEL = replace(language_models.NARROW, sequence_length=4096)


def draft(nodes: int, draw: Draw) -> Draft:
    """Draw data centres, which cards stand where, and the links.

    Parameters
    ----------
    nodes
        How many nodes.
    draw
        Makes the choices.
    """
    shape = Shape.of(nodes, "1/4")
    sites = draw.some(places.DATA_CENTRES, min(8, nodes.bit_length() - 2))
    groups: list[Group] = []
    used: set[_Card] = set()
    for site, memories in zip(sites, draw.spread(_memories(nodes), len(sites)), strict=True):
        for memory, _, cards in _CARDS:
            if memory in memories:
                card = draw.one_of(cards)
                used.add(card)
                groups.append(_group(site, card, memory, memories.count(memory)))
    return Draft(
        comment=_comment(nodes, sites, [card for *_, cards in _CARDS for card in cards if card in used]),
        groups=groups,
        rows=_rows(sites, draw),
        overhead="2 ms",
        workload=language_models.workload(
            _MODEL,
            shape,
            Entry("data_nodes", shape.data_nodes),
            _model(),
            layers=_LAYERS,
            samples=_SAMPLES,
            action_overhead="5 ms",
            gradient_bits=16,
        ),
        shape=shape,
    )


def _memories(nodes: int) -> list[int]:
    """The memory of each node in GiB, in shares as they are meant: the first stage always has its holders."""
    until = 0.0
    memories: list[int] = []
    for memory, share, _ in _CARDS:
        until += share
        memories += [memory] * (round(until * nodes) - len(memories))
    return memories


def _group(site: Place, card: _Card, memory: int, count: int) -> Group:
    name = f"{site.name}-{card.name}-".lower().replace(" ", "")
    time = language_models.layer_time(_MODEL, card.peak)
    return Group(name, count, site.name, time, f"{memory} GiB", card.name)


def _rows(sites: Sequence[Place], draw: Draw) -> list[Row]:
    rows = [
        Row(
            site.name,
            site.name,
            draw.one_of(("20 us", "50 us", "100 us")),
            f"{draw.one_of((10, 25, 50))} Gbit/s",
        )
        for site in sites
    ]
    for index, here in enumerate(sites):
        for there in sites[index + 1 :]:
            latency = figures.time(places.latency(here, there))
            rows.append(Row(here.name, there.name, latency, figures.rate(draw.log_between(1_000, 10_000))))
    return rows


def _comment(nodes: int, sites: Sequence[Place], cards: Sequence[_Card]) -> list[str]:
    return [
        f"{nodes} GPUs of several generations in {len(sites)} data centres, memory in bytes: cards of 16 GiB "
        "cannot hold the first stage, which carries embedding and head, and hold one microbatch on any "
        "other. How many nodes a stage gets is free.",
        f"Figures: {language_models.source_of_times(_MODEL, cards)} Gradients are 2 bytes a parameter. "
        f"Latency between data centres is that of {places.LIGHT}; bandwidths are drawn, between 1 and 10 "
        "Gbit/s there.",
    ]


def _model() -> Entry:
    """The model itself, from which memory and activations follow."""
    return Entry(
        "model",
        f"{{hidden_size: {_MODEL.hidden_size}, ffn_size: {_MODEL.ffn_size}, vocab_size: {_MODEL.vocab_size}, "
        f"sequence_length: {_MODEL.sequence_length}, dtype: bfloat16}}",
    )
