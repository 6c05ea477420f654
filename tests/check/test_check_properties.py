"""Documents that chance has changed: nothing ever raises, and nothing that was changed passes."""

import copy
import random

import networkx
import pytest
from check_cases import (
    WIDE,
    WIDE_PATHS,
    WIDE_STAGES,
    Action,
    Document,
    chain,
    changed,
    judged_by,
    rules,
    schedule,
    values,
    violations,
    without,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skipsched.check import RULES, check_schedule

TEXT = WIDE.replace("activation: 1 MB", "activation: 1 MB\n  gradient: [0 B, 1 MB, 2 MB, 3 MB]")


def optimal() -> Document:
    """A schedule with every field in use, its bound such that any other bound is seen."""
    document = schedule(TEXT, WIDE_STAGES, WIDE_PATHS, rings=WIDE_STAGES)
    document |= {"lower_bound": document["iteration_time"], "bound_kind": "model", "gap": 0.0}
    document["solver"]["status"] = "OPTIMAL"
    return document


VALID = optimal()
PLACES = list(values(VALID))
#: Fields of which any value of the right type is as good as another.
FREE: set[tuple[str | int, ...]] = {
    ("solver", key) for key in ("version", "stop_reason", "seed", "workers", "wall_time", "restricted_to")
}
FREE |= {("bound_kind",), ("solver",)}

numbers = st.one_of(
    st.integers(),
    st.integers(-3, 7),
    st.floats(),
    st.sampled_from([10**400, -(10**4000), 2**63, 0.0, -0.0, 1e308]),
)
texts = st.one_of(
    st.text(max_size=5), st.sampled_from(["d0", "a0", "c1", "F", "B", "L", "id", "\ud800", "\x1b[31m"])
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)
#: A value from elsewhere in the document fits better than anything made up.
replacements = st.one_of(json_values, st.sampled_from([value for _, value in PLACES]))
few = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))


def meaning(document: Document) -> object:
    """The document, types told apart, without what is as good in another form: order in sets, 0 for 0.0."""
    plain = copy.deepcopy(document)
    for key in ("stages", "rings"):
        if isinstance(plain[key], list):
            plain[key] = [in_one_order(row) for row in plain[key]]
    for key in ("gap", "bubble_ratio"):
        if type(plain[key]) is int and 0 <= plain[key] <= 1:
            plain[key] = float(plain[key])
    return typed(plain)


def in_one_order(row: object) -> object:
    return sorted(row) if isinstance(row, list) and all(isinstance(name, str) for name in row) else row


def typed(value: object) -> object:
    """A value that equals another only if both are the same JSON: True is not 1."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return type(value), value


def test_the_document_that_is_changed_is_valid() -> None:
    assert violations(VALID, TEXT) == []


@few
@given(st.sampled_from([place for place, _ in PLACES]), replacements)
def test_any_value_replaced_by_anything(place: tuple[str | int, ...], value: object) -> None:
    document = changed(VALID, place, value)
    found = violations(document, TEXT)
    assert all(violation.rule in RULES and "\n" not in violation.format() for violation in found)
    if place not in FREE and place[:2] not in FREE and meaning(document) != meaning(VALID):
        assert found


@few
@given(st.lists(st.tuples(st.randoms(use_true_random=False), replacements), min_size=2, max_size=6))
def test_several_values_replaced_by_anything(changes: list[tuple[random.Random, object]]) -> None:
    document = copy.deepcopy(VALID)
    for chance, value in changes:
        place = chance.choice([place for place, _ in values(document)] or [()])
        if place:
            document = changed(document, place, value)
    for violation in violations(document, TEXT):
        assert violation.format()


@few
@given(json_values)
def test_anything_at_all(value: object) -> None:
    assert violations(value, TEXT)
    if isinstance(value, dict):
        assert check_schedule({"format": "skipsched.schedule/1"} | value, *judged_by(TEXT))


def test_any_value_left_out() -> None:
    for place, _ in PLACES:
        assert violations(without(VALID, place), TEXT), place


def test_any_two_neighbours_of_a_list_exchanged() -> None:
    for node, entries in VALID["actions"].items():
        for position in range(len(entries) - 1):
            document = copy.deepcopy(VALID)
            listed = document["actions"][node]
            listed[position : position + 2] = reversed(listed[position : position + 2])
            assert set(rules(document, TEXT)) & {"times", "deadlock"}


def random_lists(chance: random.Random, fair: bool) -> dict[str, list[Action]]:
    """Lists of all actions of WIDE: in the order of some run if fair, shuffled otherwise."""
    chains = [chain(microbatch, path) for microbatch, path in enumerate(WIDE_PATHS)]
    lists: dict[str, list[Action]] = {node: [] for path in WIDE_PATHS for node in path}
    while any(chains):
        op, microbatch, node = chance.choice([actions for actions in chains if actions]).pop(0)
        lists[node].append((op, microbatch, node))
    if not fair:
        for listed in lists.values():
            for _ in range(chance.randrange(2)):
                i = chance.randrange(len(listed))
                listed.insert(chance.randrange(len(listed)), listed.pop(i))
    return lists


@pytest.mark.parametrize("seed", range(60))
def test_random_orders_against_longest_paths_and_cycles(seed: int) -> None:
    # The helper's times come from pushing starts later until they hold, deadlocks from networkx.
    lists = random_lists(random.Random(seed), fair=seed % 2 == 0)
    graph: networkx.DiGraph[Action] = networkx.DiGraph()
    for microbatch, path in enumerate(WIDE_PATHS):
        networkx.add_path(graph, chain(microbatch, path))
    for listed in lists.values():
        networkx.add_path(graph, listed)
    roomy = WIDE.replace("memory: 2", "memory: 6").replace(
        "activation: 1 MB", "activation: 1 MB\n  action_overhead: 7 ms"
    )
    found = rules(schedule(roomy, WIDE_STAGES, WIDE_PATHS, lists), roomy)
    if networkx.is_directed_acyclic_graph(graph):
        assert found == []
    else:
        assert "deadlock" in found


def test_six_thousand_microbatches_on_a_thousand_nodes() -> None:
    # 100 data nodes emit 60 each; the paths take turns through 900 nodes of 5 stages.
    text = """
skipsched: 1
name: large
nodes:
  - {id: "n{}", count: 1000, forward_time: 10 ms, memory: 1, location: here}
network: {default: {latency: 1 ms, bandwidth: 1 GB/s}}
workload: {stages: 6, stage_sizes: [100, 180, 180, 180, 180, 180], microbatches: 60, activation: 1 B}
"""
    nodes = [f"n{i}" for i in range(1000)]
    stages = [nodes[:100]] + [nodes[100 + 180 * k : 280 + 180 * k] for k in range(5)]
    paths = [[nodes[i % 100], *(stages[k][i % 180] for k in range(1, 6))] for i in range(6000)]
    document = schedule(text, stages, paths)
    assert violations(document, text) == []
