"""The program of docs/runtime.md runs as it stands there, one process for each node."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from check_cases import tiny
from cli_cases import process

DOCS = Path(__file__).resolve().parents[2] / "docs" / "runtime.md"


def test_the_example_trains(tmp_path: Path) -> None:
    found = re.search(
        r"^<!-- example -->\n```python\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.M | re.S
    )
    assert found is not None
    program, schedule = tmp_path / "program.py", tmp_path / "schedule.json"
    program.write_text(found[1], encoding="utf-8")
    schedule.write_text(json.dumps(tiny()), encoding="utf-8")
    ran = process("launch", schedule, "--", sys.executable, program)
    assert (ran.code, ran.err) == (0, "")
    # Whoever guesses has a loss of ln 10.
    (loss,) = re.findall(r"^a: ([\d.]+)$", ran.out, re.M)
    assert float(loss) < 1.5
