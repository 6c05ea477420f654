"""`skipsched check`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from skipsched.text.words import counted, seconds, size
from skipsched_cli import exit_codes
from skipsched_cli.console import print_error, print_table, report_console, told_cause
from skipsched_cli.options import talk_of, talk_options, topology_argument
from skipsched_cli.signals import stopping

if TYPE_CHECKING:
    from skipsched.clock import Clock
    from skipsched.conflict import Cause
    from skipsched.instance import Instance
    from skipsched.summary import Range, StageSummary, Summary
    from skipsched.topology.model import Topology

#: Seconds that deciding feasibility may take; nearly always it takes none.
_DECIDE_WITHIN = 60.0
#: Seconds that finding out why not, and what would help, may take on top.
_EXPLAIN_WITHIN = 15.0

_EPILOG = """\b
Examples:
  skipsched check topology.yaml
  skipsched check geo-20 --json | jq .feasible
  skipsched check topology.yaml --strict && echo ready

Exit codes: 0 feasible, 1 infeasible, 2 bad input, 3 feasibility could not be decided,
130 interrupted before it was decided; once infeasibility is proved, Ctrl-C and SIGTERM end the search for the
cause, and what is known of it is printed.
"""


@click.command("check", epilog=_EPILOG)
@topology_argument
@click.option("--strict", is_flag=True, help="Take warnings for errors.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
@talk_options
def command(topology: str, strict: bool, as_json: bool, quiet: bool, verbose: bool) -> int:
    """Read TOPOLOGY and report: errors, derived numbers, whether it is feasible and why not."""
    from skipsched.clock import Clock
    from skipsched.instance import Instance
    from skipsched.summary import summarise
    from skipsched.text.diagnostics import InputError
    from skipsched.topology.load import load_topology

    talk = talk_of(quiet, verbose)
    loaded = load_topology(topology)
    if strict and loaded.warnings:
        raise InputError([replace(warning, severity="error") for warning in loaded.warnings])
    talk.warn(loaded.warnings)
    instance = Instance.of(loaded)
    summary = summarise(loaded, instance)
    clock = Clock(_DECIDE_WITHIN)
    with stopping(clock):
        feasible, cause = _decide(loaded, instance, clock)
    if feasible is None and clock.stopped:
        print_error("interrupted before it was decided whether it is feasible")
        return exit_codes.INTERRUPTED
    if as_json:
        click.echo(json.dumps(_machine(loaded, summary, feasible, cause), ensure_ascii=False, indent=1))
    else:
        _print(loaded, summary, verbose)
        click.echo(_verdict(feasible, cause))
    return {True: exit_codes.YES, False: exit_codes.NO, None: exit_codes.NOTHING_FOUND}[feasible]


def _decide(topology: Topology, instance: Instance, clock: Clock) -> tuple[bool | None, Cause | None]:
    """Whether the topology is feasible, None if that could not be decided, and why not."""
    from skipsched.clock import OutOfTime
    from skipsched.routes.find import has_routes

    try:
        if has_routes(instance, clock, workers=1):
            return True, None
    except OutOfTime:
        return None, None
    from skipsched.conflict import explain

    # A budget of its own: a proof that took long says nothing of how long this may take, nor a short one.
    clock.limit = clock.spent() + _EXPLAIN_WITHIN
    return False, explain(topology, clock, workers=1)


def _verdict(feasible: bool | None, cause: Cause | None) -> str:
    if cause is not None:
        return told_cause(cause)
    return "feasible" if feasible else "whether it is feasible could not be decided within the limits"


def _machine(
    topology: Topology, summary: Summary, feasible: bool | None, cause: Cause | None
) -> dict[str, Any]:
    return {
        "name": topology.name,
        "sha256": topology.sha256,
        "feasible": feasible,
        "cause": None if cause is None else cause.document(),
        "warnings": [warning.format() for warning in topology.warnings],
        **asdict(summary),
    }


def _print(topology: Topology, summary: Summary, verbose: bool) -> None:
    """The report for a person."""
    console = report_console()
    many = summary.stage_orders
    orders = "very many stage orders" if many is None else counted(many, "stage order")
    rows = [
        f"{topology.name}: {summary.nodes} nodes, {summary.stages} stages, "
        f"{counted(summary.data_nodes, 'data node')}",
        f"paths of {summary.path_length} stages, {orders} allowed",
        f"{_span(summary.microbatches)} microbatches, {_span(summary.actions)} actions per iteration",
    ]
    if summary.transfer is not None:
        missing = f", {summary.missing_links} ordered pairs without a link" if summary.missing_links else ""
        rows.append(f"one transfer takes {_times(summary.transfer)}{missing}")
    for row in rows:
        console.print(row, markup=False)
    alike = _alike(summary.stage_summaries)
    print_table(
        console,
        ["stage", "layers", "nodes", "may hold it", "forward", "backward", "slots"],
        _stage_rows(alike),
    )
    if any(stage.memory for _, stage in alike):
        print_table(
            console, ["stage", "parameters", "state", "one microbatch in flight"], _memory_rows(alike)
        )
    if summary.slots:
        spans = [name for name, _ in alike]
        heads = ["nodes", "memory", *(f"slots on {name}" for name in spans)]
        print_table(console, heads, _slot_rows(topology, summary, alike, verbose))


def _alike(stages: Sequence[StageSummary]) -> list[tuple[str, StageSummary]]:
    """Neighbouring stages with the same figures, under one name such as ``1..5``."""
    groups: list[tuple[int, int, StageSummary]] = []
    for number, stage in enumerate(stages):
        if groups and groups[-1][2] == stage:
            groups[-1] = (groups[-1][0], number, stage)
        else:
            groups.append((number, number, stage))
    return [(str(a) if a == b else f"{a}..{b}", stage) for a, b, stage in groups]


def _stage_rows(alike: Sequence[tuple[str, StageSummary]]) -> Iterator[list[str]]:
    for name, stage in alike:
        layers = "-" if stage.layers is None else str(stage.layers)
        figures = [_times(stage.forward), _times(stage.backward), _span(stage.slots)]
        yield [name, layers, _span(stage.sizes), str(stage.holders), *figures]


def _memory_rows(alike: Sequence[tuple[str, StageSummary]]) -> Iterator[list[str]]:
    for name, stage in alike:
        if (memory := stage.memory) is not None:
            yield [name, f"{memory.parameters:,}", size(memory.state), size(memory.footprint)]


def _slot_rows(
    topology: Topology, summary: Summary, alike: Sequence[tuple[str, StageSummary]], verbose: bool
) -> Iterator[list[str]]:
    """Slots, floor((memory - state) / footprint), of nodes with the same memory on one line."""
    firsts = [int(name.partition("..")[0]) for name, _ in alike]
    nodes: dict[tuple[str, ...], list[str]] = {}
    for node in topology.nodes:
        if node.memory is not None:
            slots = [summary.slots[node.id][first] for first in firsts]
            key = (size(int(node.memory)), *(str(count) if count else "-" for count in slots))
            nodes.setdefault(key, []).append(node.id)
    for cells, names in nodes.items():
        shown = names if verbose or len(names) <= 4 else [*names[:3], f"and {len(names) - 3} more"]
        yield [", ".join(shown), *cells]


def _span(span: Range | None) -> str:
    if span is None:
        return "-"
    return str(span.least) if span.least == span.most else f"{span.least} to {span.most}"


def _times(span: Range | None) -> str:
    if span is None:
        return "-"
    least, most = seconds(span.least), seconds(span.most)
    return least if least == most else f"{least} to {most}"
