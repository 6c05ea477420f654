"""At the emulated pace, iterations take what schedules promise."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

import pytest
from cli_cases import solved_document
from exact_cases import dispatched
from runtime_cases import Crew, Raised, crew, emulate_case
from runtime_documents import document_of_scheduled

from skipsched import load_topology
from skipsched.instance import Instance
from skipsched.runtime import Summary
from skipsched.schedule.plan import plan_from

pytestmark = pytest.mark.slow

#: Seconds that an emulated iteration is to take: long beside what computing and waking up take.
PACE = 3.0
ITERATIONS = 7


def emulated(made: Crew, document: dict[str, Any]) -> Summary:
    scale = PACE * 1e6 / document["iteration_time"]
    summaries = made.call(len(document["actions"]), emulate_case, document, scale, ITERATIONS)
    for found in summaries:
        assert not isinstance(found, Raised), found.traceback
    assert len(set(summaries)) == 1
    summary: Summary = summaries[0]
    assert summary.promised == pytest.approx(PACE)
    assert summary.overruns == 0
    return summary


@pytest.mark.parametrize("name", ["small-8", "clouds-8", "equal-8", "gpus-8"])
def test_measured_is_promised(name: str) -> None:
    with crew(8) as made:
        summary = emulated(made, solved_document(name))
    assert summary.iterations == ITERATIONS - 2
    assert summary.promised <= summary.measured <= 1.05 * summary.promised


def test_better_schedules_take_less() -> None:
    """Schedules of one topology, of the same routes or of others, in the order of what they promise."""
    documents = [solved_document("small-8"), *(shuffled(seed) for seed in range(4))]
    documents.sort(key=lambda document: document["iteration_time"])
    scale = PACE * 1e6 / documents[0]["iteration_time"]
    apart = [documents[0]]
    for document in documents:
        # Nearer ones might change places by what waking up takes.
        if document["iteration_time"] > 1.03 * apart[-1]["iteration_time"]:
            apart.append(document)
    assert len(apart) >= 3
    with crew(8) as made:
        measured = [made.call(8, emulate_case, document, scale, 5)[0].measured for document in apart]
    assert all(one < other for one, other in pairwise(measured)), measured


def shuffled(seed: int) -> dict[str, Any]:
    """A schedule of small-8's routes, dispatched with urgencies by chance."""
    topology = load_topology("small-8")
    instance = Instance.of(topology)
    routes = plan_from(solved_document("small-8"), instance).routes
    return document_of_scheduled(topology, instance, dispatched(Random(seed), instance, routes))
