"""Chains of moves for the tests of the search: begun anywhere, stepped move by move, judged after each.

What a state says of its plan is compared with what the rest of the program works out from the plan alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

import numpy as np
from exact_cases import random_schedule
from numpy.typing import NDArray
from solver_cases import broken_by_checker, broken_rules, random_case

from skipsched.instance import NO_LINK, Instance
from skipsched.objective import Objective
from skipsched.plan import Actions, Routes
from skipsched.rings import Ring, ring_through
from skipsched.scheduled import Scheduled
from skipsched.search.anneal import ACCEPTED, MOVES, TRIED, WORKED, anneal
from skipsched.search.chain import begun
from skipsched.search.chance import Chance, chance_of
from skipsched.search.found import Found
from skipsched.search.problem import Problem
from skipsched.search.state import (
    LAST,
    NODES,
    NOWHERE,
    PATHS,
    RINGS,
    ROWS,
    SPREAD,
    SUCCESSORS,
    TIME,
    TIMES,
    TOTAL,
    WAITING,
    State,
)
from skipsched.timing import replay
from skipsched.topology.model import Topology

#: Microseconds of temperature: nothing worse is accepted, some of it, nearly all.
COLD, WARM, HOT = 0, 10_000, 10**7


@dataclass
class Chain:
    """A chain of moves."""

    tables: Instance
    problem: Problem
    state: State
    found: Found
    chance: Chance
    counted: NDArray[np.int64] = field(default_factory=lambda: np.zeros((len(MOVES), WORKED + 1), np.int64))

    @classmethod
    def begun(cls, tables: Instance, first: Scheduled, seed: int = 0) -> Chain:
        """A chain at a schedule, its times settled, with no move made."""
        problem, state = begun(tables, first)
        return cls(tables, problem, state, Found.of(state), chance_of(seed, 0))

    def moved(self, move: str | None = None, temperature: int = WARM) -> bool:
        """Try one move, of one kind or of any; whether it was accepted."""
        shares = np.array([1 if move in (None, name) else 0 for name in MOVES], np.int64)
        before = self.counted.copy()
        halt = np.zeros(1, np.int64)
        anneal(
            self.problem,
            self.state,
            self.found,
            self.chance,
            shares,
            temperature,
            1,
            self.counted,
            halt,
        )
        done = (self.counted - before).sum(axis=0)
        assert done[TRIED] == 1
        return bool(done[ACCEPTED])


def random_chain(seed: int, features: set[str] | None = None) -> tuple[Topology, Chain] | None:
    """A chain at a random schedule of a random topology; None if chance finds none."""
    loaded, tables = random_case(seed, features)
    first = random_schedule(Random(seed), tables)
    return None if first is None else (loaded, Chain.begun(tables, first, seed))


def described(state: State) -> Mapping[str, object]:
    """All that a state says of its plan, and how much it has noted."""
    names = "allocation size successor allreduce spread path executed carried covering node duration lag"
    names += " length place start because"
    plain = {name: getattr(state, name).tolist() for name in names.split()}
    rows = [state.row[node, : state.length[node]].tolist() for node in range(len(state.length))]
    noted = {
        "figure": state.figure[[TIME, TOTAL, LAST, SPREAD]].tolist(),
        "notes": state.figure[[TIMES, ROWS, PATHS, NODES, RINGS, SUCCESSORS, WAITING]].tolist(),
        "is_kept": state.is_kept.tolist(),
        "is_path_kept": state.is_path_kept.tolist(),
        "dirty_from": state.dirty_from.tolist(),
        "dirty_to": state.dirty_to.tolist(),
    }
    return plain | noted | {"rows": rows}


def assert_sound(loaded: Topology, chain: Chain) -> Scheduled:
    """What a state between two moves says holds, and its plan keeps all rules; returns the plan."""
    tables, state = chain.tables, chain.state
    assert_nothing_noted(state)
    scheduled = Found.of(state).scheduled(tables)
    assert_times(tables, state)
    assert_same_plan(tables, state, scheduled)
    assert_counts(tables, state)
    assert_spread(tables, state)
    assert_reasons(tables, state)
    routes = scheduled.plan.routes
    assert scheduled.keeps_slots(tables)
    assert list(broken_rules(tables, routes)) == []
    assert broken_by_checker(loaded, tables, scheduled) == set()
    return scheduled


def assert_spread(tables: Instance, state: State) -> None:
    """The mean hop between the nodes of a stage, as if it were the worst of its ring."""
    for stage in range(tables.stages):
        members = [node for node, held in enumerate(state.allocation.tolist()) if held == stage]
        hops = [tables.allreduce.hop(stage, len(members), a, b) for a in members for b in members if a != b]
        there = [hop for hop in hops if hop != NO_LINK]
        assert abs(int(state.spread[stage]) - sum(there) // max(1, len(there))) <= 1
    assert state.figure[SPREAD] == state.spread.sum()


def assert_nothing_noted(state: State) -> None:
    """Every move is either accepted or taken back: nothing waits, nothing is noted."""
    assert not state.figure[TIMES:].any()
    assert not state.is_kept.any()
    assert not state.is_path_kept.any()
    assert (state.dirty_from == NOWHERE).all()
    assert (state.dirty_to == -1).all()


def ring_of(state: State, node: int) -> list[int]:
    """The ring that a node is in, beginning with it."""
    ring = [node]
    while (after := int(state.successor[ring[-1]])) != node:
        ring.append(after)
        assert len(ring) <= len(state.successor), "a ring comes back to where it began"
    return ring


def own_rings(tables: Instance, state: State) -> list[Ring]:
    """The ring of every stage as the state has it, with the all-reduce that the program works out."""
    rings = []
    for stage in range(tables.stages):
        members = [node for node, held in enumerate(state.allocation.tolist()) if held == stage]
        nodes = ring_of(state, members[0])
        assert sorted(nodes) == members
        ring = ring_through(tables, stage, nodes)
        assert ring is not None
        rings.append(ring)
    return rings


def rows_of(state: State) -> list[list[int]]:
    """The order of every node."""
    return [[int(action) for action in state.row[n, : state.length[n]]] for n in range(len(state.length))]


def routes_of(state: State) -> Routes:
    """Allocation and paths, with the state's own numbers of microbatches."""
    return Routes(
        tuple(map(int, state.allocation)), tuple(tuple(map(int, path)) for path in state.path.tolist())
    )


def assert_times(tables: Instance, state: State) -> None:
    """Times, value and all-reduces are those of a replay of the plan."""
    routes = routes_of(state)
    actions = Actions.of(tables, routes)
    assert state.node.tolist() == actions.node
    assert state.duration.tolist() == actions.duration
    assert state.lag.tolist() == actions.lag
    end = replay(actions, rows_of(state), tables.overhead)
    assert (state.start + state.duration).tolist() == end
    allreduce = [ring.allreduce for ring in own_rings(tables, state)]
    assert state.allreduce.tolist() == allreduce
    objective = Objective.of(routes, actions, end, allreduce)
    assert state.figure[TIME] == objective.iteration_time
    assert state.figure[TOTAL] == objective.total_completion


def assert_same_plan(tables: Instance, state: State, scheduled: Scheduled) -> None:
    """The schedule made of a state is its plan, renumbered: equal times, and no worse rings."""
    routes, per = routes_of(state), scheduled.actions.per_microbatch
    ordered = sorted(range(len(routes.paths)), key=lambda m: (routes.paths[m][0], m))
    assert scheduled.plan.routes == Routes(routes.allocation, tuple(routes.paths[m] for m in ordered))
    end = (state.start + state.duration).tolist()
    assert list(scheduled.end) == [end[m * per + at] for m in ordered for at in range(per)]
    assert scheduled.objective.total_completion == state.figure[TOTAL]
    rings = own_rings(tables, state)
    for mine, theirs in zip(rings, scheduled.rings, strict=True):
        assert theirs.allreduce <= mine.allreduce
    if [ring.allreduce for ring in rings] == [ring.allreduce for ring in scheduled.rings]:
        assert scheduled.objective.iteration_time == state.figure[TIME]
    assert scheduled.objective.iteration_time <= state.figure[TIME]


def assert_counts(tables: Instance, state: State) -> None:
    """Sizes, loads and places agree with allocation, paths and rows."""
    allocation, paths = state.allocation.tolist(), state.path.tolist()
    sizes = Counter(allocation)
    assert state.size.tolist() == [sizes[stage] for stage in range(tables.stages)]
    visits = Counter(node for path in paths for node in path)
    assert state.carried.tolist() == [visits[node] for node in range(tables.nodes)]
    executed = Counter(allocation[node] for path in paths for node in path)
    assert state.executed.tolist() == [executed[stage] for stage in range(tables.stages)]
    covering = Counter((path[0], allocation[node]) for path in paths for node in path)
    assert state.covering.tolist() == [
        [covering[node, stage] for stage in range(tables.stages)] for node in range(tables.nodes)
    ]
    for node, row in enumerate(rows_of(state)):
        assert [int(state.place[action]) for action in row] == list(range(len(row)))
        assert all(state.node[action] == node for action in row)
    assert sum(state.length.tolist()) == len(state.node)


def assert_reasons(tables: Instance, state: State) -> None:
    """Every action waits for what its start says, and the critical path ends with what ends last."""
    per = 2 * tables.path_length + 1
    end = (state.start + state.duration).tolist()
    for row in rows_of(state):
        for place, action in enumerate(row):
            start, why = int(state.start[action]), int(state.because[action])
            if why == -1:
                assert (start, place, action % per) == (0, 0, 0)
            elif place and why == row[place - 1]:
                assert start == end[why] + tables.overhead
            else:
                assert why == action - 1
                assert action % per
                assert start == end[why] + int(state.lag[action])
    last = int(state.figure[LAST])
    ends = (
        end[last] + int(state.allreduce[state.allocation[state.node[last]]])
        if last >= 0
        # No action ends last: a stage that nobody executes averages its gradients.
        else max(int(state.allreduce[k]) for k in range(tables.stages) if not state.executed[k])
    )
    assert ends == state.figure[TIME]
