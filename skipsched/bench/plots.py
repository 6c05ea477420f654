"""The benchmark's pictures: incumbents over time, and a performance profile."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from skipsched.bench.results import Results
from skipsched.bench.run import Run
from skipsched.files.atomic import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Panels of instances in a row.
_ACROSS = 4
#: Inches of a panel.
_WIDE, _HIGH = 3.6, 2.6
#: Seconds at which the axis of time begins.
_EARLIEST = 0.1


def write_plots(results: Results, folder: Path) -> list[Path]:
    """Write ``incumbents.svg`` and ``profile.svg`` into a folder, which is made if it is not there.

    The same results give the same bytes with the same version of matplotlib.

    Raises
    ------
    OSError
        If they cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"incumbents.svg": _incumbents(results), "profile.svg": _profile(results)}
    for name, figure in figures.items():
        write_atomically(folder / name, _svg(figure))
    return [folder / name for name in figures]


def _svg(figure: Figure) -> str:
    import matplotlib as mpl

    text = io.StringIO()
    # No date, and ids that do not depend on chance.
    with mpl.rc_context({"svg.hashsalt": "skipsched"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def _incumbents(results: Results) -> Figure:
    """A panel for each instance: how far each run was above the best, over time."""
    from matplotlib.figure import Figure

    instances = list(dict.fromkeys(run.instance for run in results.outcomes))
    # Without any run that has ended, a panel with nothing in it.
    across = max(1, min(_ACROSS, len(instances)))
    down = max(1, -(-len(instances) // _ACROSS))
    figure = Figure(figsize=(_WIDE * across, _HIGH * down + 0.6), layout="constrained")
    panels = list(figure.subplots(down, across, squeeze=False).flat)
    colors = _colors(results)
    for panel in panels[len(instances) :]:
        panel.set_axis_off()
    for panel, instance in zip(panels, instances, strict=False):
        panel.set_title(instance, fontsize="medium", parse_math=False)
        _axis_of_time(panel)
        for run, outcome in results.outcomes.items():
            reference = results.reference(run)
            if run.instance == instance and outcome.history and reference:
                times = [max(at, _EARLIEST) for at, _ in outcome.history]
                above = [100 * (time / reference - 1) for _, time in outcome.history]
                ends = max(outcome.wall_time, times[-1])
                panel.step([*times, ends], [*above, above[-1]], where="post", lw=1, color=colors[_kind(run)])
    _legend(figure, colors)
    figure.supxlabel("seconds since the start")
    figure.supylabel("iteration time above the best, %")
    return figure


def _axis_of_time(panel: Axes) -> None:
    """A logarithmic axis with round seconds."""
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    panel.set_xscale("log")
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _profile(results: Results) -> Figure:
    """The share of runs that end within a given ratio of the best (Dolan and Moré 2002)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.6 * _WIDE, 1.4 * _HIGH), layout="constrained")
    axes: Axes = figure.subplots()
    colors = _colors(results)
    curves = {kind: sorted(_ratios(results, kind)) for kind in colors}
    known = [ratio for ratios in curves.values() for ratio in ratios if ratio != float("inf")]
    right = max([1.05, *known])
    for kind, ratios in curves.items():
        steps = [(ratio, (i + 1) / len(ratios)) for i, ratio in enumerate(ratios) if ratio <= right]
        xs = [1.0, *(ratio for ratio, _ in steps), right]
        ys = [0.0, *(share for _, share in steps), steps[-1][1] if steps else 0.0]
        axes.step(xs, [100 * y for y in ys], where="post", color=colors[kind])
    axes.set_xlabel("iteration time / best")
    axes.set_ylabel("runs that come as near, %")
    axes.set_ylim(0, 102)
    _legend(figure, colors)
    return figure


def _ratios(results: Results, kind: str) -> Iterator[float]:
    """Of the runs of a kind: their iteration time over the best; infinite without a schedule."""
    for run, outcome in results.outcomes.items():
        reference = results.reference(run)
        if _kind(run) == kind:
            time = outcome.iteration_time
            yield time / reference if time is not None and reference else float("inf")


def _kind(run: Run) -> str:
    """What is compared: method and time limit."""
    return f"{run.method}, {run.group.limit}"


def _colors(results: Results) -> dict[str, str]:
    """A colour for each kind of run, in the order in which they come up."""
    kinds = dict.fromkeys(_kind(run) for run in results.outcomes)
    return {kind: f"C{i % 10}" for i, kind in enumerate(kinds)}


def _legend(figure: Figure, colors: dict[str, str]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=color, label=kind) for kind, color in colors.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=4, fontsize="small")
