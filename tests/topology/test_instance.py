"""The integer tables of an instance against fractions computed here, from the figures that made the text."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor

from hypothesis import given, settings
from hypothesis import strategies as st
from topology_cases import HARBOUR

from skipsched.instance import NO_LINK, Instance, rounded
from skipsched.topology.load import load_document, load_topology

TIME_UNITS = {"us": Fraction(1, 10**6), "ms": Fraction(1, 1000), "s": Fraction(1)}
SHORT_UNITS = {"us": Fraction(1, 10**6), "ms": Fraction(1, 1000)}
SIZE_UNITS = {"B": Fraction(1), "kB": Fraction(1000), "KiB": Fraction(1024)}
RATE_UNITS = {"kB/s": Fraction(1000), "MiB/s": Fraction(1024**2), "Mbit/s": Fraction(10**6, 8)}


@dataclass(frozen=True)
class Figure:
    """A figure as its text and as the number it means."""

    text: str
    value: Fraction


def figures(units: dict[str, Fraction], least: int = 0, decimals: int = 7) -> st.SearchStrategy[Figure]:
    def figure(digits: int, decimals: int, unit: str) -> Figure:
        text = str(digits).rjust(decimals + 1, "0")
        text = f"{text[: len(text) - decimals]}.{text[len(text) - decimals :]}" if decimals else text
        return Figure(f"{text} {unit}", Fraction(digits, 10**decimals) * units[unit])

    return st.builds(
        figure, st.integers(least, 10**5), st.integers(0, decimals), st.sampled_from(sorted(units))
    )


@dataclass(frozen=True)
class Case:
    text: str
    locations: list[str]
    times: list[Figure]
    by_layer: list[bool]
    layers: list[int]
    samples: int
    slots: list[int]
    activation: Figure
    gradients: list[Figure]
    backward: Fraction
    loss: Fraction
    action_overhead: Figure
    overhead: Figure
    default: tuple[Figure, Figure] | None
    rows: dict[tuple[str, str], tuple[Figure, Figure]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    stages = draw(st.integers(2, 4))
    nodes = draw(st.integers(stages, 7))
    each = st.lists
    link = st.tuples(figures(TIME_UNITS), figures(RATE_UNITS, least=1000, decimals=3))
    locations = draw(each(st.sampled_from(["P", "Q", ""]), min_size=nodes, max_size=nodes))
    ends = [f"n{i}" for i in range(nodes)] + sorted({place for place in locations if place})
    pairs = st.tuples(st.sampled_from(ends), st.sampled_from(ends))
    times = draw(each(figures(SHORT_UNITS, least=1), min_size=nodes, max_size=nodes))
    by_layer = draw(each(st.booleans(), min_size=nodes, max_size=nodes))
    slots = draw(each(st.integers(1, 9), min_size=nodes, max_size=nodes))
    layers = draw(each(st.integers(1, 5), min_size=stages, max_size=stages))
    samples = draw(st.integers(1, 5))
    activation = draw(figures(SIZE_UNITS, least=1))
    gradients = draw(each(figures(SIZE_UNITS), min_size=stages, max_size=stages))
    backward = Fraction(draw(st.integers(1, 30)), draw(st.integers(1, 9)))
    loss = Fraction(draw(st.integers(0, 30)), draw(st.integers(1, 9)))
    action_overhead, overhead = draw(figures(TIME_UNITS)), draw(figures(TIME_UNITS))
    default = draw(st.none() | link)
    rows = draw(st.dictionaries(pairs, link, max_size=12))

    lines = ["skipsched: 1", "name: generated", "nodes:"]
    for i in range(nodes):
        place = f"location: {locations[i]}, " if locations[i] else ""
        key = "layer_time" if by_layer[i] else "forward_time"
        lines.append(f"  - {{id: n{i}, {place}{key}: {times[i].text}, memory: {slots[i]}}}")
    lines += ["network:", f"  overhead: {overhead.text}"]
    if default is not None:
        lines.append(f"  default: {{latency: {default[0].text}, bandwidth: {default[1].text}}}")
    lines.append("  links:")
    for (a, b), (latency, bandwidth) in rows.items():
        lines.append(f"    - {{from: {a}, to: {b}, latency: {latency.text}, bandwidth: {bandwidth.text}}}")
    lines += [
        "workload:",
        f"  stages: {stages}",
        f"  stage_layers: {layers}",
        f"  data_nodes: {draw(st.integers(1, nodes - stages + 1))}",
        f"  samples_per_microbatch: {samples}",
        "  microbatches: 3",
        f"  activation: {activation.text}",
        f"  gradient: [{', '.join(size.text for size in gradients)}]",
        f"  backward_ratio: {backward.numerator}/{backward.denominator}",
        f"  loss_ratio: {loss.numerator}/{loss.denominator}",
        f"  action_overhead: {action_overhead.text}",
    ]
    return Case(
        text="\n".join(lines) + "\n",
        locations=locations,
        times=times,
        by_layer=by_layer,
        layers=layers,
        samples=samples,
        slots=slots,
        activation=activation,
        gradients=gradients,
        backward=backward,
        loss=loss,
        action_overhead=action_overhead,
        overhead=overhead,
        default=default,
        rows=rows,
    )


def microseconds(seconds: Fraction) -> int:
    return floor(seconds * 10**6 + Fraction(1, 2))


def figures_of(case: Case, a: int, b: int) -> tuple[Fraction, Fraction] | None:
    """Latency and bandwidth of a pair: both nodes, else one node (a first) and a place, else both places."""
    here, there = (f"n{a}", case.locations[a]), (f"n{b}", case.locations[b])
    for ends in ((here[0], there[0]), (here[0], there[1]), (here[1], there[0]), (here[1], there[1])):
        if ends in case.rows:
            return case.rows[ends][0].value, case.rows[ends][1].value
    return None if case.default is None else (case.default[0].value, case.default[1].value)


@settings(max_examples=120, deadline=None)
@given(cases())
def test_tables_are_the_statement_rounded_once(case: Case) -> None:
    topology = load_topology(case.text)
    instance = Instance.of(topology)
    stages, nodes = range(instance.stages), range(instance.nodes)
    for n in nodes:
        factor = [case.layers[k] * case.samples if case.by_layer[n] else 1 for k in stages]
        forward = [case.times[n].value * factor[k] for k in stages]
        assert instance.forward[n] == tuple(microseconds(f) for f in forward)
        assert instance.backward[n] == tuple(microseconds(f * case.backward) for f in forward)
        assert instance.loss[n] == microseconds(forward[0] * case.loss)
        assert instance.slots[n] == (case.slots[n],) * instance.stages
    assert instance.overhead == microseconds(case.action_overhead.value)
    for a in nodes:
        assert instance.transfer[a][a] == 0
        for b in nodes:
            found = figures_of(case, a, b)
            if a == b:
                continue
            if found is None:
                assert instance.transfer[a][b] == NO_LINK
                assert not instance.linked(a, b)
                assert instance.round_trip[a][b] == NO_LINK
                continue
            latency, bandwidth = found
            seconds = case.overhead.value + latency + case.activation.value / bandwidth
            assert instance.transfer[a][b] == microseconds(seconds)
    assert instance.complete == all(figures_of(case, a, b) for a in nodes for b in nodes if a != b)


@settings(max_examples=60, deadline=None)
@given(cases(), st.integers(1, 6))
def test_hops_of_the_all_reduce(case: Case, size: int) -> None:
    instance = Instance.of(load_topology(case.text))
    pairs = [(a, b) for a in range(instance.nodes) for b in range(instance.nodes) if a != b]
    assert instance.allreduce.present == any(gradient.value for gradient in case.gradients)
    for stage, gradient in enumerate(case.gradients):
        expected = []
        for a, b in pairs:
            found = figures_of(case, a, b)
            hop = 0
            if size > 1 and gradient.value > 0:
                hop = NO_LINK
                if found is not None:
                    seconds = 2 * (size - 1) * (found[0] + gradient.value / size / found[1])
                    hop = microseconds(seconds)
            expected.append(hop)
            assert instance.allreduce.hop(stage, size, a, b) == hop
        # The bound is no larger than any hop, and one of them unless there is no link.
        existing = [hop for hop in expected if hop != NO_LINK]
        assert instance.allreduce.cheapest(stage, size) == min(existing, default=0)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_the_document_gives_the_same_tables(case: Case) -> None:
    topology = load_topology(case.text)
    again = load_document(topology.document)
    assert again.sha256 == topology.sha256
    first, second = Instance.of(topology), Instance.of(again)
    assert (first.forward, first.transfer) == (second.forward, second.transfer)


@given(st.fractions(min_value=0, max_value=10**6))
def test_rounding_is_half_up(seconds: Fraction) -> None:
    assert rounded(seconds) == microseconds(seconds)
    assert rounded(Fraction(1, 2 * 10**6)) == 1
    assert rounded(Fraction(1, 2 * 10**6) - Fraction(1, 10**12)) == 0


def test_sizes_and_graph() -> None:
    free = HARBOUR.replace("stage_sizes: [2, 2, 2, 2]", "data_nodes: 3")
    instance = Instance.of(load_topology(free))
    assert instance.min_sizes == (3, 1, 1, 1)
    # Eight nodes less three data nodes leave five; two of them are the other two stages' least.
    assert instance.max_sizes == (3, 3, 3, 3)
    graph = instance.graph()
    assert graph.number_of_nodes() == 8
    assert graph.number_of_edges() == 28
    assert graph[0][1]["weight"] == instance.round_trip[0][1]


def test_a_location_named_none_is_no_missing_location() -> None:
    text = HARBOUR.replace("location: Oregon", "location: None", 1).replace(
        "id: us1, location: Oregon, ", "id: us1, "
    )
    text = text.replace(
        "  links:\n", "  links:\n    - {between: [None, Tokyo], latency: 9 s, bandwidth: 1 MiB/s}\n"
    )
    instance = Instance.of(load_topology(text))
    nodes = {name: n for n, name in enumerate(instance.node_ids)}
    assert instance.transfer[nodes["us0"]][nodes["jp0"]] == 350_000 + 9_000_000 + 16_000_000
    assert instance.transfer[nodes["us1"]][nodes["jp0"]] == rounded(Fraction("0.351") + Fraction(16, 2048))
