"""Proofs: exactly the optimum of an exhaustive search, whole or restricted, and never a bound above it."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import brute_force
import pytest
from exact_cases import bundled, constructed, dispatched, random_schedule
from solver_cases import cheapest_ring, no_limit, optimum, random_case, tiny, topology

import skipsched
from skipsched import Schedule
from skipsched.clock import TooLarge
from skipsched.exact import prove
from skipsched.exact.prove import Proof
from skipsched.instance import Instance
from skipsched.rings import best_ring, exact_ring
from skipsched.routes.find import routes_for
from skipsched.schedule.document import Provenance, document_of
from skipsched.scheduled import Scheduled
from skipsched.topology.model import Topology

#: A hundred and some of these topologies are small enough.
SEEDS = 432
CHUNKS = 12
PER_CHUNK = SEEDS // CHUNKS
#: Deterministic seconds that no proof of the tests needs.
AMPLE = 100.0


def test_a_hundred_are_small_enough() -> None:
    assert sum(tiny(seed) is not None for seed in range(SEEDS)) >= 100


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_the_optimum_is_found_and_proved(chunk: int) -> None:
    for seed in range(PER_CHUNK * chunk, PER_CHUNK * (chunk + 1)):
        tables = tiny(seed)
        if tables is None:
            continue
        loaded, _ = random_case(seed)
        bounds: list[int] = []

        def note(progress: skipsched.Progress, bounds: list[int] = bounds) -> None:
            if progress.lower_bound is not None:
                bounds.append(progress.lower_bound)

        result = skipsched.solve(loaded, deterministic=True, time_limit=AMPLE, on_progress=note)
        assert result.status == "OPTIMAL", seed
        assert result.stop_reason == "optimal"
        assert result.schedule is not None
        found: int = result.schedule.document["iteration_time"]
        assert result.lower_bound == found
        # A microsecond more to beat: the search has to find the optimum by itself.
        assert optimum(tables, found + 1) == found, seed
        assert result.schedule.document["solver"]["restricted_to"] == []
        assert bounds == sorted(bounds)


def document(loaded: Topology, tables: Instance, candidate: Scheduled) -> Schedule:
    provenance = Provenance("0", "FEASIBLE", "completed", 0, 1, None, (), None, None)
    return Schedule(document_of(loaded, tables, candidate, provenance))


def other_schedules(tables: Instance, seed: int) -> list[Scheduled]:
    """Schedules of up to two allocations."""
    found = list(brute_force.allocations(tables))
    rng = Random(seed)
    rng.shuffle(found)
    schedules = []
    for allocation in found:
        routes = routes_for(tables, allocation, 1.0, no_limit())
        if routes is not None:
            schedules.append(dispatched(rng, tables, routes))
        if len(schedules) == 2:
            break
    return schedules


@pytest.mark.parametrize("chunk", range(3))
def test_with_an_allocation_to_keep_the_restricted_optimum_is_proved(chunk: int) -> None:
    seen = worse = 0
    for seed in range(50 * chunk, 50 * chunk + 50):
        tables = tiny(seed)
        if tables is None:
            continue
        loaded, _ = random_case(seed)
        best = optimum(tables, 10**12)
        for candidate in other_schedules(tables, seed):
            allocation = candidate.plan.routes.allocation
            result = skipsched.solve(
                loaded,
                deterministic=True,
                time_limit=AMPLE,
                allocation_from=document(loaded, tables, candidate),
            )
            assert result.status == "OPTIMAL", seed
            assert result.schedule is not None
            solved = result.schedule.document
            assert solved["solver"]["restricted_to"] == ["allocation"]
            assert solved["iteration_time"] == result.lower_bound
            assert solved["iteration_time"] == optimum(tables.restricted_to(allocation), 10**12), seed
            worse += solved["iteration_time"] > best
            seen += 1
    assert seen > 5
    assert worse > 0


@pytest.mark.parametrize("chunk", range(3))
def test_no_bound_on_the_way_exceeds_the_optimum(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # With so little effort that questions stay open and are asked again.
    monkeypatch.setattr(prove, "_EFFORT", 1e-4)
    seen = steps = 0
    for seed in range(40 * chunk, 40 * chunk + 40):
        tables = tiny(seed)
        best = None if tables is None else random_schedule(Random(seed), tables)
        if tables is None or best is None:
            continue
        least = optimum(tables, 10**12)
        proof = Proof(tables, no_limit(), 1)
        bound = proof.bound(best)
        assert bound <= least, seed
        while bound < best.objective.iteration_time:
            better = proof.step(best, best.objective.iteration_time)
            assert better is None or better.objective < best.objective
            best = best if better is None else better
            assert bound <= proof.bound(best) <= least, seed
            bound = proof.bound(best)
            steps += 1
            assert steps < 600
        assert bound == best.objective.iteration_time == least, seed
        seen += 1
    assert seen > 4
    assert steps > 2 * seen


@pytest.mark.parametrize("gap", [0.2])
def test_a_gap_that_is_enough_ends_early_and_truthfully(gap: float) -> None:
    early = seen = 0
    for seed in range(80):
        tables = tiny(seed)
        if tables is None:
            continue
        loaded, _ = random_case(seed)
        result = skipsched.solve(loaded, deterministic=True, time_limit=AMPLE, gap=gap)
        assert result.schedule is not None
        assert result.lower_bound is not None
        found: int = result.schedule.document["iteration_time"]
        least = optimum(tables, found + 1)
        assert result.lower_bound <= least <= found, seed
        assert found - result.lower_bound <= gap * found
        assert result.stop_reason in ("gap", "optimal")
        assert (result.status == "OPTIMAL") == (result.stop_reason == "optimal")
        assert (result.status == "OPTIMAL") == (result.lower_bound == found)
        early += result.stop_reason == "gap"
        seen += 1
    assert seen > 10
    assert early > 1


def test_small_8_is_solved() -> None:
    result = skipsched.solve("small-8", deterministic=True, time_limit=AMPLE)
    assert (result.status, result.bound_kind) == ("OPTIMAL", "model")
    assert result.schedule is not None
    assert skipsched.validate(result.schedule) == []
    assert result.lower_bound == result.schedule.document["iteration_time"]


def test_the_proof_ends_where_allocations_are_too_many() -> None:
    with pytest.raises(TooLarge):
        Proof(bundled("geo-20"), no_limit(), 1)


def test_the_proof_ends_where_paths_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = bundled("small-8")
    best = constructed(tables)
    monkeypatch.setattr(prove, "_MOST_PATHS", 3)
    proof = Proof(tables, no_limit(), 1)
    assert proof.bound(best) < best.objective.iteration_time
    with pytest.raises(TooLarge):
        for _ in range(10):
            proof.step(best, best.objective.iteration_time)


def test_equal_questions_get_equal_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove, "_EFFORT", 0.02)

    def trace() -> list[tuple[int, int]]:
        clock = no_limit()
        tables = bundled("small-8")
        best = constructed(tables)
        proof = Proof(tables, clock, 2)
        noted = []
        for _ in range(3):
            best = proof.step(best, best.objective.iteration_time) or best
            noted.append((best.objective.iteration_time, proof.bound(best)))
        return noted

    assert trace() == trace()


def test_a_ring_that_is_only_good_refutes_nothing() -> None:
    # Nine nodes pass gradients around: beyond the size for which every ring is looked at. Links are drawn so
    # that a good ring is not the best one.
    rng = Random(3)
    names = "bcdefghij"
    links = [f"{a}>{b}" for a in names for b in names if a != b]
    loaded = topology(
        "a stage=0, " + ", ".join(f"{name} stage=1" for name in names),
        "1 9",
        workload="gradient=1 MB, microbatches=2",
        links=" ".join([*links, *(f"a{name}" for name in names)]),
    )
    rows = {
        ends: replace(link, bandwidth=link.bandwidth * rng.choice((1, 2, 5, 20)))
        for ends, link in loaded.network.rows.items()
    }
    loaded = replace(loaded, network=replace(loaded.network, rows=rows))
    tables = Instance.of(loaded)
    members = list(range(1, 10))
    good, exact = best_ring(tables, 1, members), exact_ring(tables, 1, members, no_limit())
    assert good is not None
    assert exact is not None
    assert exact.allreduce == cheapest_ring(tables, 1, members)
    assert exact.allreduce < good.allreduce
    proof = Proof(tables, no_limit(), 1)
    best = constructed(tables)
    for _ in range(20):
        best = proof.step(best, best.objective.iteration_time) or best
        assert proof.bound(best) <= best.objective.iteration_time
    assert proof.bound(best) == best.objective.iteration_time
    assert best.rings[1].allreduce == exact.allreduce


def test_actions_without_duration_keep_the_slots() -> None:
    # All but d forward and go back in less than half a microsecond.
    quick = ", ".join(f"{name} layer_time=0.1us" for name in "abc")
    for count in (2, 3, 4):
        loaded = topology(
            f"{quick}, d layer_time=30ms",
            "1 1 1 1",
            workload=f"microbatches={count}, backward_ratio=1",
            rules="path_length=3",
        )
        result = skipsched.solve(loaded, deterministic=True, time_limit=3)
        assert result.schedule is not None
        assert skipsched.validate(result.schedule) == []
        if count < 4:
            found: int = result.schedule.document["iteration_time"]
            best = optimum(Instance.of(loaded), found + 1)
            assert result.lower_bound is not None
            assert result.lower_bound <= best <= found


def test_huge_figures_are_solved_or_left_to_others() -> None:
    loaded = topology(
        "a layer_time=9000s memory=1000000000, b layer_time=20000s memory=1000000000, c layer_time=700s",
        "1 1 1",
        workload="microbatches=4",
    )
    result = skipsched.solve(loaded, deterministic=True, time_limit=2)
    assert result.schedule is not None
    loaded = topology("a layer_time=400000s, b layer_time=400000s", "1 1", workload="microbatches=40")
    result = skipsched.solve(loaded, deterministic=True, time_limit=2)
    assert result.schedule is not None
    assert skipsched.validate(result.schedule) == []
