"""The Python of docs/performance.md runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from skipsched.exact import ask

DOCS = Path(__file__).resolve().parent.parent / "docs"
SHARES, LOG = re.findall(
    r"^```python\n(.*?)^```", (DOCS / "performance.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)

#: What py-spy writes with `--format raw`: frames from the outermost in, and the number of samples.
FOLDED = """\
thread (1): MainThread;main (cli/main.py:102);ask (skipsched/exact/ask.py:84) 3
thread (1): MainThread;ask (skipsched/exact/ask.py:85);_side_by_side (skipsched/cp_sat.py:99) 9
thread (2): cp-sat;_side_by_side.<locals>.solve (skipsched/cp_sat.py:89);solve (ortools/cp_model.py:7) 9
"""


def test_shares_leave_out_the_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "geo-20.folded").write_text(FOLDED, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(SHARES, {})
    own, within = capsys.readouterr().out.split("with what it calls\n")
    assert own == "in itself\n 75.0%  solve (ortools/cp_model.py)\n 25.0%  ask (skipsched/exact/ask.py)\n"
    assert " 25.0%  main (cli/main.py)\n" in within
    assert "_side_by_side (" not in within


def test_the_log_is_that_of_one_question(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ask, "_tune", ask._tune)  # put back in the end what the snippet sets
    exec(LOG, {})
    told = capfd.readouterr().out
    assert told.count("Starting CP-SAT solver") == 1
    assert "complete_hint" in told
    assert "conflicts:" in told
