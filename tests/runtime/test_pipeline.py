"""What a pipeline refuses, whom it names when a process is lost, and what it keeps in memory."""

from __future__ import annotations

import gc
import json
import math
import os
import signal
import sys
import time
import weakref
from collections import deque
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from check_cases import tiny, wide
from cli_cases import finished
from runtime_cases import (
    Crew,
    Raised,
    Ran,
    crew,
    early_case,
    endless_case,
    free_port,
    model,
    optimizer,
    reference,
    refused_case,
    run_case,
    tokens,
    untrained_case,
)
from torch import Tensor, nn

from skipsched.runtime import Message, NodeLost, Pipeline, Programs, Summary, World
from skipsched.runtime import world as worlds
from skipsched.runtime.execute import Executor, RealPace
from skipsched.runtime.pipeline import read_schedule
from skipsched.runtime.transport import Arrival, Transport, Wire
from skipsched.runtime.world import Members
from skipsched.schedule import Schedule
from skipsched.text.diagnostics import InputError

CPU = torch.device("cpu")


def refused(stages: int, monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError) as raised:
        Pipeline(model(stages), optimizer, schedule=Schedule(tiny()))
    return str(raised.value)


def test_what_does_not_fit_is_refused_before_anybody_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "the schedule has 2 stages, the model has 3" in refused(3, monkeypatch)
    assert "RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT not set" in refused(2, monkeypatch)
    for timeout in (9.0, math.nan, math.inf):
        with pytest.raises(InputError, match="s, and not between 10 and"):
            Pipeline(model(2), optimizer, schedule=Schedule(tiny()), timeout=timeout)
    # Nobody listens there: a process that went on would fail otherwise, and later.
    there = {"RANK": "1", "WORLD_SIZE": "5", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "9"}
    assert "the schedule has 2 nodes, but 5 processes run it" in refused(2, monkeypatch, **there)


def test_a_store_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    port = str(free_port())
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASTER_PORT", port)
    with pytest.raises(NodeLost, match=f"^node of rank 0 was lost: no store at 127.0.0.1:{port} "):
        World.join(2, timeout=1.0)
    monkeypatch.setenv("RANK", "2")
    with pytest.raises(InputError, match='RANK is "2", and not a number below 2'):
        World.join(2, timeout=1.0)


def test_who_does_not_come_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the process that holds the store as well: it does not wait for the others before it looks."""
    variables = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(worlds, "LEARNT_WITHIN", 0.0)
    with pytest.raises(NodeLost, match=r"^node b was lost: it did not come within 0.2 s \(missing: rank 1\)"):
        Members(World.join(2, timeout=5.0), ["a", "b"], None, {}, "gloo", timeout=0.2)


def test_the_schedule_is_the_one_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SKIPSCHED_SCHEDULE", raising=False)
    with pytest.raises(InputError, match="SKIPSCHED_SCHEDULE is not set"):
        read_schedule(None)
    (tmp_path / "schedule.json").write_text(json.dumps(tiny()), encoding="utf-8")
    monkeypatch.setenv("SKIPSCHED_SCHEDULE", str(tmp_path / "schedule.json"))
    assert read_schedule(None).document["topology"]["name"] == "tiny"


def test_processes_that_do_not_fit_together_are_refused() -> None:
    with crew(2) as made:
        for error in made.call(2, refused_case, tiny(), nodes=("a", "a")):
            assert error.kind == "InputError"
            assert "two processes are node a, and none is b" in error.said
        made.begin(2, refused_case, tiny(), nodes=("a", "c"))
        assert 'the schedule has no node "c"' in made.end(1).said
    with crew(2) as made:
        for error in made.call(2, refused_case, tiny(), nodes=("a", "b"), weightings=("executed", "total")):
            assert "a and b differ in weighting: executed and total" in error.said


def test_who_is_early_waits_longer_than_the_timeout() -> None:
    with crew(2) as made:
        assert made.call(2, early_case, tiny()) == [["a", "b"]] * 2


def test_ranks_need_not_follow_the_nodes() -> None:
    document = wide()
    nodes = tuple(reversed(list(document["actions"])))
    with crew(len(nodes)) as made:
        runs = made.call(len(nodes), run_case, document, nodes=nodes)
    states, _ = reference(Schedule(document), "executed")
    for rank, ran in enumerate(runs):
        assert isinstance(ran, Ran), ran
        assert ran.node == nodes[rank]
        for name, expected in states[ran.stage].items():
            torch.testing.assert_close(ran.state[name], expected, rtol=1e-10, atol=1e-12)


class Parting:
    """What a pipeline tells the others when it ends."""

    def __init__(self, fails: bool) -> None:
        self.pipeline = object.__new__(Pipeline)
        self.pipeline._transport = self.pipeline._members = self  # type: ignore[assignment]
        self.fails, self.said = fails, [""][:0]

    def close(self) -> None:
        """The end of links or members."""
        self.said.append("closed")
        if self.fails:
            raise ValueError("not closed")

    def leave_after(self, error: BaseException) -> None:
        """The end of members after an exception."""
        self.said.append(repr(error))


def test_the_others_are_told_of_every_end_but_a_good_one() -> None:
    parting = Parting(fails=False)
    with pytest.raises(SystemExit), parting.pipeline:
        sys.exit(0)
    assert parting.said == ["closed", "closed"]
    parting = Parting(fails=False)
    with pytest.raises(SystemExit), parting.pipeline:
        sys.exit(75)
    assert parting.said == ["SystemExit(75)"]
    parting = Parting(fails=True)
    with pytest.raises(ValueError, match="not closed"), parting.pipeline:
        pass
    assert parting.said == ["closed", "ValueError('not closed')"]


@pytest.mark.parametrize(
    ("error", "code"),
    [(SystemExit(75), 75), (SystemExit("why"), 1), (KeyboardInterrupt(), 130), (OSError(), 1)],
)
def test_exit_codes_are_those_of_the_program(error: BaseException, code: int) -> None:
    assert worlds._exit_code(error) == code


@pytest.mark.slow  # imports torch
def test_handlers_of_the_program_are_called_at_its_end() -> None:
    program = """
import atexit
from skipsched.runtime import world
atexit.register(print, "called")
world._ending.code = 75
"""
    ran = finished([sys.executable, "-c", program])
    assert (ran.code, ran.out) == (75, "called\n")


def test_a_stage_without_parameters_runs() -> None:
    with crew(2) as made:
        for ran in made.call(2, untrained_case, tiny()):
            assert not isinstance(ran, Raised), ran.traceback


def test_a_summary_is_of_the_latest_iterations() -> None:
    pipeline = object.__new__(Pipeline)
    pipeline._times, pipeline._iterations, pipeline._promised = deque([9.0, 9.0, 1.0]), 3, 1.0
    pipeline._pace = RealPace()
    pipeline._members = SimpleNamespace(gather=lambda _, text: [text])  # type: ignore[assignment]
    assert pipeline.summary() == Summary(1, 1.0, 1.0, 0)
    pipeline._iterations = 5
    assert pipeline.summary().iterations == 3


def lost(made: Crew, number: signal.Signals) -> list[Raised]:
    """What all but the last say when that is lost amidst iterations."""
    document = wide()
    size = len(document["actions"])
    made.begin(size, endless_case, document)
    time.sleep(1.5)
    process = made.processes[size - 1]
    assert process.pid is not None
    os.kill(process.pid, number)
    return [made.end(rank) for rank in range(size - 1)]


@pytest.mark.slow  # one is killed in the test of training, too
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_all_name_the_node_that_was_lost(number: signal.Signals) -> None:
    with crew(8) as made:
        for error in lost(made, number):
            assert error.kind == "NodeLost", error.traceback
            assert error.said.startswith("node c1 was lost: ")


class Alone(Transport):
    """What node a of the tiny schedule meets: node b, which gives back what it gets."""

    def __init__(self) -> None:
        self._last = torch.zeros(1)

    def begin(self) -> None:
        """Nothing has to be let in."""

    def take(self, source: str, message: Message) -> Arrival:  # noqa: ARG002
        """Something of the right shape."""
        return Arrival(torch.ones_like(self._last), 0.0)

    def send(self, target: str, tensor: Tensor, at: float) -> None:  # noqa: ARG002
        """Nothing is kept but what such a tensor is like."""
        self._last = torch.ones_like(tensor)


class Watched(nn.Module):
    """A stage that counts how many of its outputs are there still when it makes the next."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4, dtype=torch.float64)
        self.made: list[weakref.ref[Tensor]] = []
        self.most = 0

    def forward(self, activation: Tensor) -> Tensor:
        """An activation from an activation."""
        self.most = max(self.most, sum(ref() is not None for ref in self.made))
        output: Tensor = self.linear(activation)
        self.made.append(weakref.ref(output))
        return output


def test_outputs_are_not_kept_while_in_flight() -> None:
    stage, made = Watched(), model(2)
    modules = nn.ModuleDict({"embedding": made.embedding(), "stage": stage, "head": made.head()})
    wire = Wire(made.activation, made.dtype, made.dtype, CPU, CPU, stamped=False)
    # Three forwards, then three losses, then three backwards.
    instructions = Programs.of(Schedule(tiny())).instructions["a"]
    executor = Executor(instructions, modules, Alone(), RealPace(), wire, recompute=False)
    losses = executor.run(lambda microbatch: tokens(0, microbatch))
    assert sorted(losses) == [0, 1, 2]
    assert len(stage.made) == 3
    assert stage.most == 0
    gc.collect()
    assert all(ref() is None for ref in stage.made)


def test_a_stage_of_another_shape_is_told() -> None:
    made = model(2)
    modules = nn.ModuleDict(
        {"embedding": made.embedding(), "stage": nn.Linear(4, 5, dtype=torch.float64), "head": made.head()}
    )
    wire = Wire(made.activation, made.dtype, made.dtype, CPU, CPU, stamped=False)
    instructions = Programs.of(Schedule(tiny())).instructions["a"]
    executor = Executor(instructions, modules, Alone(), RealPace(), wire, recompute=False)
    with pytest.raises(ValueError, match=r"shape \(2, 3, 5\), the model says \(2, 3, 4\)"):
        executor.run(lambda microbatch: tokens(0, microbatch))
