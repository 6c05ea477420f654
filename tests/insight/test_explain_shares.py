"""What an iteration time is made of: worked out by hand, and adding up on random plans."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from insight_cases import planned, random_opened
from solver_cases import topology

from skipsched.insight.critical import critical_path, starts
from skipsched.insight.loads import LinkLoad, NodeLoad, link_loads, node_loads
from skipsched.insight.shares import Life, PathShares
from skipsched.opened import Opened
from skipsched.plan import Routes
from skipsched.topology.load import load_document

#: Both microbatches of a topology of two nodes take this way.
TWICE = Routes((0, 1), ((0, 1), (0, 1)))


def one_slot() -> Opened:
    """One slot each. F 0-10, F 11-21, L 22, B 23-43, B 44-64; the second microbatch begins at 64."""
    small = topology("a, b", "1 1", workload="microbatches=2")
    return planned(small, TWICE, "F0 L0 B0 F1 L1 B1", "F0 B0 F1 B1")[1]


def loads(opened: Opened) -> tuple[list[NodeLoad], list[LinkLoad]]:
    why = starts(opened.instance, opened.scheduled)
    steps = critical_path(opened.scheduled, why)
    return node_loads(opened.instance, opened.scheduled, why, steps), link_loads(opened, steps)


def shares(opened: Opened) -> tuple[PathShares, Life | None]:
    why = starts(opened.instance, opened.scheduled)
    return PathShares.of(critical_path(opened.scheduled, why)), Life.of(opened.scheduled, why)


class TestByHand:
    def test_one_slot(self) -> None:
        path, life = shares(one_slot())
        milliseconds = {kind: time // 1000 for kind, time in path.times.items()}
        assert milliseconds == {"F": 40, "L": 0, "B": 80, "overhead": 0, "transfer": 8, "all-reduce": 0}
        assert path.causes == {"nothing": 1, "input": 8, "node": 0, "slot": 1}
        # The second microbatch waits 64 ms for the slot of the first, then passes as it did.
        assert life == Life(1, 60_000, 4_000, 0, 64_000, 0)

    def test_two_slots(self) -> None:
        """The second F waits 10 ms for a, and its B 18 ms for b, which is at the first B until 51."""
        small = topology("a memory=2, b memory=2", "1 1", workload="microbatches=2")
        _, opened = planned(small, TWICE, "F0 F1 L0 L1 B0 B1", "F0 F1 B0 B1")
        # F 10-20, on b 21-31 as that becomes free, L 32; ready at 33, B 51-71 and 72-92.
        assert shares(opened)[1] == Life(1, 60_000, 4_000, 28_000, 0, 0)

    def test_the_life_ends_with_the_backward_that_is_averaged_last(self) -> None:
        """B on b ends at 43 ms, on a at 64; with an all-reduce of 30.2 ms the stage of b is done last."""
        small = topology("a, b, c", "1 2", workload="gradient=[0 B, 30000 B]")
        opened = planned(small, Routes((0, 1, 1), ((0, 1),)), "F0 L0 B0", "F0 B0", "")[1]
        path, life = shares(opened)
        assert opened.scheduled.objective.iteration_time == 73_200
        assert (path.times["all-reduce"], life) == (30_200, Life(0, 40_000, 3_000, 0, 0, 30_200))

    def test_nothing_lives_where_an_idle_stage_ends_last(self) -> None:
        small = topology(
            "a, b, c, d",
            "1 1 2",
            workload="gradient=[0 B, 0 B, 1 MB]",
            rules="path_length=2, even_stages=false",
        )
        opened = planned(small, Routes((0, 1, 2, 2), ((0, 1),)), "F0 L0 B0", "F0 B0", "", "")[1]
        path, life = shares(opened)
        assert life is None
        assert path.times["all-reduce"] == opened.scheduled.objective.iteration_time
        assert sum(path.causes.values()) == 0
        (_, links) = loads(opened)
        assert [(link.row.field, link.allreduce) for link in links] == [
            ("network.default", opened.scheduled.objective.iteration_time)
        ]

    def test_loads(self) -> None:
        nodes, links = loads(one_slot())
        a, b = nodes
        assert a == NodeLoad(0, 0, 2, 60_000, 1, 1, 128_000, 0, 64_000, 60_000, 1)
        # On b each is in flight from 11 to 43.
        assert b == NodeLoad(1, 1, 2, 60_000, 1, 1, 64_000, 0, 0, 60_000, 0)
        (link,) = links
        assert (link.row.field, link.transfers, link.time) == ("network.default", 8, 8_000)
        assert (link.critical_transfers, link.critical_time, link.allreduce) == (8, 8_000, 0)

    def test_the_worst_hop_bears_the_allreduce(self) -> None:
        """c answers at a tenth of the speed: of the ring of two that hop is the worst."""
        small = topology("a, b, c", "1 2", workload="gradient=[0 B, 30000 B]", links="ab ac b>c")
        document = {**small.document}
        document["network"] = {
            "links": [
                *document["network"]["links"],
                {"from": "c", "to": "b", "latency": "0.1 ms", "bandwidth": "100 kB/s"},
            ]
        }
        opened = planned(load_document(document), Routes((0, 1, 1), ((0, 1),)), "F0 L0 B0", "F0 B0", "")[1]
        _, links = loads(opened)
        # 2 x (0.1 + 150) ms over the slow hop, and nothing over the other one.
        assert {link.row.name: link.allreduce for link in links} == {"c to b": 300_200, "a - b": 0}


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32))
def test_everything_adds_up_to_the_iteration_time(seed: int) -> None:
    opened = random_opened(seed)
    if opened is None:
        return
    whole = opened.scheduled.objective.iteration_time
    path, life = shares(opened)
    assert sum(path.times.values()) == whole
    if life is not None:
        parts = (life.computing, life.transfer, life.node_wait, life.slot_wait, life.allreduce)
        assert sum(parts) == whole
        assert min(parts) >= 0
    nodes, links = loads(opened)
    assert sum(node.critical for node in nodes) + sum(link.critical_time for link in links) == (
        whole - path.times["all-reduce"]
    )
    assert sum(node.critical_slots for node in nodes) == path.causes["slot"]
    assert sum(node.computing for node in nodes) == sum(opened.scheduled.actions.duration)
    assert sum(link.time for link in links) == sum(opened.scheduled.actions.lag)
    for node in nodes:
        assert node.most_in_flight <= node.slots
        assert node.in_flight <= node.most_in_flight * whole
    assert {link.allreduce for link in links} <= {0, path.times["all-reduce"]}
    assert any(link.allreduce for link in links) == bool(path.times["all-reduce"])
