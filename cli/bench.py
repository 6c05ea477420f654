"""`skipsched bench`."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skipsched.bench.methods import METHODS
from skipsched_cli import exit_codes
from skipsched_cli.console import print_error, print_table, report_console
from skipsched_cli.options import Finite, TopologyName, refuse_unwritable, talk_of, talk_options

if TYPE_CHECKING:
    from skipsched.bench.against import Comparison
    from skipsched.bench.results import Results
    from skipsched.bench.run import Run
    from skipsched.topology.model import Topology
    from skipsched_cli.console import Talk

#: Without other instances: the published set-up, and one family of each kind at its size.
_DEFAULT_INSTANCES = ("geo-20", "clouds-20", "gpus-20", "homes-20", "equal-20", "islands-20")
_EPILOG = """\b
Examples:
  skipsched bench
  skipsched bench geo-20 --time-limit 10 --time-limit 60 -o geo.json
  skipsched bench 'clouds-*' topology.yaml --seeds 1 --svg plots
  skipsched bench geo-20 --deterministic -o new.json --against old.json

INSTANCES are files, names of shipped instances, or patterns of such names. Every finished run is kept in
the file given with -o: the same command goes on where it was interrupted, and repeats nothing.

Exit codes: 0 done, 1 something became worse than in --against, 2 bad input, 70 a run failed or its
schedule did not pass the checker, 130 interrupted.
"""


@click.command("bench", epilog=_EPILOG)
@click.argument("instances", nargs=-1, type=TopologyName())
@click.option(
    "--method",
    "methods",
    multiple=True,
    type=click.Choice(tuple(METHODS)),
    default=("solve",),
    show_default=True,
    help="What to measure; may be repeated. first: the first schedule that solve has.",
)
@click.option(
    "--time-limit",
    "limits",
    multiple=True,
    type=Finite(min=0, min_open=True),
    default=(10.0,),
    show_default=True,
    metavar="S",
    help="Seconds of each run, as for solve; may be repeated.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1, 1000),
    default=3,
    show_default=True,
    metavar="N",
    help="Runs of each kind, with the seeds 0 to N-1.",
)
@click.option("--workers", type=click.IntRange(1, 256), default=None, help="As for solve.")
@click.option("--deterministic", is_flag=True, help="As for solve: counted work, the same on every machine.")
@click.option(
    "-o",
    "--output",
    default="bench.json",
    show_default=True,
    metavar="FILE",
    help="Where finished runs are kept.",
)
@click.option(
    "--against", metavar="FILE", help="Compare with a former result; fail if something became worse."
)
@click.option(
    "--tolerance",
    type=Finite(min=0),
    default=None,
    metavar="T",
    help="The part by which a figure may become worse.  [default: 0.05, with --deterministic 0.01]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the runs as JSON.")
@click.option("--markdown", is_flag=True, help="Print the table as Markdown, with what made it.")
@click.option("--svg", metavar="FOLDER", help="Draw incumbents over time and a performance profile.")
@talk_options
def command(
    instances: tuple[str, ...],
    methods: tuple[str, ...],
    limits: tuple[float, ...],
    seeds: int,
    workers: int | None,
    deterministic: bool,
    output: str,
    against: str | None,
    tolerance: float | None,
    as_json: bool,
    markdown: bool,
    svg: str | None,
    quiet: bool,
    verbose: bool,
) -> int:
    """Measure methods on INSTANCES: what they reach, how soon, how surely; every schedule is checked."""
    from skipsched.bench.against import compare
    from skipsched.bench.results import Results
    from skipsched.bench.run import plan

    talk = talk_of(quiet, verbose)
    if as_json and markdown:
        raise click.UsageError("--json and --markdown exclude each other")
    if [*instances, against].count("-") > 1:
        raise click.UsageError("only one file can be read from stdin")
    if deterministic and workers is not None:
        raise click.UsageError("--workers has no meaning with --deterministic, which fixes them")
    if tolerance is not None and against is None:
        raise click.UsageError("--tolerance is of --against")
    _refuse_what_cannot_be_written(output, against, svg)
    before = None if against is None else Results.read(against)
    topologies = _loaded(instances or _DEFAULT_INSTANCES)
    talk.warn(warning for loaded in topologies.values() for warning in loaded.warnings)
    runs = plan(topologies.values(), methods, limits, range(seeds), deterministic, workers)
    if before is not None:
        _refuse_nothing_in_common(before, runs)
    results = Results.resumed(output, shlex.join(["skipsched", *sys.argv[1:]]))
    failed = _make(results, runs, topologies, output, talk)
    made = results.of(runs)
    compared = [] if before is None else compare(before, made, tolerance)
    _print(made, compared, as_json, markdown)
    if before is not None:
        _say_what_is_not_compared(before, made, talk)
    code = _verdict(made, failed, compared)
    if svg is not None:
        from skipsched.bench.plots import write_plots

        write_plots(made, Path(svg))
    return code


def _refuse_what_cannot_be_written(output: str, against: str | None, svg: str | None) -> None:
    """Tell before hours of work, not after."""
    if output == "-":
        raise click.BadParameter("results are kept in a file; --json prints them", param_hint="-o")
    refuse_unwritable(output)
    there = against is not None and Path(output).exists() and Path(against).exists()
    if against is not None and there and Path(output).samefile(against):
        raise click.UsageError(f"the new results would go to {against} itself: give another file with -o")
    if svg is None:
        return
    if not svg:
        raise click.BadParameter("an empty name is no folder", param_hint="--svg")
    try:
        import matplotlib as _  # noqa: F401
    except ImportError:
        raise click.UsageError("--svg needs matplotlib, the extra `plot` of skipsched") from None
    try:
        Path(svg).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.BadParameter(f"{svg}: {error.strerror}", param_hint="--svg") from None
    if not os.access(svg, os.W_OK):
        raise click.BadParameter(f"no permission to write in {svg}", param_hint="--svg")


def _loaded(instances: Sequence[str]) -> dict[str, Topology]:
    """The topologies by their SHA-256; the errors of all of them are told together."""
    from skipsched.text.diagnostics import Diagnostic, InputError, quoted
    from skipsched.topology.load import load_topology

    found: dict[str, Topology] = {}
    errors: list[Diagnostic] = []
    fitting = {instance: _named(instance) for instance in instances}
    for instance, names in fitting.items():
        if not names:
            message = f"no shipped instance fits {quoted(instance)}"
            errors.append(Diagnostic("error", "unreadable", "", message))
    for name in dict.fromkeys(chain.from_iterable(fitting.values())):
        try:
            topology = load_topology(name)
        except InputError as error:
            errors += error.diagnostics
            continue
        if any(other.name == topology.name and sha != topology.sha256 for sha, other in found.items()):
            message = (
                f"another topology is called {topology.name} as well: their results could not be told apart"
            )
            errors.append(Diagnostic("error", "name", name, message))
        found[topology.sha256] = topology
    if errors:
        raise InputError(errors)
    return found


def _named(instance: str) -> list[str]:
    """The instance itself, or, if it is a pattern, the shipped names that fit it."""
    from skipsched.topology.shipped import shipped_names

    # os.path: other than Path.exists it does not raise for names that no file can have.
    if os.path.exists(instance) or not set(instance) & set("*?["):  # noqa: PTH110
        return [instance]
    return [name for name in shipped_names() if fnmatchcase(name, instance)]


def _refuse_nothing_in_common(before: Results, runs: Sequence[Run]) -> None:
    """Among no runs, none is worse."""
    from skipsched.bench.rows import grouped

    if any(run in before.outcomes for run in runs):
        return
    names = {run.instance for run in runs}
    changed = sorted({run.instance for run in before.outcomes if run.instance in names})
    held = list(dict.fromkeys(group.says for group in grouped(before.outcomes)))
    shown = ", ".join(held[:5]) + (", ..." if len(held) > 5 else "")
    another = f" (the topology of {changed[0]} may be another one by now)" if changed else ""
    raise click.UsageError(f"--against has none of these runs; it has {shown or 'none at all'}{another}")


def _say_what_is_not_compared(before: Results, made: Results, talk: Talk) -> None:
    """Silence would look like a comparison of everything."""
    from skipsched.bench.against import not_compared

    for line in not_compared(before, made):
        talk.say(f"not compared: {line}")
    timed = any(not run.deterministic for run in made.outcomes)
    if timed and before.machine != made.machine:
        talk.say("--against is from another machine: runs that a clock ends are not like for like")


def _make(
    results: Results, runs: Sequence[Run], topologies: dict[str, Topology], output: str, talk: Talk
) -> list[str]:
    """Make the runs that are not finished; returns what is to be said of those that failed."""
    from skipsched.bench.execute import RunFailed, execute

    todo = [run for run in runs if run not in results.outcomes]
    if len(todo) < len(runs):
        talk.say(f"{len(runs) - len(todo)} of {len(runs)} runs are finished already, in {output}")
    failed = []
    with talk.steps(len(todo)) as (begin, end):
        for run in todo:
            begin(run.says)
            try:
                outcome = execute(run, topologies[run.sha256].document)
            except RunFailed as error:
                failed.append(f"{run.says}: {error}")
            except KeyboardInterrupt:
                finished = sum(run in results.outcomes for run in runs)
                kept = f"{finished} of {len(runs)} runs are finished, in {output}; " if finished else ""
                talk.say(f"interrupted: {kept}run the same command again to go on")
                raise
            else:
                results.add(run, outcome)
                results.write(output)
            end(run.says)
    return failed


def _print(made: Results, compared: Sequence[Comparison], as_json: bool, markdown: bool) -> None:
    """The result on stdout."""
    if as_json:
        from skipsched.files.document import document_text

        document = made.document()
        if compared:
            document["against"] = [asdict(comparison) for comparison in compared]
        click.echo(document_text(document), nl=False)
    elif markdown:
        from skipsched.bench.markdown import report

        click.echo(report(made, compared), nl=False)
    else:
        from skipsched.bench.rows import rows
        from skipsched.bench.tables import COMPARED, LEGEND, compared_table, means, table

        console, found = report_console(), rows(made)
        print_table(console, *table(found))
        for line in [*means(found), *LEGEND]:
            console.print(line, markup=False)
        if compared:
            print_table(console, *compared_table(compared))
            for line in COMPARED:
                console.print(line, markup=False)


def _verdict(made: Results, failed: Sequence[str], compared: Sequence[Comparison]) -> int:
    """Say on stderr what went wrong, even if quiet; returns the exit code."""
    for told in failed:
        print_error(f"failed: {told}")
    invalid = [(run, outcome) for run, outcome in made.outcomes.items() if outcome.violations]
    for run, outcome in invalid:
        print_error(f"not valid: {run.says}: {outcome.violations[0]}")
    worse = [(comparison.group.says, told) for comparison in compared for told in comparison.worse]
    for name, told in worse:
        print_error(f"worse: {name}: {told}")
    if failed or invalid:
        return exit_codes.INTERNAL_ERROR
    return exit_codes.NO if worse else exit_codes.YES
