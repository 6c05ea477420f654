"""The `rules` section."""

from __future__ import annotations

from skipsched.orders import TooManyOrdersError, stage_orders
from skipsched.text.diagnostics import Report
from skipsched.text.source import Mark
from skipsched.text.tree import Mapping
from skipsched.topology import derive, limits
from skipsched.topology.fields import Fields
from skipsched.topology.model import Rules

_ORDER_KEYS = ("max_swaps", "max_swap_distance", "max_jump")
_KEYS = (
    "skip_ratio",
    "path_length",
    *_ORDER_KEYS,
    "even_stages",
    "even_nodes",
    "cover",
    "path_period",
)


def read_rules(top: Fields, report: Report, places: dict[str, Mark], stages: int | None) -> Rules | None:
    """Read the rules; None if they cannot be told (for want of the number of stages, say)."""
    section = top.section("rules")
    fields = Fields(section or Mapping({}, top.mark), "rules", report, _KEYS, places)
    length = _path_length(fields, stages)
    max_swaps = _count(fields, "max_swaps", 0, default=2)
    max_swap_distance = _count(fields, "max_swap_distance", 1, default=1)
    max_jump = _count(fields, "max_jump", 1, default=4)
    even_stages = fields.flag("even_stages", default=True)
    even_nodes = fields.flag("even_nodes", default=False)
    cover = fields.flag("cover", default=False)
    path_period = fields.count("path_period", 1)
    if length is None or stages is None or max_swaps is None or max_swap_distance is None or max_jump is None:
        return None
    rules = Rules(
        path_length=length,
        max_swaps=max_swaps,
        max_swap_distance=max_swap_distance,
        max_jump=max_jump,
        even_stages=even_stages,
        even_nodes=even_nodes,
        cover=cover,
        path_period=path_period,
    )
    _check_orders(fields, rules, stages)
    return rules


def _count(fields: Fields, key: str, least: int, default: int) -> int | None:
    """A count with a default; None if one is given and bad."""
    return fields.count(key, least) if key in fields else default


def _path_length(fields: Fields, stages: int | None) -> int | None:
    """The length of a path; None if it is not known or bad."""
    ratio = fields.number("skip_ratio", positive=False)
    given = fields.count("path_length", 2)
    if stages is None:
        return None
    if given is not None and given > stages:
        fields.error("range", "path_length", f"must be at most {stages}, the number of stages")
        return None
    if "skip_ratio" not in fields:
        return given if "path_length" in fields else stages
    if ratio is None or ("path_length" in fields and given is None):
        return None
    length = derive.path_length(stages, ratio)
    if length < 2:
        message = f"leaves a path {max(length, 0)} of {stages} stages; at least 2 must remain"
        fields.error("range", "skip_ratio", message)
    elif given is not None and given != length:
        message = f"`skip_ratio` makes paths of {length} of the {stages} stages, `path_length` says {given}"
        fields.error("conflict", "path_length", message, "give only one of them")
    else:
        return length
    return None


def _check_orders(fields: Fields, rules: Rules, stages: int) -> None:
    """Refuse rules with more stage orders than the program handles."""
    try:
        stage_orders(
            stages,
            rules.path_length,
            rules.max_swaps,
            rules.max_swap_distance,
            rules.max_jump,
            most_states=limits.MAX_ORDER_STATES,
        )
    except TooManyOrdersError:
        message = (
            "these swaps and jumps allow a path more orders of its stages than the program handles "
            f"(an automaton of {limits.MAX_ORDER_STATES} states)"
        )
        given = next((key for key in _ORDER_KEYS if key in fields), "max_jump")
        fields.error("limit", given, message, f"lower one of {', '.join(_ORDER_KEYS)}")
