"""What scripts beside this one measure: kept in files, and not mixed with what other code measures."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

#: A JSON object.
Document = dict[str, Any]


def kept(path: Path, making: Mapping[str, object]) -> Document | None:
    """What a file holds; None if there is none.

    Parameters
    ----------
    making
        How it would be made now.

    Raises
    ------
    SystemExit
        If it was made otherwise.
    """
    if not path.exists():
        return None
    held: Document = json.loads(path.read_bytes())
    for key, value in making.items():
        if held[key] != value:
            raise SystemExit(f"{path} was made with another {key}: delete it to make it anew")
    return held


def run(command: str) -> bytes:
    """What a command of ours writes to standard output."""
    print(command, file=sys.stderr)
    words = [sys.executable, "-m", *shlex.split(command)]
    return subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
