"""Many processes train what one would: the parameters after two iterations are the same."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
import torch
from check_cases import tiny
from random_topologies import MOST_NODES
from runtime_cases import Crew, Raised, Ran, State, crew, reference, run_case
from runtime_documents import random_document, solved_document

from skipsched.schedule import Schedule

#: Sums of some ten float64 in another order, and what AdamW makes of the difference.
ROUND_OFF = 1e-10
#: What brings out what an ordinary pipeline has not: skipping, swaps, several data nodes, rings.
PARTIAL = {"short-paths", "gradients", "own-microbatches"}

Documents = Callable[[int, set[str] | None], dict[str, Any] | None]


@pytest.fixture(scope="module")
def six() -> Iterator[Crew]:
    with crew(MOST_NODES) as made:
        yield made


def ran(made: Crew, document: dict[str, Any], **options: Any) -> list[Ran]:
    runs = made.call(len(document["actions"]), run_case, document, **options)
    for found in runs:
        assert not isinstance(found, Raised), found.traceback
    return runs


def difference(runs: list[Ran], states: list[State]) -> float:
    """The largest difference of a parameter, as a part of the largest number in it; all are finite."""
    worst = 0.0
    for found in runs:
        assert found.state.keys() == states[found.stage].keys()
        for name, expected in states[found.stage].items():
            apart = ((found.state[name] - expected).abs().max() / expected.abs().max()).item()
            # No comparison with a NaN is true: `max` would pass it over.
            assert math.isfinite(apart), name
            worst = max(worst, apart)
    return worst


def test_what_is_no_number_is_different() -> None:
    state = {"weight": torch.tensor([math.nan])}
    with pytest.raises(AssertionError, match="weight"):
        difference([Ran("a", 0, state, [])], [{"weight": torch.ones(1)}])


def check(made: Crew, document: dict[str, Any], **options: Any) -> None:
    runs = ran(made, document, **options)
    states, losses = reference(Schedule(document), options.get("weighting", "executed"))
    assert difference(runs, states) < ROUND_OFF
    for found in runs:
        assert found.losses == (pytest.approx(losses, rel=ROUND_OFF) if found.stage == 0 else [None, None])


def check_many(made: Crew, documents: Documents, features: set[str] | None, cases: int) -> Counter[str]:
    """Check some schedules; returns how many of them show what."""
    shown: Counter[str] = Counter()
    for seed in count():
        if shown["cases"] == cases:
            return shown
        document = documents(seed, features)
        if document is None:
            continue
        weighting = ("executed", "total")[shown["cases"] % 2]
        check(made, document, weighting=weighting, recompute=shown["cases"] % 3 == 2)
        shown["cases"] += 1
        shown.update(traits(document))
    raise AssertionError


def traits(document: dict[str, Any]) -> Iterator[str]:
    stages, rows = len(document["stages"]), document["microbatches"]
    orders = [row["stages"] for row in rows]
    if any(len(order) < stages for order in orders):
        yield "partial"
    if any(order != sorted(order) for order in orders):
        yield "reordered"
    if len({row["data_node"] for row in rows}) > 1:
        yield "several data nodes"
    if any(not actions for actions in document["actions"].values()):
        yield "idle node"
    if set(range(stages)) - {stage for order in orders for stage in order}:
        yield "idle stage"
    if any(len(members) > 1 for members in document.get("rings", ())):
        yield "rings"


def test_solved_schedules(six: Crew) -> None:
    shown = check_many(six, solved_document, PARTIAL, 4)
    assert shown["partial"] == 4


def test_orders_by_chance(six: Crew) -> None:
    shown = check_many(six, random_document, None, 12)
    for trait in ("partial", "reordered", "several data nodes", "idle node", "rings"):
        assert shown[trait] > 0, trait


@pytest.mark.slow
def test_many_solved_schedules(six: Crew) -> None:
    check_many(six, solved_document, PARTIAL, 20)
    check_many(six, solved_document, None, 30)


@pytest.mark.slow
def test_many_orders_by_chance(six: Crew) -> None:
    shown = check_many(six, random_document, None, 120)
    for trait in ("partial", "reordered", "several data nodes", "idle node", "idle stage", "rings"):
        assert shown[trait] > 0, trait


def first(trait: str, features: set[str]) -> dict[str, Any]:
    """The first random schedule that shows something."""
    for seed in count():
        document = random_document(seed, features)
        if document is not None and trait in set(traits(document)):
            return document
    raise AssertionError


def test_a_stage_without_microbatches_keeps_its_parameters(six: Crew) -> None:
    check(six, first("idle stage", {"short-paths", "uneven-stages"}), weighting="total")


def test_messages_are_taken_in_another_order_than_they_come(six: Crew) -> None:
    """Node a sends 0, 1, 2; node b begins with 2, more messages later than are received ahead."""
    check(six, tiny(b="F2 F1 F0 B2 B1 B0"))


def test_recomputation_repeats_dropout(six: Crew) -> None:
    document = random_document(1)
    assert document is not None
    kept, recomputed = (ran(six, document, dropout=0.5, recompute=flag) for flag in (False, True))
    assert [found.losses for found in kept] == [found.losses for found in recomputed]
    for one, other in zip(kept, recomputed, strict=True):
        for name, tensor in one.state.items():
            assert torch.equal(tensor, other.state[name]), name


def test_transfers_in_bfloat16_are_near(six: Crew) -> None:
    document = random_document(1)
    assert document is not None
    runs = ran(six, document, bf16_transfers=True)
    states, _ = reference(Schedule(document), "executed")
    assert ROUND_OFF < difference(runs, states) < 0.05


def test_nodes_of_a_stage_begin_equal(six: Crew) -> None:
    runs = ran(six, first("rings", {"gradients"}), seeded=False)
    pairs = [(one, other) for one in runs for other in runs if one.stage == other.stage and one is not other]
    assert pairs
    for one, other in pairs:
        for name, tensor in one.state.items():
            assert torch.equal(tensor, other.state[name]), name
