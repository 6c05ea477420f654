"""What each freedom of ours is worth: from the full pipeline to our default, one freedom a step.

Every step is a topology and options of `skipsched solve` that a user can set; a step that changes nothing,
because the topology's own rules do not give that freedom, is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from skipsched.compare.attempt import Attempt
from skipsched.compare.contest import Contest
from skipsched.compare.methods import METHODS, ONE_F_ONE_B, SOLVE
from skipsched.compare.variants import with_rules
from skipsched.solver import Options
from skipsched.topology.model import Rules


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Parameters
    ----------
    name
        The freedom it adds to the step before.
    text
        The rules and options that differ from the default, as a user sets them.
    make
        Runs it.
    """

    name: str
    text: str
    make: Callable[[Contest], Attempt]

    @property
    def word(self) -> str:
        """The name as a word, unlike that of any method."""
        return f"ablation-{self.name.removeprefix('+ ').replace(' ', '-')}"


@dataclass(frozen=True, slots=True)
class _Freedoms:
    """What a step allows: rules of the topology, and options of solve."""

    path_length: int
    max_swaps: int
    even_nodes: bool
    path_period: int | None
    keeps_arrangement: bool
    windows: bool

    @property
    def rules(self) -> dict[str, int | bool | None]:
        """Keys of a topology's section `rules`."""
        return {
            "path_length": self.path_length,
            "max_swaps": self.max_swaps,
            "even_nodes": self.even_nodes,
            "path_period": self.path_period,
        }


def steps(contest: Contest) -> Iterator[Step]:
    """The steps on a topology, the most restricted first; the last one is `skipsched solve` as it is.

    Raises
    ------
    NoPipelines
        If there is no arrangement to begin with.
    """
    own = contest.topology.rules
    before = _Freedoms(
        path_length=contest.instance.stages,
        max_swaps=0,
        even_nodes=True,
        path_period=own.path_period or _wave(contest),
        keeps_arrangement=True,
        windows=False,
    )
    yield _step("full pipeline", before, own)
    freed: list[tuple[str, dict[str, int | bool | None]]] = [
        ("+ skipping", {"path_length": own.path_length}),
        ("+ swapping", {"max_swaps": own.max_swaps}),
        ("+ free node loads", {"even_nodes": own.even_nodes}),
        ("+ no waves", {"path_period": own.path_period}),
        ("+ joint allocation", {"keeps_arrangement": False}),
        ("+ exact windows", {"windows": True}),
    ]
    for name, freedom in freed:
        now = replace(before, **freedom)  # type: ignore[arg-type]
        if now != before:
            yield _step(name, now, own)
        before = now


def _wave(contest: Contest) -> int | None:
    """Microbatches of a data node's wave: its slots; None if these differ, or one wave is all."""
    data_nodes = [n for n, stage in enumerate(contest.arrangement.allocation) if stage == 0]
    slots = {contest.instance.slots[n][0] for n in data_nodes}
    most = max(contest.instance.microbatches[n] for n in data_nodes)
    (wave, *others) = slots
    return None if others or wave >= most else wave


def _step(name: str, freedoms: _Freedoms, own: Rules) -> Step:
    changed = {key: value for key, value in freedoms.rules.items() if value != getattr(own, key)}
    texts = [f"{key}: {json.dumps(value)}" for key, value in changed.items()]
    if freedoms.keeps_arrangement:
        texts.append("--allocation-from ARRANGEMENT")
    if not freedoms.windows:
        texts.append("--no-windows")
    if not texts:
        return Step(name, "", METHODS[SOLVE].make)

    def make(contest: Contest) -> Attempt:
        topology = with_rules(contest.topology, **changed)
        options = Options(seed=contest.seed, windows=freedoms.windows)
        if freedoms.keeps_arrangement:
            # Any schedule on the arrangement will do; this one is made at once.
            options = replace(options, allocation_from=METHODS[ONE_F_ONE_B].make(contest).schedule)
        return contest.solved(topology, options)

    return Step(name, ", ".join(texts), make)
