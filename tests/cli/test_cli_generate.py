"""`skipsched generate`."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest
from cli_cases import call, command, environment

from skipsched.generate import KINDS, generate_topology


@pytest.mark.parametrize("kind", KINDS)
def test_the_topology_goes_to_stdout_and_nothing_else(kind: str) -> None:
    ran = call("generate", "--kind", kind, "--nodes", "9", "--seed", "5")
    assert (ran.code, ran.out, ran.err) == (0, generate_topology(kind, 9, 5), "")
    assert call("check", "-", "--strict", stdin=ran.out).code == 0


def test_defaults() -> None:
    assert call("generate").out == generate_topology("clouds", 20, 0)


def test_the_command_at_the_head_makes_the_same_again() -> None:
    text = generate_topology("homes", 30, 7)
    made_by = next(line for line in text.splitlines() if "skipsched generate" in line)
    assert call(*made_by.split("skipsched ")[1].split()).out == text


def test_a_pipe_between_two_processes() -> None:
    with subprocess.Popen(
        command("generate", "--kind", "homes", "--nodes", "8"), stdout=subprocess.PIPE, env=environment()
    ) as generating:
        solving = subprocess.run(
            command("solve", "-", "--gap", "1", "--quiet"),
            stdin=generating.stdout,
            capture_output=True,
            check=False,
        )
    assert (generating.returncode, solving.returncode, solving.stderr) == (0, 0, b"")
    assert b'"name": "homes-8"' in solving.stdout


def test_a_file_is_written_all_at_once(tmp_path: Path) -> None:
    target = tmp_path / "topology.yaml"
    target.write_text("old")
    target.chmod(0o604)
    with target.open() as reader:
        ran = call("generate", "--nodes", "8", "-o", target)
        assert reader.read() == "old"  # who reads the old file reads all of it
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert target.read_text() == generate_topology("clouds", 8)
    assert stat.S_IMODE(target.stat().st_mode) == 0o604
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--kind", "moons"],
        ["--nodes", "7"],
        ["--nodes", "1001"],
        ["--nodes", "many"],
        ["--seed", "-1"],
        ["--seed", str(2**31)],
        ["--nonsense"],
        ["geo-20"],
    ],
)
def test_bad_options_write_nothing(arguments: list[str], tmp_path: Path) -> None:
    ran = call("generate", *arguments, "-o", tmp_path / "topology.yaml")
    assert (ran.code, ran.out) == (2, "")
    assert "Error: " in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["missing/topology.yaml", "."])
def test_where_nothing_can_be_written(target: str, tmp_path: Path) -> None:
    ran = call("generate", "-o", tmp_path / target)
    assert (ran.code, ran.out) == (2, "")
    assert "Error: " in ran.err
    assert list(tmp_path.iterdir()) == []
