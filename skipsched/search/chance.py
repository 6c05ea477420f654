"""Random numbers of the search, the same on every machine."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from skipsched.search.compiled import compiled

#: The state of a source of chance: one 64-bit word, never 0.
Chance = NDArray[np.uint64]

_FALLS = 4096
#: ``-ln((i + 1/2) / _FALLS)`` in parts of 2**16: what an exponential distribution gives at even chances.
#: Made with `Decimal`, since logarithms of floats differ by machine.
FALLS = np.array(
    [int(-((Decimal(2 * i + 1) / (2 * _FALLS)).ln() * 65536).to_integral_value()) for i in range(_FALLS)],
    np.int64,
)


def chance_of(seed: int, stream: int) -> Chance:
    """A source of chance: every stream of a seed has its own."""
    word = (seed * 0x9E3779B97F4A7C15 + stream * 0xD1B54A32D192ED03 + 0x2545F4914F6CDD1D) % 2**64
    return np.array([word | 1], np.uint64)


@compiled
def below(chance: Chance, count: int) -> int:
    """A number from 0 to ``count - 1`` (xorshift64*, Vigna 2016)."""
    x = chance[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    chance[0] = x
    return int((x * np.uint64(0x2545F4914F6CDD1D)) >> np.uint64(33)) % count


@compiled
def rise(chance: Chance, temperature: int) -> int:
    """How much worse a plan may become at a temperature: exponentially distributed around it."""
    fall = FALLS[below(chance, _FALLS)]
    return int((temperature >> 16) * fall + ((temperature & 65535) * fall >> 16))
