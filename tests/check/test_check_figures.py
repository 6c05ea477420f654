"""Every figure: what the replay gives is accepted, anything else is refused under the figure's own name."""

from fractions import Fraction

import pytest
from check_cases import (
    ENDLESS,
    TINY,
    WIDE,
    WIDE_PATHS,
    WIDE_STAGES,
    Document,
    changed,
    rules,
    schedule,
    tiny,
    violations,
    without,
)

from skipsched.check.figures import _rounds_to

RINGS = WIDE.replace("activation: 1 MB", "activation: 1 MB\n  gradient: 100 MB")


def bounded(bound: int, gap: float | None, kind: str | None = "load") -> Document:
    return tiny() | {"lower_bound": bound, "bound_kind": kind, "gap": gap}


@pytest.mark.parametrize("value", [0, 20_999_999, 21_000_001, pytest.param(ENDLESS, id="endless")])
def test_makespan(value: int) -> None:
    assert rules(changed(tiny(), ["makespan"], value), TINY) == ["makespan"]


@pytest.mark.parametrize("value", [0, 20_999_999, 21_000_001, pytest.param(ENDLESS, id="endless")])
def test_iteration_time(value: int) -> None:
    assert rules(changed(tiny(), ["iteration_time"], value), TINY) == ["objective"]


@pytest.mark.parametrize(
    "value", [0, 1, 0.3213, 0.3215, 0.32142857, -0.3214, pytest.param(ENDLESS, id="endless")]
)
def test_bubble_ratio(value: float) -> None:
    # 1 - 28.5 / 42 = 0.32142857.
    assert rules(changed(tiny(), ["bubble_ratio"], value), TINY) == ["bubble-ratio"]


def test_bounds() -> None:
    assert violations(bounded(0, 1), TINY) == []
    assert violations(bounded(21_000_000, 0), TINY) == []
    assert rules(bounded(21_000_001, 0.0), TINY) == ["bound"]
    assert rules(bounded(-1, 1.0), TINY) == ["bound"]
    assert rules(bounded(ENDLESS, 1.0), TINY) == ["bound"]


def test_a_bound_has_a_kind() -> None:
    assert rules(bounded(18_000_000, 0.1429, kind=None), TINY) == ["bound"]
    assert rules(tiny() | {"bound_kind": "load"}, TINY) == ["bound"]


@pytest.mark.parametrize("gap", [None, 0.0, 0.1428, 0.143, 1, -1, pytest.param(ENDLESS, id="endless")])
def test_gap(gap: float | None) -> None:
    # (21 - 18) / 21 = 0.142857.
    assert violations(bounded(18_000_000, 0.1429), TINY) == []
    assert rules(bounded(18_000_000, gap), TINY) == ["gap"]


def test_no_gap_without_a_bound() -> None:
    assert rules(tiny() | {"gap": 0.0}, TINY) == ["gap"]


def test_optimal_is_backed_by_the_bound() -> None:
    for document in (tiny(), bounded(18_000_000, 0.1429)):
        assert rules(changed(document, ["solver", "status"], "OPTIMAL"), TINY) == ["status"]
    document = bounded(21_000_000, 0.0)
    assert violations(changed(document, ["solver", "status"], "OPTIMAL"), TINY) == []


def test_without_a_replay_the_bound_is_judged_by_the_claimed_time() -> None:
    document = without(tiny() | {"lower_bound": 22_000_000, "bound_kind": "load", "gap": 0}, ["actions"])
    assert rules(document, TINY) == ["format", "bound"]


@pytest.mark.parametrize(
    ("ratio", "accepted", "refused"),
    [
        # An exact tie may go either way.
        (Fraction(12345, 100_000), [0.1234, 0.1235], [0.1233, 0.1236, 0.12345]),
        (Fraction(1, 3), [0.3333], [0.3334, 1 / 3]),
        (Fraction(0), [0, 0.0], [0.0001, 1]),
        (Fraction(1), [1, 1.0], [0.9999]),
    ],
)
def test_rounding_to_four_decimals(ratio: Fraction, accepted: list[float], refused: list[float]) -> None:
    assert all(_rounds_to(ratio, value) for value in accepted)
    assert not any(_rounds_to(ratio, value) for value in refused)


def ringed(rings: list[list[str]] = WIDE_STAGES) -> Document:
    document = schedule(RINGS, WIDE_STAGES, WIDE_PATHS, rings=WIDE_STAGES)
    return document | {"rings": [list(ring) for ring in rings]}


def test_rings() -> None:
    assert violations(ringed(), RINGS) == []
    assert violations(ringed([*WIDE_STAGES[:3], ["c1", "c0"]]), RINGS) == []


@pytest.mark.parametrize(
    "ring",
    [
        None,
        [],
        ["c0"],
        ["c0", "c0"],
        ["c0", "b0"],
        ["c0", "c1", "c0"],
        ["c0", None],
        [["c0"], "c1"],
        "c0",
        {"c0": 1},
    ],
)
def test_a_ring_joins_exactly_the_nodes_of_its_stage(ring: object) -> None:
    assert rules(changed(ringed(), ["rings", 3], ring), RINGS) == ["ring"]


@pytest.mark.parametrize("rings", [None, [], {}, WIDE_STAGES[:3], [*WIDE_STAGES, []]])
def test_one_ring_a_stage(rings: object) -> None:
    assert rules(changed(ringed(), ["rings"], rings), RINGS) == ["ring"]
    assert rules(without(ringed(), ["rings"]), RINGS) == ["ring"]


def test_no_rings_without_gradients() -> None:
    assert rules(tiny() | {"rings": [["a"], ["b"]]}, TINY) == ["ring"]


def one_stage_ring(ring: list[str], rows: list[tuple[str, str, float]]) -> tuple[str, Document]:
    """A stage of three nodes with gradients; each row is one directed link and its latency in seconds."""
    links = "".join(
        f"\n    - {{from: {a}, to: {b}, latency: {latency} s, bandwidth: 1 GB/s}}" for a, b, latency in rows
    )
    text = f"""
skipsched: 1
name: ring
nodes:
  - {{id: d, forward_time: 1 s, memory: 1}}
  - {{id: "n{{}}", count: 3, forward_time: 1 s, memory: 1}}
network:
  links:
    - {{between: [d, n0], latency: 0 s, bandwidth: 1 GB/s}}{links}
workload:
  {{stages: 2, stage_sizes: [1, 3], microbatches: 1, activation: 1 B, backward_ratio: 1, gradient: 3 GB}}
rules: {{}}
"""
    return text, schedule(text, [["d"], ["n0", "n1", "n2"]], [["d", "n0"]], rings=[["d"], ring])


def test_the_worst_link_of_the_ring_given_counts() -> None:
    # F 0-1, F 1-2, L at 2, B 2-3 on n0, B 3-4 on d. A ring over three nodes: 2 * 2 * (latency + 3/3) s, with
    # latencies 0.1, 0.2 and 0.3 one way round and 0.5 the other.
    there = [("n0", "n1", 0.1), ("n1", "n2", 0.2), ("n2", "n0", 0.3)]
    back = [("n1", "n0", 0.5), ("n2", "n1", 0.5), ("n0", "n2", 0.5)]
    text, document = one_stage_ring(["n0", "n1", "n2"], there + back)
    assert document["iteration_time"] == 3_000_000 + 4 * 1_300_000
    assert violations(document, text) == []
    # The other way round it takes 4 * 1.5 s, which the claimed time does not count.
    document["rings"][1] = ["n2", "n1", "n0"]
    assert rules(document, text) == ["objective", "bubble-ratio"]
    _, document = one_stage_ring(["n2", "n1", "n0"], there + back)
    assert document["iteration_time"] == 3_000_000 + 4 * 1_500_000
    assert violations(document, text) == []


def test_a_ring_needs_its_links() -> None:
    there = [("n0", "n1", 0.1), ("n1", "n2", 0.2), ("n2", "n0", 0.3)]
    text, document = one_stage_ring(["n0", "n1", "n2"], there)
    assert violations(document, text) == []
    document["rings"][1] = ["n2", "n1", "n0"]
    (found,) = violations(document, text)
    assert found.rule == "ring"
    assert '"n2" to "n1"' in found.message
