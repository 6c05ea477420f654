"""Exact feasibility: allocation and paths together, as a CP-SAT model without any time in it.

Asked only when the constructive solver found no paths: it either finds some, or proves that there are none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ortools.sat.python import cp_model

from skipsched.clock import Clock, OutOfTime, TooLarge
from skipsched.cp_sat import run
from skipsched.instance import NO_LINK, Instance
from skipsched.plan import Routes
from skipsched.routes.slots import FreeNumbers, PathSlot, paths_of, slots_of

#: Terms beyond which a model is not built: about a gigabyte.
_MOST_TERMS = 3_000_000
#: Steps of a loop that building one state or visit is worth.
_STEPS_PER_STATE = 20

Literal = Any  # a Boolean variable of CP-SAT or the negation of one


class RoutesModel:
    """Literals for the stage of every node and the path of every path slot, and one method per rule.

    Parameters
    ----------
    instance
        The tables; numbers of `swap`, `jump` and `path-length` come with its orders.
    clock
        The limit, of building as of solving.
    free
        Numbers of microbatches that the model chooses; none by default.
    """

    def __init__(self, instance: Instance, clock: Clock, free: FreeNumbers | None = None) -> None:
        self.instance = instance
        self._clock = clock
        self.model = cp_model.CpModel()
        #: Whether what `solution` found last is proved to be the best.
        self.proved = False
        self.holds = {
            (n, k): self.model.new_bool_var(f"node {n} holds {k}")
            for n in range(instance.nodes)
            for k in instance.allowed[n]
        }
        period = instance.rules.path_period
        self.slots = [slot for d in self._candidates() for slot in slots_of(instance, d, period)]
        self._nodes_matter = not instance.complete or instance.rules.even_nodes
        self._island = self._islands()
        #: Of nodes whose number is free: whether they emit their i-th microbatch.
        self.emits: dict[tuple[int, int], Literal] = {}
        self.state: dict[tuple[PathSlot, int], Literal] = {}
        self.visits: dict[tuple[PathSlot, int], Literal] = {}
        self.visit: dict[tuple[PathSlot, int, int], Literal] = {}
        self._refuse_if_too_large()
        self._add_free_numbers(free)
        self._add_sizes()
        for slot in self.slots:
            self._add_order(slot)  # path-length, swap, jump, first-stage
        if self._nodes_matter:
            for slot in self.slots:
                self._add_visits(slot)  # must come after orders
                self._add_links(slot)
        self._add_rings()
        self._add_even_stages()
        self._add_even_nodes()
        self._add_cover()

    def solve(self, workers: int) -> Routes | None:
        """Find routes, or prove that there are none; not for free numbers, of which `solution` tells.

        Raises
        ------
        OutOfTime
            If the clock ran out first.
        """
        solver = self.solution(workers)
        return None if solver is None else self.routes(solver)

    def solution(self, workers: int, effort: float = math.inf) -> cp_model.CpSolver | None:
        """A solver with values for all literals; None if there are none.

        If there is an objective they are the best found, and `proved` says whether there are no better ones.

        Parameters
        ----------
        workers
            Search workers.
        effort
            Deterministic seconds that it may take at most.

        Raises
        ------
        OutOfTime
            If a limit ended the search before there were any.
        """
        status, solver = run(self.model, self._clock, workers, effort)
        if status == "INFEASIBLE":
            return None
        self.proved = status == "OPTIMAL"  # which is what finding any is without an objective
        if status not in ("OPTIMAL", "FEASIBLE"):
            raise OutOfTime
        return solver

    def takes(self, slot: PathSlot, path: Sequence[int], stages: Sequence[int]) -> Literal:
        """A literal that holds only if a slot takes a path whose nodes hold some stages.

        Parameters
        ----------
        stages
            Of the nodes: an order that is allowed, each a stage that its node may hold.
        """
        orders = self.instance.orders
        taken = self.model.new_bool_var("")
        state = 0
        for node, stage in zip(path, stages, strict=True):
            if stage > 0:
                state = next(after for after in orders.successors[state] if orders.stage[after] == stage)
            self.model.add_implication(taken, self.state[slot, state])
            self.model.add_implication(taken, self.holds[node, stage])
            if self._nodes_matter and stage > 0:
                self.model.add_implication(taken, self.visit[slot, stage, node])
        return taken

    def _refuse_if_too_large(self) -> None:
        """A model that memory does not hold decides nothing, nor does one that takes too long."""
        if len(self.slots) * self._terms() > _MOST_TERMS:
            raise TooLarge

    def _terms(self) -> int:
        """About how many terms one slot needs."""
        orders = self.instance.orders
        arcs = sum(len(following) for following in orders.successors)
        visits = len(self.holds) * len(orders.stages) if self._nodes_matter else 0
        return arcs + visits

    def _add_free_numbers(self, free: FreeNumbers | None) -> None:
        """A chain of literals for each group, one a microbatch: whoever emits the next emits this one."""
        model = self.model
        for nodes, least in free.groups if free is not None else ():
            more = [model.new_bool_var("") for _ in range(free.most if free is not None else 0)]
            for after, before in zip(more[1:], more, strict=False):
                model.add_implication(after, before)
            for literal in more[:least]:
                model.add(literal == 1)
            for n in nodes:
                if (n, 0) in self.holds:
                    for i, literal in enumerate(more):
                        self.emits[n, i] = self._both(self.holds[n, 0], literal)

    def _emits(self, node: int, microbatch: int) -> Literal:
        """Whether a node emits a microbatch, by its number: as a data node, if the number is given."""
        return self.emits.get((node, microbatch), self.holds[node, 0])

    def _both(self, a: Literal, b: Literal) -> Literal:
        both = self.model.new_bool_var("")
        self.model.add_bool_or([a.negated(), b.negated(), both])
        self.model.add_implication(both, a)
        self.model.add_implication(both, b)
        return both

    def _load(self, slot: PathSlot, visit: Literal) -> Any:
        """How many microbatches of a slot there are if `visit` holds, otherwise 0."""
        if (slot.data_node, slot.index) not in self.emits:
            return slot.weight * visit
        period = self.instance.rules.path_period or 1
        later = (slot.index + period * i for i in range(1, slot.weight))
        return visit + sum(self._both(visit, self.emits[slot.data_node, i]) for i in later)

    def _islands(self) -> list[int]:
        """For each node the part of the network that links join it with: no path leaves it."""
        import networkx

        islands = [0] * self.instance.nodes
        if not self.instance.complete:
            for number, part in enumerate(networkx.connected_components(self.instance.graph())):
                for n in part:
                    islands[n] = number
        return islands

    def _candidates(self) -> list[int]:
        return [n for n in range(self.instance.nodes) if (n, 0) in self.holds]

    def _holders(self, stage: int) -> list[int]:
        return [n for n in range(self.instance.nodes) if (n, stage) in self.holds]

    def _add_sizes(self) -> None:
        """Every node holds one stage, every stage has its number of nodes, something is emitted."""
        instance, model = self.instance, self.model
        for n in range(instance.nodes):
            model.add_exactly_one([self.holds[n, k] for k in range(instance.stages) if (n, k) in self.holds])
        for k in range(instance.stages):
            size = sum(self.holds[n, k] for n in self._holders(k))
            model.add_linear_constraint(size, instance.min_sizes[k], instance.max_sizes[k])
        emitting = [self._emits(n, 0) for n in self._candidates() if instance.microbatches[n] > 0]
        model.add_bool_or(emitting)

    def _add_order(self, slot: PathSlot) -> None:
        """A present slot takes exactly one allowed stage order: one state per layer, each after the last."""
        model, orders = self.model, self.instance.orders
        self._clock.spend(_STEPS_PER_STATE * len(orders.stage))
        present = self._emits(slot.data_node, slot.index)
        before: dict[int, list[Literal]] = {0: []}
        self.state[slot, 0] = present
        for layer in orders.layers[1:]:
            for s in layer:
                self.state[slot, s] = model.new_bool_var("")
                before[s] = []
            model.add(sum(self.state[slot, s] for s in layer) == present)
        for s, following in enumerate(orders.successors):
            for t in following:
                before[t].append(self.state[slot, s])
        for layer in orders.layers[1:]:
            for s in layer:
                model.add_bool_or([self.state[slot, s].negated(), *before[s]])
        by_stage: dict[int, list[Literal]] = {}
        for s, stage in enumerate(orders.stage):
            by_stage.setdefault(stage, []).append(self.state[slot, s])
        for stage, states in by_stage.items():
            if stage > 0:
                self.visits[slot, stage] = model.new_bool_var("")
                model.add(sum(states) == self.visits[slot, stage])

    def _add_visits(self, slot: PathSlot) -> None:
        """An executed stage is executed on one of its nodes, on the data node's own island."""
        home = self._island[slot.data_node]
        for stage in range(1, self.instance.stages):
            if (slot, stage) not in self.visits:
                continue
            nodes = [n for n in self._holders(stage) if self._island[n] == home]
            for n in nodes:
                self.visit[slot, stage, n] = self.model.new_bool_var("")
                self.model.add_implication(self.visit[slot, stage, n], self.holds[n, stage])
            chosen = sum(self.visit[slot, stage, n] for n in nodes)
            self.model.add(chosen == self.visits[slot, stage])

    def _add_links(self, slot: PathSlot) -> None:
        """Consecutive nodes of a path are linked, the last one with the data node too."""
        if self.instance.complete:
            return
        model, orders = self.model, self.instance.orders
        self._clock.spend(_STEPS_PER_STATE * len(self.holds) * len(orders.stages))
        follows: dict[tuple[int, int], Literal] = {}
        for s, following in enumerate(orders.successors):
            for t in following:
                pair = (orders.stage[s], orders.stage[t])
                if pair not in follows:
                    follows[pair] = model.new_bool_var("")
                model.add_bool_or(
                    [self.state[slot, s].negated(), self.state[slot, t].negated(), follows[pair]]
                )
        for s in orders.layers[-1]:
            follows[orders.stage[s], 0] = follows.get((orders.stage[s], 0), model.new_bool_var(""))
            model.add_implication(self.state[slot, s], follows[orders.stage[s], 0])
        for (stage, after), literal in follows.items():
            arrivals = self._visitors(slot, after)
            for n, leaves in self._visitors(slot, stage):
                self._add_hop(n, [literal.negated(), leaves.negated()], arrivals)

    def _visitors(self, slot: PathSlot, stage: int) -> list[tuple[int, Literal]]:
        """The nodes on which a slot may execute a stage, each with the literal that it does."""
        if stage == 0:
            return [(slot.data_node, self._emits(slot.data_node, slot.index))]
        return [
            (n, visit)
            for n in self._holders(stage)
            if (visit := self.visit.get((slot, stage, n))) is not None
        ]

    def _add_hop(self, node: int, unless: list[Literal], arrivals: list[tuple[int, Literal]]) -> None:
        """From a node to one that is linked with it, unless one of some literals holds."""
        there = self.instance.round_trip[node]
        linked = [visit for m, visit in arrivals if m != node and there[m] != NO_LINK]
        self.model.add_bool_or(unless + linked)

    def _add_rings(self) -> None:
        """The nodes of a stage with gradients form a ring of directed links."""
        instance, model = self.instance, self.model
        if instance.complete:
            return
        for stage in range(instance.stages):
            if instance.max_sizes[stage] < 2 or not instance.allreduce.needs_ring(stage, 2):
                continue
            nodes = self._holders(stage)
            alone = model.new_bool_var("")
            model.add(sum(self.holds[n, stage] for n in nodes) == 1).only_enforce_if(alone)
            arcs: list[tuple[int, int, Literal]] = []
            for n in nodes:
                outside = model.new_bool_var("")
                model.add_implication(self.holds[n, stage].negated(), outside)
                model.add_bool_or([outside.negated(), self.holds[n, stage].negated(), alone])
                arcs.append((n, n, outside))
                arcs += [(n, m, arc) for m in nodes if m != n and (arc := self._arc(n, m)) is not None]
            model.add_circuit(_renumbered(arcs))

    def _arc(self, source: int, target: int) -> Literal | None:
        """A literal for a hop of a ring; None where there is no link."""
        return self.model.new_bool_var("") if self.instance.transfer[source][target] != NO_LINK else None

    def _add_even_stages(self) -> None:
        instance = self.instance
        if instance.rules.even_stages:
            executed = [
                sum(self._load(slot, self.visits[slot, k]) for slot in self.slots if (slot, k) in self.visits)
                for k in range(1, instance.stages)
            ]
            least = self.model.new_int_var(0, sum(slot.weight for slot in self.slots), "")
            for count in executed:
                self.model.add_linear_constraint(count - least, 0, 1)

    def _add_even_nodes(self) -> None:
        instance, model = self.instance, self.model
        if not instance.rules.even_nodes:
            return
        total = sum(slot.weight for slot in self.slots)
        for stage in range(1, instance.stages):
            least = model.new_int_var(0, total, "")
            for n in self._holders(stage):
                load = sum(
                    self._load(slot, self.visit[slot, stage, n])
                    for slot in self.slots
                    if (slot, stage, n) in self.visit
                )
                model.add_linear_constraint(load - least, 0, 1).only_enforce_if(self.holds[n, stage])

    def _add_cover(self) -> None:
        instance = self.instance
        if not instance.rules.cover:
            return
        for d in {slot.data_node: None for slot in self.slots}:
            for stage in range(1, instance.stages):
                visits = [
                    self.visits[slot, stage]
                    for slot in self.slots
                    if slot.data_node == d and (slot, stage) in self.visits
                ]
                self.model.add_bool_or([self._emits(d, 0).negated(), *visits])

    def routes(
        self, solver: cp_model.CpSolver, given: Mapping[PathSlot, tuple[int, ...]] | None = None
    ) -> Routes:
        """Read the routes off a solution; without missing links any node of a stage serves in turn.

        Parameters
        ----------
        given
            Paths of some slots that agree with the solution.
        """
        instance = self.instance
        allocation = [0] * instance.nodes
        for (n, k), literal in self.holds.items():
            if solver.boolean_value(literal):
                allocation[n] = k
        members = Routes(tuple(allocation), ()).members(instance.stages)
        turn = [0] * instance.stages
        chosen: dict[PathSlot, tuple[int, ...]] = {}
        chosen.update(given or {})
        for slot in self.slots:
            if allocation[slot.data_node] != 0 or slot in chosen:
                continue
            path = [slot.data_node]
            for layer in instance.orders.layers[1:]:
                state = next(s for s in layer if solver.boolean_value(self.state[slot, s]))
                stage = instance.orders.stage[state]
                if self._nodes_matter:
                    visits = self._visitors(slot, stage)
                    path.append(next(n for n, literal in visits if solver.boolean_value(literal)))
                else:
                    path.append(members[stage][turn[stage] % len(members[stage])])
                    turn[stage] += 1
            chosen[slot] = tuple(path)
        return Routes(tuple(allocation), paths_of(instance, members[0], chosen))


def _renumbered(arcs: list[tuple[int, int, Literal]]) -> list[tuple[int, int, Literal]]:
    """The same arcs with nodes numbered from 0 without gaps, as CP-SAT's circuit wants them."""
    number: dict[int, int] = {}
    for a, b, _ in arcs:
        number.setdefault(a, len(number))
        number.setdefault(b, len(number))
    return [(number[a], number[b], literal) for a, b, literal in arcs]
