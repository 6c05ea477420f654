"""`skipsched export`: where it writes, what it refuses, and that nothing is written by halves."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from check_cases import TINY
from cli_cases import Outcome, call, command, environment, process, solved_document
from export_cases import PERIODIC, STRAIGHT

from skipsched import Schedule
from skipsched.export.formats import FILES, FOLDERS

FORMATS = ["chrome-trace", "csv", "skippipe", "torch-csv"]


@pytest.fixture
def straight(tmp_path: Path) -> Path:
    """A schedule that every format can express."""
    path = tmp_path / "straight.json"
    even = STRAIGHT.replace("memory: 3", "memory: 2")
    Schedule(solved_document(even)).write(path)
    return path


@pytest.fixture
def periodic(tmp_path: Path) -> Path:
    """A schedule that skips and swaps stages."""
    path = tmp_path / "periodic.json"
    Schedule(solved_document(PERIODIC)).write(path)
    return path


def written(folder: Path) -> dict[str, str]:
    """The files of a folder."""
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_every_format(straight: Path, tmp_path: Path) -> None:
    """What goes to a file is what goes to standard output."""
    assert sorted([*FILES, *FOLDERS]) == FORMATS
    for form in FILES:
        target = tmp_path / form
        ran = call("export", straight, "--to", form, "-o", target)
        assert (ran.code, ran.out) == (0, "")
        with target.open(newline="") as file:
            assert file.read() == call("export", straight, "--to", form, "-q").out != ""
    ran = call("export", straight, "--to", "torch-csv", "-o", tmp_path / "pipelines")
    assert (ran.code, ran.out) == (0, "")
    assert set(written(tmp_path / "pipelines")) == {"pipeline-0.csv", "pipeline-1.csv", "ranks.json"}


def test_help_names_every_format() -> None:
    told = call("export", "--help").out
    assert "Examples:" in told
    assert "Exit codes: 0 " in told
    for form in FORMATS:
        assert f"  {form} " in told


def test_notes_are_for_people(periodic: Path) -> None:
    ran = call("export", periodic, "--to", "skippipe")
    assert ran.code == 0
    assert ran.err.startswith("note: skippipe's trainer has no order")
    assert json.loads(ran.out)["memory"] == 2
    assert call("export", periodic, "--to", "skippipe", "--quiet").err == ""


def test_from_stdin_and_on_another_topology(periodic: Path, tmp_path: Path) -> None:
    """Twice as slow, forwards take twice as long."""
    slower = tmp_path / "slower.yaml"
    slower.write_text(PERIODIC.replace("forward_time: 20 ms", "forward_time: 40 ms"))
    ran = call("export", "-", "--to", "csv", "--topology", slower, stdin=periodic.read_text())
    assert ran.code == 0
    assert "made for another topology" in ran.err
    assert ran.out != call("export", periodic, "--to", "csv").out


def test_what_a_format_cannot_express_is_told_whole(periodic: Path, tmp_path: Path) -> None:
    ran = call("export", periodic, "--to", "torch-csv", "-o", tmp_path / "pipelines")
    assert (ran.code, ran.out) == (1, "")
    assert not (tmp_path / "pipelines").exists()
    assert "error[path-length] paths execute 3 of 4 stages" in ran.err
    assert "hint: set rules.path_length: 4" in ran.err
    assert "error[swap]" in ran.err


def refused(schedule: Path, *arguments: str | Path, stdin: str = "") -> Outcome:
    ran = call("export", schedule, *arguments, stdin=stdin)
    assert (ran.code, ran.out) == (2, "")
    assert "Traceback" not in ran.err
    return ran


def test_bad_usage(straight: Path, tmp_path: Path) -> None:
    assert "--to" in refused(straight).err
    assert "'csv'" in refused(straight, "--to", "xls").err
    assert "would overwrite the schedule" in refused(straight, "--to", "csv", "-o", straight).err
    assert "there is no folder" in refused(straight, "--to", "csv", "-o", "/nowhere/x").err
    folder = ("--to", "torch-csv", "-o")
    assert "give a folder" in refused(straight, "--to", "torch-csv").err
    assert "give a folder" in refused(straight, *folder, "-").err
    assert "give a folder" in refused(straight, *folder, "").err
    assert "is no folder" in refused(straight, *folder, straight).err
    assert "is not empty" in refused(straight, *folder, tmp_path).err
    assert "there is no folder" in refused(straight, *folder, "/nowhere/x").err
    assert "/dev/full is no folder" in refused(straight, *folder, "/dev/full").err
    assert written(tmp_path) == {"straight.json": straight.read_text()}


def test_bad_schedules(straight: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    for text, said in [
        ("", "is empty"),
        ("{", "not JSON"),
        ("[]", "a JSON object is expected"),
        ('{"format": "skipsched.torch-csv/1"}', "this program reads"),
        (straight.read_text().replace('"n0"', '"nobody"', 1), "error["),
        (straight.read_text().replace('"iteration_time": ', '"iteration_time": -9'), "from 0"),
        (straight.read_text().replace('"iteration_time": ', '"iteration_time": 9'), "objective"),
        (straight.read_text().replace('"start": 0,', f'"start": {"9" * 5000},', 1), "error["),
    ]:
        bad.write_text(text)
        for form in FORMATS:
            assert said in refused(bad, "--to", form, "-o", tmp_path / "out").err
        assert not (tmp_path / "out").exists()
    assert "cannot read" in refused(tmp_path / "nothing.json", "--to", "csv").err


def test_an_empty_folder_is_filled_and_keeps_its_mode(straight: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pipelines"
    folder.mkdir(mode=0o750)
    link = tmp_path / "link"
    link.symlink_to("pipelines")
    assert call("export", straight, "--to", "torch-csv", "-o", link).code == 0
    assert link.is_symlink()
    assert len(written(folder)) == 3
    assert folder.stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.chmod"])
def test_a_folder_has_all_its_files_or_is_not_there(
    straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    calls = 0

    def fail(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(step, fail)
    ran = refused(straight, "--to", "torch-csv", "-o", tmp_path / "pipelines")
    assert ran.err == f"error: {tmp_path / 'pipelines'}: No space left on device\n"
    assert list(tmp_path.iterdir()) == [straight]


def test_a_place_without_permission(guarded: Path) -> None:
    # The schedule is not even looked for.
    for form in FORMATS:
        assert "no permission" in refused(Path("nothing.json"), "--to", form, "-o", guarded / "x").err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
@pytest.mark.parametrize("form", list(FILES))
def test_a_full_device(straight: Path, form: str) -> None:
    ran = refused(straight, "--to", form, "-o", "/dev/full")
    assert ran.err == "error: /dev/full: No space left on device\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
def test_a_full_standard_output(straight: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ran = process(
            "export", straight, "--to", "csv", capture_output=False, stdout=full, stderr=subprocess.PIPE
        )
    assert (ran.code, ran.err) == (2, "error: No space left on device\n")


def test_a_pipe_of_commands_whose_reader_goes_away(tmp_path: Path) -> None:
    topology = tmp_path / "tiny.yaml"
    topology.write_text(TINY)
    with (
        subprocess.Popen(
            command("solve", topology, "--quiet", "--gap", "1"), stdout=subprocess.PIPE, env=environment()
        ) as solving,
        subprocess.Popen(
            command("export", "-", "--to", "chrome-trace"),
            stdin=solving.stdout,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        ) as exporting,
    ):
        assert exporting.stdout is not None
        assert exporting.stderr is not None
        exporting.stdout.close()
        assert exporting.stderr.read() == b""
    assert (solving.returncode, exporting.returncode) == (0, 141)
