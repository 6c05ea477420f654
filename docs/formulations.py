"""Measures the exact model against other formulations: the tables of docs/model.md.

    python docs/formulations.py paths transfers
    python docs/formulations.py all

Every question is solved with one worker in this process. What is counted is deterministic seconds of CP-SAT,
which are the same on every machine, conflicts, and seconds of processor time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import islice

from ortools.sat.python import cp_model

from skipsched.api import solve
from skipsched.bounds import best_bound
from skipsched.clock import NO_LIMIT, Clock
from skipsched.construct import construct
from skipsched.exact.allocations import few_allocations
from skipsched.exact.ask import Question, _tune
from skipsched.exact.frozen import Frozen
from skipsched.exact.itinerary import Itinerary
from skipsched.exact.model import ExactModel, Expression, Goal, Variable, Walk
from skipsched.exact.paths import Path, cheapest_paths
from skipsched.exact.windows import Windows
from skipsched.instance import NO_LINK, Instance
from skipsched.plan import Actions, members_of
from skipsched.rings import Ring, rings_of
from skipsched.routes.allocate import allocations
from skipsched.routes.find import find_routes
from skipsched.scheduled import Scheduled
from skipsched.topology.load import load_topology

#: Makes a model of a question.
Builder = Callable[[Question], "ExactModel | NodeModel"]
#: CP-SAT's parameters, by name, over what the package sets.
Parameters = Mapping[str, object]

_ALL_PATHS = 5_000
_ALL_ALLOCATIONS = 5_000
#: The package's own.
OURS: Parameters = {}


def show(text: str) -> None:
    """Print at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


# What is asked.


@cache
def instance_of(name: str) -> Instance:
    """The tables of a shipped instance."""
    return Instance.of(load_topology(name))


@cache
def constructed(name: str) -> Scheduled:
    """The schedule that the constructive solver ends with."""
    instance, clock = instance_of(name), Clock(float("inf"), deterministic=True)
    candidates = allocations(instance, clock, 0)
    first = find_routes(instance, clock, 1, candidates)
    *_, best = construct(instance, first, candidates, clock, 0)
    return best


@cache
def proved(name: str) -> tuple[int, tuple[int, ...]]:
    """The optimal iteration time of an instance, and an allocation that reaches it."""
    result = solve(load_topology(name), time_limit=600, deterministic=True)
    assert result.status == "OPTIMAL"
    assert result.schedule is not None
    document = result.schedule.document
    stage = {node: k for k, nodes in enumerate(document["stages"]) for node in nodes}
    allocation = tuple(stage[node] for node in instance_of(name).node_ids)
    return document["iteration_time"], allocation


def question(
    instance: Instance, allocation: tuple[int, ...], within: int, goal: Goal = Goal.DECIDE
) -> Question:
    """Everything but the allocation is free."""
    members = members_of(allocation, instance.stages)
    paths: list[Sequence[Path]] = []
    for d in members[0]:
        choices = cheapest_paths(instance, members, d, _ALL_PATHS).paths
        paths += [choices] * instance.microbatches[d]
    rings = rings_of(instance, members)
    assert rings is not None
    return Question(instance, Frozen(allocation, paths, within), rings, goal)


def classes(name: str, within: int, goal: Goal = Goal.DECIDE) -> Iterator[Question]:
    """One question per class of allocations that the bounds do not refute."""
    instance = instance_of(name)
    for allocation in few_allocations(instance, _ALL_ALLOCATIONS) or []:
        if best_bound(instance.restricted_to(allocation)).value <= within:
            yield question(instance, allocation, within, goal)


def small_8() -> list[Question]:
    """Is there anything better than the optimum? In no class of allocations."""
    return list(classes("small-8", proved("small-8")[0] - 1))


def full_12() -> list[Question]:
    """Some classes of full-pipeline-12."""
    return list(islice(classes("full-pipeline-12", 17_000_000), 13, 40, 13))


def geo_20() -> list[Question]:
    """geo-20 with the allocation that the constructive solver ends with."""
    allocation = constructed("geo-20").plan.routes.allocation
    return [question(instance_of("geo-20"), allocation, within) for within in (53_000_000, 54_000_000)]


def windows() -> list[Question]:
    """Windows of the constructive schedules of two instances."""
    questions = []
    for name in ("full-pipeline-12", "geo-20"):
        best = constructed(name)
        source = Windows(instance_of(name), NO_LIMIT, 1, seed=0)
        kinds = (source._any, source._latest, source._through_one_node, source._during)
        questions += [source._question(best, kind(best)) for _ in range(3) for kind in kinds]
    return questions


@dataclass(frozen=True, slots=True)
class Bed:
    """Questions, and how many deterministic seconds each may take."""

    questions: Callable[[], list[Question]]
    effort: float


BEDS = {
    "small-8": Bed(cache(small_8), 0.5),
    "full-pipeline-12": Bed(cache(full_12), 1.0),
    "geo-20": Bed(cache(geo_20), 3.0),
    "windows": Bed(cache(windows), 0.1),
}


# Measuring.


@dataclass(frozen=True, slots=True)
class Measured:
    """How one question went."""

    status: str
    effort: float
    seconds: float
    conflicts: int
    gain: int  # microseconds of iteration time saved, where there was a schedule before
    bound: int


def solver_for(effort: float, parameters: Parameters) -> cp_model.CpSolver:
    """CP-SAT as the package runs it, but for what is given."""
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_deterministic_time = effort
    _tune(solver)
    for name, value in parameters.items():
        setattr(solver.parameters, name, value)
    return solver


def measure(asked: Question, effort: float, build: Builder, parameters: Parameters) -> Measured:
    """Answer one question, as the package does but for what is given."""
    solver = solver_for(effort, parameters)
    built = build(asked)
    began = time.process_time()
    status = solver.status_name(solver.solve(built.model))
    seconds = time.process_time() - began
    gain = 0
    if asked.hint is not None and status in ("OPTIMAL", "FEASIBLE") and isinstance(built, ExactModel):
        found = built.scheduled(solver)
        assert found is not None, "no action is without duration"
        gain = asked.hint.objective.iteration_time - found.objective.iteration_time
    bound = asked.frozen.within + 1 if status == "INFEASIBLE" else 0
    if status != "INFEASIBLE" and asked.goal is Goal.ITERATION:
        bound = int(solver.best_objective_bound)
    spent = solver.response_proto.deterministic_time
    return Measured(status, spent, seconds, solver.num_conflicts, gain, bound)


def exact(asked: Question, kind: type[ExactModel] = ExactModel) -> ExactModel:
    """The package's model, or one that differs from it in a method."""
    return kind(asked.instance, asked.frozen, asked.rings, asked.goal, asked.hint)


def builder(kind: type[ExactModel]) -> Builder:
    """Builds models of a class."""
    return lambda asked: exact(asked, kind)


def on_beds(
    variants: Mapping[str, tuple[Builder, Parameters]],
    beds: Sequence[str] = tuple(BEDS),
    counted: Sequence[str] = ("OPTIMAL", "INFEASIBLE"),
) -> None:
    """Print a table: a row per variant, a cell per bed."""
    show(f"| variant | {' | '.join(beds)} | cpu s |")
    show(f"|---|{'---|' * len(beds)}---|")
    for name, (build, parameters) in variants.items():
        row, seconds = [], 0.0
        for bed in beds:
            results = results_on(bed, build, tuple(parameters.items()))
            seconds += sum(each.seconds for each in results)
            row.append(cell(results, counted, counts_gain=bed == "windows"))
        show(f"| {name} | {' | '.join(row)} | {seconds:.1f} |")


@cache
def results_on(bed: str, build: Builder, parameters: tuple[tuple[str, object], ...]) -> list[Measured]:
    """What a variant does on a bed; several tables ask about the package's own model."""
    return [measure(asked, BEDS[bed].effort, build, dict(parameters)) for asked in BEDS[bed].questions()]


def cell(
    results: Sequence[Measured],
    counted: Sequence[str] = ("OPTIMAL", "INFEASIBLE"),
    counts_gain: bool = False,
) -> str:
    """Decided of all, deterministic seconds, conflicts; of windows also the seconds gained in sum."""
    decided = sum(each.status in counted for each in results)
    effort = sum(each.effort for each in results)
    text = f"{decided}/{len(results)}, {effort:.2f} d"
    if counts_gain:
        improved = sum(each.gain > 0 for each in results)
        return f"{text}, {improved} better, {sum(each.gain for each in results) / 1e6:.2f} s"
    return f"{text}, {sum(each.conflicts for each in results)} c"


# Formulations.


class NodeModel:
    """Paths as a flow through the automaton of stage orders; one start per microbatch, node and direction.

    Knows the rules that its test beds have: `even-stages`, `memory`, `no-collision`, all-reduce.
    """

    def __init__(self, asked: Question) -> None:
        self.model = cp_model.CpModel()
        self._asked = asked
        self._instance, self._allocation = asked.instance, asked.frozen.allocation
        self._allreduce = [ring.allreduce for ring in asked.rings]
        self._time = self._new_int()
        self._members = members_of(self._allocation, self._instance.stages)
        self._visits: dict[int, list[Variable]] = {}
        self._busy: dict[int, list[Variable]] = {}
        self._in_flight: dict[int, list[Variable]] = {}
        self._first: dict[int, list[Variable]] = {}
        for d in self._members[0]:
            for _ in range(self._instance.microbatches[d]):
                self._add_microbatch(d)
        self._add_rules()
        self._add_implied()

    def _new_int(self) -> Variable:
        return self.model.new_int_var(0, self._asked.frozen.within, "")

    def _occupy(self, node: int, start: Variable, duration: int, present: Variable) -> None:
        occupied = duration + self._instance.overhead
        interval = self.model.new_optional_fixed_size_interval_var(start, occupied, present, "")
        self._busy.setdefault(node, []).append(interval)

    def _add_microbatch(self, d: int) -> None:
        model, instance = self.model, self._instance
        arcs: dict[tuple[int, int], Variable] = {}
        forward: dict[int, Variable] = {}
        backward: dict[int, Variable] = {}
        visits = self._add_flow(d, arcs)
        for n, present in visits.items():
            stage = self._allocation[n]
            forward[n], backward[n] = self._new_int(), self._new_int()
            there, back = instance.forward[n][stage], instance.backward[n][stage]
            self._occupy(n, forward[n], there, present)
            self._occupy(n, backward[n], back, present)
            held = model.new_optional_interval_var(
                forward[n], self._new_int(), backward[n] + back, present, ""
            )
            self._in_flight.setdefault(n, []).append(held)
            self._visits.setdefault(n, []).append(present)
            after = back + self._allreduce[stage]
            model.add(self._time >= backward[n] + after).only_enforce_if(present)
        loss = self._new_int()
        self._occupy(d, loss, instance.loss[d], visits[d])
        for (u, v), literal in arcs.items():
            to, fro = instance.transfer[u][v], instance.transfer[v][u]
            reached, then = (loss, loss + instance.loss[d]) if v == d else (forward[v], backward[v])
            if v != d:
                then = then + instance.backward[v][self._allocation[v]]
            there = instance.forward[u][self._allocation[u]]
            model.add(reached >= forward[u] + there + to).only_enforce_if(literal)
            model.add(backward[u] >= then + fro).only_enforce_if(literal)
        emitted = self._first.setdefault(d, [])
        if emitted:
            model.add(forward[d] >= emitted[-1] + instance.forward[d][0] + instance.overhead)
        emitted.append(forward[d])

    def _add_flow(self, d: int, arcs: dict[tuple[int, int], Variable]) -> dict[int, Variable]:
        """Which nodes a microbatch visits; fills in a literal per pair of nodes that follow each other."""
        model, instance, orders = self.model, self._instance, self._instance.orders
        parts: dict[tuple[int, int], list[Variable]] = {}
        into: dict[int, list[Variable]] = {}
        inflow: dict[tuple[int, int], list[Variable]] = {(0, d): [1]}
        for _ in orders.layers:
            following: dict[tuple[int, int], list[Variable]] = {}
            for (state, u), entering in inflow.items():
                leaving = []
                ahead = [(s, v) for s in orders.successors[state] for v in self._members[orders.stage[s]]]
                for s, v in ahead if state not in orders.layers[-1] else [(0, d)]:
                    if not instance.linked(u, v):
                        continue
                    literal = model.new_bool_var("")
                    leaving.append(literal)
                    following.setdefault((s, v), []).append(literal)
                    parts.setdefault((u, v), []).append(literal)
                    into.setdefault(v, []).append(literal)
                model.add(cp_model.LinearExpr.sum(entering) == cp_model.LinearExpr.sum(leaving))
            inflow = following
        for pair, literals in parts.items():
            arcs[pair] = model.new_bool_var("")
            model.add(cp_model.LinearExpr.sum(literals) == arcs[pair])
        visits = {}
        for n, literals in into.items():
            visits[n] = model.new_bool_var("")
            model.add(cp_model.LinearExpr.sum(literals) == visits[n])
        return visits

    def _add_rules(self) -> None:
        instance = self._instance
        for n, intervals in self._busy.items():
            self.model.add_no_overlap(intervals)
            held = self._in_flight[n]
            self.model.add_cumulative(held, [1] * len(held), instance.slots[n][self._allocation[n]])
        self.model.add(self._time >= max(self._allreduce))
        stages = instance.stages - 1
        total = sum(map(len, self._first.values())) * (instance.path_length - 1)
        for stage in range(1, instance.stages):
            executed = [literal for n in self._members[stage] for literal in self._visits.get(n, [])]
            share = cp_model.LinearExpr.sum(executed)
            self.model.add_linear_constraint(share, total // stages, -(-total // stages))

    def _add_implied(self) -> None:
        """Loads and rows as in the package, with the least of all paths through a node."""
        instance, overhead = self._instance, self._instance.overhead
        through: dict[int, list[tuple[int, Itinerary]]] = {}
        for paths in {id(paths): paths for paths in self._asked.frozen.paths}.values():
            for path in paths:
                each = Itinerary.of(instance, self._allocation, self._allreduce, path)
                for q, n in enumerate(path):
                    through.setdefault(n, []).append((q, each))
        for n, visits in self._visits.items():
            stage = self._allocation[n]
            ahead = min(each.ahead[q] for q, each in through[n])
            behind = min(each.behind[q] for q, each in through[n])
            held = min(each.held[q] for q, each in through[n]) + overhead
            work = instance.forward[n][stage] + instance.backward[n][stage] + 2 * overhead
            if stage == 0:
                work += instance.loss[n] + overhead
            used = self.model.new_bool_var("")
            for literal in visits:
                self.model.add_implication(literal, used)
            carried, around = cp_model.LinearExpr.sum(visits), (ahead + behind) * used
            self.model.add(self._time + overhead >= work * carried + around)
            slots, extra = instance.slots[n][stage], 0
            if stage == 0:
                slots = min(slots, instance.microbatches[n])
                extra = slots * (slots - 1) // 2 * (work - instance.loss[n] - overhead)
            self.model.add(slots * (self._time + overhead) >= held * carried + slots * around + extra)


class _Arcs(ExactModel):
    """A literal per pair of nodes that follow each other on a path."""

    def _arcs(self, m: int, walk: Walk, q: int) -> dict[tuple[int, int], Variable]:
        """Pairs at positions q and q + 1 of a path; behind its last node lies the data node."""
        after = (q + 1) % self.instance.path_length
        through: dict[tuple[int, int], list[Variable]] = {}
        for literal, each in zip(walk.taken, walk.itineraries, strict=True):
            through.setdefault((each.path[q], each.path[after]), []).append(literal)
        arcs = {}
        for (u, v), literals in through.items():
            here, there = self._hint.is_at(m, q, u), self._hint.is_at(m, after, v)
            arcs[u, v] = self._new_bool(None if here is None else here and there)
            self.model.add(cp_model.LinearExpr.sum(literals) == arcs[u, v])
        return arcs

    def _add_chains(self) -> None:
        last = self._per - 1
        for m, walk in enumerate(self.walks):
            for q in range(self.instance.path_length):
                arcs = self._arcs(m, walk, q)
                self._add_transfers(
                    walk, arcs, q, {pair: self.instance.transfer[pair[0]][pair[1]] for pair in arcs}
                )
                self._add_transfers(
                    walk, arcs, last - q - 1, {(u, v): self.instance.transfer[v][u] for u, v in arcs}
                )

    def _add_transfers(
        self, walk: Walk, arcs: dict[tuple[int, int], Variable], a: int, lag: dict[tuple[int, int], int]
    ) -> None:
        """Action a + 1 follows action a."""
        raise NotImplementedError


class ArcSums(_Arcs):
    """The transfer is a sum over the arcs."""

    def _add_transfers(
        self, walk: Walk, arcs: dict[tuple[int, int], Variable], a: int, lag: dict[tuple[int, int], int]
    ) -> None:
        total = cp_model.LinearExpr.weighted_sum(list(arcs.values()), [lag[pair] for pair in arcs])
        self.model.add(walk.start[a + 1] >= walk.end[a] + total)


class ArcConditions(_Arcs):
    """Each arc that is taken demands its transfer."""

    def _add_transfers(
        self, walk: Walk, arcs: dict[tuple[int, int], Variable], a: int, lag: dict[tuple[int, int], int]
    ) -> None:
        for pair, literal in arcs.items():
            self.model.add(walk.start[a + 1] >= walk.end[a] + lag[pair]).only_enforce_if(literal)


class Elements(ExactModel):
    """The transfer is looked up in the table of a node's and its successor's places."""

    def _add_chains(self) -> None:
        for m, walk in enumerate(self.walks):
            for a in range(1, self._per):
                self._add_lag(m, walk, a)

    def _add_lag(self, m: int, walk: Walk, a: int) -> None:
        (p, here), (q, there) = ((at, list(walk.at[at])) for at in map(self._position, (a - 1, a)))
        if p == q:
            self.model.add(walk.start[a] >= walk.end[a - 1])
            return
        row, column = self._place(walk, p), self._place(walk, q)
        transfer = self.instance.transfer
        table = [max(0, transfer[u][v]) for u in here for v in there]
        number = hint = None
        start, end = self._hint.start(m, a), self._hint.end(m, a - 1)
        if start is not None and end is not None:
            i = next(i for i, n in enumerate(here) if self._hint.is_at(m, p, n))
            j = next(j for j, n in enumerate(there) if self._hint.is_at(m, q, n))
            number = i * len(there) + j
            hint = table[number]
        index = self._new_int(number, most=len(table) - 1)
        self.model.add(index == row * len(there) + column)
        lag = self._new_int(hint)
        self.model.add_element(index, table, lag)
        self.model.add(walk.start[a] >= walk.end[a - 1] + lag)

    def _place(self, walk: Walk, position: int) -> Expression:
        literals = list(walk.at[position].values())
        return cp_model.LinearExpr.weighted_sum(literals, list(range(len(literals))))


class Reservoirs(ExactModel):
    """Slots are taken out of a reservoir and given back."""

    def _add_memory(self) -> None:
        length = self.instance.path_length
        events: dict[int, list[tuple[Variable, int, Variable]]] = {}
        for m, walk in enumerate(self.walks):
            for q, literals in enumerate(walk.at):
                end = self._new_int(self._hint.end(m, 2 * length - q))
                self.model.add(end == walk.end[2 * length - q])
                for n, literal in literals.items():
                    events.setdefault(n, []).append((walk.start[q], 1, literal))
                    events[n].append((end, -1, literal))
        for n, changes in events.items():
            times, levels, present = zip(*changes, strict=True)
            slots = self.instance.slots[n][self.frozen.allocation[n]]
            self.model.add_reservoir_constraint_with_active(times, levels, present, -len(times), slots)


class NoLoads(ExactModel):
    """Without the loads of nodes."""

    def _add_loads(self) -> None:
        pass


class NoRows(ExactModel):
    """Without the rows of slots."""

    def _add_rows(self) -> None:
        pass


class NoOrder(ExactModel):
    """Without the order of emission."""

    def _order_alike(self) -> None:
        pass


class NothingImplied(NoLoads, NoRows, NoOrder):
    """With the rules alone."""


class StaggeredRows(ExactModel):
    """With more implied: on every node whose slots are all used, rows begin and end one after another."""

    def _add_rows(self) -> None:
        super()._add_rows()
        overhead = self.instance.overhead
        for n, reach in self._reaches.items():
            stage = self.frozen.allocation[n]
            slots = self.instance.slots[n][stage]
            if stage == 0 or slots < 2:
                continue
            carried = self._hint.fewest([n])
            full = self._new_bool(None if carried is None else carried >= slots)
            visits = cp_model.LinearExpr.sum(self._visits([n]))
            self.model.add(visits < slots).only_enforce_if(~full)
            step = self.instance.forward[n][stage] + self.instance.backward[n][stage] + 2 * overhead
            held = cp_model.LinearExpr.weighted_sum(reach.taken, [each + overhead for each in reach.held])
            held += slots * (slots - 1) // 2 * step * full + slots * reach.around * reach.used
            self.model.add(slots * (self.iteration_time + overhead) >= held)


# Coarser times.


def coarse(asked: Question, grid: int, up: bool = False) -> Question:
    """The question with all times in multiples of `grid` microseconds, rounded down or up."""

    def one(value: int) -> int:
        if value == NO_LINK:
            return value
        return -(-value // grid) if up else value // grid

    def table(rows: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(map(one, row)) for row in rows)

    instance = asked.instance
    return replace(
        asked,
        instance=replace(
            instance,
            forward=table(instance.forward),
            backward=table(instance.backward),
            loss=tuple(map(one, instance.loss)),
            overhead=one(instance.overhead),
            transfer=table(instance.transfer),
        ),
        rings=[Ring(ring.nodes, one(ring.allreduce)) for ring in asked.rings],
        frozen=replace(asked.frozen, within=asked.frozen.within // grid),
    )


# The tables.


def same(kinds: Mapping[str, Builder]) -> dict[str, tuple[Builder, Parameters]]:
    """Variants of the model with the same parameters."""
    return {name: (build, OURS) for name, build in kinds.items()}


def paths_table() -> None:
    """Path columns against one start per node."""
    kinds: dict[str, Builder] = {"a literal per path (ours)": exact, "flow over nodes": NodeModel}
    on_beds(same(kinds), ["small-8", "full-pipeline-12", "geo-20"])


def transfers_table() -> None:
    """How the transfers of a path are said."""
    on_beds(
        same(
            {
                "sum over paths (ours)": exact,
                "sum over arcs": builder(ArcSums),
                "condition per arc": builder(ArcConditions),
                "element": builder(Elements),
            }
        )
    )


def memory_table() -> None:
    """How slots are said."""
    on_beds(same({"cumulative (ours)": exact, "reservoir": builder(Reservoirs)}))


def implied_table() -> None:
    """What the implied constraints are worth."""
    on_beds(
        same(
            {
                "all (ours)": exact,
                "rows staggered on every node": builder(StaggeredRows),
                "without loads": builder(NoLoads),
                "without rows": builder(NoRows),
                "without order of emission": builder(NoOrder),
                "without any": builder(NothingImplied),
            }
        ),
        ["small-8", "full-pipeline-12", "geo-20"],
    )


def goal_table() -> None:
    """Deciding at a target against minimising."""
    best, allocation = proved("small-8")
    first = constructed("small-8").objective.iteration_time
    instance = instance_of("small-8")
    beds: dict[str, list[Question]] = {
        "optimal class: decide at best - 1": [question(instance, allocation, best - 1)],
        "optimal class: minimise within best": [question(instance, allocation, best, Goal.ITERATION)],
        "optimal class: minimise within constructed": [question(instance, allocation, first, Goal.ITERATION)],
        "all classes: decide at best - 1": small_8(),
        "all classes: minimise within best - 1": list(classes("small-8", best - 1, Goal.ITERATION)),
        "all classes: minimise within constructed": list(classes("small-8", first, Goal.ITERATION)),
    }
    show("| question | decided, deterministic seconds, conflicts | cpu s |\n|---|---|---|")
    for name, questions in beds.items():
        results = [measure(asked, 1.0, exact, OURS) for asked in questions]
        show(f"| {name} | {cell(results)} | {sum(each.seconds for each in results):.1f} |")
    geo = constructed("geo-20")
    first = geo.objective.iteration_time
    for within in (54_000_000, first):
        asked = question(instance_of("geo-20"), geo.plan.routes.allocation, within, Goal.ITERATION)
        result = measure(asked, BEDS["geo-20"].effort, exact, OURS)
        name = f"geo-20: minimise within {within / 1e6:.2f} s, bound {result.bound / 1e6:.2f} s"
        show(f"| {name} | {cell([result])} | {result.seconds:.1f} |")


def parameters_table() -> None:
    """CP-SAT's parameters."""
    cumulative = (
        "use_overload_checker_in_cumulative",
        "use_timetable_edge_finding_in_cumulative",
        "use_hard_precedences_in_cumulative",
    )
    sets: dict[str, Parameters] = {
        "the package's": OURS,
        "with the search for overlaps": {"find_big_linear_overlap": True},
        "with probing": {"cp_model_probing_level": 2},
        "with both": {"cp_model_probing_level": 2, "find_big_linear_overlap": True},
        # CP-SAT's own, both:
        "with probing between decisions": {"inprocessing_probing_dtime": 1.0},
        "with the closure of precedences": {"transitive_precedences_work_limit": 1_000_000},
        "without symmetry": {"symmetry_level": 0},
        "linearization_level 1": {"linearization_level": 1},
        "linearization_level 2": {"linearization_level": 2},
        "without cumulative flags": dict.fromkeys(cumulative, False),
    }
    on_beds({name: (exact, parameters) for name, parameters in sets.items()})


def strong_table() -> None:
    """The flags of no-overlap. Without the first one, effort says little of processor time: no windows."""
    flags = ("use_strong_propagation_in_disjunctive", "use_dynamic_precedence_in_disjunctive")
    sets: dict[str, Parameters] = {
        "both (ours)": {},
        f"without {flags[0]}": {flags[0]: False},
        f"without {flags[1]}": {flags[1]: False},
    }
    on_beds(
        {name: (exact, parameters) for name, parameters in sets.items()},
        ["small-8", "full-pipeline-12"],
    )


def grid_table() -> None:
    """Coarser times: rounded down to refute, up to find."""
    grids = {"1 us": 1, "1 ms": 1_000, "10 ms": 10_000, "100 ms": 100_000}
    down: dict[str, Builder] = {
        f"down to {name}": exact if grid == 1 else partial(_coarsely, grid) for name, grid in grids.items()
    }
    # A schedule on the grid says nothing: what counts is what is refuted.
    on_beds(same(down), ["small-8", "full-pipeline-12", "geo-20"], counted=("INFEASIBLE",))
    show("\n| small-8, optimal class | bound | schedule, replayed | deterministic s |\n|---|---|---|---|")
    allocation = proved("small-8")[1]
    within = constructed("small-8").objective.iteration_time
    asked = question(instance_of("small-8"), allocation, within, Goal.ITERATION)
    for name, grid in grids.items():
        bound, below = measured_on_grid(asked, grid, up=False)
        time_needed, above = measured_on_grid(asked, grid, up=True)
        show(f"| {name} | {bound} us | {time_needed or 'none'} us | {below:.2f} down, {above:.2f} up |")


def measured_on_grid(asked: Question, grid: int, up: bool) -> tuple[int, float]:
    """The bound of times rounded down or the schedule (0: none) of times rounded up, and its cost."""
    built = exact(coarse(asked, grid, up))
    solver = solver_for(BEDS["geo-20"].effort, OURS)
    status = solver.solve(built.model)
    spent = solver.response_proto.deterministic_time
    if not up:
        return int(solver.best_objective_bound) * grid, spent
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return 0, spent
    found = built.scheduled(solver)
    assert found is not None, "no action is without duration"
    plan = found.plan
    fine = Scheduled.of(asked.instance, plan, Actions.of(asked.instance, plan.routes), asked.rings)
    return fine.objective.iteration_time, spent


def _coarsely(grid: int, asked: Question) -> ExactModel:
    """The package's model of the coarser question."""
    return exact(coarse(asked, grid))


TABLES: dict[str, Callable[[], None]] = {
    "paths": paths_table,
    "transfers": transfers_table,
    "memory": memory_table,
    "implied": implied_table,
    "goal": goal_table,
    "parameters": parameters_table,
    "strong": strong_table,
    "grid": grid_table,
}


def main(arguments: Sequence[str]) -> None:
    """Print the tables named; `all` for all."""
    if not arguments or not set(arguments) <= {*TABLES, "all"}:
        sys.exit(f"usage: python docs/formulations.py TABLE...\ntables: all {' '.join(TABLES)}")
    for name in TABLES if "all" in arguments else arguments:
        began = time.process_time()
        show(f"\n{name}\n")
        TABLES[name]()
        show(f"\n{time.process_time() - began:.0f} s of processor time")


if __name__ == "__main__":
    main(sys.argv[1:])
