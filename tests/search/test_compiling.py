"""Compiling ahead: done once, by one process, into a folder that nobody else can write."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from skipsched.search import compiled, compiling
from skipsched.search.compiled import code_folder
from skipsched.search.compiling import Compiling


class NoProcess:
    """A process that is never begun: notes what would have been run."""

    def __init__(self, words: list[str], **options: object) -> None:
        self.words, self.options = words, options
        self.ended: int | None = None
        BEGUN.append(self)

    def poll(self) -> int | None:
        return self.ended


BEGUN: list[NoProcess] = []


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's cache of its own for each test, and no process that compiles for half a minute."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(subprocess, "Popen", NoProcess)
    BEGUN.clear()
    code_folder.cache_clear()
    yield tmp_path / "cache" / "skipsched"
    code_folder.cache_clear()


def test_code_is_kept_in_the_users_cache(cache: Path) -> None:
    folder = code_folder()
    assert folder.parent == cache
    assert folder.is_dir()
    assert code_folder() == folder


def test_other_sources_have_a_folder_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = set()
    sources = tmp_path / "sources"
    sources.mkdir()
    monkeypatch.setattr(compiled, "__file__", str(sources / "compiled.py"))
    for name, text in (("a", "1"), ("a", "2"), ("b", "1")):
        (sources / f"{name}.py").write_text(text)
        code_folder.cache_clear()
        folders.add(code_folder())
    assert len(folders) == 3


def test_the_same_sources_elsewhere_have_a_folder_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # numba keeps what it compiled by the file's place: at another place it would compile again, unasked.
    folders = set()
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(compiled, "__file__", str(tmp_path / name / "compiled.py"))
        (tmp_path / name / "a.py").write_text("1")
        code_folder.cache_clear()
        folders.add(code_folder())
    assert len(folders) == 2


def test_another_processor_has_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = code_folder()
    code_folder.cache_clear()
    monkeypatch.setattr(compiled, "processor", lambda: "another one")
    assert code_folder() != folder


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="there are no such rights here")
@pytest.mark.parametrize("mode", [0o722, 0o770, 0o777])
def test_a_folder_that_others_can_write_is_not_used(cache: Path, mode: int, tmp_path: Path) -> None:
    cache.mkdir(parents=True)
    cache.chmod(mode)
    assert code_folder().parent.parent == tmp_path / "temporary"


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="there are no such rights here")
@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_a_folder_that_others_can_only_read_is_used(cache: Path, mode: int) -> None:
    cache.mkdir(parents=True)
    cache.chmod(mode)
    assert code_folder().parent == cache


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="there are no users here")
def test_the_folder_of_another_user_is_not_used(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert code_folder().parent == cache
    code_folder.cache_clear()
    monkeypatch.setenv("USER", "another")
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    with pytest.raises(OSError, match="no folder to keep compiled code in"):
        code_folder()


def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files where folders would have to be: also somebody who may do anything cannot write there."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file" / "temporary"))


def test_where_nothing_can_be_written_nothing_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere(tmp_path, monkeypatch)
    search = Compiling()
    search.begin()
    assert BEGUN == []
    assert not search.is_ready()
    assert not search.is_running()


def test_it_is_ready_once_the_marker_is_there(cache: Path) -> None:
    search = Compiling()
    assert not search.is_ready()
    (code_folder() / "ready").touch()
    assert search.is_ready()
    assert Compiling().is_ready()
    assert cache.exists()


def test_it_is_made_by_a_process_of_its_own() -> None:
    search = Compiling()
    assert not search.is_running()
    search.begin()
    (process,) = BEGUN
    assert process.words == [sys.executable, "-P", "-m", "skipsched.search.compiling"]
    # Ctrl-C on a terminal is not to end it.
    assert process.options["start_new_session"] is True
    assert search.is_running()
    process.ended = 1
    assert not search.is_running()
    assert not search.is_ready()


def test_when_it_is_made_nothing_runs() -> None:
    search = Compiling()
    search.begin()
    (code_folder() / "ready").touch()
    assert search.is_ready()
    assert not search.is_running()


def test_what_another_process_makes_is_waited_for() -> None:
    (code_folder() / "making").write_text(str(os.getpid()))
    search = Compiling()
    search.begin()
    assert BEGUN == []
    assert search.is_running()


@pytest.mark.parametrize("number", ["dead", "", "not a number"])
def test_what_nobody_makes_any_more_is_begun_anew(number: str) -> None:
    if number == "dead":
        number = str(_dead())
    (code_folder() / "making").write_text(number)
    search = Compiling()
    assert not search.is_running()
    search.begin()
    assert len(BEGUN) == 1


def _dead() -> int:
    """A number that no process has."""
    import psutil

    return next(number for number in range(4_000_000, 1_000, -1) if not psutil.pid_exists(number))


def test_an_old_process_number_may_be_that_of_another_process_by_now() -> None:
    making = code_folder() / "making"
    making.write_text(str(os.getpid()))
    long_ago = time.time() - compiling._LONGEST - 10
    os.utime(making, (long_ago, long_ago))
    search = Compiling()
    assert not search.is_running()
    search.begin()
    assert len(BEGUN) == 1


def test_all_is_compiled_before_the_marker_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    # What was compiled for this process serves here; the markers are what is looked at.
    folder = code_folder()
    seen = []
    step = "skipsched.search.chains.Chains.step"

    def noted(*_: object) -> None:
        seen.append(((folder / "making").read_text(), (folder / "ready").exists()))

    monkeypatch.setattr(step, noted)
    compiling.compile_all()
    assert seen == [(str(os.getpid()), False)]
    assert (folder / "ready").exists()
    assert not (folder / "making").exists()
    assert Compiling().is_ready()


def test_what_was_used_least_lately_is_taken_away(cache: Path) -> None:
    """Nine versions: three used within the hour, one of these by whoever only asks whether it is there."""
    hour = 3600.0
    for age in range(8):
        folder = cache / f"version-{age}"
        folder.mkdir(parents=True)
        used = time.time() - (0.4 * hour if age == 7 else age * hour)
        os.utime(folder, (used, used))
    os.utime(code_folder(), (0, 0))
    Compiling()
    compiling._clear(cache)
    left = {folder.name for folder in cache.iterdir()}
    assert left == {code_folder().name, "version-0", "version-7", "version-1", "version-2"}


def test_whatever_is_in_use_stays(cache: Path) -> None:
    for number in range(9):
        (cache / f"version-{number}").mkdir(parents=True)
    compiling._clear(cache)
    assert len(list(cache.iterdir())) == 9
