"""Chance of simulations: its distribution, and that it is the same everywhere."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from skipsched.insight.jitter import Drawn, Floats, Luck, _lognormal, _normal


def drawn(jitter: float = 0.3, seed: int = 0, count: int = 100, runs: range = range(1000)) -> Floats:
    return Luck(seed).factors(Drawn.COMPUTING, count, runs, jitter)


def test_deviates_are_those_of_the_normal_distribution() -> None:
    normal = NormalDist()
    for place in (0, 1, 100, 5000, 32767, 32768, 65000, 65535):
        assert _normal()[place] == pytest.approx(normal.inv_cdf((place + 0.5) / 65536), abs=1e-8)


@pytest.mark.parametrize("jitter", [0.01, 0.1, 0.3, 1.0])
def test_factors_are_lognormal(jitter: float) -> None:
    """Mean 1, the variation asked for, and the median ``exp(-s**2 / 2)``."""
    factors = _lognormal(jitter)
    assert math.fsum(factors) / len(factors) == pytest.approx(1, abs=1e-12)
    assert float(factors.std()) == pytest.approx(jitter, rel=0.01)
    assert factors[len(factors) // 2] == pytest.approx(1 / math.sqrt(1 + jitter**2), rel=0.001)


def test_draws_follow_the_distribution() -> None:
    factors = drawn()
    assert float(factors.mean()) == pytest.approx(1, abs=0.005)
    assert float(factors.std()) == pytest.approx(0.3, abs=0.005)


def test_no_jitter_is_exactly_one() -> None:
    assert (drawn(jitter=0) == 1).all()


def test_the_same_on_every_machine() -> None:
    """Draws as they were on the first one, to the last bit."""
    assert [value.hex() for value in drawn(count=2, runs=range(2)).ravel().tolist()] == [
        "0x1.9deb5dac54310p-1",
        "0x1.890838206561cp+0",
        "0x1.131a32dce6aeep+0",
        "0x1.5cb609df35fbap-1",
    ]


def test_a_draw_depends_on_seed_subject_and_run_alone() -> None:
    whole = drawn()
    assert np.array_equal(whole[:7, 40:60], drawn(count=7, runs=range(40, 60)))
    assert not np.array_equal(whole, drawn(seed=1))
    assert not np.array_equal(whole, Luck(0).factors(Drawn.TRANSFER, 100, range(1000), 0.3))


def test_draws_hang_together_in_no_direction() -> None:
    """Correlations of 100,000 draws with others are within five standard errors of 0."""
    whole = drawn()
    others = [
        np.roll(whole, 1, axis=0),
        np.roll(whole, 1, axis=1),
        drawn(seed=1),
        Luck(0).factors(Drawn.TRANSFER, 100, range(1000), 0.3),
    ]
    for other in others:
        assert abs(np.corrcoef(whole.ravel(), other.ravel())[0, 1]) < 5 / math.sqrt(whole.size)


def test_stragglers_are_as_frequent_as_asked_for() -> None:
    def found(share: float) -> float:
        return float(Luck(0).happens(Drawn.STRAGGLER, 100, range(1000), share).mean())

    assert found(0.05) == pytest.approx(0.05, abs=0.005)
    assert (found(0), found(1)) == (0, 1)
