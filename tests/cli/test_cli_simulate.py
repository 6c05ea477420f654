"""`skipsched simulate`: tables, JSON, options, and what goes wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from check_cases import TINY
from cli_cases import Outcome, call, process, solved_document

STILL = ("--compute-jitter", "0", "--link-jitter", "0")


def simulated(*arguments: str | Path, of: str = "small-8") -> Outcome:
    return call("simulate", "-", *arguments, stdin=json.dumps(solved_document(of)))


def told(*arguments: str | Path, of: str = "small-8") -> dict[str, Any]:
    ran = simulated("--json", *arguments, of=of)
    assert (ran.code, ran.err) == (0, "")
    document: dict[str, Any] = json.loads(ran.out)
    return document


def test_without_jitter_it_is_what_was_promised() -> None:
    found = told(*STILL, "--runs", "10")
    promised = solved_document("small-8")["iteration_time"]
    assert found["promised"] == promised
    assert found["ended"] == found["runs"] == 10
    assert set(found["iteration_time"].values()) == {promised}
    assert list(found["iteration_time"]) == ["mean", "p50", "p95", "p99", "worst"]


def test_the_table_has_the_figures_of_the_json() -> None:
    ran, found = simulated("--runs", "200"), told("--runs", "200")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("small-8: 200 runs, policy order, promised ")
    for figure in found["iteration_time"].values():
        assert f"{figure / 1e6:.2f} s" in ran.out
    bars = [line.split() for line in ran.out.splitlines() if line.strip().endswith(tuple("0123456789"))]
    assert sum(int(words[-1]) for words in bars if words[1:2] == ["s"]) == 200
    node = found["critical_path"]["nodes"][0]
    assert any(line.split()[:1] == [node["node"]] for line in ran.out.splitlines())


def test_the_same_seed_has_the_same_luck() -> None:
    assert simulated() == simulated()
    assert told()["iteration_time"] != told("--seed", "1")["iteration_time"]


def test_conditions_are_told_back() -> None:
    options = ["--compute-jitter", "0.2", "--link-jitter", "0.4", "--stragglers", "0.05=3", "--seed", "7"]
    named = [
        "--slow-node",
        "a=2",
        "--slow-link",
        "a",
        "b=4",
        "--lost",
        "b",
        "--policy",
        "fifo",
        "--runs",
        "5",
    ]
    found = told(*options, *named, of=TINY)
    assert (found["policy"], found["seed"], found["runs"]) == ("fifo", 7, 5)
    assert found["conditions"] == {
        "compute_jitter": 0.2,
        "link_jitter": 0.4,
        "slow_nodes": {"a": 2.0},
        "slow_links": [{"between": ["a", "b"], "factor": 4.0}],
        "stragglers": {"share": 0.05, "factor": 3.0},
        "lost": ["b"],
    }


def test_what_never_ends_is_said() -> None:
    ran = simulated("--lost", "b", "--runs", "5", of=TINY)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[1:] == [
        "5 of 5 runs never end, without b",
        "0 of 3 microbatches still finish",
    ]
    found = told("--lost", "b", "--runs", "5", of=TINY)
    assert set(found["iteration_time"].values()) == {None}
    assert found["microbatches"] == {"total": 3, "least_finished": 0, "mean_finished": 0.0}


def test_a_name_may_have_an_equals_sign() -> None:
    odd = TINY.replace("id: a,", 'id: "a=1",')
    assert told("--slow-node", "a=1=2", of=odd)["conditions"]["slow_nodes"] == {"a=1": 2.0}


def test_on_another_topology(tmp_path: Path) -> None:
    slower = tmp_path / "slower.yaml"
    slower.write_text(TINY.replace("forward_time: 1 s", "forward_time: 2 s"))
    ran = simulated("--topology", slower, "--json", *STILL, of=TINY)
    assert ran.code == 0
    assert "made for another topology" in ran.err
    assert json.loads(ran.out)["promised"] > solved_document(TINY)["iteration_time"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--runs", "0"), "--runs"),
        (("--runs", "99999999999999"), "--runs"),
        (("--seed", "-1"), "--seed"),
        (("--policy", "lifo"), "--policy"),
        (("--compute-jitter", "-1"), "--compute-jitter"),
        (("--link-jitter", "nan"), "--link-jitter"),
        (("--link-jitter", "1e9"), "--link-jitter"),
        (("--slow-node", "a"), "expected ID=FACTOR"),
        (("--slow-node", "a=0"), "--slow-node"),
        (("--slow-node", "a=inf"), "--slow-node"),
        (("--slow-node", "a=two"), "--slow-node"),
        (("--slow-node", "a=2", "--slow-node", "a=3"), "a is given twice"),
        (("--slow-link", "a", "b"), "expected END END=FACTOR"),
        (("--slow-link", "a", "b=2", "--slow-link", "a", "b=2"), "a b is given twice"),
        (("--stragglers", "2=3"), "--stragglers"),
        (("--stragglers", "=3"), "--stragglers"),
        (("--slow-node", "c=2"), 'there is no node "c"'),
        (("--slow-node", "=2"), 'there is no node ""'),
        (("--lost", "c"), 'there is no node "c"'),
        (("--slow-link", "a", "Paris=2"), '"Paris" is neither a node nor a location'),
        (("--topology", "nowhere"), "nowhere"),
    ],
)
def test_bad_usage(arguments: tuple[str, ...], said: str) -> None:
    ran = simulated(*arguments, of=TINY)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b'{"format": "skipsched.schedule/1"}'])
def test_bad_schedules(data: bytes) -> None:
    ran = call("simulate", "-", stdin=data)
    assert (ran.code, ran.out) == (2, "")
    assert "error" in ran.err


def test_a_schedule_that_is_not_valid() -> None:
    broken = solved_document(TINY) | {"iteration_time": 1}
    ran = call("simulate", "-", stdin=json.dumps(broken))
    assert (ran.code, ran.out) == (2, "")
    assert "error[objective]" in ran.err


def test_quiet_and_verbose_exclude_each_other() -> None:
    assert simulated("--quiet", "--verbose").code == 2


def test_help() -> None:
    ran = call("simulate", "--help")
    assert (ran.code, ran.err) == (0, "")
    assert "Examples:" in ran.out
    assert "Exit codes: 0 " in ran.out


def test_in_a_pipe() -> None:
    solved = json.dumps(solved_document("small-8"))
    ran = process("simulate", "-", "--policy", "fifo", "--runs", "50", stdin=solved)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == simulated("--policy", "fifo", "--runs", "50").out
