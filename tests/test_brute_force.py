"""The oracle on cases worked out by hand and against a full product; the random topologies it is made for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from random import Random

import pytest
from brute_force import allocations, allowed_orders, feasible, order_allowed
from random_topologies import FEATURES, SHARES, features_of, random_topology

from skipsched.instance import NO_LINK, Instance
from skipsched.topology.load import load_topology
from skipsched.topology.model import Rules, Topology


def decide(
    nodes: str,
    sizes: str | int,
    *,
    stages: int,
    links: str | None = None,
    rules: str = "",
    microbatches: int = 1,
    gradient: str = "0 B",
    model: bool = False,
) -> bool:
    """Whether the oracle finds a small topology feasible.

    Parameters
    ----------
    nodes
        Names with fields of their own: ``a stage=0, b microbatches=0``.
    sizes
        Stage sizes (``1 2 1``), or the number of data nodes alone.
    links
        Pairs of one-letter names: ``ab`` for both directions, ``a>b`` for one. All there are if None.
    """
    rows = []
    for node in nodes.split(","):
        name, *own = node.split()
        fields = {"id": name, "layer_time": "10 ms", "memory": "1"}
        fields |= dict(field.split("=") for field in own)
        rows.append("  - {" + ", ".join(f"{key}: {value}" for key, value in fields.items()) + "}")
    figures = "latency: 1 ms, bandwidth: 1 MiB/s"
    if links is None:
        network = [f"  default: {{{figures}}}"]
    else:
        ends = (
            f"from: {link[0]}, to: {link[2]}" if ">" in link else f"between: [{link[0]}, {link[1]}]"
            for link in links.split()
        )
        network = ["  links:", *(f"    - {{{pair}, {figures}}}" for pair in ends)]
    text = [
        "skipsched: 1",
        "name: by hand",
        "nodes:",
        *rows,
        "network:",
        *network,
        "workload:",
        f"  stages: {stages}",
        f"  layers: {stages}",
        "  samples_per_microbatch: 1",
        f"  data_nodes: {sizes}"
        if isinstance(sizes, int)
        else f"  stage_sizes: [{', '.join(sizes.split())}]",
        f"  microbatches: {microbatches}",
        f"  gradient: {gradient}",
        "  model: {hidden_size: 64, sequence_length: 64, vocab_size: 1000, dtype: float32}"
        if model
        else "  activation: 1 MiB",
        "rules:",
        *(f"  {rule.strip().replace('=', ': ')}" for rule in rules.split(",") if rule),
    ]
    return feasible(Instance.of(load_topology("\n".join(text) + "\n")))


def test_a_full_pipeline() -> None:
    assert decide("a, b, c", "1 1 1", stages=3)


class TestLinks:
    """A path goes forward one way and comes back the other; its last node and its first are joined too."""

    @pytest.mark.parametrize(
        ("links", "expected"),
        [
            ("ab", True),
            ("a>b", False),
            ("b>a", False),
            ("a>b b>a", True),
        ],
    )
    def test_two_stages(self, links: str, expected: bool) -> None:
        assert decide("a, b", "1 1", stages=2, links=links) is expected

    @pytest.mark.parametrize(
        ("links", "expected"),
        [
            ("ab bc ca", True),
            ("ab bc", False),  # the loss has no way home
            ("ab bc c>a", False),  # its gradient has no way back
            ("ab bc a>c", False),
            ("ab b>c ca", False),
        ],
    )
    def test_three_stages(self, links: str, expected: bool) -> None:
        assert decide("a, b, c", "1 1 1", stages=3, links=links) is expected

    def test_a_node_without_links_may_stay_idle(self) -> None:
        assert decide("a, b, c", "1 2", stages=2, links="ab")

    def test_but_not_as_a_data_node_that_emits(self) -> None:
        assert not decide("a, b, c", "2 1", stages=2, links="ab")
        assert decide("a, b, c microbatches=0", "2 1", stages=2, links="ab")


class TestAllocation:
    """Links a-b and a-c only: with one node in stage 1, it must be a."""

    def test_free(self) -> None:
        assert decide("a, b, c", "2 1", stages=2, links="ab ac")

    def test_pins(self) -> None:
        assert decide("a stage=1, b, c", "2 1", stages=2, links="ab ac")
        assert not decide("a stage=0, b, c", "2 1", stages=2, links="ab ac")

    def test_sizes(self) -> None:
        # The links are a triangle a-b-c and d on its own: d can only stay idle beside another node.
        assert decide("a, b, c, d", "1 2 1", stages=3, links="ab bc ca")
        assert not decide("a, b, c, d", "2 1 1", stages=3, links="ab bc ca")

    def test_free_sizes(self) -> None:
        assert decide("a, b, c, d", 1, stages=3, links="ab bc ca")
        assert not decide("a, b, c, d", 2, stages=3, links="ab bc ca")
        assert not decide("a, b, c, d stage=0", 1, stages=3, links="ab bc ca")

    def test_free_sizes_leave_no_stage_empty(self) -> None:
        for seed in range(20):
            tables = Instance.of(load_topology(random_topology(Random(seed), {"free-sizes"})))
            found = list(allocations(tables))
            assert found
            for allocation in found:
                assert set(allocation) == set(range(tables.stages))
                assert allocation.count(0) == tables.data_nodes


class TestMemoryInBytes:
    """The first stage takes 3,099,648 bytes and 534,528 a microbatch, the second 1,050,624 and 278,528."""

    def test_holds(self) -> None:
        assert decide("a memory=4MiB, b memory=2MiB", "1 1", stages=2, model=True)

    def test_no_node_holds_the_first_stage(self) -> None:
        assert not decide("a memory=2MiB, b memory=2MiB", "1 1", stages=2, model=True)

    def test_a_node_holds_nothing(self) -> None:
        assert not decide("a memory=8MiB, b memory=1MiB", "1 1", stages=2, model=True)

    def test_pinned_where_it_does_not_fit(self) -> None:
        assert not decide("a memory=8MiB, b memory=2MiB stage=0", "1 1", stages=2, model=True)

    def test_to_the_byte(self) -> None:
        assert decide("a memory=8MiB stage=0, b memory=1329152B", "1 1", stages=2, model=True)
        assert not decide("a memory=8MiB stage=0, b memory=1329151B", "1 1", stages=2, model=True)


class TestRings:
    """Gradients need a directed ring through the nodes of a stage."""

    def test_two_nodes_need_both_directions(self) -> None:
        for links, expected in (("ab ac", False), ("ab ac b>c", False), ("ab ac bc", True)):
            assert decide("a stage=0, b, c", "1 2", stages=2, links=links, gradient="1 MiB") is expected

    def test_without_gradients_no_ring(self) -> None:
        assert decide("a stage=0, b, c", "1 2", stages=2, links="ab ac")
        assert decide("a stage=0, b, c", "1 2", stages=2, links="ab ac", gradient="[1 MiB, 0 B]")
        assert not decide("a stage=0, b, c", "1 2", stages=2, links="ab ac", gradient="[0 B, 1 MiB]")

    def test_three_nodes_may_have_a_ring_of_one_direction(self) -> None:
        nodes, way = "a stage=0, b, c, d", "ab ac ad"
        assert decide(nodes, "1 3", stages=2, links=f"{way} b>c c>d d>b", gradient="1 MiB")
        assert decide(nodes, "1 3", stages=2, links=f"{way} b>d d>c c>b", gradient="1 MiB")
        assert not decide(nodes, "1 3", stages=2, links=f"{way} b>c c>d b>d", gradient="1 MiB")
        assert not decide(nodes, "1 3", stages=2, links=f"{way} bc cd", gradient="1 MiB")

    def test_another_allocation_may_have_one(self) -> None:
        # Without the pin c may emit, and a and b share stage 1.
        assert decide("a, b, c", "1 2", stages=2, links="ab ac", gradient="1 MiB")


def rules_of(**given: int) -> Rules:
    numbers = {"path_length": 4, "max_swaps": 2, "max_swap_distance": 1, "max_jump": 4} | given
    return Rules(**numbers, even_stages=True, even_nodes=False, cover=False, path_period=None)


class TestOrders:
    @pytest.mark.parametrize(
        ("order", "given", "expected"),
        [
            # jump: a stage above the frontier, at most max_jump above it
            ((0, 1, 2, 3), {"max_jump": 1}, True),
            ((0, 2, 3, 4), {"max_jump": 1}, False),
            ((0, 4, 5, 6), {}, True),
            ((0, 5, 6, 7), {}, False),
            # the frontier, not the last stage, is what a jump is measured from: 3 to 4 after the swap to 2
            ((0, 3, 2, 4), {"max_jump": 3}, True),
            ((0, 1, 3, 2), {"max_jump": 1}, False),
            # swap: at most max_swap_distance below the frontier
            ((0, 1, 3, 2), {}, True),
            ((0, 1, 4, 2), {}, False),
            ((0, 1, 4, 2), {"max_swap_distance": 2}, True),
            # going up again below the frontier is another swap, measured from the frontier
            ((0, 3, 1, 2), {"max_swap_distance": 2, "max_swaps": 3}, True),
            ((0, 3, 1, 2), {"max_swap_distance": 2, "max_swaps": 2}, False),
            ((0, 3, 1, 2), {"max_swap_distance": 1, "max_swaps": 3}, False),
            # the distances of all swaps of one path sum to at most max_swaps
            ((0, 2, 1, 4, 3), {"max_swaps": 2}, True),
            ((0, 2, 1, 4, 3), {"max_swaps": 1}, False),
            ((0, 1, 2, 3), {"max_swaps": 0}, True),
            ((0, 2, 1, 3), {"max_swaps": 0}, False),
        ],
    )
    def test_by_hand(self, order: tuple[int, ...], given: dict[str, int], expected: bool) -> None:
        assert order_allowed(order, rules_of(**given)) is expected

    def test_all_of_them(self) -> None:
        assert list(allowed_orders(4, rules_of(path_length=3, max_jump=2))) == [
            (0, 1, 2),
            (0, 1, 3),
            (0, 2, 1),
            (0, 2, 3),
        ]

    def test_a_swap_may_be_the_only_way(self) -> None:
        # Links allow the cycle a-c-b-d only: stages 0, 2, 1, 3 or back, 0, 3, 1, 2.
        nodes = "a stage=0, b stage=1, c stage=2, d stage=3"
        ways = "ac cb bd da"
        assert decide(nodes, "1 1 1 1", stages=4, links=ways, rules="max_swaps=1")
        assert not decide(nodes, "1 1 1 1", stages=4, links=ways, rules="max_swaps=0")
        assert not decide(nodes, "1 1 1 1", stages=4, links=ways, rules="max_swaps=1, max_jump=1")


class TestEvenStages:
    def test_a_short_jump_never_reaches_the_last_stage(self) -> None:
        # Paths of two stages that jump by one: every microbatch executes stage 1, none stage 2.
        short = "path_length=2, max_jump=1"
        assert not decide("a, b, c", "1 1 1", stages=3, rules=short, microbatches=2)
        assert decide("a, b, c", "1 1 1", stages=3, rules=f"{short}, even_stages=false", microbatches=2)

    def test_one_more_is_even_where_it_does_not_divide(self) -> None:
        # a's link is to b alone: loads 1, 0 of one microbatch, but 2, 0 of two.
        nodes, short = "a stage=0, b, c", "path_length=2"
        assert decide(nodes, "1 1 1", stages=3, links="ab", rules=short, microbatches=1)
        assert not decide(nodes, "1 1 1", stages=3, links="ab", rules=short, microbatches=2)

    def test_data_nodes_balance_each_other(self) -> None:
        # One data node reaches stage 1 alone, the other stage 2 alone.
        nodes = "a stage=0, b stage=0, c stage=1, d stage=2"
        assert decide(nodes, "2 1 1", stages=3, links="ac bd", rules="path_length=2", microbatches=3)
        uneven = nodes.replace("b stage=0", "b stage=0 microbatches=1")
        assert not decide(uneven, "2 1 1", stages=3, links="ac bd", rules="path_length=2", microbatches=3)
        uneven = nodes.replace("b stage=0", "b stage=0 microbatches=2")
        assert decide(uneven, "2 1 1", stages=3, links="ac bd", rules="path_length=2", microbatches=3)


class TestEvenNodes:
    def test_a_node_out_of_reach(self) -> None:
        # Every microbatch must take b; c stays idle, which is even to within one for one microbatch.
        nodes = "a stage=0, b, c"
        assert decide(nodes, "1 2", stages=2, links="ab", rules="even_nodes=true", microbatches=1)
        assert not decide(nodes, "1 2", stages=2, links="ab", rules="even_nodes=true", microbatches=2)
        assert decide(nodes, "1 2", stages=2, links="ab", microbatches=2)

    def test_within_a_stage_only(self) -> None:
        # Loads of stage 1: 2; of stage 2: 1 and 1.
        nodes = "a stage=0, b stage=1, c stage=2, d stage=2"
        assert decide(nodes, "1 1 2", stages=3, rules="even_nodes=true", microbatches=2)

    def test_the_first_stage_is_left_out(self) -> None:
        assert decide(
            "a microbatches=3, b microbatches=1, c stage=1", "2 1", stages=2, rules="even_nodes=true"
        )

    def test_the_same_paths_under_another_allocation(self) -> None:
        # One microbatch on b, one on c: uneven stages with both in stage 1, even ones with d beside b or c.
        nodes, rules = "a stage=0, b, c, d", "path_length=2, even_nodes=true"
        assert decide(nodes, "1 2 1", stages=3, links="ab ac", rules=rules, microbatches=2)

    def test_stages_may_be_uneven_alone(self) -> None:
        # a reaches stage 1 alone; its nodes share alike.
        nodes = "a stage=0, b stage=1, c stage=1, d stage=2"
        rules = "path_length=2, even_nodes=true"
        assert not decide(nodes, "1 2 1", stages=3, links="ab ac", rules=rules, microbatches=2)
        assert decide(
            nodes, "1 2 1", stages=3, links="ab ac", rules=f"{rules}, even_stages=false", microbatches=2
        )


class TestCover:
    def test_one_microbatch_cannot_cover_what_it_skips(self) -> None:
        assert not decide("a, b, c", "1 1 1", stages=3, rules="path_length=2, cover=true", microbatches=1)
        assert decide("a, b, c", "1 1 1", stages=3, rules="path_length=2, cover=true", microbatches=2)

    def test_each_data_node_by_itself(self) -> None:
        # Together they execute both stages, neither does alone.
        assert decide("a, b, c, d", "2 1 1", stages=3, rules="path_length=2", microbatches=1)
        assert not decide("a, b, c, d", "2 1 1", stages=3, rules="path_length=2, cover=true", microbatches=1)

    def test_a_data_node_that_emits_nothing_covers_nothing(self) -> None:
        nodes = "a stage=0, b stage=0 microbatches=0, c, d"
        assert decide(nodes, "2 1 1", stages=3, rules="path_length=2, cover=true", microbatches=2)


class TestPathPeriod:
    def test_all_alike(self) -> None:
        # Loads 2, 0 with one path for both microbatches; 1, 1 with two.
        short = "path_length=2"
        assert not decide("a, b, c", "1 1 1", stages=3, rules=f"{short}, path_period=1", microbatches=2)
        assert decide("a, b, c", "1 1 1", stages=3, rules=f"{short}, path_period=2", microbatches=2)
        assert decide(
            "a, b, c", "1 1 1", stages=3, rules=f"{short}, path_period=1, even_stages=false", microbatches=2
        )

    def test_the_last_period_may_be_cut_short(self) -> None:
        # Microbatches 0 and 2 alike: loads 2, 1.
        assert decide("a, b, c", "1 1 1", stages=3, rules="path_length=2, path_period=2", microbatches=3)
        # Four stages and five microbatches, three of them alike: 3, 2, 0.
        rules = "path_length=2, path_period=2"
        assert not decide("a, b, c, d", "1 1 1 1", stages=4, rules=rules, microbatches=5)

    def test_counts_per_data_node(self) -> None:
        assert decide("a, b, c, d", "2 1 1", stages=3, rules="path_length=2, path_period=1", microbatches=2)

    def test_with_cover(self) -> None:
        rules = "path_length=2, cover=true, path_period=1"
        assert not decide("a, b, c, d", "2 1 1", stages=3, rules=rules, microbatches=2)


# A full product: every stage for every node, every row of nodes for every microbatch, each row checked by
# itself and then all of them together. It shares nothing with the oracle, and ends for small topologies only.


def product_feasible(instance: Instance) -> bool:
    return any(
        allocation_obeys(instance, allocation)
        and any(paths_obey(instance, allocation, choice) for choice in all_paths(instance, allocation))
        for allocation in itertools.product(range(instance.stages), repeat=instance.nodes)
    )


def sizes_of(instance: Instance, allocation: Sequence[int]) -> list[int]:
    return [sum(held == stage for held in allocation) for stage in range(instance.stages)]


def allocation_obeys(instance: Instance, allocation: Sequence[int]) -> bool:
    for node, stage in enumerate(allocation):
        if stage not in instance.allowed[node]:
            return False
    for stage, size in enumerate(sizes_of(instance, allocation)):
        if not instance.min_sizes[stage] <= size <= instance.max_sizes[stage]:
            return False
        nodes = [node for node in range(instance.nodes) if allocation[node] == stage]
        if instance.allreduce.needs_ring(stage, size) and not any(
            all(instance.transfer[ring[i - 1]][ring[i]] != NO_LINK for i in range(size))
            for ring in itertools.permutations(nodes)
        ):
            return False
    return True


#: For every data node, the paths of its microbatches by id.
Choice = dict[int, list[tuple[int, ...]]]


def all_paths(instance: Instance, allocation: Sequence[int]) -> Iterator[Choice]:
    owners = [
        node
        for node in range(instance.nodes)
        if allocation[node] == 0
        for _ in range(instance.microbatches[node])
    ]
    rows = list(itertools.permutations(range(instance.nodes), instance.path_length))
    good = {owner: [row for row in rows if path_obeys(instance, allocation, owner, row)] for owner in owners}
    for choice in itertools.product(*(good[owner] for owner in owners)):
        paths: Choice = {}
        for owner, path in zip(owners, choice, strict=True):
            paths.setdefault(owner, []).append(path)
        yield paths


def path_obeys(instance: Instance, allocation: Sequence[int], data_node: int, path: tuple[int, ...]) -> bool:
    stages = [allocation[node] for node in path]
    if path[0] != data_node or len(set(stages)) != instance.path_length:
        return False
    spent = 0
    for position in range(1, len(stages)):
        above = stages[position] - max(stages[:position])
        if above > instance.rules.max_jump or -above > instance.rules.max_swap_distance:
            return False
        spent += max(0, -above)
    hops = [*itertools.pairwise(path), (path[-1], data_node)]
    exist = all(instance.transfer[a][b] != NO_LINK and instance.transfer[b][a] != NO_LINK for a, b in hops)
    return spent <= instance.rules.max_swaps and exist


def paths_obey(instance: Instance, allocation: Sequence[int], choice: Choice) -> bool:
    rules, others = instance.rules, range(1, instance.stages)
    by_node = [0] * instance.nodes
    by_stage = [0] * instance.stages
    for paths in choice.values():
        if rules.path_period and paths[rules.path_period :] != paths[: -rules.path_period]:
            return False
        executed = {allocation[node] for path in paths for node in path}
        if rules.cover and len(executed) < instance.stages:
            return False
        for path in paths:
            for node in path:
                by_node[node] += 1
                by_stage[allocation[node]] += 1
    if rules.even_stages and max(by_stage[1:]) - min(by_stage[1:]) > 1:
        return False
    if rules.even_nodes:
        for stage in others:
            loads = [by_node[node] for node in range(instance.nodes) if allocation[node] == stage]
            if max(loads) - min(loads) > 1:
                return False
    return True


def choices(instance: Instance) -> int:
    """A rough measure of how many choices the full product goes through."""
    emitted = sum(sorted(instance.microbatches, reverse=True)[: instance.data_nodes])
    return int(instance.nodes * math.perm(instance.stages - 1, instance.path_length - 1) ** emitted)


def test_agrees_with_the_full_product() -> None:
    rng = Random(20)
    answers: list[bool] = []
    while len(answers) < 500:
        text = random_topology(rng)
        tables = Instance.of(load_topology(text))
        if choices(tables) <= 30_000:
            answers.append(feasible(tables))
            assert answers[-1] == product_feasible(tables), text
    assert 250 < sum(answers) < 375


class TestRandomTopologies:
    def test_every_feature_has_its_share(self) -> None:
        rng = Random(0)
        drawn = [features_of(random_topology(rng)) for _ in range(3000)]
        for feature, share in SHARES.items():
            assert abs(sum(feature in features for features in drawn) / len(drawn) - share) < 0.03, feature

    def test_the_same_seed_gives_the_same_text(self) -> None:
        assert random_topology(Random(7)) == random_topology(Random(7))

    def test_features_can_be_asked_for(self) -> None:
        assert features_of(random_topology(Random(0), {"cover", "pins"})) == {"cover", "pins"}
        assert features_of(random_topology(Random(0), set())) == set()

    def test_never_bad_input_and_both_answers(self) -> None:
        rng = Random(1)
        infeasible = 0
        for _ in range(500):
            loaded = load_topology(random_topology(rng))
            assert not loaded.warnings
            tables = Instance.of(loaded)
            assert 3 <= tables.nodes <= 6 and 2 <= tables.stages <= 4
            infeasible += not feasible(tables)
        assert 0.25 < infeasible / 500 < 0.5

    def test_features_are_in_the_topology(self) -> None:
        rng = Random(2)
        for _ in range(200):
            text = random_topology(rng)
            loaded = load_topology(text)
            for feature in features_of(text) & SHOWN.keys():
                assert SHOWN[feature](loaded), f"{feature}\n{text}"

    def test_directions_differ_or_lack_one(self) -> None:
        for features in ({"asymmetric-links"}, {"asymmetric-links", "missing-links"}):
            rng = Random(3)
            shown = [asymmetric(load_topology(random_topology(rng, features))) for _ in range(50)]
            assert sum(shown) > 25

    def test_somebody_always_emits(self) -> None:
        rng = Random(4)
        for _ in range(100):
            tables = Instance.of(load_topology(random_topology(rng, {"own-microbatches"})))
            assert sum(count == 0 for count in tables.microbatches) < tables.data_nodes


def asymmetric(loaded: Topology) -> bool:
    rows = loaded.network.rows
    return any(rows.get((b, a)) != link for (a, b), link in rows.items())


def stated(key: str) -> Callable[[Topology], bool]:
    return lambda loaded: key in loaded.document["rules"]


#: What shows a feature in a topology. Asymmetric links and numbers of 0 come by chance.
SHOWN: dict[str, Callable[[Topology], bool]] = {
    "slots-of-1": lambda t: all(node.slots in (1, None) for node in t.nodes),
    "one-node-per-stage": lambda t: len(t.nodes) == t.workload.stages,
    "free-sizes": lambda t: t.workload.stage_sizes is None,
    "pins": lambda t: any(node.stage is not None for node in t.nodes),
    "tight-swaps": stated("max_swaps"),
    "tight-jumps": stated("max_jump"),
    "short-paths": lambda t: t.rules.path_length < t.workload.stages,
    "missing-links": lambda t: t.network.default is None,
    "own-microbatches": lambda t: any("microbatches" in node for node in t.document["nodes"]),
    "cover": lambda t: t.rules.cover,
    "path-period": lambda t: t.rules.path_period in (1, 2),
    "even-nodes": lambda t: t.rules.even_nodes,
    "uneven-stages": lambda t: not t.rules.even_stages,
    "memory-in-bytes": lambda t: all(node.memory is not None for node in t.nodes),
    "gradients": lambda t: any(t.workload.gradient),
    "action-overhead": lambda t: t.workload.action_overhead > 0,
}
assert SHOWN.keys() == FEATURES - {"asymmetric-links"}
