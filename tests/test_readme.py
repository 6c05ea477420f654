"""The README's one real run and its example are what the program prints and reads today."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cli_cases import call

import skipsched

#: A figure with decimals.
FIGURE = re.compile(r"\d+\.\d+")
README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The first code block of a language that no marker claims."""
    found = re.search(rf"(?<!-->\n)^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def lines(text: str) -> list[str]:
    """Lines without padding and without the seconds that a run took."""
    told = (re.sub(r"\d+\.\d s \(time limit\)", "(time limit)", line).rstrip() for line in text.splitlines())
    return [line for line in told if line]


def test_the_run_is_what_the_commands_print(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    printed: list[str] = []
    for line in lines(block("console")):
        if line.startswith("$ skipsched "):
            ran = call(*line.removeprefix("$ skipsched ").split())
            assert ran.code == 0
            printed += [line, *lines(ran.out + ran.err)]
    told = lines(block("console"))
    assert [FIGURE.sub("#", line) for line in told] == [FIGURE.sub("#", line) for line in printed]
    for before, today in zip(told, printed, strict=True):
        if "iteration time" not in before:
            assert before == today
        # Another version of CP-SAT may search another way: what it finds is about as good.
        for first, second in zip(FIGURE.findall(before), FIGURE.findall(today), strict=True):
            assert float(second) == pytest.approx(float(first), rel=0.05, abs=5), today


def marked(marker: str) -> str:
    """The code block after a marker."""
    found = re.search(rf"^<!-- {marker} -->\n```[a-z]+\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_infeasible_example_is_told_as_it_stands_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chain.yaml").write_text(marked("infeasible"))
    asked, *told = marked("told").splitlines()
    ran = call(*asked.removeprefix("$ skipsched ").split())
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines() == told


def test_the_example_is_a_topology() -> None:
    assert skipsched.load_topology(block("yaml")).name == "harbour-8"


def test_the_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(block("python"), {})  # the README's own text
    assert skipsched.validate(tmp_path / "schedule.json") == []


def test_benchmark_figures_are_those_of_the_benchmark() -> None:
    section = README.partition("## Benchmarks\n")[2].partition("\n## ")[0]
    quoted = [line for line in section.splitlines() if line.startswith("| ")]
    measured = (
        (Path(__file__).resolve().parent.parent / "BENCHMARKS.md").read_text(encoding="utf-8").splitlines()
    )
    assert len(quoted) > 3
    assert set(quoted) <= set(measured)
