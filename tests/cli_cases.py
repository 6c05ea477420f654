"""Running the command line in tests: in this process, or in one of its own where that matters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from check_cases import TINY
from click.testing import CliRunner

from skipsched import solve
from skipsched_cli.main import run

#: Seconds after which a process of ours is stuck.
STUCK = 60.0

#: The rules ask for paths of three stages of three, but a jump from stage 0 to 2 is needed: none is allowed.
INFEASIBLE = """
skipsched: 1
name: infeasible
nodes:
  - {id: "n{}", count: 3, forward_time: 10 ms, memory: 2}
network: {default: {latency: 1 ms, bandwidth: 1 GB/s}}
workload: {stages: 3, stage_sizes: [1, 1, 1], microbatches: 2, activation: 1 MB}
rules: {path_length: 2, max_jump: 1}
"""
#: A link end that is no node and no location of one.
STRANGE_LINK = TINY.replace(
    "network: {default: {latency: 0 s, bandwidth: 1 GB/s}}",
    "network:\n  default: {latency: 0 s, bandwidth: 1 GB/s}\n"
    "  links: [{between: [a, bb], latency: 1 s, bandwidth: 1 GB/s}]",
)
#: Wrong by itself in two places.
WRONG = TINY.replace("forward_time: 1 s", "forward_time: 1").replace("microbatches: 3", "microbatches: -3")


@cache
def solved_document(topology: str) -> dict[str, Any]:
    """The first schedule found for a topology, as another program reads it: callers copy it to change it."""
    result = solve(topology, gap=1, deterministic=True)
    assert result.schedule is not None
    document: dict[str, Any] = json.loads(result.schedule.text())
    return document


@dataclass(frozen=True)
class Outcome:
    """What a run left: exit code, standard output and standard error."""

    code: int
    out: str
    err: str


def call(*arguments: str | Path, stdin: str | bytes = b"") -> Outcome:
    """Run the command line in this process."""
    words = ["skipsched", *map(str, arguments)]
    data = stdin.encode() if isinstance(stdin, str) else stdin
    with (
        CliRunner().isolation(data) as streams,
        mock.patch.object(sys, "argv", words),
        mock.patch("skipsched_cli.solve.STARTED", time.monotonic()),
    ):
        code = run()
        out, err = (stream.getvalue().decode() for stream in streams[:2])
    return Outcome(code, out, err)


def command(*arguments: str | Path) -> list[str]:
    """The words that run the command line in a process of its own."""
    return [sys.executable, "-m", "skipsched", *map(str, arguments)]


def environment(**changes: str) -> dict[str, str]:
    """The environment without what would change the output, and with some changes."""
    kept = {
        key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS", "FORCE_COLOR")
    }
    return kept | changes


def process(*arguments: str | Path, stdin: str = "", **options: Any) -> Outcome:
    """Run the command line in a process of its own; options are those of `subprocess.run`."""
    return finished(command(*arguments), stdin, **options)


def finished(words: Sequence[str], stdin: str = "", **options: Any) -> Outcome:
    """Run a program to its end."""
    settings: dict[str, Any] = {"env": environment(), "capture_output": True, "timeout": STUCK} | options
    done = subprocess.run(words, input=stdin.encode(), check=False, **settings)
    return Outcome(done.returncode, (done.stdout or b"").decode(), (done.stderr or b"").decode())


def large_topology(nodes: int, microbatches: int) -> str:
    """A topology of equal nodes in 8 stages, for runs that must not be over at once."""
    return f"""
skipsched: 1
name: large
nodes:
  - {{id: "n{{}}", count: {nodes}, forward_time: 10 ms, memory: 3, location: here}}
network: {{default: {{latency: 1 ms, bandwidth: 1 GB/s}}}}
workload: {{stages: 8, data_nodes: {nodes // 8}, microbatches: {microbatches}, activation: 1 MB}}
rules: {{skip_ratio: 1/4}}
"""
