"""Chance of simulated iterations: factors with a lognormal distribution, the same on every machine.

Each draw is a function of the seed, of what is drawn and of the run alone, not of the draws before it. So a
run's luck depends neither on how many runs there are nor on what is made of it: schedules' policies can be
compared run by run.
"""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Equally likely factors of which one is drawn: all that 16 bits can tell apart. The rarest normal deviates
#: are 4.3 standard deviations.
_FACTORS = 2**16
#: Terms of the series, and steps of Newton's method: more than the rarest deviates need.
_TERMS, _STEPS = 80, 32
_WORD = 2**64
#: Steele, Lea and Flood: Fast splittable pseudorandom number generators (OOPSLA 2014), SplitMix64.
_GAMMA = 0x9E3779B97F4A7C15
_MIXING = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_LAST_SHIFT = 31


class Drawn(IntEnum):
    """What is drawn; each has a stream of its own."""

    COMPUTING = 0
    TRANSFER = 1
    HOP = 2
    STRAGGLER = 3


class Luck:
    """What chance decides.

    Parameters
    ----------
    seed
        Of all draws.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def factors(self, drawn: Drawn, count: int, runs: range, jitter: float) -> Floats:
        """Factors by which durations vary: lognormal with mean 1, ``[subject, run]``.

        Parameters
        ----------
        count
            Subjects, numbered from 0: the actions, or the nodes.
        runs
            The runs, numbered from 0; fewer than ``2**31``.
        jitter
            The coefficient of variation: standard deviation by mean.
        """
        if jitter == 0:
            return np.ones((count, len(runs)))
        words = self._words(drawn, count, runs)
        words >>= np.uint64(48)
        factors: Floats = _lognormal(jitter).take(words.view(np.int64))
        return factors

    def happens(self, drawn: Drawn, count: int, runs: range, share: float) -> NDArray[np.bool_]:
        """Whether something of a probability befalls each subject, ``[subject, run]``."""
        words = self._words(drawn, count, runs)
        words >>= np.uint64(11)
        found: NDArray[np.bool_] = words.astype(np.float64) < share * 2**53
        return found

    def _words(self, drawn: Drawn, count: int, runs: range) -> NDArray[np.uint64]:
        """64 random bits for each subject and run."""
        start = _mixed(np.array([self._seed], np.uint64))
        start = _mixed(start + np.uint64(_GAMMA * (drawn + 1) % _WORD))
        gamma = np.uint64(_GAMMA)
        subjects = np.arange(count, dtype=np.uint64) * gamma
        turns = (np.arange(runs.start, runs.stop, dtype=np.uint64) << np.uint64(32)) * gamma + start
        return _mixed(subjects[:, np.newaxis] + turns)


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The words, each bit of the old ones changing half of the new ones; the array itself is changed."""
    for shift, factor in _MIXING:
        words ^= words >> np.uint64(shift)
        words *= np.uint64(factor)
    words ^= words >> np.uint64(_LAST_SHIFT)
    return words


@cache
def _lognormal(jitter: float) -> Floats:
    """Equally likely factors of mean 1, ascending: ``exp(s * z)`` with ``s**2 = ln(1 + jitter**2)``."""
    deviation = (1 + Decimal(jitter) ** 2).ln().sqrt()
    factors = _exp(float(deviation) * _normal())
    # By halves, whose sums every machine rounds alike: how numpy sums is its own affair.
    sums = factors
    while len(sums) > 1:
        half = len(sums) // 2
        sums = sums[:half] + sums[half:]
    return factors / (sums / _FACTORS)


@cache
def _normal() -> Floats:
    """Normal deviates in the middle of equally likely parts, ascending.

    Newton's method for the deviate beyond which lies a given part. It starts at 0, and never goes too far:
    on this side the curve's area grows more and more slowly.
    """
    area = 0.5 - (np.arange(_FACTORS // 2) + 0.5) / _FACTORS
    deviate = np.zeros(len(area))
    for _ in range(_STEPS):
        found, density = _area(deviate)
        deviate += (area - found) / density
    return np.concatenate([-deviate, deviate[::-1]])


def _area(deviate: Floats) -> tuple[Floats, Floats]:
    """The area under the normal curve from 0 to a deviate, and its density there.

    ``area = density * (z + z**3 / 3 + z**5 / (3*5) + ...)`` (Abramowitz and Stegun 26.2.11).
    """
    density = _exp(deviate * deviate / -2) / np.sqrt(2 * np.pi)
    term = deviate.copy()
    total = term.copy()
    for n in range(1, _TERMS):
        term *= deviate * deviate / (2 * n + 1)
        total += term
    return density * total, density


def _exp(x: Floats) -> Floats:
    """The exponential function, by nothing but operations that IEEE 754 defines to the last bit.

    Those of libraries differ by machine. A series for a small part of the exponent, squared again.
    """
    halvings = 10
    part = x / 2**halvings
    power = np.ones(len(x))
    for n in range(12, 0, -1):
        power = 1 + power * part / n
    for _ in range(halvings):
        power = power * power
    return power
