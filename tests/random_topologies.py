"""Small random topologies as text, for tests that compare the program with a plain enumeration.

Every feature of the format that bears on feasibility, and some that do not, comes up with a stated share,
chosen independently of the others. Topologies are small enough to enumerate, and never bad input.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

#: How often each feature comes up.
SHARES = {
    "slots-of-1": 0.25,  # every node has one slot (in bytes: just enough for one on some stage)
    "one-node-per-stage": 0.15,  # as many nodes as stages
    "free-sizes": 0.35,  # data_nodes instead of stage_sizes
    "pins": 0.3,  # some nodes pinned, or all
    "tight-swaps": 0.4,  # max_swaps 0..2, max_swap_distance 1..2 instead of the defaults
    "tight-jumps": 0.3,  # max_jump 1..2 instead of the default
    "short-paths": 0.55,  # path_length below the number of stages
    "missing-links": 0.4,  # no default, and some pairs without a row
    "asymmetric-links": 0.3,  # the two directions differ; with missing links, one may be missing alone
    "own-microbatches": 0.3,  # some nodes have a number of their own, 0 included
    "cover": 0.2,
    "path-period": 0.25,  # 1..2
    "even-nodes": 0.25,
    "uneven-stages": 0.25,  # even_stages off
    "memory-in-bytes": 0.15,
    "gradients": 0.25,  # of all stages or of some; with missing links a ring may not exist
    "action-overhead": 0.3,
}
FEATURES = frozenset(SHARES)

MOST_NODES = 6
MOST_STAGES = 4
MOST_DATA_NODES = 3
MOST_MICROBATCHES = 3
#: With missing links, how many of the pairs (or directions) have one all the same.
LINK_SHARE = 0.65

_COMMENT = "# features:"
_LOCATIONS = ("Ayr", "Bonn", "Cork")
# A tiny model: a layer's state is 1,050,624 bytes, embedding and head another 2,049,024. The first list has
# just the room for one microbatch on a later stage of one layer, and on a first stage of one layer.
_MODEL = "{hidden_size: 64, sequence_length: 64, vocab_size: 1000, dtype: float32}"
_TIGHT_BYTES = ("1400 KiB", "3600 KiB")
_ROOMY_BYTES = ("2 MiB", "4 MiB", "8 MiB", "8 MiB")


def draw_features(rng: Random) -> set[str]:
    """Choose each feature by its share, independently."""
    return {feature for feature, share in SHARES.items() if rng.random() < share}


def features_of(text: str) -> set[str]:
    """The features a text of `random_topology` was made with, from its first line."""
    first = text.partition("\n")[0]
    assert first.startswith(_COMMENT)
    return set(first.removeprefix(_COMMENT).split())


def random_topology(rng: Random, features: set[str] | None = None) -> str:
    """Write a small random topology.

    Parameters
    ----------
    rng
        The source of chance.
    features
        The features it shall have; drawn by `SHARES` if None.

    Returns
    -------
    str
        YAML text. Its first line names the features.
    """
    chosen = draw_features(rng) if features is None else features
    assert chosen <= FEATURES, chosen - FEATURES
    shape = _shape(rng, chosen)
    return "\n".join(
        [
            " ".join([_COMMENT, *sorted(chosen)]),
            "skipsched: 1",
            f"name: random-{shape.nodes}",
            "nodes:",
            *_nodes(rng, chosen, shape),
            "network:",
            *_network(rng, chosen, shape),
            "workload:",
            *_workload(rng, chosen, shape),
            "rules:",
            *_rules(rng, chosen, shape),
            "",
        ]
    )


@dataclass(frozen=True, slots=True)
class _Shape:
    """The bones of a topology: how many nodes each stage has in an allocation that sizes and pins allow."""

    sizes: tuple[int, ...]
    locations: tuple[str, ...]

    @property
    def nodes(self) -> int:
        return sum(self.sizes)

    @property
    def stages(self) -> int:
        return len(self.sizes)

    @property
    def ids(self) -> list[str]:
        return [f"n{i}" for i in range(self.nodes)]


def _shape(rng: Random, features: set[str]) -> _Shape:
    # Skipping needs a stage to skip, and three nodes with one each need three stages.
    least = 3 if features & {"short-paths", "one-node-per-stage"} else 2
    # The larger of two draws: with two stages most rules have nothing to say.
    stages = max(rng.randint(least, MOST_STAGES) for _ in range(2))
    nodes = stages if "one-node-per-stage" in features else rng.randint(max(3, stages), MOST_NODES)
    data_nodes = rng.randint(1, min(MOST_DATA_NODES, nodes - stages + 1))
    sizes = [data_nodes] + [1] * (stages - 1)
    for _ in range(nodes - sum(sizes)):
        sizes[rng.randrange(1, stages)] += 1
    locations = tuple(rng.choice(_LOCATIONS) for _ in range(nodes))
    return _Shape(tuple(sizes), locations)


def _nodes(rng: Random, features: set[str], shape: _Shape) -> list[str]:
    pins = _pins(rng, features, shape)
    own = _own_microbatches(rng, features, shape)
    by_layer = "memory-in-bytes" in features or rng.random() < 0.5
    rows = []
    for index, node_id in enumerate(shape.ids):
        time = f"{rng.randrange(10, 100, 5)} ms"
        fields = [f"id: {node_id}", f"location: {shape.locations[index]}"]
        fields.append(f"layer_time: {time}" if by_layer else f"forward_time: {time}")
        fields.append(f"memory: {_memory(rng, features)}")
        if index in pins:
            fields.append(f"stage: {pins[index]}")
        if index in own:
            fields.append(f"microbatches: {own[index]}")
        rows.append(f"  - {{{', '.join(fields)}}}")
    return rows


def _pins(rng: Random, features: set[str], shape: _Shape) -> dict[int, int]:
    """Pins taken from one allocation, so that they never ask for more than the sizes give."""
    if "pins" not in features:
        return {}
    allocation = [stage for stage, size in enumerate(shape.sizes) for _ in range(size)]
    rng.shuffle(allocation)
    pinned = rng.sample(range(shape.nodes), rng.randint(1, shape.nodes))
    return {node: allocation[node] for node in sorted(pinned)}


def _own_microbatches(rng: Random, features: set[str], shape: _Shape) -> dict[int, int]:
    """Numbers of single nodes; fewer zeros than data nodes, so that some data node always emits."""
    if "own-microbatches" not in features:
        return {}
    zeros = shape.sizes[0] - 1
    own: dict[int, int] = {}
    for node in rng.sample(range(shape.nodes), rng.randint(1, shape.nodes)):
        own[node] = rng.randint(0 if zeros else 1, MOST_MICROBATCHES)
        zeros -= own[node] == 0
    return own


def _memory(rng: Random, features: set[str]) -> str:
    if "memory-in-bytes" in features:
        return rng.choice(_TIGHT_BYTES if "slots-of-1" in features else _ROOMY_BYTES)
    return "1" if "slots-of-1" in features else str(rng.randint(1, 3))


def _network(rng: Random, features: set[str], shape: _Shape) -> list[str]:
    rows = [f"  overhead: {rng.choice((0, 5, 20))} ms"]
    if "missing-links" in features:
        ends = shape.ids
    else:
        rows.append(f"  default: {{{_figures(rng)}}}")
        ends = sorted(set(shape.locations))
    rows.append("  links:")
    links = _links(rng, features, ends, LINK_SHARE if "missing-links" in features else 0.5)
    return rows + (links or ["    []"])


def _links(rng: Random, features: set[str], ends: list[str], share: float) -> list[str]:
    """Rows between some of the ends: both directions at once, or each on its own where they may differ."""
    rows = []
    for index, a in enumerate(ends):
        for b in ends[index + 1 :]:
            if "asymmetric-links" not in features:
                directions = [f"between: [{a}, {b}]"]
            else:
                directions = [f"from: {a}, to: {b}", f"from: {b}, to: {a}"]
                rng.shuffle(directions)
            # One draw a pair, so that asymmetry takes no more paths away than symmetry does; a direction left
            # alone may still serve a ring.
            if rng.random() >= share:
                directions = directions[1:] if rng.random() < 0.5 else []
            rows += [f"    - {{{direction}, {_figures(rng)}}}" for direction in directions]
    return rows


def _figures(rng: Random) -> str:
    return f"latency: {rng.choice((1, 5, 20, 80))} ms, bandwidth: {rng.choice((10, 50, 200, 1000))} Mbit/s"


def _workload(rng: Random, features: set[str], shape: _Shape) -> list[str]:
    layers = [rng.choice((1, 1, 2)) for _ in range(shape.stages)]
    rows = [
        f"stages: {shape.stages}",
        f"stage_layers: {layers}",
        "samples_per_microbatch: 1",
        f"microbatches: {rng.randint(1, MOST_MICROBATCHES)}",
    ]
    if "free-sizes" in features:
        rows.append(f"data_nodes: {shape.sizes[0]}")
    else:
        rows.append(f"stage_sizes: {list(shape.sizes)}")
    if "memory-in-bytes" in features:
        rows.append(f"model: {_MODEL}")
    else:
        rows.append(f"activation: {rng.choice((1, 2, 4))} MiB")
    if rng.random() < 0.5:
        rows += [f"backward_ratio: {rng.choice(('1', '1.5'))}", "loss_ratio: 0.25"]
    if "action-overhead" in features:
        rows.append(f"action_overhead: {rng.choice((1, 10))} ms")
    if "gradients" in features:
        rows.append(f"gradient: {_gradient(rng, shape)}")
    return [f"  {row}" for row in rows]


def _gradient(rng: Random, shape: _Shape) -> str:
    if rng.random() < 0.5:
        return "8 MiB"
    sizes = ["8 MiB"] + [rng.choice(("0 B", "8 MiB")) for _ in range(shape.stages - 1)]
    rng.shuffle(sizes)
    return f"[{', '.join(sizes)}]"


def _rules(rng: Random, features: set[str], shape: _Shape) -> list[str]:
    short = "short-paths" in features
    rows = [f"path_length: {rng.randint(2, shape.stages - 1) if short else shape.stages}"]
    if "tight-swaps" in features:
        rows += [f"max_swaps: {rng.choice((0, 0, 1, 2))}", f"max_swap_distance: {rng.randint(1, 2)}"]
    if "tight-jumps" in features:
        rows.append(f"max_jump: {rng.randint(1, 2)}")
    if "uneven-stages" in features:
        rows.append("even_stages: false")
    rows += [f"{key}: true" for key in ("even_nodes", "cover") if key.replace("_", "-") in features]
    if "path-period" in features:
        rows.append(f"path_period: {rng.randint(1, 2)}")
    return [f"  {row}" for row in rows]
