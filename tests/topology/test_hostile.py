"""Large and hostile files are refused within seconds and without swelling; large good ones are read."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from topology_cases import HARBOUR, diagnostics

from skipsched.instance import Instance
from skipsched.topology.load import load_topology

# The high-water mark of this process alone: what `resource.getrusage` tells begins, on Linux, with what
# the parent held, here a worker of the suite that may hold anything.
PROGRAM = r"""
import re, sys
from pathlib import Path
from skipsched.text.diagnostics import InputError
from skipsched.topology.load import load_topology
try:
    load_topology(sys.argv[1])
except InputError as error:
    print(*(found.message[:200] for found in error.diagnostics), sep="\\n")
print(int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def bomb() -> bytes:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    return "\n".join(levels).encode()


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "huge": (lambda: b"a: b\n" * 20_000_000, "larger than 16 MiB"),
    "binary": (lambda: random.Random(0).randbytes(10**6), "not UTF-8 text"),
    "zeros": (lambda: bytes(10**6), "U+0000 is not allowed"),
    "brackets": (lambda: b"[" * 10_000_000, "nested deeper than 32 levels"),
    "braces": (lambda: b"{" * 10_000_000, "a key must be a plain text"),
    "nested-mappings": (lambda: b"{a: " * 10_000, "nested deeper than 32 levels"),
    "nested-blocks": (
        lambda: "".join(f"{' ' * min(i, 1000)}a{i}:\n" for i in range(10_000)).encode(),
        "nested deeper than 32 levels",
    ),
    "alias-bomb": (bomb, "aliases expanded"),
    "many-values": (lambda: b"[" + b"1," * 7_500_000 + b"1]", "more than 250000 values"),
    "many-keys": (
        lambda: "".join(f"k{i}: 1\n" for i in range(1_000_000)).encode(),
        "more than 250000 values",
    ),
    "many-errors": (lambda: b"skipsched: 1\nnodes: [" + b"{}," * 200_000 + b"{}]", "is missing"),
    "long-scalar": (lambda: b"skipsched: " + b"1" * 15_000_000, "format version 1"),
    "open-quote": (lambda: b'a: "' + b"a\n" * 7_000_000, "unexpected end of stream"),
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell its memory")
@pytest.mark.parametrize(("content", "fragment"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_is_refused_soon_and_small(
    tmp_path: Path, content: Callable[[], bytes], fragment: str
) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_bytes(content())
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,  # what hangs is no refusal; how fast it is depends on the machine
        cwd=Path(__file__).parents[2],
    )
    *told, megabytes = ran.stdout.splitlines()
    assert fragment in "\n".join(told)
    assert int(megabytes) < 500


def test_every_truncation_is_refused_and_no_more(tmp_path: Path) -> None:
    """A file cut anywhere gives errors, or a topology that happens to be whole; never anything else."""

    data = HARBOUR.encode()
    for end in range(0, len(data), 7):
        path = tmp_path / "cut.yaml"
        path.write_bytes(data[:end])
        whole = end >= HARBOUR.index("  backward_ratio")
        assert diagnostics(str(path)) or whole


def many_nodes(links: str) -> str:
    nodes = "".join(
        f"  - {{id: n{i}, location: L{i % 12}, forward_time: {50 + i} ms, memory: 3}}\n" for i in range(1000)
    )
    workload = (
        "workload: {stages: 8, data_nodes: 100, microbatches: 2, activation: 16 MiB, gradient: 100 MB}\n"
    )
    return f"skipsched: 1\nname: large\nnodes:\n{nodes}network: {{overhead: 1 ms, {links}}}\n{workload}"


@pytest.mark.parametrize("rows", [144, 100_000])
def test_a_thousand_nodes_load_in_seconds(tmp_path: Path, rows: int) -> None:
    """Rows of 12 locations, and a hundred thousand rows of single nodes, each with figures of its own."""
    dice = random.Random(0)
    ends = [(f"L{a}", f"L{b}") for a in range(12) for b in range(12)]
    if rows > len(ends):
        ends = [
            (f"n{i // 999}", f"n{(i // 999 + 1 + i % 999) % 1000}") for i in dice.sample(range(999_000), rows)
        ]
    table = [f"{a},{b},{dice.uniform(1, 200):.3f},{dice.uniform(1, 100):.3f}" for a, b in ends]
    (tmp_path / "links.csv").write_text("\n".join(["from,to,latency_ms,bandwidth_mib_per_s", *table]) + "\n")
    path = tmp_path / "large.yaml"
    path.write_text(many_nodes("default: {latency: 1 ms, bandwidth: 1 MiB/s}, links_file: links.csv"))
    instance = Instance.of(load_topology(path))
    assert instance.nodes == 1000
    assert instance.complete
