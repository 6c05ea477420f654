"""Routes: allocations within pins, memory and sizes; constructed paths; the exact model rule by rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from random import Random

import pytest
from brute_force import allocations, feasible, members, paths
from solver_cases import (
    broken_by_checker,
    broken_rules,
    instance,
    no_limit,
    random_case,
    scheduled,
)

from skipsched.clock import Clock
from skipsched.dispatch import dispatch
from skipsched.instance import Instance
from skipsched.plan import Actions, Routes
from skipsched.routes.choose import choose_paths, paths_at_hand
from skipsched.routes.find import Infeasible, find_routes, has_routes
from skipsched.routes.holders import TooFew, assign
from skipsched.routes.model import RoutesModel
from skipsched.routes.slots import coarse_slots_of, slots_of


def solve(tables: Instance, allocation: Sequence[int] | None = None) -> Routes | None:
    if allocation is not None:
        tables = replace(tables, allowed=tuple((stage,) for stage in allocation))
    return RoutesModel(tables, no_limit()).solve(1)


def within_sizes(tables: Instance, allocation: Sequence[int]) -> bool:
    sizes = zip(tables.min_sizes, map(allocation.count, range(tables.stages)), tables.max_sizes, strict=True)
    return all(least <= size <= most for least, size, most in sizes)


class TestHolders:
    @staticmethod
    def random_tables(rng: Random) -> Instance:
        """Six nodes that may hold some of four stages, in sizes given or free."""
        stages, nodes = 4, rng.randint(4, 6)
        data_nodes = rng.randint(1, nodes - 3)
        names = ", ".join("abcdef"[:nodes])
        tables = instance(names, data_nodes, stages=stages)
        if rng.random() < 0.6:
            sizes = [data_nodes, 1, 1, 1]
            for _ in range(nodes - sum(sizes)):
                sizes[rng.randint(1, 3)] += 1
            tables = replace(tables, min_sizes=tuple(sizes), max_sizes=tuple(sizes))
        share = rng.choice((0.3, 0.5, 0.7))
        allowed = tuple(tuple(k for k in range(stages) if rng.random() < share) for _ in range(nodes))
        return replace(tables, allowed=allowed)

    @pytest.mark.parametrize("seed", range(8))
    def test_against_all_allocations(self, seed: int) -> None:
        rng = Random(seed)
        outcomes = {True: 0, False: 0}
        for _ in range(60):
            tables = self.random_tables(rng)
            wishes = [rng.sample(stages, len(stages)) for stages in tables.allowed]
            found = assign(tables, wishes, rng.sample(range(tables.nodes), tables.nodes))
            exists = any(within_sizes(tables, allocation) for allocation in product(*tables.allowed))
            outcomes[exists] += 1
            if isinstance(found, TooFew):
                assert not exists
                assert_hall_violator(tables, found)
            else:
                assert exists
                assert within_sizes(tables, found)
                assert all(stage in tables.allowed[node] for node, stage in enumerate(found))
        assert min(outcomes.values()) > 5

    def test_wishes_are_met_where_nothing_forbids_it(self) -> None:
        tables = instance("a, b, c, d", "1 2 1")
        assert assign(tables, [(2,), (1,), (0,), (1,)], range(4)) == [2, 1, 0, 1]

    def test_a_wish_gives_way_to_one_who_has_no_choice(self) -> None:
        # a takes stage 0 first; b can hold nothing else.
        tables = instance("a, b stage=0", "1 1")
        assert assign(tables, [(0,), (0,)], range(2)) == [1, 0]

    def test_stages_that_lack_nodes(self) -> None:
        # Free sizes; all five are pinned, and none to stage 3.
        tables = instance("a stage=0, b stage=1, c stage=1, d stage=2, e stage=2", 1, stages=4)
        assert assign(tables, tables.allowed, range(5)) == TooFew((3,), (), lacking=True)
        # Only e may hold stages 2 and 3. Told from the other side: 1 and 2 places for four nodes.
        tables = replace(tables, allowed=((0,), (1,), (1,), (0, 1), (2, 3)))
        assert assign(tables, tables.allowed, range(5)) == TooFew((0, 1), (0, 1, 2, 3), lacking=False)

    def test_stages_with_too_few_places(self) -> None:
        tables = replace(instance("a, b, c", "1 2"), allowed=((0,), (0,), (0, 1)))
        found = assign(tables, tables.allowed, range(3))
        assert found == TooFew((0,), (0, 1), lacking=False)

    def test_a_node_that_may_hold_nothing(self) -> None:
        tables = replace(instance("a, b, c", "1 2"), allowed=((0,), (), (0, 1)))
        assert assign(tables, tables.allowed, range(3)) == TooFew((), (1,), lacking=False)


def assert_hall_violator(tables: Instance, found: TooFew) -> None:
    """The nodes are those of the stages named, and too few or too many for them."""
    inside = set(found.stages)
    if found.lacking:
        able = [n for n, stages in enumerate(tables.allowed) if inside & set(stages)]
        assert len(able) < sum(tables.min_sizes[k] for k in inside)
    else:
        able = [n for n, stages in enumerate(tables.allowed) if set(stages) <= inside]
        assert len(able) > sum(tables.max_sizes[k] for k in inside)
    assert list(found.nodes) == able


def has_found_routes(tables: Instance) -> bool:
    try:
        return bool(find_routes(tables, no_limit(), 1))
    except Infeasible:
        return False


class TestHasRoutes:
    @pytest.mark.parametrize("chunk", range(4))
    def test_against_all_routes_and_those_found(self, chunk: int) -> None:
        outcomes = {True: 0, False: 0}
        for seed in range(40 * chunk, 40 * chunk + 40):
            _, tables = random_case(seed)
            assert has_routes(tables, no_limit(), 1) == feasible(tables), seed
            # Enough microbatches for one choice to stand for many of them.
            many = replace(tables, microbatches=tuple(5 * count for count in tables.microbatches))
            outcomes[found := has_found_routes(many)] += 1
            assert has_routes(many, no_limit(), 1) == found, seed
        assert min(outcomes.values()) > 5

    def test_coarse_slots_stand_for_all_microbatches(self) -> None:
        tables = instance("a, b", "1 1", workload="microbatches=48")
        assert [slot.weight for slot in coarse_slots_of(tables, 0, None)] == [24, 12, 6, 3, 2, 1]
        assert coarse_slots_of(tables, 0, 5) == slots_of(tables, 0, 5)

    def test_few_choices_decide_a_thousand_nodes(self) -> None:
        # 125 data nodes emit 6000 microbatches, for which choosing one by one takes half a minute.
        names = ", ".join(f"n{i} layer_time={20 + i % 40}ms" for i in range(1000))
        tables = instance(
            names, 125, stages=12, workload="microbatches=48, gradient=1 kB", rules="skip_ratio=1/3"
        )
        clock = Clock(1.0, deterministic=True)
        assert has_routes(tables, clock, 1)
        assert clock.work > 0

    def test_one_choice_for_many_proves_nothing_where_it_fails(self) -> None:
        # A period of 1 is one path a data node: its two microbatches skip the same one of two stages.
        tables = instance("a, b, c", "1 1 1", workload="microbatches=2", rules="path_length=2, path_period=1")
        assert not paths_at_hand(tables, (0, 1, 2), no_limit())
        assert not has_routes(tables, no_limit(), 1)
        tables = replace(tables, rules=replace(tables.rules, path_period=2))
        assert has_routes(tables, no_limit(), 1)


class TestChoosePaths:
    @pytest.mark.parametrize("chunk", range(5))
    def test_what_it_chooses_keeps_every_rule(self, chunk: int) -> None:
        chosen = 0
        for seed in range(60 * chunk, 60 * chunk + 60):
            rng = Random(seed)
            loaded, tables = random_case(seed)
            found = [a for a in allocations(tables) if any(tables.microbatches[d] for d in members(a, 0))]
            for allocation in rng.sample(found, min(5, len(found))):
                routes = choose_paths(tables, allocation, rng.choice((0.0, 0.5, 2.0)), no_limit())
                if routes is None:
                    continue
                assert not list(broken_rules(tables, routes)), seed
                actions = Actions.of(tables, routes)
                plan = dispatch(tables, routes, actions, [rng.random() for _ in actions.node])
                assert broken_by_checker(loaded, tables, scheduled(tables, plan)) == set(), seed
                chosen += 1
        assert chosen > 50

    @pytest.mark.parametrize("chunk", range(3))
    def test_alone_a_microbatch_takes_the_cheapest_path(self, chunk: int) -> None:
        features = {"short-paths", "missing-links", "asymmetric-links", "uneven-stages", "action-overhead"}
        compared = lacking = 0
        for seed in range(40 * chunk, 40 * chunk + 40):
            _, tables = random_case(seed, features)
            orders = list(tables.orders)
            for allocation in Random(seed).sample(found := list(allocations(tables)), min(5, len(found))):
                routes = choose_paths(tables, allocation, 0.0, no_limit())
                choices = {d: list(paths(tables, allocation, d, orders)) for d in members(allocation, 0)}
                assert (routes is None) == (not all(choices.values())), seed
                lacking += routes is None
                for path in routes.paths if routes else ():
                    cheapest = min(cost(tables, allocation, other) for other in choices[path[0]])
                    assert cost(tables, allocation, path) == cheapest, seed
                    compared += 1
        assert compared > 50
        assert lacking > 5

    def test_busy_nodes_are_avoided_if_that_has_a_price(self) -> None:
        # b and c are alike but for their distance: of 8 microbatches all take the nearer, or both share.
        tables = instance("a stage=0, b, c layer_time=11ms", "1 2", workload="microbatches=8")
        alone = choose_paths(tables, (0, 1, 1), 0.0, no_limit())
        shared = choose_paths(tables, (0, 1, 1), 1.0, no_limit())
        assert alone is not None
        assert shared is not None
        assert [path[1] for path in alone.paths] == [1] * 8
        assert {path[1] for path in shared.paths} == {1, 2}


def cost(tables: Instance, allocation: Sequence[int], path: Sequence[int]) -> int:
    """Transfers there and back and work on all nodes but the data node."""
    hops = zip(path, [*path[1:], path[0]], strict=True)
    work = [tables.forward[n][allocation[n]] + tables.backward[n][allocation[n]] for n in path[1:]]
    return sum(tables.transfer[a][b] + tables.transfer[b][a] for a, b in hops) + sum(work)


class TestModel:
    @pytest.mark.parametrize("chunk", range(8))
    def test_agrees_with_the_oracle(self, chunk: int) -> None:
        outcomes = {True: 0, False: 0}
        for seed in range(40 * chunk, 40 * chunk + 40):
            _, tables = random_case(seed)
            found = solve(tables) if assignable(tables) else None
            assert (found is not None) == feasible(tables), seed
            outcomes[found is not None] += 1
            if found is not None:
                assert not list(broken_rules(tables, found)), seed
        assert min(outcomes.values()) > 3

    @pytest.mark.parametrize("chunk", range(4))
    def test_agrees_with_the_oracle_on_fixed_allocations(self, chunk: int) -> None:
        outcomes = {True: 0, False: 0}
        for seed in range(40 * chunk, 40 * chunk + 40):
            _, tables = random_case(seed)
            found = list(allocations(tables))
            for allocation in Random(seed).sample(found, min(3, len(found))):
                routes = solve(tables, allocation)
                fixed = replace(tables, allowed=tuple((stage,) for stage in allocation))
                emitted = sum(tables.microbatches[d] for d in members(allocation, 0))
                assert (routes is not None) == (emitted > 0 and feasible(fixed)), seed
                outcomes[routes is not None] += 1
                if routes is not None:
                    assert routes.allocation == allocation
                    assert not list(broken_rules(tables, routes)), seed
        assert min(outcomes.values()) > 3

    def test_missing_links(self) -> None:
        assert solve(instance("a, b, c", "1 1 1", links="ab bc ca"))
        assert not solve(instance("a, b, c", "1 1 1", links="ab bc"))
        assert not solve(instance("a, b, c", "1 1 1", links="ab bc c>a"))

    def test_pins(self) -> None:
        assert solve(instance("a stage=1, b, c", "2 1", links="ab ac"))
        assert not solve(instance("a stage=0, b, c", "2 1", links="ab ac"))

    def test_sizes(self) -> None:
        assert solve(instance("a, b, c, d", "1 2 1", links="ab bc ca"))
        assert not solve(instance("a, b, c, d", "2 1 1", links="ab bc ca"))
        assert solve(instance("a, b, c, d", 1, stages=3, links="ab bc ca"))
        assert not solve(instance("a, b, c, d", 2, stages=3, links="ab bc ca"))

    def test_all_reduce(self) -> None:
        for links, ring in (("b>c c>d d>b", True), ("b>c c>d b>d", False)):
            tables = instance("a stage=0, b, c, d", "1 3", links=f"ab ac ad {links}", workload="gradient=8 B")
            assert (solve(tables) is not None) is ring
        # Alone in a stage nobody needs one: c and d can share a stage, b and d cannot.
        tables = instance("a stage=0, b, c, d", 1, stages=3, links="ab ac ad cd bc", workload="gradient=8 B")
        found = solve(tables)
        assert found is not None
        assert not list(broken_rules(tables, found))

    def test_swap(self) -> None:
        # The links are a ring of stages 0, 3, 1, 4, 2: that way around the distances are 2 and 2, the other
        # way (0, 2, 4, 1, 3) they are 3 and 1.
        nodes = "a stage=0, b stage=1, c stage=2, d stage=3, e stage=4"
        for most, distance, expected in ((4, 2, True), (4, 1, False), (3, 2, False), (4, 3, True)):
            tables = instance(
                nodes,
                "1 1 1 1 1",
                links="ad db be ec ca",
                rules=f"max_swaps={most}, max_swap_distance={distance}",
            )
            assert (solve(tables) is not None) is expected

    def test_jump(self) -> None:
        # Paths of two of three stages: stage 2 is reached by a jump of 2.
        for jump, expected in ((2, True), (1, False)):
            rules = f"path_length=2, max_jump={jump}"
            tables = instance("a stage=0, b, c", "1 1 1", workload="microbatches=2", rules=rules)
            assert (solve(tables) is not None) is expected

    def test_even_stages(self) -> None:
        # Of two microbatches that skip one of two stages each stage gets one; c has no link.
        for even, expected in (("false", True), ("true", False)):
            tables = instance(
                "a stage=0, b stage=1, c stage=2",
                "1 1 1",
                links="ab",
                workload="microbatches=2",
                rules=f"path_length=2, even_stages={even}",
            )
            assert (solve(tables) is not None) is expected
        # A difference of one is even: three microbatches, two for one stage.
        tables = instance("a, b, c", "1 1 1", workload="microbatches=3", rules="path_length=2")
        assert solve(tables)

    def test_even_nodes(self) -> None:
        # b and c share stage 1, c has no link.
        for even, expected in (("false", True), ("true", False)):
            tables = instance(
                "a stage=0, b, c", "1 2", links="ab", workload="microbatches=2", rules=f"even_nodes={even}"
            )
            assert (solve(tables) is not None) is expected
        tables = instance("a stage=0, b, c", "1 2", workload="microbatches=3", rules="even_nodes=true")
        found = solve(tables)
        assert found is not None
        assert not list(broken_rules(tables, found))

    def test_cover(self) -> None:
        for microbatches, expected in ((2, True), (1, False)):
            tables = instance(
                "a, b, c",
                "1 1 1",
                workload=f"microbatches={microbatches}",
                rules="path_length=2, cover=true",
            )
            assert (solve(tables) is not None) is expected

    def test_path_period(self) -> None:
        # Four microbatches over two stages in paths of one: with period 1 all take the same stage.
        for period, expected in ((2, True), (1, False)):
            tables = instance(
                "a, b, c",
                "1 1 1",
                workload="microbatches=4",
                rules=f"path_length=2, path_period={period}",
            )
            found = solve(tables)
            assert (found is not None) is expected
            if found is not None:
                assert found.paths[:2] == found.paths[2:]

    def test_full_pipeline(self) -> None:
        found = solve(instance("a, b, c, d", "1 2 1", workload="microbatches=3", rules="max_swaps=0"))
        assert found is not None
        assert {tuple(found.allocation[node] for node in path) for path in found.paths} == {(0, 1, 2)}


def assignable(tables: Instance) -> bool:
    """The model is asked only where pins, memory and sizes leave an allocation."""
    return not isinstance(assign(tables, tables.allowed, range(tables.nodes)), TooFew)
