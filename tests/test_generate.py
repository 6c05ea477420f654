"""Generated topologies: the same for the same seed, feasible, and such that the rules bind."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from cli_cases import environment, finished

import skipsched
from skipsched.clock import Clock
from skipsched.generate import KINDS, LEAST_NODES, MOST_NODES, generate_topology
from skipsched.generate.draw import Draw
from skipsched.instance import Instance
from skipsched.routes.choose import choose_paths
from skipsched.routes.find import find_routes, has_routes
from skipsched.topology.limits import MAX_SEED
from skipsched.topology.model import Topology
from skipsched.topology.shipped import family_names

FAMILIES = Path(__file__).resolve().parent.parent / "instances" / "families"
SIZES = (8, 20, 50, 100, 200, 500, 1000)
STORED = [f"{kind}-{nodes}" for kind in KINDS for nodes in SIZES]
SMALL = [f"{kind}-{nodes}" for kind in KINDS for nodes in (8, 20)]
#: Sizes that are no round numbers, the least included.
ODD = (8, 9, 13, 37)


def topology(kind: str, nodes: int, seed: int = 0) -> Topology:
    return skipsched.load_topology(generate_topology(kind, nodes, seed))


def instance(name: str) -> Instance:
    return Instance.of(skipsched.load_topology(name))


def without_names(text: str) -> list[str]:
    """A topology without the lines that tell its name and command."""
    return [line for line in text.splitlines() if not line.startswith(("name: ", "# Made by: "))]


class TestStored:
    def test_every_kind_has_every_size(self) -> None:
        assert sorted(STORED) == family_names() == sorted(path.stem for path in FAMILIES.iterdir())

    @pytest.mark.parametrize("name", STORED)
    def test_a_family_is_what_is_generated_today(self, name: str) -> None:
        kind, nodes = name.split("-")
        assert (FAMILIES / f"{name}.yaml").read_bytes() == generate_topology(kind, int(nodes)).encode()

    @pytest.mark.parametrize("name", [name for name in STORED if not name.endswith("000")])
    def test_a_family_loads_without_warnings(self, name: str) -> None:
        loaded = skipsched.load_topology(name)
        assert (loaded.name, loaded.warnings) == (name, ())
        assert name.endswith(f"-{len(loaded.nodes)}")

    @pytest.mark.parametrize("name", STORED)
    def test_a_family_is_feasible(self, name: str) -> None:
        assert has_routes(instance(name), Clock(120), workers=1)


class TestSameBytes:
    @pytest.mark.parametrize(
        ("kind", "digest"),
        [
            ("clouds", "a7b6201c61b665a9"),
            ("gpus", "b0bface80475fdb7"),
            ("homes", "a4cc0294d312fcaa"),
            ("equal", "60f740d0f473b5a2"),
            ("islands", "551a98a75f6642c2"),
        ],
    )
    def test_for_good(self, kind: str, digest: str) -> None:
        assert hashlib.sha256(generate_topology(kind, 37, 7).encode()).hexdigest()[:16] == digest

    def test_whatever_order_sets_have(self) -> None:
        code = (
            "from skipsched.generate import KINDS, generate_topology\n"
            "for kind in KINDS: print(generate_topology(kind, 60, 1), end='')"
        )
        here = "".join(generate_topology(kind, 60, 1) for kind in KINDS)
        for seed in ("1", "2"):
            ran = finished([sys.executable, "-c", code], env=environment(PYTHONHASHSEED=seed))
            assert (ran.code, ran.out) == (0, here)

    def test_the_numbers_are_those_that_python_promises(self) -> None:
        # The first two of Random(0), whatever the version: 0.8444..., 0.7579...
        draw = Draw(0)
        assert draw.between(0, 1) == 0.8444218515250481
        assert draw.whole(1, 100) == 76

    @pytest.mark.parametrize("kind", KINDS)
    def test_other_seeds_give_others(self, kind: str) -> None:
        # A topology of equal nodes has a card and a network to draw: few enough that seeds meet.
        bodies = {"\n".join(without_names(generate_topology(kind, 20, seed))) for seed in range(8)}
        assert len(bodies) >= (3 if kind == "equal" else 8)

    def test_the_name_tells_the_seed(self) -> None:
        assert topology("clouds", 50).name == "clouds-50"
        assert topology("clouds", 50, 3).name == "clouds-50-seed3"

    def test_the_head_tells_what_makes_it(self) -> None:
        lines = generate_topology("clouds", 50, 3).splitlines()
        assert (
            "# Made by: skipsched generate --kind clouds --nodes 50 --seed 3"
            in lines[: lines.index("skipsched: 1")]
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("nodes", ODD)
def test_any_size_and_seed_is_feasible(kind: str, nodes: int) -> None:
    for seed in (1, MAX_SEED):
        loaded = topology(kind, nodes, seed)
        assert loaded.warnings == ()
        assert len(loaded.nodes) == nodes
        tables = Instance.of(loaded)
        assert tables.complete
        assert has_routes(tables, Clock(30), workers=1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("nodes", [8, 13])
def test_small_ones_are_solved(kind: str, nodes: int) -> None:
    result = skipsched.solve(topology(kind, nodes, 4), gap=1, deterministic=True)
    assert result.schedule is not None
    assert skipsched.validate(result.schedule) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("nodes", [*SIZES, *ODD])
def test_figures_and_their_source_stand_at_the_head(kind: str, nodes: int) -> None:
    lines = generate_topology(kind, nodes).splitlines()
    header = lines[: lines.index("skipsched: 1")]
    assert all(line.startswith("#") and len(line) <= 118 for line in header)
    assert any(line.startswith("# Figures: ") for line in header)


@pytest.mark.parametrize(
    ("kind", "nodes", "seed", "message"),
    [
        ("moons", 20, 0, "there is no kind 'moons', only clouds, "),
        ("clouds", LEAST_NODES - 1, 0, "nodes must be a whole number from 8 to 1000, not 7"),
        ("clouds", MOST_NODES + 1, 0, "nodes must be a whole number from 8 to 1000, not 1001"),
        ("clouds", 20.0, 0, "nodes must be a whole number from 8 to 1000, not 20.0"),
        ("clouds", 20, True, "seed must be a whole number from 0 to 2147483647, not True"),
        ("clouds", 20, -1, "seed must be a whole number from 0 to 2147483647, not -1"),
        ("clouds", 20, MAX_SEED + 1, "seed must be a whole number from 0 to 2147483647, not 2147483648"),
    ],
)
def test_what_cannot_be_generated(kind: str, nodes: int, seed: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        generate_topology(kind, nodes, seed)


class TestRulesBind:
    """What makes the problem hard is there: otherwise a family would measure nothing."""

    @pytest.mark.parametrize("name", SMALL)
    def test_memory(self, name: str) -> None:
        tables = instance(name)
        slots = [row[0] for row in tables.slots if row[0]]
        assert min(tables.microbatches) > median(slots)

    @pytest.mark.parametrize("name", SMALL)
    def test_data_nodes_carry_about_as_much_as_others(self, name: str) -> None:
        tables = instance(name)
        others = tables.nodes - tables.data_nodes
        carried = tables.microbatches[0] * tables.data_nodes * (tables.path_length - 1) / others
        assert 0.6 <= carried / tables.microbatches[0] <= 1
        assert tables.path_length < tables.stages

    @pytest.mark.parametrize("name", [name for name in SMALL if not name.startswith("equal")])
    def test_cheapest_paths_alone_are_uneven(self, name: str) -> None:
        tables = instance(name)
        allocation = find_routes(tables, Clock(30), workers=1).allocation
        unruly = replace(tables, rules=replace(tables.rules, even_stages=False))
        routes = choose_paths(unruly, allocation, load_price=0, clock=Clock(30))
        assert routes is not None
        visited = [allocation[node] for path in routes.paths for node in path[1:]]
        executed = [visited.count(stage) for stage in range(1, tables.stages)]
        assert max(executed) - min(executed) > 1

    @pytest.mark.parametrize("name", [f"{kind}-{nodes}" for kind in KINDS for nodes in (8, 20, 50)])
    def test_computing_and_transfers_both_count(self, name: str) -> None:
        tables = instance(name)
        action = median(row[1] for row in tables.forward)
        hops = [cost for row in tables.transfer for cost in row if cost]
        # The slowest link costs no less than a tenth of a forward, a typical one no more than twelve.
        assert max(hops) > action / 10
        assert median(hops) < 12 * action


class TestKinds:
    def test_clouds_have_the_published_links_but_for_a_slip(self) -> None:
        rows = topology("clouds", 50).network.rows
        assert len(rows) == 12 * 11
        mebibytes = {ends: float(link.bandwidth / 2**20) for ends, link in rows.items()}
        assert mebibytes["Belgium", "London"] == mebibytes["NL", "London"] == 248.32
        published = skipsched.load_topology("geo-20").network.rows
        same = [ends for ends in published if set(ends) != {"NL", "London"}]
        assert {ends: rows[ends] for ends in same} == {ends: published[ends] for ends in same}

    @pytest.mark.parametrize("seed", range(6))
    def test_clouds_speak_of_the_slip_where_the_pair_is(self, seed: int) -> None:
        text = generate_topology("clouds", 9, seed)
        assert ("slip of units" in text) == ("between: [NL, London]" in text)

    def test_gpus_of_16_gib_hold_no_first_stage(self) -> None:
        loaded = topology("gpus", 37)
        tables = Instance.of(loaded)
        for node, slots in zip(loaded.nodes, tables.slots, strict=True):
            assert (slots[0] == 0) == (node.memory == 16 * 2**30)
            assert min(slots[1:]) >= 1 and max(slots) <= 8

    def test_homes_send_more_slowly_than_they_receive(self) -> None:
        loaded = topology("homes", 200)
        rows = loaded.network.rows
        places = {node.location for node in loaded.nodes if node.location}
        sent = {a: max(link.bandwidth for (b, _), link in rows.items() if a == b) for a in places}
        received = {a: max(link.bandwidth for (_, b), link in rows.items() if a == b) for a in places}
        slowest = sorted(places, key=lambda place: sent[place])[: len(places) // 2]
        assert all(received[place] > sent[place] for place in slowest)
        megabits = [float(rate * 8 / 10**6) for rate in sent.values()]
        assert min(megabits) >= 5 and max(megabits) <= 1000
        assert max(megabits) > 10 * min(megabits)

    def test_homes_of_a_thousand_nodes_have_few_places(self) -> None:
        assert len(topology("homes", 1000).network.rows) < 2000

    def test_equal_nodes_are_equal(self) -> None:
        tables = Instance.of(topology("equal", 37))
        rows: list[tuple[Any, ...]] = [*tables.forward, *tables.slots]
        assert len(set(rows)) == 2
        assert len({cost for row in tables.transfer for cost in row if cost}) == 1

    @pytest.mark.parametrize("seed", range(4))
    def test_islands_are_fast_inside_and_slow_between(self, seed: int) -> None:
        rows = topology("islands", 37, seed).network.rows
        inside = [link.bandwidth for (a, b), link in rows.items() if a == b]
        between = [link.bandwidth for (a, b), link in rows.items() if a != b]
        assert 2 <= len(inside) <= 5
        assert min(inside) >= 50 * max(between)
