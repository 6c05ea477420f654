"""`skipsched simulate`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from skipsched.insight.conditions import DEFAULT_CONDITIONS, MOST_JITTER, MOST_SLOWER, Conditions, Stragglers
from skipsched.insight.policy import POLICIES, PolicyName
from skipsched.insight.simulation import DEFAULT_RUNS, MOST_RUNS, QUANTILES, Share, Simulation
from skipsched.text.words import counted, seconds
from skipsched_cli import exit_codes
from skipsched_cli.console import print_table, report_console
from skipsched_cli.options import (
    Command,
    Finite,
    schedule_argument,
    seed_option,
    talk_of,
    talk_options,
    topology_option,
)
from skipsched_cli.reading import read_schedule

if TYPE_CHECKING:
    from rich.console import Console

_EPILOG = """\b
Examples:
  skipsched simulate schedule.json
  skipsched simulate schedule.json --link-jitter 0.5 --stragglers 0.05=3 --runs 10000
  skipsched simulate schedule.json --slow-node n3=2 --slow-link Sydney Frankfurt=4
  skipsched simulate schedule.json --lost n3 --policy fifo --json

Jitter is lognormal with mean 1; each action and each transfer has its own. The same seed has the same luck
for all policies and schedules, whatever the number of runs.

Exit codes: 0 simulated, 2 bad input, 130 interrupted.
"""
#: Rows of the histogram, and the columns of its longest bar.
_BINS, _WIDTH = 12, 40
#: Nodes and links of the critical path that are listed.
_LISTED = 5
_NEVER = "never"


class _WithFactor(click.ParamType[tuple[Any, float]]):
    """``WHAT=FACTOR``: the factor is what comes after the last ``=``, since names may have one."""

    name = "factor"

    def __init__(self, what: click.ParamType[Any]) -> None:
        self._what = what
        self._factor = Finite(1, MOST_SLOWER)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Any, float]:
        """What, and its factor."""
        what, equals, factor = str(value).rpartition("=")
        if not equals:
            self.fail(f"{value!r} has no factor; expected {param and param.metavar}.", param, ctx)
        return self._what.convert(what, param, ctx), self._factor.convert(factor, param, ctx)


def _jitter(name: str, what: str, default: float) -> Callable[[Command], Command]:
    return click.option(
        name,
        type=Finite(0, MOST_JITTER),
        default=default,
        show_default=True,
        metavar="CV",
        help=f"Coefficient of variation of {what}.",
    )


@click.command("simulate", epilog=_EPILOG)
@schedule_argument
@topology_option
@click.option(
    "--runs",
    type=click.IntRange(1, MOST_RUNS),
    default=DEFAULT_RUNS,
    show_default=True,
    help="How many iterations.",
)
@click.option(
    "--policy",
    type=click.Choice(POLICIES),
    default=POLICIES[0],
    show_default=True,
    help="Nodes keep the schedule's order, or take what arrived first.",
)
@_jitter("--compute-jitter", "actions", DEFAULT_CONDITIONS.compute_jitter)
@_jitter("--link-jitter", "transfers", DEFAULT_CONDITIONS.link_jitter)
@click.option(
    "--slow-node",
    type=_WithFactor(click.STRING),
    multiple=True,
    metavar="ID=FACTOR",
    help="A node whose actions take longer by a factor.  [repeatable]",
)
@click.option(
    "--slow-link",
    type=(str, _WithFactor(click.STRING)),
    multiple=True,
    metavar="END END=FACTOR",
    help="Links between two nodes or locations that take longer, both ways.  [repeatable]",
)
@click.option(
    "--stragglers",
    type=_WithFactor(Finite(0, 1)),
    metavar="SHARE=FACTOR",
    help="Each node is slow with this probability in each run: 0.05=3.",
)
@click.option("--lost", multiple=True, metavar="ID", help="A node that executes nothing.  [repeatable]")
@seed_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@talk_options
def command(
    schedule: str,
    topology: str | None,
    runs: int,
    policy: PolicyName,
    compute_jitter: float,
    link_jitter: float,
    slow_node: Sequence[tuple[str, float]],
    slow_link: Sequence[tuple[str, tuple[str, float]]],
    stragglers: tuple[float, float] | None,
    lost: Sequence[str],
    seed: int,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Replay SCHEDULE (- for stdin) many times under jitter, with slow or lost nodes and slow links."""
    from skipsched.api import simulate

    _refuse_twice("--slow-node", [name for name, _ in slow_node])
    _refuse_twice("--slow-link", [f"{one} {other}" for one, (other, _) in slow_link])
    conditions = Conditions(
        compute_jitter=compute_jitter,
        link_jitter=link_jitter,
        slow_nodes=dict(slow_node),
        slow_links={(one, other): factor for one, (other, factor) in slow_link},
        stragglers=None if stragglers is None else Stragglers(*stragglers),
        lost=frozenset(lost),
    )
    read, given = read_schedule(schedule, topology, talk_of(quiet, verbose))
    simulation = simulate(read, given, conditions=conditions, policy=policy, runs=runs, seed=seed)
    if as_json:
        click.echo(json.dumps(simulation.document(), indent=1))
    else:
        _print(simulation)
    return exit_codes.YES


def _refuse_twice(option: str, names: Sequence[str]) -> None:
    """Refuse an option that is given twice for one name."""
    for name in names:
        if names.count(name) > 1:
            raise click.BadParameter(f"{name} is given twice", param_hint=option)


def _print(simulation: Simulation) -> None:
    console = report_console()
    for line in _heading(simulation):
        console.print(line, markup=False)
    if simulation.times:
        _print_times(console, simulation)
        _print_histogram(console, simulation)
        _print_critical(console, simulation)


def _heading(simulation: Simulation) -> Iterable[str]:
    """What was simulated, and what did not come to an end."""
    name, runs = simulation.name, counted(simulation.runs, "run")
    yield f"{name}: {runs}, policy {simulation.policy}, promised {seconds(simulation.promised)}"
    stuck = simulation.runs - len(simulation.times)
    if not stuck:
        return
    lost = simulation.conditions.lost
    why = f"without {', '.join(sorted(lost))}" if lost else "locked up: slots are held in a circle"
    yield f"{stuck} of {runs} never end, {why}"
    least, most = simulation.finished[0], simulation.finished[-1]
    some = f"{least}" if least == most else f"{least} to {most}"
    yield f"{some} of {simulation.microbatches} microbatches still finish"


def _print_times(console: Console, simulation: Simulation) -> None:
    figures = {"mean": simulation.mean}
    figures |= {f"p{100 * share:g}": simulation.quantile(share) for share in QUANTILES}
    figures["worst"] = simulation.quantile(1)
    rows = [
        ["iteration time", *(_NEVER if time is None else seconds(time) for time in figures.values())],
        ["over promised", *(_over(time, simulation.promised) for time in figures.values())],
    ]
    print_table(console, ["", *figures], rows)


def _over(time: int | None, promised: int) -> str:
    return "" if time is None or not promised else f"{100 * (time - promised) / promised:+.1f} %"


def _print_histogram(console: Console, simulation: Simulation) -> None:
    bins = simulation.histogram(_BINS)
    most = max(runs for *_, runs in bins)
    for begin, _, runs in bins:
        bar = "\N{FULL BLOCK}" * round(_WIDTH * runs / most)
        console.print(f"{seconds(begin):>10} {bar} {runs}", markup=False)
    console.print()


def _print_critical(console: Console, simulation: Simulation) -> None:
    """What iteration times consist of, on average."""
    ended = len(simulation.times)

    def row(share: Share) -> list[str]:
        time = seconds(simulation.mean_of(share.time))
        return [" -> ".join(share.name), f"{100 * share.runs / ended:.0f} %", time]

    for what, shares in (("node", simulation.nodes), ("link", simulation.links)):
        if shares:
            heads = [f"{what}s on the critical path", "in runs", "mean time"]
            print_table(console, heads, map(row, shares[:_LISTED]))
    if simulation.allreduce:
        time = seconds(simulation.mean_of(simulation.allreduce))
        console.print(f"all-reduce at its end: {time} on average", markup=False)
