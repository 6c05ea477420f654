"""Small topologies, random plans and exhaustive answers for the tests of the solver.

Rules are checked here by counting, orders searched by plain enumeration: nothing is shared with the solver
but the integer tables of an `Instance` and the form of its plans.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random

import brute_force
from random_topologies import random_topology

from skipsched.check import check_schedule
from skipsched.clock import Clock
from skipsched.instance import NO_LINK, Instance
from skipsched.objective import Objective
from skipsched.plan import Actions, Plan, Routes
from skipsched.rings import rings_of
from skipsched.schedule.document import Provenance, document_of
from skipsched.scheduled import Scheduled
from skipsched.topology.load import load_topology
from skipsched.topology.model import Topology

#: Rules about all paths together, which random paths do not keep.
LOOSE_RULES = frozenset({"even-nodes", "cover", "path-period"})


def no_limit() -> Clock:
    """A clock that counts work and never runs out in a test."""
    return Clock(1e9, deterministic=True)


def topology(
    nodes: str,
    sizes: str | int,
    *,
    stages: int | None = None,
    links: str | None = None,
    workload: str = "",
    rules: str = "",
) -> Topology:
    """A small topology.

    Parameters
    ----------
    nodes
        Names with fields of their own: ``a stage=0, b memory=2``. A node forwards a stage in 10 ms and has
        one slot unless it says otherwise.
    sizes
        Stage sizes (``1 2 1``), or the number of data nodes alone; then the stages must be given.
    links
        Pairs of one-letter names: ``ab`` for both directions, ``a>b`` for one. All there are if None. A
        transfer takes 1 ms.
    workload, rules
        Further fields: ``microbatches=2, gradient=8 B``. One microbatch for each data node by default.
    """
    rows = []
    for node in nodes.split(","):
        name, *own = node.split()
        rows.append(
            _flow({"id": name, "layer_time": "10ms", "memory": "1"} | dict(f.split("=") for f in own))
        )
    # A byte per microsecond and no latency to speak of: activations of 900 bytes add up to 1 ms.
    figures = {"latency": "0.1 ms", "bandwidth": "1 MB/s"}
    if links is None:
        network = [f"  default: {_flow(figures)}"]
    else:
        ends = [
            {"from": link[0], "to": link[2]} if ">" in link else {"between": f"[{link[0]}, {link[1]}]"}
            for link in links.split()
        ]
        network = ["  links:", *(f"    - {_flow(end | figures)}" for end in ends)]
    if isinstance(sizes, str):
        stages = len(sizes.split())
    fields = {
        "stages": str(stages),
        "layers": str(stages),
        "samples_per_microbatch": "1",
        "microbatches": "1",
    }
    if isinstance(sizes, int):
        fields["data_nodes"] = str(sizes)
    else:
        fields["stage_sizes"] = f"[{', '.join(sizes.split())}]"
    given = _fields(workload)
    if "model" not in given:
        fields["activation"] = "900 B"
    text = [
        "skipsched: 1",
        "name: small",
        "nodes:",
        *(f"  - {row}" for row in rows),
        "network:",
        *network,
        "workload:",
        *(f"  {key}: {value}" for key, value in (fields | given).items()),
        "rules:",
        *(f"  {key}: {value}" for key, value in _fields(rules).items()),
    ]
    return load_topology("\n".join(text) + "\n")


def _flow(fields: dict[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in fields.items()) + "}"


def _fields(text: str) -> dict[str, str]:
    """Fields separated by commas, those within brackets or braces excepted."""
    fields: dict[str, str] = {}
    key = ""
    for part in text.split(",") if text else ():
        name, equals, value = part.partition("=")
        if equals:
            key = name.strip()
            fields[key] = value.strip()
        else:
            fields[key] += "," + part
    return fields


def instance(
    nodes: str,
    sizes: str | int,
    *,
    stages: int | None = None,
    links: str | None = None,
    workload: str = "",
    rules: str = "",
) -> Instance:
    """The tables of a small `topology`."""
    return Instance.of(topology(nodes, sizes, stages=stages, links=links, workload=workload, rules=rules))


def random_case(seed: int, features: set[str] | None = None) -> tuple[Topology, Instance]:
    """A random topology and its tables."""
    loaded = load_topology(random_topology(Random(seed), features))
    return loaded, Instance.of(loaded)


def random_routes(rng: Random, tables: Instance) -> Routes | None:
    """A random allocation, and random paths that keep the rules of single paths; None if there are none."""
    found = list(brute_force.allocations(tables))
    if not found:
        return None
    allocation = rng.choice(found)
    orders = list(tables.orders)
    paths: list[tuple[int, ...]] = []
    for data_node in brute_force.members(allocation, 0):
        emitted = tables.microbatches[data_node]
        choices = list(brute_force.paths(tables, allocation, data_node, orders)) if emitted else []
        if emitted and not choices:
            return None
        paths += [rng.choice(choices) for _ in range(emitted)]
    return Routes(allocation, tuple(paths)) if paths else None


def random_order(rng: Random, actions: Actions, nodes: int) -> list[list[int]]:
    """A random order that never deadlocks: the microbatches' chains interleaved by chance."""
    per = actions.per_microbatch
    left = {first: first for first in range(0, len(actions.node), per)}
    order: list[list[int]] = [[] for _ in range(nodes)]
    while left:
        first = rng.choice(list(left))
        action = left[first]
        order[actions.node[action]].append(action)
        if action + 1 == first + per:
            del left[first]
        else:
            left[first] += 1
    return order


def order_of(actions: Actions, *rows: str) -> list[list[int]]:
    """An order from its short form, a row per node: ``F0 F1 L0``."""
    number: dict[tuple[int, str], int] = {}
    for action, node in enumerate(actions.node):
        number[node, f"{actions.operation(action)}{action // actions.per_microbatch}"] = action
    return [[number[node, word] for word in row.split()] for node, row in enumerate(rows)]


def broken_rules(tables: Instance, routes: Routes) -> Iterator[str]:
    """The rules that some routes break, found by counting."""
    if routes.allocation not in set(brute_force.allocations(tables)):
        yield "allocation"
    data_nodes = brute_force.members(routes.allocation, 0)
    if [path[0] for path in routes.paths] != [d for d in data_nodes for _ in range(tables.microbatches[d])]:
        yield "first-stage"
    for path in routes.paths:
        order = tuple(routes.allocation[node] for node in path)
        if len(order) != tables.path_length or len(set(order)) != len(order) or order[0] != 0:
            yield "path-length"
        elif not brute_force.order_allowed(order, tables.rules):
            yield "swap or jump"
        if not all(tables.linked(a, b) for a, b in itertools.pairwise((*path, path[0]))):
            yield "link"
    yield from _broken_balance(tables, routes)


def _broken_balance(tables: Instance, routes: Routes) -> Iterator[str]:
    """The rules about all paths together."""
    rules, stages = tables.rules, range(1, tables.stages)
    executed = Counter(routes.allocation[node] for path in routes.paths for node in path)
    carried = Counter(node for path in routes.paths for node in path)
    if rules.even_stages and _spread(executed[k] for k in stages) > 1:
        yield "even-stages"
    for stage in stages:
        members = brute_force.members(routes.allocation, stage)
        if rules.even_nodes and _spread(carried[n] for n in members) > 1:
            yield "even-nodes"
    for data_node in brute_force.members(routes.allocation, 0):
        own = [path for path in routes.paths if path[0] == data_node]
        covered = {routes.allocation[node] for path in own for node in path}
        if rules.cover and own and len(covered) < tables.stages:
            yield "cover"
        period = rules.path_period
        if period is not None and any(own[i] != own[i - period] for i in range(period, len(own))):
            yield "path-period"


def _spread(numbers: Iterator[int]) -> int:
    listed = list(numbers)
    return max(listed) - min(listed)


def slots_kept(tables: Instance, routes: Routes, actions: Actions, order: Sequence[Sequence[int]]) -> bool:
    """Whether no node ever has more microbatches in flight than slots, counted along its order."""
    for node, sequence in enumerate(order):
        in_flight = 0
        for action in sequence:
            in_flight += {"F": 1, "L": 0, "B": -1}[actions.operation(action)]
            if in_flight > tables.slots[node][routes.allocation[node]]:
                return False
    return True


def scheduled(tables: Instance, plan: Plan) -> Scheduled:
    """A plan replayed and valued by the solver."""
    rings = rings_of(tables, plan.routes.members(tables.stages))
    assert rings is not None
    return Scheduled.of(tables, plan, Actions.of(tables, plan.routes), rings)


def random_scheduled(rng: Random, tables: Instance) -> Scheduled | None:
    """Random routes in a random order, replayed; slots may be broken. None if there are no routes."""
    routes = random_routes(rng, tables)
    if routes is None:
        return None
    order = random_order(rng, Actions.of(tables, routes), tables.nodes)
    return scheduled(tables, Plan(routes, tuple(map(tuple, order))))


def broken_by_checker(loaded: Topology, tables: Instance, candidate: Scheduled) -> set[str]:
    """The rules that the checker finds broken."""
    provenance = Provenance("0", "FEASIBLE", "completed", 0, 1, None, (), None, None)
    document = document_of(loaded, tables, candidate, provenance)
    return {violation.rule for violation in check_schedule(document, loaded, tables)}


def untimed(tables: Instance, plan: Plan) -> Scheduled:
    """A plan with all times 0, for the checker to judge an order that deadlocks."""
    rings = rings_of(tables, plan.routes.members(tables.stages))
    assert rings is not None
    actions = Actions.of(tables, plan.routes)
    return Scheduled(plan, actions, [0] * len(actions.node), rings, Objective(0, 0, 0))


def cheapest_ring(tables: Instance, stage: int, members: Sequence[int]) -> int | None:
    """The all-reduce of a stage over the best of all rings, tried one by one; None if there is no ring."""
    first, *others = members
    if not others or not tables.allreduce.needs_ring(stage, len(members)):
        return 0
    costs = []
    for rest in itertools.permutations(others):
        ring = [first, *rest, first]
        hops = [tables.allreduce.hop(stage, len(members), a, b) for a, b in itertools.pairwise(ring)]
        if NO_LINK not in hops:
            costs.append(max(hops))
    return min(costs, default=None)


def all_routes(tables: Instance) -> Iterator[Routes]:
    """All routes that keep the rules, up to exchanges of a data node's microbatches without `path-period`."""
    orders = list(tables.orders)
    for allocation in brute_force.allocations(tables):
        per_data_node = []
        for data_node in brute_force.members(allocation, 0):
            count = tables.microbatches[data_node]
            choices = sorted(brute_force.paths(tables, allocation, data_node, orders))
            if tables.rules.path_period is None:
                per_data_node.append(list(itertools.combinations_with_replacement(choices, count)))
            else:
                per_data_node.append(list(itertools.product(choices, repeat=count)))
        for combination in itertools.product(*per_data_node):
            routes = Routes(allocation, tuple(path for paths in combination for path in paths))
            if routes.paths and not any(_broken_balance(tables, routes)):
                yield routes


def tiny(seed: int) -> Instance | None:
    """A random instance small enough for all its schedules to be gone through."""
    _, tables = random_case(seed)
    microbatches = sum(sorted(tables.microbatches)[-tables.data_nodes :])
    if microbatches * (2 * tables.path_length + 1) > 15:
        return None
    routes = sum(1 for _ in itertools.islice(all_routes(tables), 101))
    return tables if 0 < routes <= 100 else None


def optimum(tables: Instance, known: int) -> int:
    """The smallest iteration time over all allocations, paths and orders.

    Parameters
    ----------
    known
        The iteration time of some schedule: only what is better is looked for.
    """
    best = known
    for routes in all_routes(tables):
        members = routes.members(tables.stages)
        allreduce = [cheapest_ring(tables, stage, nodes) for stage, nodes in enumerate(members)]
        costs = [cost for cost in allreduce if cost is not None]
        assert len(costs) == tables.stages, "allocations without a ring are no allocations"
        best = _Orders(tables, routes, costs, best).search()
    return best


#: When each microbatch's next input arrives, when each node is free, and the iteration time so far.
_Times = tuple[int, ...]


class _Orders:
    """All orders of some routes, action by action.

    How many actions of each microbatch are done tells what may come next; of two ways to get there, one that
    is nowhere later makes the other superfluous.
    """

    def __init__(self, tables: Instance, routes: Routes, allreduce: Sequence[int], best: int) -> None:
        self.actions = Actions.of(tables, routes)
        self.overhead = tables.overhead
        self.slots = [tables.slots[n][k] for n, k in enumerate(routes.allocation)]
        self.allreduce = [allreduce[stage] for stage in routes.allocation]
        self.total = len(routes.paths)
        self.best = best

    def search(self) -> int:
        """The smallest iteration time of any order, or the one to beat."""
        per = self.actions.per_microbatch
        # Also a stage without microbatches averages its gradients.
        start = (0,) * (self.total + len(self.slots)) + (max(self.allreduce),)
        reached: dict[tuple[int, ...], list[_Times]] = {(0,) * self.total: [start]}
        for _ in range(self.total * per):
            longer: dict[tuple[int, ...], list[_Times]] = {}
            for done, ways in reached.items():
                for microbatch in range(self.total):
                    if done[microbatch] < per and self._has_slot(done, microbatch):
                        after = (*done[:microbatch], done[microbatch] + 1, *done[microbatch + 1 :])
                        longer.setdefault(after, []).extend(
                            times
                            for way in ways
                            if (times := self._extended(way, microbatch, done[microbatch])) is not None
                        )
            reached = {done: _undominated(ways) for done, ways in longer.items()}
        return min((way[-1] for ways in reached.values() for way in ways), default=self.best)

    def _has_slot(self, done: Sequence[int], microbatch: int) -> bool:
        per, length = self.actions.per_microbatch, self.actions.path_length
        if done[microbatch] >= length:
            return True
        node = self.actions.node[microbatch * per + done[microbatch]]
        in_flight = 0
        for other in range(self.total):
            path = self.actions.node[other * per : other * per + length]
            if node in path:
                position = path.index(node)
                in_flight += position < done[other] < 2 * length + 1 - position
        return in_flight < self.slots[node]

    def _extended(self, way: _Times, microbatch: int, position: int) -> _Times | None:
        """The times after one action more; None if they cannot beat the best."""
        actions, per = self.actions, self.actions.per_microbatch
        action = microbatch * per + position
        node = actions.node[action]
        end = max(way[microbatch], way[self.total + node]) + actions.duration[action]
        times = list(way)
        times[microbatch] = end + actions.lag[action + 1] if position + 1 < per else 0
        times[self.total + node] = end + self.overhead
        if position > actions.path_length:
            times[-1] = max(times[-1], end + self.allreduce[node])
        return tuple(times) if times[-1] < self.best else None


def _undominated(ways: Sequence[_Times]) -> list[_Times]:
    """Those of which no other is nowhere later."""
    kept: list[_Times] = []
    for way in sorted(set(ways)):
        if not any(all(a <= b for a, b in zip(other, way, strict=True)) for other in kept):
            kept.append(way)
    return kept
