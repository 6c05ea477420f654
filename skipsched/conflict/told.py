"""One sentence on why members of a topology conflict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from skipsched.conflict.member import KINDS, Kind, Member, one_way, stages_named
from skipsched.conflict.relax import Problem
from skipsched.instance import Instance
from skipsched.orders import TooManyOrdersError
from skipsched.routes.holders import TooFew, assign
from skipsched.text.words import counted


def told(members: Sequence[Member], problem: Problem, instance: Instance) -> str:
    """One sentence for a person.

    Parameters
    ----------
    members
        The members of a conflict.
    problem
        The problem that they make alone.
    instance
        The whole topology's tables.
    """
    stuck = assign(problem.instance, problem.instance.allowed, range(instance.nodes))
    if isinstance(stuck, TooFew) and not any(member.kind is Kind.GIVEN for member in members):
        return _told_allocation(members, problem.instance, stuck, instance)
    parts = list(_parts(members, instance))
    *first, last = parts
    if not first:
        leave = "leave" if members[0].kind is Kind.LINK else "leaves"
        sentence = f"{last} alone {leave} no paths"
    else:
        sentence = f"{', '.join(first)} and {last} exclude each other"
    details = _details({member.kind for member in members}, problem, instance)
    return f"{sentence}: {details}" if details else sentence


def _told_allocation(members: Sequence[Member], problem: Instance, stuck: TooFew, instance: Instance) -> str:
    """Why pins, memory and sizes admit no allocation."""
    homeless = [n for n in stuck.nodes if not problem.allowed[n]]
    if homeless:
        names = _names(problem, homeless)
        message = f"no stage that {names} may hold leaves room for one microbatch in its memory"
        # Each is a conflict by itself; a person would rather mend all of them at once.
        alike = [n for n in range(instance.nodes) if not instance.allowed[n] and n not in homeless]
        return f"{message}; the same is true of {_names(instance, alike)}" if alike else message
    stages = stages_named(stuck.stages)
    who = f": {_names(problem, stuck.nodes)}" if stuck.nodes else ""
    able = counted(len(stuck.nodes), "node")
    if stuck.lacking:
        wanted = counted(sum(problem.min_sizes[k] for k in stuck.stages), "node")
        found = f"only {able}" if stuck.nodes else "no node"
        message = f"{stages} must have at least {wanted}, but {found} can be there{who}"
    else:
        room = counted(sum(problem.max_sizes[k] for k in stuck.stages), "node")
        message = f"{able} can hold nothing but {stages}, with room for {room}{who}"
    kinds = {member.kind for member in members}
    reasons = [word for kind, word in ((Kind.PIN, "pins"), (Kind.MEMORY, "memory")) if kind in kinds]
    leave = "leaves" if reasons == ["memory"] else "leave"
    return f"{message} ({' and '.join(reasons)} {leave} no other choice)"


def _parts(members: Sequence[Member], instance: Instance) -> Iterator[str]:
    """The members as parts of a sentence, nodes of one kind together."""
    rules = instance.rules
    for kind in KINDS:
        nodes = [member.node for member in members if member.kind is kind and member.node is not None]
        found = next((member for member in members if member.kind is kind), None)
        if found is None:
            continue
        names = _names(instance, nodes)
        yield {
            Kind.PATH_LENGTH: f"paths of {rules.path_length} of the {instance.stages} stages",
            Kind.MAX_JUMP: f"max_jump {rules.max_jump}",
            Kind.MAX_SWAP_DISTANCE: f"max_swap_distance {rules.max_swap_distance}",
            Kind.MAX_SWAPS: f"max_swaps {rules.max_swaps}",
            Kind.PATH_PERIOD: f"path_period {rules.path_period}",
            Kind.LINK: "the missing links",
            Kind.RING: "the rings of links that the all-reduce needs within each stage",
            Kind.SIZES: f"{found.field.rpartition('.')[2]} {found.value}",
            Kind.PIN: f"the {'pin' if len(nodes) == 1 else 'pins'} of {names}",
            Kind.MEMORY: f"the memory of {names}",
            Kind.MICROBATCHES: f"{_microbatches(found.value)} per data node",
            Kind.OWN_MICROBATCHES: f"the microbatches of {names}",
            Kind.GIVEN: "the given allocation",
        }.get(kind, kind.rule)


def _microbatches(number: str) -> str:
    return "1 microbatch" if number == "1" else f"{number} microbatches"


def _details(kinds: set[Kind], problem: Problem, instance: Instance) -> str:
    """What a person would look at first."""
    tables = problem.instance
    if Kind.PATH_LENGTH in kinds and kinds & {Kind.EVEN_STAGES, Kind.COVER}:
        unreached = _unreached(tables)
        if unreached:
            return f"no allowed order of stages executes {stages_named(unreached)}"
    if Kind.LINK in kinds:
        nodes = range(instance.nodes)
        lonely = [n for n in nodes if not any(instance.linked(n, m) for m in nodes if m != n)]
        if lonely:
            told = f"{_names(instance, lonely)} cannot exchange anything with any other node"
            return told + _one_way(instance, {n: i for i, n in enumerate(lonely)})
        parts = _islands(instance)
        if len(parts) > 1:
            smallest = _names(instance, min(parts, key=len))
            told = f"the links leave {len(parts)} islands, the smallest being {smallest}"
            return told + _one_way(instance, {n: i for i, part in enumerate(parts) for n in part})
    if Kind.COVER in kinds and Kind.PATH_LENGTH in kinds:
        emitted = [w for w, may in zip(tables.microbatches, tables.allowed, strict=True) if w and 0 in may]
        paths = min([*emitted, tables.rules.path_period or max(emitted)])
        most, others = paths * (tables.path_length - 1), instance.stages - 1
        if most < others:
            reached = f"with {counted(paths, 'path')} a data node reaches at most {most}"
            return f"{reached} of the {others} other stages"
    return ""


def _one_way(instance: Instance, parts: Mapping[int, int]) -> str:
    """An example of a link in one direction that would join two parts; nodes of none are one more."""
    for a, b in one_way(instance):
        if parts.get(a) != parts.get(b):
            a_id, b_id = instance.node_ids[a], instance.node_ids[b]
            return f" ({a_id} to {b_id} has a link, {b_id} to {a_id} has none; paths need both)"
    return ""


def _unreached(instance: Instance) -> list[int]:
    """Stages that no allowed order executes."""
    try:
        return [k for k in range(1, instance.stages) if k not in instance.orders.stages]
    except TooManyOrdersError:
        return []


def _islands(instance: Instance) -> list[list[int]]:
    import networkx

    return [sorted(part) for part in networkx.connected_components(instance.graph())]


def _names(instance: Instance, nodes: Sequence[int], most: int = 6) -> str:
    names = [instance.node_ids[n] for n in nodes[:most]]
    return ", ".join(names) + (f" and {len(nodes) - most} more" if len(nodes) > most else "")
