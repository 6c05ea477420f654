"""List scheduling: it always ends, keeps the slots, and its admissions are safe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from solver_cases import instance, random_case, random_routes, slots_kept

from skipsched.dispatch import Admission, dispatch
from skipsched.instance import Instance
from skipsched.plan import Actions, Plan, Routes
from skipsched.timing import replay

#: Features that change which paths there are, each as often as not.
SHAPES = ("slots-of-1", "free-sizes", "short-paths", "missing-links", "asymmetric-links", "action-overhead")


def crowded_case(rng: Random, seed: int) -> tuple[Instance, Routes] | None:
    """Random routes of many microbatches through few slots, with stages swapped."""
    features = {feature for feature in SHAPES if rng.random() < 0.5}
    _, tables = random_case(seed, features)
    rules = replace(tables.rules, max_swaps=3, max_swap_distance=2)
    tables = replace(tables, rules=rules, microbatches=(rng.randint(1, 12),) * tables.nodes)
    routes = random_routes(rng, tables)
    return None if routes is None else (tables, routes)


def slots_kept_in_time(tables: Instance, routes: Routes, actions: Actions, end: Sequence[int]) -> bool:
    """Whether no node ever has more microbatches in flight than slots; one freed at t can be taken then."""
    per, length = actions.per_microbatch, actions.path_length
    for node, stage in enumerate(routes.allocation):
        spans = []
        for microbatch, path in enumerate(routes.paths):
            if node in path:
                forward = microbatch * per + path.index(node)
                backward = microbatch * per + 2 * length - path.index(node)
                spans.append((end[forward] - actions.duration[forward], end[backward]))
        if any(sum(a <= start < b for a, b in spans) > tables.slots[node][stage] for start, _ in spans):
            return False
    return True


@pytest.mark.parametrize("chunk", range(4))
def test_on_random_routes(chunk: int) -> None:
    done = 0
    for seed in range(100 * chunk, 100 * chunk + 100):
        rng = Random(seed)
        case = crowded_case(rng, seed)
        if case is None:
            continue
        tables, routes = case
        actions = Actions.of(tables, routes)
        urgency = [rng.random() for _ in actions.node]
        plan = dispatch(tables, routes, actions, urgency)
        assert plan.routes == routes
        for node, sequence in enumerate(plan.order):
            assert sorted(sequence) == [a for a, where in enumerate(actions.node) if where == node], seed
        end = replay(actions, plan.order, tables.overhead)
        assert slots_kept(tables, routes, actions, plan.order), seed
        assert slots_kept_in_time(tables, routes, actions, end), seed
        assert dispatch(tables, routes, actions, urgency) == plan, seed
        done += 1
    assert done > 50


def test_of_two_ready_actions_the_more_urgent_starts() -> None:
    tables = instance("a stage=0 memory=2, b stage=1 memory=2", "1 1", workload="microbatches=2")
    routes = Routes((0, 1), ((0, 1), (0, 1)))
    actions = Actions.of(tables, routes)
    for urgent in (0, 1):
        urgency = [float(a // actions.per_microbatch != urgent) for a in range(len(actions.node))]
        first, second = urgent, 1 - urgent
        # F of 10 ms, transfers of 1 ms, B of 20 ms: b runs the first one's F at 11-21 and the second one's at
        # 21-31. a: L of 0 ms at 22 and at 32. b: B at 31-51 and 51-71; a: B at 52 and 72.
        assert named(actions, dispatch(tables, routes, actions, urgency)) == [
            [f"F{first}", f"F{second}", f"L{first}", f"L{second}", f"B{first}", f"B{second}"],
            [f"F{first}", f"F{second}", f"B{first}", f"B{second}"],
        ]


def test_a_full_node_runs_what_is_ready_besides_forwards() -> None:
    # One slot each: the second F waits for the first B though it is more urgent than anything.
    tables = instance("a stage=0, b stage=1", "1 1", workload="microbatches=2")
    routes = Routes((0, 1), ((0, 1), (0, 1)))
    actions = Actions.of(tables, routes)
    plan = dispatch(tables, routes, actions, [1.0] * 5 + [0.0] * 5)
    assert named(actions, plan) == [["F1", "L1", "B1", "F0", "L0", "B0"], ["F1", "B1", "F0", "B0"]]


def named(actions: Actions, plan: Plan) -> list[list[str]]:
    per = actions.per_microbatch
    return [[f"{actions.operation(a)}{a // per}" for a in sequence] for sequence in plan.order]


class TestOppositeOrders:
    """Microbatch 0 visits b then c, microbatch 1 c then b; both have one slot."""

    TABLES = instance("a stage=0, d stage=0, b stage=1, c stage=2", "2 1 1")
    ROUTES = Routes((0, 0, 1, 2), ((0, 2, 3), (1, 3, 2)))

    def test_without_admission_both_would_wait_for_ever(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # With a look at free slots alone, 0 takes b and 1 takes c at 11 ms; neither finds its next node free.
        monkeypatch.setattr(Admission, "_finishes", lambda _self, _microbatch: True)
        actions = Actions.of(self.TABLES, self.ROUTES)
        with pytest.raises(AssertionError, match="comes home"):
            dispatch(self.TABLES, self.ROUTES, actions, [0.0] * len(actions.node))

    def test_with_it_one_goes_first(self) -> None:
        actions = Actions.of(self.TABLES, self.ROUTES)
        plan = dispatch(self.TABLES, self.ROUTES, actions, [0.0] * len(actions.node))
        assert named(actions, plan)[2:] == [["F0", "B0", "F1", "B1"], ["F0", "B0", "F1", "B1"]]

    def test_admission_alone(self) -> None:
        admission = Admission(self.ROUTES.paths, [1, 1, 1, 1])
        assert admission.admit(0, 0)
        assert admission.admit(1, 1)
        assert admission.admit(0, 2)
        assert not admission.admit(1, 3)  # then neither could finish
        assert admission.has_slot(3)  # nothing was taken
        assert admission.admit(0, 3)
        assert not admission.admit(1, 3)  # no slot
        admission.release(0, 3)
        assert admission.admit(1, 3)  # 0 only has its way back before it, and will leave b
        assert not admission.admit(1, 2)
        admission.release(0, 2)
        assert admission.admit(1, 2)

    def test_two_slots_are_enough_for_both(self) -> None:
        admission = Admission(self.ROUTES.paths, [1, 1, 1, 2])
        assert admission.admit(0, 0)
        assert admission.admit(1, 1)
        assert admission.admit(0, 2)
        # 0 still finds a slot on c, finishes, and leaves b to 1.
        assert admission.admit(1, 3)


def test_admission_follows_a_chain_of_holders() -> None:
    # 0 waits for 1 on node 1, 1 for 2 on node 2; 2 has all it needs. So 0 can finish after 1 after 2.
    admission = Admission([(0, 1), (1, 2), (2, 3)], [1, 1, 1, 1])
    assert admission.admit(2, 2)
    assert admission.admit(1, 1)
    assert admission.admit(0, 0)
    assert not admission.admit(0, 1)  # no slot yet
    assert admission.admit(2, 3)


class Banker:
    """The same bookkeeping as plain as can be, with Dijkstra's safety test."""

    def __init__(self, paths: Sequence[Sequence[int]], slots: Sequence[int]) -> None:
        self.paths = paths
        self.free = list(slots)
        self.entered = [0] * len(paths)
        self.left = [0] * len(paths)

    def take(self, microbatch: int) -> None:
        self.free[self.paths[microbatch][self.entered[microbatch]]] -= 1
        self.entered[microbatch] += 1

    def give_back(self, microbatch: int) -> int:
        self.left[microbatch] += 1
        node = self.paths[microbatch][-self.left[microbatch]]
        self.free[node] += 1
        return node

    def ahead(self, microbatch: int) -> Sequence[int]:
        return self.paths[microbatch][self.entered[microbatch] :]

    def safe(self) -> bool:
        """Whether all in flight can finish one after the other."""
        free = list(self.free)
        waiting = [m for m, entered in enumerate(self.entered) if entered > self.left[m]]
        while waiting:
            able = [m for m in waiting if all(free[node] > 0 for node in self.ahead(m))]
            if not able:
                return False
            for node in self.paths[able[0]][: self.entered[able[0]] - self.left[able[0]]]:
                free[node] += 1
            waiting.remove(able[0])
        return True


@pytest.mark.parametrize("chunk", range(4))
def test_admission_against_the_banker(chunk: int) -> None:
    refused_though_free = 0
    for seed in range(100 * chunk, 100 * chunk + 100):
        rng = Random(seed)
        nodes = rng.randint(2, 6)
        slots = [rng.choice((1, 1, 1, 2, 3)) for _ in range(nodes)]
        length = rng.randint(2, nodes)
        paths = [rng.sample(range(nodes), length) for _ in range(rng.randint(2, 10))]
        banker, admission = Banker(paths, slots), Admission(paths, slots)
        home = 0
        while home < len(paths):
            moved = False
            for microbatch in rng.sample(range(len(paths)), len(paths)):
                ahead = banker.ahead(microbatch)
                if not ahead:
                    if banker.left[microbatch] == length:
                        continue
                    admission.release(microbatch, banker.give_back(microbatch))
                    home += banker.left[microbatch] == length
                elif admission.admit(microbatch, ahead[0]):
                    banker.take(microbatch)
                else:
                    # Whoever has all its slots before it is let through.
                    assert any(banker.free[node] == 0 for node in ahead), seed
                    refused_though_free += banker.free[ahead[0]] > 0
                    continue
                moved = True
                assert min(banker.free) >= 0, seed
                assert banker.safe(), seed
                assert [admission.has_slot(node) for node in range(nodes)] == [f > 0 for f in banker.free]
                if rng.random() < 0.5:
                    break  # another draw of who is next
            assert moved, f"nobody may go on (seed {seed})"
    assert refused_though_free > 50
