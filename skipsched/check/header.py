"""What stands around the plan: format, keys, the topology's block, the solver's block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from skipsched.check.case import Case
from skipsched.check.values import is_integer, is_number, shown
from skipsched.topology.model import document_hash

FORMAT = "skipsched.schedule/1"
STATUSES = ("OPTIMAL", "FEASIBLE")

_Kind = tuple[str, Callable[[Any], bool]]
_OBJECT: _Kind = ("an object", lambda value: isinstance(value, dict))
_LIST: _Kind = ("a list", lambda value: isinstance(value, list))
_TEXT: _Kind = ("a string", lambda value: isinstance(value, str))
_INTEGER: _Kind = ("an integer", is_integer)
_COUNT: _Kind = ("an integer from 0", lambda value: is_integer(value) and value >= 0)
_POSITIVE: _Kind = ("an integer from 1", lambda value: is_integer(value) and value > 0)
_NUMBER: _Kind = ("a number", is_number)
_DURATION: _Kind = ("a number from 0", lambda value: is_number(value) and value >= 0)


def _or_null(kind: _Kind) -> _Kind:
    words, test = kind
    return f"{words} or null", lambda value: value is None or test(value)


_TOP: dict[str, _Kind] = {
    "topology": _OBJECT,
    "solver": _OBJECT,
    "iteration_time": _COUNT,
    "makespan": _COUNT,
    "lower_bound": _or_null(_INTEGER),
    "bound_kind": _or_null(_TEXT),
    "gap": _or_null(_NUMBER),
    "bubble_ratio": _NUMBER,
    "stages": _LIST,
    "microbatches": _LIST,
    "actions": _OBJECT,
}
_TOPOLOGY: dict[str, _Kind] = {"name": _TEXT, "sha256": _TEXT, "document": _OBJECT}
_TEXTS: _Kind = (
    "a list of strings",
    lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
)
_SOLVER: dict[str, _Kind] = {
    "version": _TEXT,
    "status": _TEXT,
    "stop_reason": _TEXT,
    "seed": _INTEGER,
    "workers": _COUNT,
    "wall_time": _or_null(_DURATION),
    "restricted_to": _TEXTS,
}
#: Where a schedule was chosen by simulation.
_ROBUST: dict[str, _Kind] = {
    "quantile": ("a number between 0 and 1", lambda value: is_number(value) and 0 < value < 1),
    "time": _COUNT,
    "runs": _POSITIVE,
    "candidates": _POSITIVE,
    "compute_jitter": _DURATION,
    "link_jitter": _DURATION,
    "shortest": _COUNT,
}


def is_schedule(document: Any, case: Case) -> bool:
    """Whether the document says that it is a schedule of the known format; if not, nothing else is judged."""
    if not isinstance(document, Mapping):
        case.fail("format", f"a schedule is an object, not {shown(document)}")
        return False
    claimed = document.get("format")
    if claimed != FORMAT:
        found = shown(claimed) if "format" in document else "missing"
        case.fail("format", f'`format` is {found}; this program reads "{FORMAT}"')
        return False
    return True


def read_blocks(document: Mapping[str, Any], case: Case) -> dict[str, Any]:
    """The top-level values that are of the right type; check the topology's and the solver's block."""
    top = _typed(document, _TOP, "", case)
    if "topology" in top:
        _check_topology(_typed(top["topology"], _TOPOLOGY, "topology.", case), case)
    if "solver" in top:
        solver = _typed(top["solver"], _SOLVER, "solver.", case)
        if "status" in solver:
            top["status"] = _status(solver["status"], case)
        if "robust" in top["solver"]:
            _check_robust(top["solver"]["robust"], top, case)
    if "rings" in document:
        top["rings"] = document["rings"]
    return top


def _typed(block: Mapping[str, Any], kinds: Mapping[str, _Kind], where: str, case: Case) -> dict[str, Any]:
    """The values of a block that are of the right type; the others are told."""
    found = {}
    for key, (words, test) in kinds.items():
        if key not in block:
            case.fail("format", f"`{where}{key}` is missing")
        elif not test(block[key]):
            case.fail("format", f"`{where}{key}` is {shown(block[key])}, not {words}")
        else:
            found[key] = block[key]
    return found


def _check_topology(block: Mapping[str, Any], case: Case) -> None:
    """The block in itself: which topology the schedule is judged by is the caller's choice."""
    if "document" not in block:
        return
    document = block["document"]
    if "name" in block and block["name"] != document.get("name"):
        name = shown(document.get("name"))
        case.fail("topology", f"`topology.name` is {shown(block['name'])}; its document is named {name}")
    if "sha256" not in block:
        return
    try:
        sha256 = document_hash(document)
    except (ValueError, TypeError, RecursionError):
        # Half a surrogate pair, an endless integer or a bottomless nesting has no canonical text.
        case.fail("topology", "`topology.document` has no canonical JSON to hash")
        return
    if block["sha256"] != sha256:
        claimed = shown(block["sha256"])
        case.fail("topology", f"`topology.sha256` is {claimed}; the hash of `topology.document` is {sha256}")


def _check_robust(block: Any, top: Mapping[str, Any], case: Case) -> None:
    """How the schedule was chosen by simulation. What the simulation gave is taken as it is said."""
    if not isinstance(block, Mapping):
        case.fail("format", f"`solver.robust` is {shown(block)}, not an object")
        return
    shortest = _typed(block, _ROBUST, "solver.robust.", case).get("shortest")
    if shortest is None:
        return
    least, most = top.get("lower_bound") or 0, top.get("iteration_time", shortest)
    if not least <= shortest <= most:
        message = f"`solver.robust.shortest` is {shown(shortest)}; it lies between bound and iteration time"
        case.fail("robust", message)


def _status(status: str, case: Case) -> str | None:
    if status in STATUSES:
        return status
    case.fail("status", f"`solver.status` is {shown(status)}; a schedule is {' or '.join(STATUSES)}")
    return None
