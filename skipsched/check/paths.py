"""The rules of one path: first-stage, path-length, swap, jump, and links.

They are checked from their statement, step by step along the path.
"""

from __future__ import annotations

from itertools import pairwise

from skipsched.check.case import Case, listing
from skipsched.check.microbatches import Microbatch
from skipsched.check.values import shown


def check_path(microbatch: Microbatch, case: Case) -> bool:
    """Check a path. Returns whether its chain of actions is defined: what follows can be judged only then."""
    _check_first_stage(microbatch, case)
    _check_path_length(microbatch, case)
    if microbatch.stages[0] == 0:
        _check_steps(microbatch, case)
    path = microbatch.path
    return path[0] == microbatch.data_node and len(set(path)) == len(path)


def check_links(microbatch: Microbatch, case: Case) -> bool:
    """Check that every pair of neighbours is linked both ways, also the last node and the data node."""
    linked = True
    transfer = case.instance.transfer
    for here, there in pairwise((*microbatch.path, microbatch.path[0])):
        for source, target in ((here, there), (there, here)):
            if transfer[source][target] < 0:
                message = (
                    f"its path needs a link from {case.name(source)} to {case.name(target)}: there is none"
                )
                case.fail("link", message, microbatch=microbatch.id)
                linked = False
    return linked


def _check_first_stage(microbatch: Microbatch, case: Case) -> None:
    path, stages = microbatch.path, microbatch.stages
    first = case.name(path[0])
    if path[0] != microbatch.data_node:
        message = f"its path begins on {first}, its data node is {case.name(microbatch.data_node)}"
        case.fail("first-stage", message, microbatch=microbatch.id)
    if stages[0] != 0:
        message = f"its path begins on {first}, which holds stage {stages[0]}"
        case.fail("first-stage", message, microbatch=microbatch.id)
    again = [case.name(node) for node, stage in zip(path[1:], stages[1:], strict=True) if stage == 0]
    if again:
        message = f"its path enters stage 0 again, on {listing(again, len(again))}"
        case.fail("first-stage", message, microbatch=microbatch.id)


def _check_path_length(microbatch: Microbatch, case: Case) -> None:
    stages, asked = microbatch.stages, case.instance.path_length
    if len(stages) != asked:
        message = f"its path {shown(list(stages))} executes {len(stages)} stages; `path_length` is {asked}"
        case.fail("path-length", message, microbatch=microbatch.id)
    repeated = sorted({stage for stage in stages if stage != 0 and stages.count(stage) > 1})
    if repeated:
        names = listing((f"stage {stage}" for stage in repeated), len(repeated))
        case.fail("path-length", f"its path executes {names} more than once", microbatch=microbatch.id)


def _check_steps(microbatch: Microbatch, case: Case) -> None:
    """Walk the frontier along the path. Stage 0 and repeated stages have been judged, and are no swaps."""
    rules = case.instance.rules
    frontier, swapped = 0, 0
    seen = {0}
    for stage in microbatch.stages[1:]:
        if stage in seen:
            continue
        seen.add(stage)
        if stage > frontier:
            if stage - frontier > rules.max_jump:
                message = f"jumps from frontier {frontier} to stage {stage}; `max_jump` is {rules.max_jump}"
                case.fail("jump", message, microbatch=microbatch.id)
            frontier = stage
            continue
        swapped += frontier - stage
        if frontier - stage > rules.max_swap_distance:
            most = rules.max_swap_distance
            message = f"goes back from frontier {frontier} to stage {stage}; `max_swap_distance` is {most}"
            case.fail("swap", message, microbatch=microbatch.id)
    if swapped > rules.max_swaps:
        message = f"its swap distances sum to {swapped}; `max_swaps` is {rules.max_swaps}"
        case.fail("swap", message, microbatch=microbatch.id)
