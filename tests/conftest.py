"""What holds for all tests."""

from __future__ import annotations

import pytest

from skipsched.search.compiling import Compiling


@pytest.fixture(scope="session", autouse=True)
def compiled_search() -> None:
    """Compile the search before anything is tested: commands that have to wait for it say so."""
    Compiling().wait()
