"""Where a schedule is written: all at once or not at all, whatever is or is not in its place."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from check_cases import TINY
from cli_cases import Outcome, call, command, environment, finished, process

from skipsched.schedule import Schedule


def solve_to(target: Path | str, topology: str = TINY) -> Outcome:
    return call("solve", "-", "--quiet", "--gap", "1", "-o", target, stdin=topology)


def is_schedule(path: Path) -> bool:
    return bool(json.loads(path.read_text())["format"] == "skipsched.schedule/1")


@pytest.fixture
def existing(tmp_path: Path) -> Path:
    path = tmp_path / "schedule.json"
    path.write_text("old")
    return path


@pytest.mark.parametrize("name", ["same", "another path", "symbolic link", "hard link"])
def test_the_topology_is_never_overwritten(name: str, tmp_path: Path) -> None:
    source = tmp_path / "topology.yaml"
    source.write_text(TINY)
    target = {"same": source, "another path": Path(os.path.relpath(source))}.get(name, tmp_path / "other")
    if name == "symbolic link":
        target.symlink_to(source)
    elif name == "hard link":
        target.hardlink_to(source)
    for topology, output in ((source, target), (target, source)):
        ran = call("solve", topology, "-o", output)
        assert (ran.code, ran.out) == (2, "")
        assert f"{output} would overwrite the topology {topology}\n" in ran.err
    assert source.read_text() == TINY


def test_a_hint_may_be_replaced_by_what_is_made_of_it(tmp_path: Path) -> None:
    source, target = tmp_path / "topology.yaml", tmp_path / "schedule.json"
    source.write_text(TINY)
    assert call("solve", source, "--gap", "1", "-o", target).code == 0
    assert call("solve", source, "--gap", "1", "--hint", target, "-o", target).code == 0
    assert is_schedule(target)


def test_a_new_file_gets_the_usual_permissions(tmp_path: Path) -> None:
    target = tmp_path / "schedule.json"
    before = os.umask(0o027)
    try:
        assert solve_to(target).code == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_an_existing_file_is_replaced_and_keeps_its_permissions(existing: Path) -> None:
    existing.chmod(0o604)
    number = existing.stat().st_ino
    with existing.open() as reader:
        assert solve_to(existing).code == 0
        assert reader.read() == "old"  # who reads the old file reads all of it
    assert is_schedule(existing)
    assert existing.stat().st_ino != number
    assert stat.S_IMODE(existing.stat().st_mode) == 0o604
    assert list(existing.parent.iterdir()) == [existing]


def test_a_link_stays_and_what_it_leads_to_is_replaced(existing: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    link = tmp_path / "folder" / "link.json"
    link.symlink_to("../schedule.json")
    assert solve_to(link).code == 0
    assert link.is_symlink()
    assert is_schedule(existing)
    assert list(link.parent.iterdir()) == [link]


def test_a_link_to_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to("new.json")
    assert solve_to(link).code == 0
    assert link.is_symlink()
    assert is_schedule(tmp_path / "new.json")


def test_the_longest_name_a_file_can_have(tmp_path: Path) -> None:
    # 255 bytes, most of them in characters of four: what is written beside it needs a name as well.
    target = tmp_path / ("𝄞" * 63 + ".js")
    assert solve_to(target).code == 0
    assert is_schedule(target)


def test_devices_and_pipes_are_written_to_as_they_are(tmp_path: Path) -> None:
    assert solve_to("/dev/null").code == 0
    assert Path("/dev/null").is_char_device()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    assert solve_to(pipe).code == 0
    reader.join()
    assert json.loads(read[0])
    assert pipe.is_fifo()


def test_a_topology_and_a_schedule_from_pipes(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(TINY))
    writer.start()
    solved = call("solve", pipe)
    writer.join()
    writer = threading.Thread(target=lambda: pipe.write_text(solved.out))
    writer.start()
    assert call("validate", pipe).code == 0
    writer.join()


def bad_places(folder: Path) -> dict[str, Path]:
    (folder / "loop").symlink_to("loop")
    (folder / "astray").symlink_to("missing/schedule.json")
    (folder / "file").write_text("")
    return {
        "a folder": folder,
        "a missing folder": folder / "missing" / "schedule.json",
        "a folder that is a file": folder / "file" / "schedule.json",
        "a link to itself": folder / "loop",
        "a link into a missing folder": folder / "astray",
        "a name too long": folder / ("x" * 300),
        "a place without files": Path("/proc/schedule.json"),
    }


def test_places_where_nothing_can_be_written(tmp_path: Path) -> None:
    for why, place in bad_places(tmp_path).items():
        before = sorted(tmp_path.iterdir())
        ran = solve_to(place)
        assert (ran.code, ran.out) == (2, ""), why
        assert str(place) in ran.err or place.parent.name in ran.err, why
        assert "Traceback" not in ran.err
        assert ".part" not in ran.err
        assert sorted(tmp_path.iterdir()) == before, why


def test_a_place_without_permission_is_refused_before_anything_is_solved(guarded: Path) -> None:
    # The topology is not even looked for.
    ran = call("solve", "no such topology", "-o", guarded / "schedule.json")
    assert (ran.code, ran.out) == (2, "")
    assert "no permission" in ran.err
    with pytest.raises(PermissionError) as caught:
        Schedule({}).write(guarded / "schedule.json")
    assert caught.value.filename == str(guarded / "schedule.json")
    assert list(guarded.iterdir()) == []


def test_a_full_device() -> None:
    if not Path("/dev/full").is_char_device():
        pytest.skip("there is no /dev/full")
    ran = solve_to("/dev/full")
    assert (ran.code, ran.out) == (2, "")
    assert "/dev/full: No space left" in ran.err
    for arguments in (["solve", "small-8", "--quiet", "--gap", "1"], ["check", "small-8"], ["--help"]):
        with Path("/dev/full").open("w") as full:
            ran = process(*arguments, capture_output=False, stdout=full, stderr=subprocess.PIPE)
        assert ran.code == 2
        assert ran.err == "error: No space left on device\n"


def test_a_disk_that_fills_up_leaves_the_old_file_and_nothing_else(existing: Path) -> None:
    # No file of this process may grow beyond a thousand bytes.
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from skipsched_cli.main import main; main()"
    )
    arguments = ["solve", "geo-20", "--quiet", "--gap", "1", "-o", str(existing)]
    ran = finished([sys.executable, "-c", program, *arguments])
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"error: {existing}: File too large\n"
    assert existing.read_text() == "old"
    assert list(existing.parent.iterdir()) == [existing]


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace", "pathlib.Path.chmod"])
@pytest.mark.parametrize("failure", [OSError(5, "Input/output error"), KeyboardInterrupt()])
def test_a_failure_at_any_step_leaves_the_old_file_and_nothing_else(
    existing: Path, monkeypatch: pytest.MonkeyPatch, step: str, failure: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(step, fail)
    ran = solve_to(existing)
    assert ran.code == (2 if isinstance(failure, OSError) else 130)
    assert ran.out == ""
    assert existing.read_text() == "old"
    assert list(existing.parent.iterdir()) == [existing]


@pytest.mark.parametrize(
    "arguments",
    [
        ["solve", "geo-20", "--gap", "1", "--quiet"],
        ["check", "geo-20", "--json"],
        ["check", "bytes-16"],
        ["schema", "topology"],
    ],
)
def test_a_reader_that_goes_away_ends_it_quietly(arguments: list[str]) -> None:
    with subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
    # What a shell says of a program that SIGPIPE ended: neither yes nor no.
    assert running.returncode == 141


def closed(stream: int, *arguments: str, stdin: str = "") -> Outcome:
    """Run a command with one of its streams closed."""
    words = " ".join(command(*arguments))
    return finished(["sh", "-c", f"exec {words} {'<' if stream == 0 else f'{stream}>'}&-"], stdin)


def test_closed_streams(tmp_path: Path) -> None:
    target = tmp_path / "schedule.json"
    arguments = ["solve", "small-8", "--gap", "1"]
    for stream in (0, 1, 2):
        ran = closed(stream, *arguments, "-o", str(target))
        assert (ran.code, ran.out) == (0, "")
        assert is_schedule(target)
        target.unlink()
    nowhere = closed(1, *arguments, "--quiet")
    assert (nowhere.code, nowhere.err) == (2, "error: standard output is closed\n")
    nothing = closed(0, "solve", "-")
    assert (nothing.code, nothing.out) == (2, "")
    assert nothing.err.startswith("<stdin>:1:1: error")
    assert closed(2, "check", "nonsense") == Outcome(2, "", "")
