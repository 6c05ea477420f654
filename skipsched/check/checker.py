"""A schedule against its topology: every rule and every figure, causes before consequences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skipsched.check.actions import read_order
from skipsched.check.allocation import Allocation, read_allocation
from skipsched.check.balance import check_balance
from skipsched.check.case import Case
from skipsched.check.chains import Chains
from skipsched.check.figures import check_figures
from skipsched.check.header import is_schedule, read_blocks
from skipsched.check.microbatches import Microbatches, read_microbatches
from skipsched.check.paths import check_links, check_path
from skipsched.check.replay import Times, replay
from skipsched.check.times import check_collisions, check_memory, check_times
from skipsched.check.violation import Violation
from skipsched.instance import Instance
from skipsched.topology.model import Topology


def check_schedule(document: Mapping[str, Any], topology: Topology, instance: Instance) -> list[Violation]:
    """Check every rule and every figure of a schedule, with a replay of the checker's own.

    Parameters
    ----------
    document
        The schedule as JSON gives it. Nothing in it is taken on trust, not even its types.
    topology
        The topology it is judged by; its own or another one.
    instance
        The integer tables of that topology.

    Returns
    -------
    list of Violation
        Empty if the schedule is valid. Causes come before what follows from them; what cannot be judged
        because of something already found is left out, and of many violations of one rule only the first are
        listed.
    """
    case = Case(topology, instance)
    if is_schedule(document, case):
        top = read_blocks(document, case)
        allocation = read_allocation(top.get("stages"), case)
        microbatches = read_microbatches(top.get("microbatches"), allocation, case)
        chains, times = _check_plan(top, allocation, microbatches, case)
        check_figures(top, allocation, chains, times, case)
    return case.violations()


def _check_plan(
    top: Mapping[str, Any], allocation: Allocation, microbatches: Microbatches, case: Case
) -> tuple[Chains, Times | None]:
    """Check paths and order; the times are None where no replay is possible."""
    readable = microbatches.readable
    executable = [microbatch for microbatch in readable if check_path(microbatch, case)]
    linked = [microbatch for microbatch in executable if check_links(microbatch, case)]
    if microbatches.whole:
        check_balance(readable, allocation, case)
    chains = Chains(executable, allocation, case)
    order = read_order(top.get("actions"), chains, microbatches, case)
    times = None
    if order.exact and microbatches.whole and len(linked) == len(readable):
        times = replay(chains, order, case)
    check_collisions(order, chains, case)
    if times is not None:
        check_times(order, chains, times, case)
        check_memory(order, chains, times, case)
    return chains, times
