"""What holds for all tests."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from skipsched.search.compiling import Compiling


@pytest.fixture(scope="session", autouse=True)
def compiled_search() -> None:
    """Compile the search before anything is tested: commands that have to wait for it say so."""
    Compiling().wait()


@pytest.fixture
def guarded() -> Iterator[Path]:
    """A folder that takes no files; who may do anything becomes nobody for a while."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        mighty = os.geteuid() == 0
        if mighty:
            os.setresuid(65534, 65534, 0)
        try:
            yield folder
        finally:
            if mighty:
                os.setresuid(0, 0, 0)
            folder.chmod(0o755)
