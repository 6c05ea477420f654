"""Each rule in the exact model: a solution that it accepts, and one broken there alone that it refuses.

That a rule alone refuses a solution is proved by the same one without that rule: then it is accepted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from exact_cases import (
    AMPLE,
    Starts,
    all_choices,
    fix,
    judged,
    pinned,
    random_schedule,
    rings_with,
    starts_in,
    starts_of,
    status_of,
)
from ortools.sat.python import cp_model
from solver_cases import broken_rules, instance, random_case, random_routes

from skipsched.clock import Clock, OutOfTime, TooLarge
from skipsched.exact import model as model_of
from skipsched.exact.frozen import Frozen
from skipsched.exact.hint import in_emission_order
from skipsched.exact.model import ExactModel, Goal
from skipsched.exact.paths import Path
from skipsched.instance import Instance
from skipsched.scheduled import Scheduled

MS = 1000
FEASIBLE, INFEASIBLE = "FEASIBLE", "INFEASIBLE"


def with_rules(tables: Instance, **rules: object) -> Instance:
    return replace(tables, rules=replace(tables.rules, **rules))  # type: ignore[arg-type]


def with_slots(tables: Instance, *slots: int) -> Instance:
    """So many slots on every node, whatever its stage."""
    return replace(tables, slots=tuple((each,) * tables.stages for each in slots))


def row(stages: int, length: int, rules: str = "") -> Instance:
    """One node for each stage, one microbatch, nothing else forbidden: node n holds stage n."""
    nodes = ", ".join(f"{'abcdef'[n]} stage={n}" for n in range(stages))
    fields = f"path_length={length}, max_swaps=9, max_swap_distance=9, max_jump=9, even_stages=false"
    tables = instance(nodes, " ".join("1" * stages), rules=fields)
    return with_rules(tables, **dict(field.split("=") for field in rules.split(",") if field))


class TestFirstStage:
    def test_a_path_begins_there(self) -> None:
        tables = row(2, 2)
        assert judged(tables, [(0, 1)], allocation=(0, 1)) == FEASIBLE

    def test_a_path_that_begins_elsewhere(self) -> None:
        # The same nodes with their stages exchanged: then it is an ordinary path.
        tables = instance("a, b", "1 1")
        assert judged(tables, [(1, 0)], allocation=(0, 1)) == INFEASIBLE
        assert judged(tables, [(1, 0)], allocation=(1, 0)) == FEASIBLE

    def test_a_path_that_enters_it_again(self) -> None:
        # The last node as one of stage 2, which would be a stage of its own.
        tables = with_rules(instance("a, b microbatches=0, c microbatches=0", 1, stages=3), even_stages=False)
        assert judged(tables, [(0, 1, 2)], allocation=(0, 1, 0)) == INFEASIBLE
        assert judged(tables, [(0, 1, 2)], allocation=(0, 1, 2)) == FEASIBLE


class TestPathLength:
    @pytest.mark.parametrize("path", [(0, 1), (0, 1, 2, 3)])
    def test_too_short_or_too_long(self, path: Path) -> None:
        assert judged(row(4, 3), [path]) == INFEASIBLE
        assert judged(row(4, len(path)), [path]) == FEASIBLE

    def test_as_long_as_it_says(self) -> None:
        assert judged(row(4, 3), [(0, 1, 3)]) == FEASIBLE

    def test_a_stage_executed_twice(self) -> None:
        # The third node as one of stage 2.
        tables = with_rules(instance("a, b, c", 1, stages=3), even_stages=False)
        assert judged(tables, [(0, 1, 2)], allocation=(0, 1, 1)) == INFEASIBLE
        assert judged(tables, [(0, 1, 2)], allocation=(0, 1, 2)) == FEASIBLE


class TestSwap:
    @pytest.mark.parametrize(
        ("path", "distance"),
        [((0, 2, 1), 1), ((0, 3, 1), 2), ((0, 1, 3, 2), 1), ((0, 4, 1), 3), ((0, 2, 3, 1), 2)],
    )
    def test_distance(self, path: Path, distance: int) -> None:
        tables = row(5, len(path))
        assert judged(with_rules(tables, max_swap_distance=distance), [path]) == FEASIBLE
        assert judged(with_rules(tables, max_swap_distance=distance - 1), [path]) == INFEASIBLE

    @pytest.mark.parametrize(
        ("path", "swaps"),
        [((0, 2, 1), 1), ((0, 3, 2, 1), 3), ((0, 2, 1, 4, 3), 2), ((0, 3, 1, 2), 3), ((0, 2, 3, 1), 2)],
    )
    def test_sum_of_distances(self, path: Path, swaps: int) -> None:
        tables = row(5, len(path))
        assert judged(with_rules(tables, max_swaps=swaps), [path]) == FEASIBLE
        assert judged(with_rules(tables, max_swaps=swaps - 1), [path]) == INFEASIBLE

    def test_none_at_all(self) -> None:
        tables = with_rules(row(3, 3), max_swaps=0)
        assert judged(tables, [(0, 1, 2)]) == FEASIBLE


class TestJump:
    @pytest.mark.parametrize(
        # From 2 down to 1 and up to 3 the frontier is 2, so that 3 is a jump of one.
        ("path", "jump"),
        [((0, 1, 2), 1), ((0, 3, 4), 3), ((0, 1, 4), 3), ((0, 2, 1, 3), 2), ((0, 4, 1), 4)],
    )
    def test_distance(self, path: Path, jump: int) -> None:
        tables = row(5, len(path))
        assert judged(with_rules(tables, max_jump=jump), [path]) == FEASIBLE
        assert judged(with_rules(tables, max_jump=jump - 1), [path]) == INFEASIBLE


class TestLink:
    @pytest.mark.parametrize("missing", [(0, 1), (1, 0), (1, 2), (2, 1), (2, 0), (0, 2)])
    def test_each_direction_of_each_hop(self, missing: tuple[int, int]) -> None:
        # The hop home is needed too, both ways as any other.
        tables = row(3, 3)
        a, b = missing
        cut = [list(costs) for costs in tables.transfer]
        cut[a][b] = -1
        assert judged(replace(tables, transfer=tuple(map(tuple, cut))), [(0, 1, 2)]) == INFEASIBLE
        assert judged(tables, [(0, 1, 2)]) == FEASIBLE

    def test_a_link_off_the_path(self) -> None:
        tables = row(4, 3)
        cut = [
            [-1 if 3 in (a, b) else cost for b, cost in enumerate(r)] for a, r in enumerate(tables.transfer)
        ]
        assert judged(replace(tables, transfer=tuple(map(tuple, cut))), [(0, 1, 2)]) == FEASIBLE


def fan(microbatches: int, rules: str = "", *, data_nodes: int = 1, holders: int = 1) -> Instance:
    """Data nodes first, then the nodes of stage 1 and one of stage 2: paths skip one of both stages."""
    nodes = [f"d{n} stage=0 memory=9" for n in range(data_nodes)]
    nodes += [f"b{n} stage=1 memory=9" for n in range(holders)]
    nodes.append("c stage=2 memory=9")
    fields = "path_length=2, even_stages=false" + (f", {rules}" if rules else "")
    sizes = f"{data_nodes} {holders} 1"
    return instance(", ".join(nodes), sizes, workload=f"microbatches={microbatches}", rules=fields)


class TestEvenStages:
    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ([(0, 1), (0, 2)], FEASIBLE),
            ([(0, 1), (0, 1)], INFEASIBLE),
            ([(0, 2), (0, 2)], INFEASIBLE),
            ([(0, 1), (0, 2), (0, 1)], FEASIBLE),
            ([(0, 1), (0, 2), (0, 2)], FEASIBLE),
            ([(0, 1), (0, 1), (0, 1)], INFEASIBLE),
            ([(0, 1), (0, 1), (0, 1), (0, 2)], INFEASIBLE),
        ],
    )
    def test_to_within_one(self, path: Sequence[Path], status: str) -> None:
        tables = fan(len(path))
        assert judged(with_rules(tables, even_stages=True), path) == status
        assert judged(tables, path) == FEASIBLE

    def test_over_all_data_nodes(self) -> None:
        # Each data node uses one stage alone: in sum they are even.
        tables = with_rules(fan(2, data_nodes=2), even_stages=True)
        assert judged(tables, [(0, 2), (0, 2), (1, 3), (1, 3)]) == FEASIBLE

    def test_over_all_nodes_of_a_stage(self) -> None:
        tables = with_rules(fan(4, holders=2), even_stages=True)
        assert judged(tables, [(0, 1), (0, 2), (0, 3), (0, 3)]) == FEASIBLE
        assert judged(tables, [(0, 1), (0, 2), (0, 2), (0, 3)]) == INFEASIBLE


class TestCover:
    @pytest.mark.parametrize(
        ("paths", "status"),
        [
            ([(0, 2), (0, 3), (1, 3), (1, 2)], FEASIBLE),
            ([(0, 2), (0, 2), (1, 3), (1, 2)], INFEASIBLE),
            ([(0, 2), (0, 3), (1, 3), (1, 3)], INFEASIBLE),
            ([(0, 2), (0, 2), (1, 3), (1, 3)], INFEASIBLE),
        ],
    )
    def test_each_data_node(self, paths: Sequence[Path], status: str) -> None:
        tables = fan(2, data_nodes=2)
        assert judged(with_rules(tables, cover=True), paths) == status
        assert judged(tables, paths) == FEASIBLE

    def test_a_stage_that_no_path_of_a_data_node_executes(self) -> None:
        # It may choose, but both of its choices end on stage 1.
        tables = fan(2, holders=2)
        paths, choices = [(0, 1), (0, 2)], [[(0, 1), (0, 2)]] * 2
        assert judged(with_rules(tables, cover=True), paths, choices=choices) == INFEASIBLE
        assert judged(tables, paths, choices=choices) == FEASIBLE

    def test_a_data_node_that_emits_nothing(self) -> None:
        tables = replace(with_rules(fan(2, data_nodes=2), cover=True), microbatches=(0, 2, 0, 0))
        assert judged(tables, [(1, 2), (1, 3)]) == FEASIBLE


class TestEvenNodes:
    @pytest.mark.parametrize(
        ("paths", "status"),
        [
            ([(0, 1), (0, 2)], FEASIBLE),
            ([(0, 1), (0, 1)], INFEASIBLE),
            ([(0, 1), (0, 2), (0, 2)], FEASIBLE),
            ([(0, 1), (0, 1), (0, 1), (0, 2)], INFEASIBLE),
            ([(0, 1), (0, 3), (0, 3)], FEASIBLE),
            ([(0, 3), (0, 3)], FEASIBLE),
        ],
    )
    def test_to_within_one_among_the_nodes_of_a_stage(self, paths: Sequence[Path], status: str) -> None:
        tables = fan(len(paths), holders=2)
        assert judged(with_rules(tables, even_nodes=True), paths) == status
        assert judged(tables, paths) == FEASIBLE

    def test_nodes_that_nobody_can_visit_count(self) -> None:
        # Two on the first holder, none on the second, whether it might be visited or not.
        tables = fan(2, holders=2)
        paths: list[Path] = [(0, 1), (0, 1)]
        for choices in ([[(0, 1)], [(0, 1)]], [[(0, 1), (0, 2)], [(0, 1), (0, 2)]]):
            assert judged(with_rules(tables, even_nodes=True), paths, choices=choices) == INFEASIBLE
            assert judged(tables, paths, choices=choices) == FEASIBLE

    def test_data_nodes_are_free(self) -> None:
        tables = replace(with_rules(fan(1, data_nodes=2), even_nodes=True), microbatches=(4, 1, 0, 0))
        assert judged(tables, [(0, 2), (0, 2), (0, 2), (0, 3), (1, 3)]) == FEASIBLE


class TestPathPeriod:
    @pytest.mark.parametrize(
        ("period", "paths", "status"),
        [
            (1, [(0, 1), (0, 1), (0, 1)], FEASIBLE),
            (1, [(0, 1), (0, 2), (0, 1)], INFEASIBLE),
            (2, [(0, 1), (0, 2), (0, 1)], FEASIBLE),
            (2, [(0, 1), (0, 1), (0, 2)], INFEASIBLE),
            (2, [(0, 1), (0, 2), (0, 1), (0, 1)], INFEASIBLE),
            (3, [(0, 1), (0, 1), (0, 2)], FEASIBLE),
            (9, [(0, 1), (0, 2), (0, 2)], FEASIBLE),
        ],
    )
    @pytest.mark.parametrize("free", [False, True])
    def test_the_path_of_so_many_before(
        self, period: int, paths: Sequence[Path], status: str, free: bool
    ) -> None:
        tables = fan(len(paths))
        choices = [[(0, 1), (0, 2)]] * len(paths) if free else None
        assert judged(with_rules(tables, path_period=period), paths, choices=choices) == status
        assert judged(tables, paths, choices=choices) == FEASIBLE

    def test_each_data_node_by_itself(self) -> None:
        tables = with_rules(fan(2, data_nodes=2), path_period=1)
        assert judged(tables, [(0, 2), (0, 2), (1, 3), (1, 3)]) == FEASIBLE
        tables = replace(with_rules(fan(2, data_nodes=2), path_period=2), microbatches=(1, 3, 0, 0))
        assert judged(tables, [(0, 2), (1, 3), (1, 2), (1, 3)]) == FEASIBLE
        assert judged(tables, [(0, 2), (1, 3), (1, 2), (1, 2)]) == INFEASIBLE


#: One data node and one node of stage 1: F 10, L 5, B 20 ms, transfers of 1 ms.
PAIR = "a stage=0 memory=2, b stage=1 memory=2"
PAIR_PATHS: list[Path] = [(0, 1), (0, 1)]


def pair(workload: str = "") -> Instance:
    fields = "microbatches=2, loss_ratio=0.5" + (f", {workload}" if workload else "")
    return instance(PAIR, "1 1", workload=fields)


def moved(starts: Starts, microbatch: int, action: int, by: int) -> Starts:
    """One action begins earlier or later, all else as it was."""
    changed = [list(begins) for begins in starts]
    changed[microbatch][action] += by
    return changed


class TestChain:
    """One microbatch on three nodes: F 10, L 5, B 20 ms, transfers of 1 ms."""

    PATHS: Sequence[Path] = ((0, 1, 2),)
    NODES = (0, 1, 2, 0, 2, 1, 0)

    @pytest.fixture
    def tables(self) -> Instance:
        return instance("a stage=0, b stage=1, c stage=2", "1 1 1", workload="loss_ratio=0.5")

    @pytest.fixture
    def starts(self, tables: Instance) -> Starts:
        return starts_of(tables, self.PATHS, "F0 L0 B0", "F0 B0", "F0 B0")

    def test_without_waiting(self, tables: Instance, starts: Starts) -> None:
        assert starts == [[0, 11 * MS, 22 * MS, 33 * MS, 39 * MS, 60 * MS, 81 * MS]]
        assert judged(tables, self.PATHS, starts) == FEASIBLE

    @pytest.mark.parametrize("action", range(1, 7))
    def test_an_input_arrives_after_its_transfer(self, tables: Instance, starts: Starts, action: int) -> None:
        # All that follows keeps its place: one microsecond too early, right with a transfer so much faster.
        source, target = self.NODES[action - 1], self.NODES[action]
        early = moved(starts, 0, action, -1)
        faster = [list(costs) for costs in tables.transfer]
        faster[source][target] -= 1
        assert judged(tables, self.PATHS, early) == INFEASIBLE
        assert judged(replace(tables, transfer=tuple(map(tuple, faster))), self.PATHS, early) == FEASIBLE

    @pytest.mark.parametrize("action", range(6))
    def test_an_action_lasts_as_long_as_its_node_takes(
        self, tables: Instance, starts: Starts, action: int
    ) -> None:
        # The next one begins as if this one were a microsecond shorter.
        node = self.NODES[action]
        early = moved(starts, 0, action + 1, -1)
        if action == 3:
            losses = tuple(loss - (n == node) for n, loss in enumerate(tables.loss))
            faster = replace(tables, loss=losses)
        else:
            table = tables.forward if action < 3 else tables.backward
            shorter = tuple(tuple(t - (n == node) for t in times) for n, times in enumerate(table))
            faster = replace(tables, forward=shorter) if action < 3 else replace(tables, backward=shorter)
        assert judged(tables, self.PATHS, early) == INFEASIBLE
        assert judged(faster, self.PATHS, early) == FEASIBLE

    def test_an_output_leaves_before_the_overhead(self, tables: Instance, starts: Starts) -> None:
        # Nothing comes right after anything on one node, as the overheads of 1 ms fit in between.
        assert judged(replace(tables, overhead=1 * MS), self.PATHS, starts) == FEASIBLE

    def test_waiting_is_allowed(self, tables: Instance, starts: Starts) -> None:
        assert judged(tables, self.PATHS, moved(starts, 0, 6, 77)) == FEASIBLE
        assert judged(tables, self.PATHS, [[start + 5 for start in starts[0]]]) == FEASIBLE


class TestMemory:
    #: Two microbatches in flight on both nodes.
    BOTH = ("F0 F1 L0 L1 B0 B1", "F0 F1 B0 B1")
    #: One after the other.
    ONE_BY_ONE = ("F0 L0 B0 F1 L1 B1", "F0 B0 F1 B1")

    @pytest.mark.parametrize("slots", [(1, 2), (2, 1), (1, 1)])
    def test_more_in_flight_than_slots(self, slots: tuple[int, int]) -> None:
        tables = pair()
        starts = starts_of(tables, PAIR_PATHS, *self.BOTH)
        assert judged(tables, PAIR_PATHS, starts) == FEASIBLE
        assert judged(with_slots(tables, *slots), PAIR_PATHS, starts) == INFEASIBLE

    def test_a_slot_can_be_taken_when_it_is_freed(self) -> None:
        # The F of the second begins at the very end of the B of the first, on either node.
        tables = with_slots(pair(), 1, 1)
        starts = starts_of(tables, PAIR_PATHS, *self.ONE_BY_ONE)
        assert starts[1][0] == starts[0][4] + 20 * MS
        assert judged(tables, PAIR_PATHS, starts) == FEASIBLE
        # On b alone: with two slots on a, the second waits there, which takes none on b.
        late = starts_of(with_slots(pair(), 2, 1), PAIR_PATHS, "F0 F1 L0 B0 L1 B1", "F0 B0 F1 B1")
        assert late[1][1] == late[0][3] + 20 * MS
        assert judged(with_slots(tables, 2, 1), PAIR_PATHS, late) == FEASIBLE
        assert judged(with_slots(tables, 1, 1), PAIR_PATHS, late) == INFEASIBLE

    def test_the_slots_of_the_stage_that_a_node_holds(self) -> None:
        tables = pair()
        starts = starts_of(tables, PAIR_PATHS, *self.BOTH)
        assert judged(replace(tables, slots=((2, 1), (1, 2))), PAIR_PATHS, starts) == FEASIBLE
        assert judged(replace(tables, slots=((1, 2), (2, 1))), PAIR_PATHS, starts) == INFEASIBLE

    def test_the_activation_is_held_from_forward_to_backward_only(self) -> None:
        # c is entered second and left first: nothing overlaps there, while two are in flight on a and b.
        tables = instance(
            "a stage=0 memory=2, b stage=1 memory=2, c stage=2", "1 1 1", workload="microbatches=2"
        )
        paths: list[Path] = [(0, 1, 2)] * 2
        starts = starts_of(tables, paths, "F0 F1 L0 B0 L1 B1", "F0 F1 B0 B1", "F0 B0 F1 B1")
        assert judged(tables, paths, starts) == FEASIBLE


class TestNoCollision:
    """Two microbatches that touch, or overlap by a microsecond, in one pair of actions on a node they share.

    The first has a second between any two actions. One action of the second comes right after, or right
    before, one of the first; its others are 100 ms apart from that.
    """

    #: Of the five actions of a path of two nodes: all pairs on the same node.
    PAIRS = tuple((x, y) for on in ((0, 2, 4), (1, 3)) for x in on for y in on)
    SHARED: Sequence[Path] = ((0, 2), (0, 2))
    APART: Sequence[Path] = ((0, 2), (1, 3))

    @staticmethod
    def tables(overhead: int, shared: bool = True) -> Instance:
        """Two data nodes and two nodes of stage 1, of which one each if shared; F 10, L 5, B 20 ms."""
        nodes = "a stage=0 memory=2, d stage=0 memory=2, b stage=1 memory=2, c stage=1 memory=2"
        tables = instance(nodes, "2 2", workload="loss_ratio=0.5")
        return replace(tables, overhead=overhead, microbatches=(2, 0, 0, 0) if shared else (1, 1, 0, 0))

    @staticmethod
    def starts(x: int, y: int, after: bool, gap: int) -> Starts:
        """Action `y` of the second begins `gap` after the end of `x` of the first, or ends so long before."""
        durations = [10 * MS, 10 * MS, 5 * MS, 20 * MS, 20 * MS]
        first = [1000 * MS * (1 + a) for a in range(5)]
        begin = first[x] + durations[x] + gap if after else first[x] - durations[y] - gap
        return [first, [begin + 100 * MS * (a - y) for a in range(5)]]

    @pytest.mark.parametrize("after", [True, False])
    @pytest.mark.parametrize(("x", "y"), PAIRS)
    def test_one_action_at_a_time(self, x: int, y: int, after: bool) -> None:
        tables = self.tables(0)
        assert judged(tables, self.SHARED, self.starts(x, y, after, 0)) == FEASIBLE
        overlapping = self.starts(x, y, after, -1)
        assert judged(tables, self.SHARED, overlapping) == INFEASIBLE
        assert judged(self.tables(0, shared=False), self.APART, overlapping) == FEASIBLE

    @pytest.mark.parametrize("after", [True, False])
    @pytest.mark.parametrize(("x", "y"), PAIRS)
    def test_overhead_after_every_action(self, x: int, y: int, after: bool) -> None:
        overhead = 7 * MS
        assert judged(self.tables(overhead), self.SHARED, self.starts(x, y, after, overhead)) == FEASIBLE
        early = self.starts(x, y, after, overhead - 1)
        assert judged(self.tables(overhead), self.SHARED, early) == INFEASIBLE
        assert judged(self.tables(overhead - 1), self.SHARED, early) == FEASIBLE

    def test_one_within_the_other(self) -> None:
        # An L of 5 ms within a B of 20 ms.
        within = self.starts(4, 2, True, -12 * MS)
        assert judged(self.tables(0), self.SHARED, within) == INFEASIBLE
        assert judged(self.tables(0, shared=False), self.APART, within) == FEASIBLE

    def test_no_preemption_by_an_action_without_duration(self) -> None:
        # Forwards that round to nothing: none in the middle of a backward, but at either end of it.
        tables = replace(self.tables(0), forward=((0, 0),) * 4)
        for gap, status in ((0, FEASIBLE), (-1, INFEASIBLE), (-20 * MS, FEASIBLE)):
            assert judged(tables, self.SHARED, self.starts(3, 1, True, gap)) == status


class TestWithin:
    """One microbatch on two nodes: its last B ends on b at 48, on a at 69 ms."""

    PATHS: Sequence[Path] = ((0, 1),)
    ENDS = (69 * MS, 48 * MS)

    @pytest.fixture
    def tables(self) -> Instance:
        return replace(pair(), microbatches=(1, 0))

    @pytest.fixture
    def starts(self, tables: Instance) -> Starts:
        return starts_of(tables, self.PATHS, "F0 L0 B0", "F0 B0")

    def test_the_iteration_time_allowed(self, tables: Instance, starts: Starts) -> None:
        assert judged(tables, self.PATHS, starts, within=69 * MS) == FEASIBLE
        assert judged(tables, self.PATHS, starts, within=69 * MS - 1) == INFEASIBLE
        assert judged(tables, self.PATHS, within=69 * MS) == FEASIBLE
        assert judged(tables, self.PATHS, within=69 * MS - 1) == INFEASIBLE

    def test_a_path_that_does_not_fit_is_no_choice(self) -> None:
        # The same over a slow node takes 100 ms more.
        slow = instance(f"{PAIR}, c stage=1 layer_time=20ms", "1 2", workload="loss_ratio=0.5")
        slow = replace(slow, microbatches=(1, 0, 0))
        choices: list[list[Path]] = [[(0, 1), (0, 2)]]
        assert judged(slow, [(0, 2)], choices=choices, within=99 * MS) == FEASIBLE
        assert judged(slow, [(0, 2)], choices=choices, within=99 * MS - 1) == INFEASIBLE
        assert judged(slow, [(0, 1)], choices=choices, within=99 * MS - 1) == FEASIBLE

    def test_the_overhead_of_the_last_action_counts_for_nothing(
        self, tables: Instance, starts: Starts
    ) -> None:
        # Nothing waits for an overhead of 1 ms, and that after the last B comes too late to matter.
        tables = replace(tables, overhead=1 * MS)
        assert judged(tables, self.PATHS, starts, within=69 * MS) == FEASIBLE

    @pytest.mark.parametrize("stage", [0, 1])
    @pytest.mark.parametrize("cost", [1, 21 * MS, 30 * MS, 500 * MS])
    @pytest.mark.parametrize("fixed", [True, False])
    def test_allreduce_after_a_stages_last_backward(
        self, tables: Instance, starts: Starts, stage: int, cost: int, fixed: bool
    ) -> None:
        rings = rings_with(tables, (0, 1), {stage: cost})
        iteration = max(self.ENDS[0], self.ENDS[stage] + cost)
        times = starts if fixed else None
        assert judged(tables, self.PATHS, times, rings=rings, within=iteration) == FEASIBLE
        assert judged(tables, self.PATHS, times, rings=rings, within=iteration - 1) == INFEASIBLE
        if iteration > self.ENDS[0]:
            cheaper = rings_with(tables, (0, 1), {stage: cost - 1})
            assert judged(tables, self.PATHS, times, rings=cheaper, within=iteration - 1) == FEASIBLE

    @pytest.mark.parametrize("fixed", [True, False])
    def test_allreduce_of_a_stage_without_microbatches(self, fixed: bool) -> None:
        tables = fan(1)
        starts = starts_of(tables, [(0, 1)], "F0 L0 B0", "F0 B0", "") if fixed else None
        rings = rings_with(tables, pinned(tables), {2: 500 * MS})
        assert judged(tables, [(0, 1)], starts, rings=rings, within=500 * MS) == FEASIBLE
        assert judged(tables, [(0, 1)], starts, rings=rings, within=500 * MS - 1) == INFEASIBLE
        without = rings_with(tables, pinned(tables), {})
        assert judged(tables, [(0, 1)], starts, rings=without, within=500 * MS - 1) == FEASIBLE

    def test_allreduce_of_each_stage_by_itself(self) -> None:
        # The second microbatch alone visits the stage with the long all-reduce: its B there counts.
        tables = fan(2)
        paths = [(0, 1), (0, 2)]
        starts = starts_of(tables, paths, "F0 F1 L0 L1 B0 B1", "F0 B0", "F1 B1")
        rings = rings_with(tables, pinned(tables), {2: 100 * MS})
        last = starts[1][3] + 20 * MS
        assert judged(tables, paths, starts, rings=rings, within=last + 100 * MS) == FEASIBLE
        assert judged(tables, paths, starts, rings=rings, within=last + 100 * MS - 1) == INFEASIBLE


class TestFrozen:
    @pytest.mark.parametrize(
        ("executed", "status"),
        [
            ({1: (2, 2)}, FEASIBLE),
            ({1: (3, 4)}, INFEASIBLE),
            ({1: (0, 1)}, INFEASIBLE),
            ({2: (1, 1), 1: (0, 4)}, FEASIBLE),
            ({2: (2, 2)}, INFEASIBLE),
            ({0: (3, 3)}, FEASIBLE),
            ({0: (0, 2)}, INFEASIBLE),
        ],
    )
    def test_executed(self, executed: dict[int, tuple[int, int]], status: str) -> None:
        # Two of three on stage 1, though on two nodes; the third on stage 2.
        tables = fan(3, holders=2)
        paths: list[Path] = [(0, 1), (0, 2), (0, 3)]
        assert judged(tables, paths, executed=executed) == status
        assert judged(tables, paths) == FEASIBLE

    @pytest.mark.parametrize(
        ("carried", "status"),
        [
            ({1: (2, 2)}, FEASIBLE),
            ({1: (0, 1)}, INFEASIBLE),
            ({1: (3, 3)}, INFEASIBLE),
            ({2: (0, 0)}, FEASIBLE),
            ({2: (1, 3)}, INFEASIBLE),
            ({0: (3, 3), 3: (1, 1)}, FEASIBLE),
        ],
    )
    def test_carried(self, carried: dict[int, tuple[int, int]], status: str) -> None:
        tables = fan(3, holders=2)
        paths: list[Path] = [(0, 1), (0, 1), (0, 3)]
        assert judged(tables, paths, carried=carried) == status
        assert judged(tables, paths) == FEASIBLE

    @pytest.mark.parametrize("overhead", [0, 3 * MS])
    @pytest.mark.parametrize(("first", "second"), [(0, 6), (8, 1), (5, 4), (4, 9), (9, 0), (2, 7), (2, 5)])
    def test_precedences(self, overhead: int, first: int, second: int) -> None:
        # Actions 0..4 are one microbatch's, 5..9 another's, on nodes of their own: no rule speaks of both.
        tables = TestNoCollision.tables(overhead, shared=False)
        durations = [10 * MS, 10 * MS, 5 * MS, 20 * MS, 20 * MS]
        for gap, status in ((overhead, FEASIBLE), (overhead - 1, INFEASIBLE)):
            starts: list[list[int]] = [[], []]
            begin = 1000 * MS
            for action, at in ((first, begin), (second, begin + durations[first % 5] + gap)):
                starts[action // 5] = [at + 100 * MS * (a - action % 5) for a in range(5)]
            assert judged(tables, TestNoCollision.APART, starts, precedences=[(first, second)]) == status
            assert judged(tables, TestNoCollision.APART, starts) == FEASIBLE

    def test_a_cycle_of_precedences(self) -> None:
        tables = TestNoCollision.tables(0, shared=False)
        assert judged(tables, TestNoCollision.APART, precedences=[(4, 5), (9, 0)]) == INFEASIBLE
        assert judged(tables, TestNoCollision.APART, precedences=[(4, 5)]) == FEASIBLE


def without(*methods: str) -> type[ExactModel]:
    """The model without what some of its methods add."""
    return type("Without", (ExactModel,), dict.fromkeys(methods, lambda _: None))


class TestImplied:
    """What is implied, alone: with memory and collisions left out, and as strong as worked out by hand.

    Four microbatches on two nodes: F 10, L 5, B 20 ms, transfers of 1 ms. Each takes 69 ms, 37 of them on b,
    with 11 before and 21 after.
    """

    PATHS: Sequence[Path] = ((0, 1),) * 4

    def least(self, tables: Instance, allreduce: dict[int, int], *left_out: str) -> int:
        """The least iteration time that is left."""
        rings = rings_with(tables, (0, 1), allreduce)
        frozen = Frozen((0, 1), [[path] for path in self.PATHS], within=AMPLE)
        kind = without("_add_memory", "_add_no_collision", *left_out)
        model = kind(tables, frozen, rings, Goal.ITERATION)
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        assert solver.solve(model.model) == cp_model.OPTIMAL
        return round(solver.objective_value)

    @staticmethod
    def tables(overhead: int = 0, slots: tuple[int, int] = (9, 9)) -> Instance:
        tables = replace(pair(), microbatches=(4, 0), overhead=overhead * MS)
        return with_slots(tables, *slots)

    def test_nothing_implied(self) -> None:
        assert self.least(self.tables(), {}, "_add_loads", "_add_rows") == 69 * MS

    @pytest.mark.parametrize(
        ("overhead", "allreduce", "least"),
        [
            (0, {}, 11 + 4 * 30 + 21),
            (2, {}, 11 + 4 * 34 - 2 + 21),
            (0, {1: 50 * MS}, 11 + 4 * 30 + 50),
            (0, {0: 30 * MS}, 11 + 4 * 30 + 21 + 30),
            (9, {}, 4 * (35 + 3 * 9) - 9),  # the data node, whose actions are more
        ],
    )
    def test_loads(self, overhead: int, allreduce: dict[int, int], least: int) -> None:
        assert self.least(self.tables(overhead), allreduce, "_add_rows") == least * MS

    @pytest.mark.parametrize(
        ("overhead", "slots", "allreduce", "least"),
        [
            # On the data node the rows begin and end one after the other: 30 ms more in two rows.
            (0, (2, 2), {}, (4 * 69 + 30) // 2),
            (2, (2, 2), {}, (4 * 71 + 34) // 2 - 2),
            (0, (9, 9), {}, (4 * 69 + 6 * 30) // 4),  # no more rows than microbatches
            (0, (1, 2), {}, 4 * 69),
            (0, (2, 1), {}, 11 + 4 * 37 + 21),
            (2, (2, 1), {}, 11 + 4 * 39 - 2 + 21),
            (0, (2, 1), {1: 50 * MS}, 11 + 4 * 37 + 50),
            (0, (2, 2), {0: 30 * MS}, (4 * 69 + 30) // 2 + 30),
        ],
    )
    def test_rows(self, overhead: int, slots: tuple[int, int], allreduce: dict[int, int], least: int) -> None:
        assert self.least(self.tables(overhead, slots), allreduce, "_add_loads") == least * MS

    def test_a_node_that_nobody_visits_needs_no_time(self) -> None:
        # The second holder alone takes far longer than the whole iteration without it.
        tables = instance(f"{PAIR}, c stage=1 layer_time=1s", "1 2", workload="loss_ratio=0.5")
        far = tuple((*costs[:2], 2000 * MS) for costs in tables.transfer[:2])
        tables = replace(tables, transfer=(*far, (2000 * MS, 2000 * MS, 0)), microbatches=(2, 0, 0))
        frozen = Frozen(pinned(tables), [((0, 1), (0, 2))] * 2, AMPLE)
        model = ExactModel(tables, frozen, rings_with(tables, pinned(tables), {}), Goal.ITERATION)
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        assert solver.solve(model.model) == cp_model.OPTIMAL
        # F0 F1 on a, F0 at 11, L0 at 22, F1 at 21, L1 at 32, B0 on b at 31..51, home 52..72, B1 after it.
        assert round(solver.objective_value) == 92 * MS


class TestOrderAlike:
    """Microbatches of a data node that share a list of paths are emitted in the order of their numbers."""

    CHOICES: Sequence[Sequence[Path]] = ([(0, 1)],) * 2

    def swapped(self, tables: Instance) -> Starts:
        return starts_of(tables, PAIR_PATHS, "F1 F0 L1 L0 B1 B0", "F1 F0 B1 B0")

    def test_in_order(self) -> None:
        tables = pair()
        starts = starts_of(tables, PAIR_PATHS, "F0 F1 L0 L1 B0 B1", "F0 F1 B0 B1")
        assert judged(tables, PAIR_PATHS, starts, choices=self.CHOICES) == FEASIBLE

    def test_only_emission_is_in_order(self) -> None:
        tables = pair()
        starts = starts_of(tables, PAIR_PATHS, "F0 F1 L1 L0 B1 B0", "F1 F0 B1 B0")
        starts = [[0, *starts[0][1:]], [10 * MS, *starts[1][1:]]]
        assert judged(tables, PAIR_PATHS, starts, choices=self.CHOICES) == FEASIBLE

    def test_out_of_order(self) -> None:
        tables = pair()
        starts = self.swapped(tables)
        assert judged(tables, PAIR_PATHS, starts, choices=self.CHOICES) == INFEASIBLE
        assert judged(tables, PAIR_PATHS, starts) == FEASIBLE

    def test_where_numbers_have_a_meaning(self) -> None:
        tables = pair()
        starts = self.swapped(tables)
        given = [(5, 0)]
        assert judged(tables, PAIR_PATHS, starts, choices=self.CHOICES, precedences=given) == FEASIBLE
        periodic = with_rules(tables, path_period=1)
        assert judged(periodic, PAIR_PATHS, starts, choices=self.CHOICES) == FEASIBLE

    def test_microbatches_of_different_data_nodes(self) -> None:
        tables = TestNoCollision.tables(0, shared=False)
        starts = [[500 * MS + 100 * MS * a for a in range(5)], [100 * MS * a for a in range(5)]]
        assert judged(tables, TestNoCollision.APART, starts) == FEASIBLE


def model_for(
    tables: Instance, candidate: Scheduled, within: int, choices: Sequence[Sequence[Path]]
) -> ExactModel:
    frozen = Frozen(candidate.plan.routes.allocation, choices, within)
    return ExactModel(tables, frozen, candidate.rings, Goal.DECIDE)


@pytest.mark.parametrize("chunk", range(6))
def test_random_schedules_fit_into_their_iteration_time_and_no_less(chunk: int) -> None:
    seen = 0
    for seed in range(25 * chunk, 25 * chunk + 25):
        rng = Random(seed)
        _, tables = random_case(seed)
        candidate = random_schedule(rng, tables)
        if candidate is None:
            continue
        renumbered = in_emission_order(tables, candidate)
        everything = all_choices(tables, candidate.plan.routes.allocation)
        alone = [[path] for path in candidate.plan.routes.paths]
        for each, choices in ((candidate, alone), (renumbered, everything)):
            for less in (0, 1):
                within = each.objective.iteration_time - less
                model = model_for(tables, each, within, choices)
                fix(model, each.plan.routes.paths, starts_in(each))
                assert status_of(model) == (INFEASIBLE if less else FEASIBLE), (seed, less)
        seen += 1
    assert seen > 10


@pytest.mark.parametrize("chunk", range(3))
def test_a_rule_on_all_paths_is_broken_alone(chunk: int) -> None:
    """Random paths: the model accepts them under just the rules that they keep, found by counting."""
    seen = refused = 0
    for seed in range(100 * chunk, 100 * chunk + 100):
        rng = Random(seed)
        _, tables = random_case(seed)
        routes = random_routes(rng, tables)
        if routes is None:
            continue
        broken = set(broken_rules(tables, routes))
        told = judged(tables, routes.paths, allocation=routes.allocation)
        assert told == (INFEASIBLE if broken else FEASIBLE), (seed, broken)
        for rule in sorted(broken):
            # With all others that are broken relaxed, this one still refuses.
            others = relaxing(tables, broken - {rule})
            assert judged(others, routes.paths, allocation=routes.allocation) == INFEASIBLE, (seed, rule)
            refused += 1
        loose = relaxing(tables, broken)
        assert judged(loose, routes.paths, allocation=routes.allocation) == FEASIBLE, seed
        seen += 1
    assert seen > 30
    assert refused > 5


def relaxing(tables: Instance, rules: set[str]) -> Instance:
    off: dict[str, object] = {"even-stages": False, "even-nodes": False, "cover": False, "path-period": None}
    return with_rules(tables, **{rule.replace("-", "_"): off[rule] for rule in rules})


class TestLimits:
    def test_too_large_for_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # Two microbatches of one choice each and five actions: thirty terms.
        monkeypatch.setattr(model_of, "_MOST_TERMS", 30)
        assert judged(pair(), PAIR_PATHS) == FEASIBLE
        monkeypatch.setattr(model_of, "_MOST_TERMS", 29)
        with pytest.raises(TooLarge):
            judged(pair(), PAIR_PATHS)

    def test_no_time_to_build_it(self) -> None:
        tables = pair()
        frozen = Frozen((0, 1), [[path] for path in PAIR_PATHS], AMPLE)
        with pytest.raises(OutOfTime):
            ExactModel(tables, frozen, rings_with(tables, (0, 1), {}), Goal.DECIDE, clock=Clock(1e-9, True))

    def test_no_path_at_all(self) -> None:
        assert judged(pair(), PAIR_PATHS, choices=[[], []]) == INFEASIBLE
