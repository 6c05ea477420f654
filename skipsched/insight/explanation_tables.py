"""How an explanation is written for a person: tables, and sentences that say what they mean."""

from __future__ import annotations

from collections.abc import Iterator

from skipsched.insight.explanation import Explanation
from skipsched.insight.loads import LinkLoad, NodeLoad
from skipsched.insight.outcome import NOISE, Outcome
from skipsched.insight.prospect import Prospect
from skipsched.text.diagnostics import printable
from skipsched.text.words import counted, seconds

#: Heads, and rows of cells.
Table = tuple[list[str], list[list[str]]]

#: How many nodes, links and fields of a change are listed; JSON has them all.
_MOST_LISTED = 8
#: Characters of a node's id, of a link and of a change: the tables fit 100 columns.
_NODE, _LINK, _CHANGE = 24, 34, 45

#: What the parts are called, in the order of their rows.
_COMPUTING, _OVERHEAD, _TRANSFERS = "computing", "overhead", "transfers"
_NODE_WAIT, _SLOT_WAIT, _ALLREDUCE = "waiting for a node", "waiting for a slot", "all-reduce"
_PARTS = (_COMPUTING, _OVERHEAD, _TRANSFERS, _NODE_WAIT, _SLOT_WAIT, _ALLREDUCE)
#: What it means if the largest part of the last microbatch's time is this.
_MEANING = {
    _COMPUTING: "faster nodes on its way would shorten it first",
    _TRANSFERS: "better links on its way, or nodes nearer to each other, would shorten it first",
    _NODE_WAIT: "it queues for busy nodes, of which faster ones, or more, would serve it sooner",
    _SLOT_WAIT: "it is held up for want of memory, and more slots would let it begin sooner",
    _ALLREDUCE: "the worst link of its stage's ring decides",
}

NODE_LEGEND = (
    "critical: of the critical path; in flight: microbatches on average, and at most of so many slots;",
    "node wait, slot wait: how long microbatches that had arrived waited there, added up.",
)
LINK_LEGEND = (
    "critical: of the critical path; transfers: those on it, of all; their time: of all, added up.",
)
CHANGE_LEGEND = (
    "bound: what the change brings at best, proved; order kept: this schedule replayed there, exactly,",
    "its routes, orders and rings as they are; re-planned: solved anew, against the unchanged topology",
    "solved anew with the same work from the same start; gain, cost: proved, or by more than searches",
    f"differ without any reason ({100 * NOISE:.0f} %, or as much as seeds differ here).",
)


def headline(explanation: Explanation) -> str:
    """The iteration time, and how much of it could be left at most."""
    time, bound = explanation.iteration_time, explanation.bound
    said = f"{explanation.opened.topology.name}: iteration time {seconds(time)}"
    if bound.value == time:
        return f"{said}, proved optimal: only a change of the topology can shorten it"
    most = f"another schedule can save {_share(time - bound.value, time)} at most"
    return f"{said}, bound {seconds(bound.value)} ({bound.kind}): {most}"


def parts(explanation: Explanation) -> Table:
    """What the iteration time is made of, along the critical path and in the last microbatch's life."""
    time, life = explanation.iteration_time, explanation.life
    heads = ["part", "critical path", "share"]
    columns = [_path_parts(explanation)]
    if life is not None:
        heads += [f"microbatch {life.microbatch}", "share"]
        columns.append(_life_parts(explanation))
    names = [name for name in _PARTS if any(column.get(name) for column in columns)]
    rows = [[name, *_cells([column.get(name, 0) for column in columns], time)] for name in names]
    return heads, [*rows, ["sum", *_cells([time] * len(columns), time)]]


def _cells(times: list[int], whole: int) -> list[str]:
    """Each time and its share, or dashes."""
    return [cell for time in times for cell in (_time(time), _share(time, whole) if time else "-")]


def _path_parts(explanation: Explanation) -> dict[str, int]:
    times = explanation.shares.times
    return {
        _COMPUTING: times["F"] + times["L"] + times["B"],
        _OVERHEAD: times["overhead"],
        _TRANSFERS: times["transfer"],
        _ALLREDUCE: times["all-reduce"],
    }


def _life_parts(explanation: Explanation) -> dict[str, int]:
    life = explanation.life
    if life is None:
        return {}
    return {
        _COMPUTING: life.computing,
        _TRANSFERS: life.transfer,
        _NODE_WAIT: life.node_wait,
        _SLOT_WAIT: life.slot_wait,
        _ALLREDUCE: life.allreduce,
    }


def sentences(explanation: Explanation) -> Iterator[str]:
    """What the parts mean."""
    times, causes = explanation.shares.times, explanation.shares.causes
    yield "Critical path: steps without a gap. This order ends earlier only if one of them is shorter."
    if (count := sum(causes.values())) > 0:
        yield (
            f"  It has {counted(count, 'action')} (F {seconds(times['F'])}, L {seconds(times['L'])}, "
            f"B {seconds(times['B'])}), which began:"
        )
        yield (
            f"  {causes['input']} as the input came, {causes['node']} as the node was free, "
            f"{causes['slot']} as a slot was, {causes['nothing']} at once."
        )
    life, own = explanation.life, _life_parts(explanation)
    if life is None:
        yield "The iteration ends with the all-reduce of a stage that executes nothing."
        return
    most = max(own, key=lambda name: own[name])
    yield f"Microbatch {life.microbatch} is the last to end. From 0 on, the largest part is {most}:"
    yield f"  {_MEANING[most]}."


def nodes(explanation: Explanation) -> Table:
    """The busiest nodes."""
    heads = ["node", "stage", "computing", "critical", "in flight", "node wait", "slot wait"]
    busiest = sorted(explanation.nodes, key=lambda load: (-load.computing, load.node))[:_MOST_LISTED]
    return heads, [_node(explanation, load) for load in busiest]


def _node(explanation: Explanation, load: NodeLoad) -> list[str]:
    time = explanation.iteration_time
    average = load.in_flight / time if time else 0
    return [
        _fitted(explanation.opened.instance.node_ids[load.node], _NODE),
        str(load.stage),
        _share(load.computing, time),
        _time(load.critical),
        f"{average:.2f}, {load.most_in_flight} of {load.slots}",
        _time(load.node_wait),
        _time(load.slot_wait),
    ]


def links(explanation: Explanation) -> Table:
    """The links that most of the critical path hangs on."""
    heads = ["link", "critical", "share", "transfers", "their time", "all-reduce"]
    return heads, [_link(explanation, load) for load in explanation.links[:_MOST_LISTED]]


def _link(explanation: Explanation, load: LinkLoad) -> list[str]:
    return [
        _fitted(load.row.name, _LINK),
        *_cells([load.critical], explanation.iteration_time),
        f"{load.critical_transfers} of {load.transfers}",
        _time(load.time),
        _time(load.allreduce),
    ]


def changes(explanation: Explanation, prospect: Prospect) -> Table:
    """What changes bring, ranked."""
    heads = ["what if", "bound", "order kept", "re-planned", "verdict"]
    return heads, [_change(explanation, prospect, outcome) for outcome in prospect.ranked]


def _change(explanation: Explanation, prospect: Prospect, outcome: Outcome) -> list[str]:
    time, solved = explanation.iteration_time, outcome.solved
    replanned = "-"
    if solved is not None and solved.iteration_time is not None:
        replanned = _difference(solved.iteration_time, solved.reference.iteration_time)
    return [
        _fitted(outcome.what_if.says, _CHANGE),
        _difference(outcome.bound.value, time),
        "-" if outcome.kept is None else _difference(outcome.kept, time),
        replanned,
        prospect.verdict(outcome),
    ]


def remarks(explanation: Explanation, prospect: Prospect) -> Iterator[str]:
    """What the re-planned figures are relative to, and the fields of changes that gain."""
    starts = {outcome.kept is not None: outcome.solved for outcome in prospect.found if outcome.solved}
    for here, solved in sorted(starts.items(), reverse=True):
        start = "this schedule" if here else "nothing"
        reference = seconds(solved.reference.iteration_time)
        yield f"The unchanged topology, solved anew from {start}: {reference}."
    best, time = prospect.unchanged.best, explanation.iteration_time
    if best < time:
        yield f"Solving on changes this schedule by {_difference(best, time)} by itself: `solve --hint`."
    if prospect.interrupted:
        yield "Interrupted: some changes were left that would have been solved anew."
    for outcome in prospect.ranked:
        if prospect.verdict(outcome) == "gain":
            fields = outcome.what_if.changes
            yield f"{outcome.what_if.says}:"
            yield from (f"  {change.says}" for change in fields[:_MOST_LISTED])
            if len(fields) > _MOST_LISTED:
                yield f"  and {len(fields) - _MOST_LISTED} more; --json lists them all"


def _fitted(name: str, most: int) -> str:
    """A name that fits its column, cut in its middle: names tend to differ at their ends."""
    behind = most // 2
    return printable(name if len(name) <= most else f"{name[: most - behind - 3]}...{name[-behind:]}")


def _time(microseconds: int) -> str:
    return seconds(microseconds) if microseconds else "-"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _difference(time: int, to: int) -> str:
    """By how much a time is longer than another one: negative if it is shorter."""
    if not to or time == to:
        return "0"
    percent = 100 * (time - to) / to
    return f"{percent:+.1f} %" if abs(percent) >= 0.05 else f"{percent:+.1g} %"
