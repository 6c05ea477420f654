"""The shipped topologies written by hand load, and say what their comments say."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from skipsched.generate import KINDS
from skipsched.instance import NO_LINK, Instance
from skipsched.topology.load import load_topology
from skipsched.topology.model import Topology
from skipsched.topology.shipped import family_names, shipped_names, shipped_path, written_names

FOLDER = Path(__file__).resolve().parent.parent / "instances"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def topology(name: str) -> Topology:
    return load_topology(FOLDER / f"{name}.yaml")


def instance(name: str) -> Instance:
    return Instance.of(topology(name))


def transfer(tables: Instance, source: str, target: str) -> int:
    return tables.transfer[tables.node_ids.index(source)][tables.node_ids.index(target)]


def emitted(tables: Instance) -> int:
    """Microbatches in all, where every node would emit equally many."""
    assert len(set(tables.microbatches)) == 1
    return tables.microbatches[0] * tables.data_nodes


def test_all_are_there() -> None:
    assert NAMES == ["bytes-16", "cluster-20", "full-pipeline-12", "geo-20", "small-8", "uneven-24"]


@pytest.mark.parametrize("name", NAMES)
def test_loads_without_warnings(name: str) -> None:
    loaded = topology(name)
    assert loaded.warnings == ()
    assert loaded.name == name
    assert name.endswith(f"-{len(loaded.nodes)}")


@pytest.mark.parametrize("name", NAMES)
def test_every_pair_has_a_link_and_every_node_a_stage(name: str) -> None:
    tables = instance(name)
    assert tables.complete
    assert all(tables.allowed)
    assert not tables.orders.empty


@pytest.mark.parametrize("name", NAMES)
def test_begins_with_a_comment_on_its_figures(name: str) -> None:
    lines = (FOLDER / f"{name}.yaml").read_text().splitlines()
    header = lines[: lines.index("skipsched: 1")]
    assert all(line.startswith("#") for line in header)
    assert any(line.startswith("# Figures: ") for line in header)


def table(heading: str) -> dict[str, list[str]]:
    """The rows below a heading of the README, by their first cell."""
    section = (FOLDER / "README.md").read_text().split(f"# {heading}\n")[1].split("\n#")[0]
    rows = [line.split("|")[1:-1] for line in section.splitlines() if line.startswith("|")]
    return {row[0].strip(): [cell.strip() for cell in row] for row in rows[2:]}


def test_readme_lists_every_file() -> None:
    listed = table("Written by hand")
    files = {path.name for path in FOLDER.iterdir() if path.suffix in (".yaml", ".csv")}
    assert set(listed) == {f"[{name}]({name})" for name in files}
    for name in NAMES:
        tables = instance(name)
        row = listed[f"[{name}.yaml]({name}.yaml)"]
        assert row[2:4] == [str(tables.nodes), str(tables.stages)]


def test_readme_lists_every_family() -> None:
    assert set(table("Families")) == {f"`{kind}`" for kind in KINDS}
    sizes = table("Sizes")
    assert {f"{kind}-{nodes}" for kind in KINDS for nodes in sizes} == set(family_names())
    for nodes, row in sizes.items():
        loaded = load_topology(f"equal-{nodes}")
        assert row == [nodes, str(loaded.workload.stages), str(loaded.nodes[0].microbatches)]


def test_names_of_both_sorts_differ() -> None:
    assert written_names() == NAMES
    assert not set(written_names()) & set(family_names())
    assert shipped_names() == sorted(written_names() + family_names())
    for name in shipped_names():
        path = shipped_path(name)
        assert path is not None and path.stem == name


def test_geo_20_is_the_published_set_up() -> None:
    tables = instance("geo-20")
    assert tables.node_ids == tuple(f"n{i}" for i in range(20))
    assert tables.min_sizes == tables.max_sizes == (5, 3, 3, 3, 3, 3)
    assert emitted(tables) == 30
    assert tables.path_length == 4  # 6 stages, a third skipped
    # Forward: 0.055 s a layer and sample, 4 layers, 8 samples = 1.76 s. Backward 1.5x, loss 0.25x.
    assert {f for row in tables.forward for f in row} == {1_760_000}
    assert {b for row in tables.backward for b in row} == {2_640_000}
    assert set(tables.loss) == {440_000}
    assert tables.overhead == 130_000
    assert {m for row in tables.slots for m in row} == {3}
    rules = tables.rules
    assert (rules.max_swaps, rules.max_swap_distance, rules.max_jump) == (2, 1, 4)
    assert (rules.even_stages, rules.even_nodes, rules.cover, rules.path_period) == (True, False, False, None)


def test_geo_20_places_node_i_in_region_i_mod_12() -> None:
    first = ["Australia", "Belgium", "Canada", "Germany", "Iowa", "Japan"]
    regions = [*first, "LA", "NL", "Oregon", "Singapore", "Taiwan", "London"]
    nodes = topology("geo-20").nodes
    assert [node.location for node in nodes] == [regions[i % 12] for i in range(20)]


def test_geo_20_has_a_row_for_each_pair_of_regions() -> None:
    assert len(topology("geo-20").network.rows) == 12 * 11


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        # Australia - Belgium: 350 ms + 129 ms + 32 MiB / (0.00982666015625 * 1024 = 10.0625 MiB/s) =
        # 0.479 + 3.180124223... s
        ("n0", "n1", 3_659_124),
        # Canada - Singapore: 350 ms + 107 ms + 32 MiB / (0.01193847 * 1024 = 12.22499328 MiB/s) =
        # 0.457 + 2.617588379... s
        ("n2", "n9", 3_074_588),
        # NL - London: 350 ms + 4.8 ms + 32 MiB / (0.00023681640625 * 1024 = 0.2425 MiB/s) =
        # 0.3548 + 131.958762886... s, the slip of units as published
        ("n7", "n11", 132_313_563),
        # Australia, both: 350 ms + 1 ms + 32 MiB / 2048 MiB/s = 0.351 + 0.015625 s
        ("n0", "n12", 366_625),
    ],
)
def test_geo_20_transfers(source: str, target: str, expected: int) -> None:
    tables = instance("geo-20")
    assert transfer(tables, source, target) == transfer(tables, target, source) == expected


def test_cluster_20_differs_from_geo_20_in_its_transfers_alone() -> None:
    cluster, geo = instance("cluster-20"), instance("geo-20")
    off_diagonal = {c for a, row in enumerate(cluster.transfer) for b, c in enumerate(row) if a != b}
    assert off_diagonal == {366_625}
    assert cluster.forward == geo.forward
    assert cluster.backward == geo.backward
    assert cluster.loss == geo.loss
    assert cluster.slots == geo.slots
    assert cluster.overhead == geo.overhead
    assert cluster.rules == geo.rules
    assert cluster.microbatches == geo.microbatches
    assert cluster.min_sizes == geo.min_sizes


def test_small_8() -> None:
    tables = instance("small-8")
    assert tables.min_sizes == tables.max_sizes == (2, 2, 2, 2)
    assert emitted(tables) == 6
    assert tables.path_length == 3
    # Without swaps 0-1-2, 0-1-3 and 0-2-3; the one swap of neighbours adds 0-2-1. From 0 to 3 is a jump of 3.
    assert list(tables.orders) == [(0, 1, 2), (0, 1, 3), (0, 2, 1), (0, 2, 3)]
    # Iowa - Japan: 72.5 ms + 16 MiB / 14.3125 MiB/s = 0.0725 + 1.117903930... s
    assert transfer(tables, "iowa0", "japan0") == 1_190_404


def test_full_pipeline_12_has_one_order() -> None:
    tables = instance("full-pipeline-12")
    assert tables.path_length == tables.stages == 4
    assert list(tables.orders) == [(0, 1, 2, 3)]
    assert emitted(tables) == 24
    # 64 MiB = 536.870912 Mbit: 0.2 ms + 53.6870912 ms within a data centre, 35 ms + 536.870912 ms between.
    assert transfer(tables, "north0", "north1") == 53_887
    assert transfer(tables, "north0", "south0") == 571_871


def test_uneven_24_is_uneven() -> None:
    tables = instance("uneven-24")
    assert tables.data_nodes == 4
    assert tables.min_sizes == (4, 1, 1, 1, 1, 1, 1, 1)
    assert tables.max_sizes == (4, 14, 14, 14, 14, 14, 14, 14)  # 24 - 4 - 6 others with one node each
    assert len({row[0] for row in tables.forward}) == 5
    assert set(tables.microbatches) == {10, 6, 4, 2}
    pins = {node.id: node.stage for node in topology("uneven-24").nodes if node.stage is not None}
    assert pins == {"west-data": 0, "east-data": 0, "campus-store": 7}
    assert transfer(tables, "west-data", "lyon0") < transfer(tables, "lyon0", "west-data")


def test_uneven_24_pays_for_a_ring_across_homes() -> None:
    tables = instance("uneven-24")
    lyon, boise = tables.node_ids.index("lyon0"), tables.node_ids.index("boise0")
    # Two nodes, 288 MiB: 2 * (75 ms + 144 MiB / 150 Mbit/s) = 2 * (0.075 + 1207.959552 / 150) s
    assert tables.allreduce.hop(1, 2, lyon, boise) == 16_256_127
    # The first stage averages 538 MiB: 2 * (0.075 + 2256.535552 / 150) s
    assert tables.allreduce.hop(0, 2, lyon, boise) == 30_237_141


def test_uneven_24_activation_is_that_of_its_model() -> None:
    bytes_per_value, sequence, samples, hidden = 2, 4096, 4, 2048
    assert topology("uneven-24").workload.activation == bytes_per_value * sequence * samples * hidden


def test_bytes_16_slots() -> None:
    tables = instance("bytes-16")
    slots = {node_id: tables.slots[index] for index, node_id in enumerate(tables.node_ids)}
    # A layer is 4*4096*4096 + 3*4096*11008 + 2*4096 = 202,383,360 parameters of 16 bytes; one microbatch in
    # flight takes 17*2*2048*2*4096 = 570,425,344 bytes a layer.
    # Four layers: state 12,952,535,040, footprint 2,281,701,376.
    # 16 GiB = 17,179,869,184: (17.18 - 12.95) / 2.28 = 1.85; 24 GiB: 5.6; 48 GiB: 16.9.
    # The first stage: five layers and 2*32000*4096 + 4096 parameters are 20,385,038,336 bytes, above 16 GiB;
    # footprint 5 * 570,425,344 + 2*2048*2*32000 = 3,114,270,720. 24 GiB: (25.77 - 20.39) / 3.11 = 1.73.
    # The last stage, three layers: state 9,714,401,280, footprint 1,711,276,032. 16 GiB: 4.36; 24 GiB: 9.4.
    assert slots["v100-0"] == (0, 1, 1, 1, 1, 1, 1, 4)
    assert slots["rtx-0"] == (1, 5, 5, 5, 5, 5, 5, 9)
    assert slots["l40s-0"][:2] == (10, 16)
    assert tables.allowed[tables.node_ids.index("v100-0")] == (1, 2, 3, 4, 5, 6, 7)


def test_bytes_16_links() -> None:
    tables = instance("bytes-16")
    assert topology("bytes-16").workload.activation == 32 * 2**20
    # The pair's own row before its site's: 2 ms + 0.01 ms + 32/23000 s, against 2 ms + 0.05 ms + 32/2900 s.
    assert transfer(tables, "a100-0", "a100-1") == 3_401
    assert transfer(tables, "a100-0", "a100-2") == 13_084
    assert transfer(tables, "v100-0", "a100-0") == 2_000 + 14_000 + 32 * 10**6 // 80


def test_bytes_16_gradients_are_two_bytes_a_parameter() -> None:
    workload = topology("bytes-16").workload
    layer, first = 202_383_360, 2 * 32_000 * 4_096 + 4_096
    layers = workload.stage_layers
    assert layers == (5, 4, 4, 4, 4, 4, 4, 3)
    exact = [2 * (count * layer + (first if stage == 0 else 0)) for stage, count in enumerate(layers)]
    assert [round(Fraction(size, 10**6)) * 10**6 for size in exact] == list(workload.gradient)


def test_no_transfer_is_absurd() -> None:
    """Less than a quarter of an hour each, so that no figure has slipped by its unit."""
    for name in NAMES:
        tables = instance(name)
        costs = [c for a, row in enumerate(tables.transfer) for b, c in enumerate(row) if a != b]
        assert min(costs) != NO_LINK and max(costs) < 15 * 60 * 10**6
