"""Other processes that run the program's own code."""

from __future__ import annotations

import os
import sys


def command_of(module: str) -> list[str]:
    """The command that runs one of the program's modules."""
    # -P: what lies in the working folder is none of the program's modules.
    return [sys.executable, "-P", "-m", module]


def environment() -> dict[str, str]:
    """Where this process finds its code: another one is to run the same, whatever folder it works in."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
