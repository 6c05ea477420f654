"""Plans to simulate, and a slow simulator of `fifo` to compare with."""

from __future__ import annotations

import math
from random import Random

from solver_cases import order_of, random_case, random_order, random_routes, scheduled, topology

from skipsched.insight.conditions import Conditions
from skipsched.insight.durations import Durations
from skipsched.insight.policy import PolicyName
from skipsched.insight.simulate import simulate_schedule
from skipsched.insight.simulation import Simulation
from skipsched.instance import Instance
from skipsched.plan import Actions, Plan, Routes
from skipsched.scheduled import Scheduled
from skipsched.topology.model import Topology

#: Nothing varies.
STILL = Conditions(0, 0)

Case = tuple[Topology, Instance, Scheduled]


def case(
    nodes: str,
    sizes: str,
    paths: tuple[tuple[int, ...], ...],
    *rows: str,
    links: str | None = None,
    workload: str,
) -> Case:
    """Nodes in the order of stages, their paths, and an order of rows such as ``F0 L0 B0``.

    As in `solver_cases`: forward 10 ms, backward 20 ms, loss 0, a transfer 1 ms.
    """
    loaded = topology(nodes, sizes, links=links, workload=workload)
    tables = Instance.of(loaded)
    allocation = tuple(stage for stage, size in enumerate(map(int, sizes.split())) for _ in range(size))
    routes = Routes(allocation, paths)
    order = order_of(Actions.of(tables, routes), *rows)
    return loaded, tables, scheduled(tables, Plan(routes, tuple(map(tuple, order))))


def random_plan(seed: int) -> Case | None:
    """A random plan that keeps slots, on a random topology; None if chance finds none."""
    rng = Random(seed)
    loaded, tables = random_case(seed)
    routes = random_routes(rng, tables)
    if routes is None:
        return None
    actions = Actions.of(tables, routes)
    for _ in range(5):
        order = random_order(rng, actions, tables.nodes)
        found = scheduled(tables, Plan(routes, tuple(map(tuple, order))))
        if found.keeps_slots(tables):
            return loaded, tables, found
    return None


def simulated(
    case: Case, conditions: Conditions = STILL, policy: PolicyName = "order", runs: int = 3, seed: int = 0
) -> Simulation:
    return simulate_schedule(*case, conditions, policy, runs, seed)


def slow_fifo(tables: Instance, plan: Scheduled, durations: Durations, run: int) -> list[float]:
    """End of each action by the rule as it is written: step through time, look at everybody each time."""
    actions, routes = plan.actions, plan.plan.routes
    per, length = actions.per_microbatch, actions.path_length
    total = len(actions.node)
    computing = durations.computing[:, run].tolist()
    travel = durations.travel[:, run].tolist()
    end, arrival, started = [math.inf] * total, [math.inf] * total, [False] * total
    idle_from = [0.0] * tables.nodes
    to_emit: list[list[int]] = []
    holds = [0] * tables.nodes
    slots = [tables.slots[n][k] for n, k in enumerate(routes.allocation)]
    for n, row in enumerate(plan.plan.order):
        emissions = [a for a in row if a % per == 0]
        to_emit.append(emissions)
        for place, a in enumerate(emissions):
            if place < slots[n]:
                arrival[a] = 0.0
    now = 0.0
    while True:
        # Everything that ends or arrives by now is known; nodes take one action each until nobody can.
        took = True
        while took:
            took = False
            for n in range(tables.nodes):
                if idle_from[n] > now:
                    continue
                waiting = [
                    a
                    for a in range(total)
                    if actions.node[a] == n
                    and not started[a]
                    and arrival[a] <= now
                    and (a % per >= length or holds[n] < slots[n])
                ]
                if not waiting:
                    continue
                emitted = {a: i for i, a in enumerate(to_emit[n])}
                a = min(waiting, key=lambda a: (arrival[a], a % per < length, emitted.get(a, 0), a))
                started[a] = True
                end[a] = now + computing[a]
                took = True
                if math.isinf(end[a]):
                    idle_from[n] = math.inf
                    continue
                idle_from[n] = end[a] + tables.overhead
                holds[n] += (a % per < length) - (a % per > length)
                if (a + 1) % per:
                    arrival[a + 1] = end[a] + travel[a + 1]
                else:
                    left = [e for e in to_emit[n] if math.isinf(arrival[e])]
                    if left:
                        arrival[left[0]] = end[a]
        later = [t for t in (*arrival, *idle_from) if now < t < math.inf]
        if not later:
            return end
        now = min(later)
