"""What made a result: the machine, and the program to the byte of its code."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import skipsched
from skipsched import machine


def test_the_machine_is_told_without_naming_it() -> None:
    told = machine.machine()
    assert set(told) == {"processor", "cores", "memory", "system"}
    assert str(told["memory"]).endswith(" GiB")  # to the byte it differs from boot to boot
    assert told["cores"] == machine.cores() > 0
    assert told["processor"]
    assert os.uname().nodename not in json.dumps(told)


def test_the_program_is_told_with_its_libraries() -> None:
    told = machine.program()
    assert told["skipsched"] == skipsched.__version__
    assert {"code", "python", "ortools", "numpy"} < set(told)
    assert machine.program() == told


def code_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(machine, "__file__", str(folder / "machine.py"))
    return machine.program()["code"]


def test_any_edit_of_the_code_makes_it_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, copy = Path(machine.__file__).parent, tmp_path / "copy"
    shutil.copytree(original / "bench", copy / "bench", ignore=shutil.ignore_patterns("__pycache__"))
    first = code_of(copy, monkeypatch)
    assert code_of(copy, monkeypatch) == first
    (copy / "notes.txt").write_text("no code")
    assert code_of(copy, monkeypatch) == first
    edited = copy / "bench" / "run.py"
    text = edited.read_text()
    edited.write_text(text + "\n")
    assert code_of(copy, monkeypatch) != first
    edited.write_text(text)
    assert code_of(copy, monkeypatch) == first
    edited.rename(copy / "bench" / "runs.py")
    assert code_of(copy, monkeypatch) != first
