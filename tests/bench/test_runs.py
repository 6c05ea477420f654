"""What is asked of a benchmark: all runs, each once, in an order that is fair."""

from __future__ import annotations

from dataclasses import replace

from bench_cases import RUN, named
from check_cases import TINY

from skipsched.bench.methods import METHODS
from skipsched.bench.run import plan
from skipsched.topology.load import load_topology
from skipsched_cli.bench import command

A, B = load_topology(named("a")), load_topology(named("b"))


def test_seeds_come_outermost_and_methods_innermost() -> None:
    planned = plan([A, B], ["solve", "first"], [1.0, 2.0], range(2), False, None)
    assert [(run.seed, run.time_limit, run.instance, run.method) for run in planned] == [
        (seed, limit, name, method)
        for seed in (0, 1)
        for limit in (1.0, 2.0)
        for name in ("a", "b")
        for method in ("solve", "first")
    ]


def test_every_run_is_made_once() -> None:
    twice = plan([A, A], ["solve", "solve"], [1.0, 1.0], [0, 0], True, 2)
    assert [(run.instance, run.deterministic, run.workers) for run in twice] == [("a", True, 2)]
    assert twice[0].sha256 == A.sha256


def test_a_changed_topology_is_another_run() -> None:
    changed = load_topology(TINY.replace("name: tiny", "name: a").replace("1 s", "3 s"))
    (one,), (other,) = (plan([topology], ["solve"], [1.0], [0], False, None) for topology in (A, changed))
    assert one.instance == other.instance
    assert one != other


def test_runs_for_messages() -> None:
    assert RUN.says == "harbour (solve, 10 s), seed 0"
    counted = replace(RUN, deterministic=True, time_limit=0.5, workers=1, seed=3)
    assert counted.says == "harbour (solve, 0.5 s of work, 1 worker), seed 3"
    assert replace(RUN, workers=4).group.says == "harbour (solve, 10 s, 4 workers)"


def test_the_command_offers_every_method() -> None:
    (option,) = (parameter for parameter in command.params if parameter.name == "methods")
    assert list(option.to_info_dict()["type"]["choices"]) == list(METHODS)
