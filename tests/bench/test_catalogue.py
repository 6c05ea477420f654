"""The best known of an instance: of that very instance, and of no other."""

from __future__ import annotations

import pytest
from bench_cases import known

from skipsched.catalogue import best_known


def test_by_name_and_sha256(monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, harbour=("ab12", 100, 80), island=("cd34", 200, 150))
    assert best_known("harbour", "ab12") == 100
    assert best_known("island", "cd34") == 200


def test_nothing_is_known_of_a_changed_topology_or_another(monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, harbour=("ab12", 100, 80), island=("cd34", 200, 150))
    assert best_known("harbour", "cd34") is None
    assert best_known("harbour", "") is None
    assert best_known("lagoon", "ab12") is None
