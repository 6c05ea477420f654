"""The reference trainer on eight processes, at the pace that its schedule expects."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from check_cases import tiny
from cli_cases import solved_document
from runtime_cases import STUCK, Crew, Trained, crew, free_port, train_case

SMALL = solved_document("small-8")
#: Steps of the example, and between its checkpoints.
STEPS, EVERY = 6, 2
#: Of the expected times: an iteration then takes some 0.2 s.
SCALE = 0.02
TINY_MODEL = ("--hidden-size", "16", "--heads", "2", "--sequence-length", "16", "--learning-rate", "0.01")


@pytest.fixture(scope="module")
def schedule(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("schedule") / "schedule.json"
    path.write_text(json.dumps(SMALL), encoding="utf-8")
    return path


def words(schedule: Path, folder: Path, *more: str) -> list[str]:
    told = ["--schedule", str(schedule), "--steps", str(STEPS), "--log", str(folder / "log")]
    told += ["--emulate", "--time-scale", str(SCALE), "--timeout", str(STUCK / 3)]
    return [*told, *TINY_MODEL, *more]


def log(folder: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in (folder / "log").read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        return []


def losses(folder: Path) -> dict[int, float]:
    """The loss of each step; if one was made again, what it gave last."""
    return {row["step"]: row["loss"] for row in log(folder)}


def train(made: Crew, arguments: list[str]) -> list[str]:
    """Train to the end; returns what each process said."""
    ended = made.call(8, train_case, free_port(), *arguments)
    assert [process.code for process in ended] == [0] * 8, ended
    return [process.said for process in ended]


def test_loss_falls_and_a_killed_run_resumes(schedule: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    with crew(8) as made:
        (said,) = filter(None, train(made, words(schedule, whole)))
    measured, promised = map(float, re.findall(r"([\d.]+) s (?:measured|promised)", said))
    # Emulated actions and transfers take no less than they are to take.
    assert measured >= promised == pytest.approx(SCALE * SMALL["iteration_time"] / 1e6, abs=1e-3)
    falling = losses(whole)
    assert list(falling) == list(range(1, STEPS + 1))
    assert falling[STEPS] < falling[1] - 0.5

    arguments = words(schedule, cut, "--checkpoint", str(cut / "kept"), "--checkpoint-every", str(EVERY))
    with crew(8) as made:
        others_say_who_was_lost(made, arguments, cut)
    assert max(losses(cut)) < STEPS
    with crew(8) as made:
        said = train(made, arguments)[nodes().index(SMALL["stages"][0][0])]
    assert re.search(r"going on after step (2|4), ", said)
    assert losses(cut) == falling
    assert sorted(path.name for path in (cut / "kept").iterdir()) == [
        "latest.json",
        *(f"stage-{stage}.step-{STEPS}.pt" for stage in range(4)),
    ]


def nodes() -> list[str]:
    return [node["id"] for node in SMALL["topology"]["document"]["nodes"]]


def others_say_who_was_lost(made: Crew, arguments: list[str], folder: Path) -> None:
    """Kill a process after the first checkpoint."""
    killed = 3
    process = made.processes[killed]
    assert process.pid is not None
    made.begin(8, train_case, free_port(), *arguments)
    until = time.monotonic() + STUCK
    while len(log(folder)) <= EVERY:
        assert time.monotonic() < until
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    for rank in set(range(8)) - {killed}:
        ended = made.end(rank)
        assert ended.code == 1
        assert ended.said.startswith(f"error: node {nodes()[killed]} was lost: ")


def test_one_run_after_the_other_in_the_same_processes(tmp_path: Path) -> None:
    schedule, port = tmp_path / "schedule.json", free_port()
    schedule.write_text(json.dumps(tiny()), encoding="utf-8")
    words = ("--schedule", str(schedule), "--steps", "1", *TINY_MODEL)
    with crew(2) as made:
        for _ in range(2):
            ended: list[Trained] = made.call(2, train_case, port, *words)
            assert [process.code for process in ended] == [0, 0], ended
        made.call(2, train_case, port, *words, "--checkpoint", str(tmp_path / "kept"))
        first, _ = made.call(2, train_case, port, *words, "--checkpoint", str(tmp_path / "kept"))
        assert first.said.endswith("nothing to do: --steps 1 are done\n")


@pytest.mark.slow  # a timeout passes
def test_the_others_end_when_the_holder_of_the_store_freezes(tmp_path: Path) -> None:
    schedule = tmp_path / "schedule.json"
    schedule.write_text(json.dumps(tiny()), encoding="utf-8")
    words = ["--schedule", str(schedule), "--steps", "1000000", "--log", str(tmp_path / "log")]
    with crew(2) as made:
        holder = made.processes[0]
        assert holder.pid is not None
        made.begin(2, train_case, free_port(), *words, "--timeout", "12", *TINY_MODEL)
        until = time.monotonic() + STUCK
        while not log(tmp_path):
            assert time.monotonic() < until
            time.sleep(0.01)
        os.kill(holder.pid, signal.SIGSTOP)
        ended: Trained = made.end(1)
    assert ended.code == 1
    assert ended.said.startswith("error: node a was lost: the store that it or the launcher holds has not ")


def test_checkpoints_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    schedule, kept = tmp_path / "schedule.json", tmp_path / "kept"
    schedule.write_text(json.dumps(tiny()), encoding="utf-8")

    def train_two(*more: str) -> list[Trained]:
        told = ["--schedule", str(schedule), "--checkpoint", str(kept), *TINY_MODEL, *more]
        with crew(2) as made:
            ended: list[Trained] = made.call(2, train_case, free_port(), *told)
        return ended

    assert [process.code for process in train_two("--steps", "2")] == [0, 0]
    for process in train_two("--steps", "3", "--seed", "1"):
        assert process.code == 2
        assert process.said == f"error[runtime] {kept} is of a run with seed 0, this one has 1\n"
    file = kept / "stage-1.step-2.pt"
    file.write_bytes(b"junk")
    assert train_two("--steps", "3")[1] == Trained(
        2, f"error[checkpoint] cannot read {file}: torch did not write it\n"
    )
    (kept / "latest.json").write_text("{}", encoding="utf-8")
    for process in train_two("--steps", "3"):
        assert process.code == 2
        assert "has no `format`" in process.said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--hidden-size", "20", "--heads", "3"], "--hidden-size 20 is no multiple of twice --heads 3"),
        (["--time-scale", "nan"], "nan is not positive and finite"),
        (["--node", "zz"], 'the schedule has no node "zz"'),
        (["--log", "/nowhere/log"], "/nowhere/log: No such file or directory"),
    ],
)
def test_what_the_trainer_refuses(words: list[str], told: str, tmp_path: Path) -> None:
    schedule = tmp_path / "schedule.json"
    schedule.write_text(json.dumps(tiny()), encoding="utf-8")
    with crew(2) as made:
        made.begin(2, train_case, free_port(), "--schedule", str(schedule), *words)
        # The log is one node's: the other one loses that.
        ranks = (0,) if "--log" in words else (0, 1)
        ended: list[Trained] = [made.end(rank) for rank in ranks]
    for refused in ended:
        assert refused.code == 2
        assert told in refused.said
