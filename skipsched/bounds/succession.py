"""Microbatches in succession: slots make some of them wait until others are through.

Let a node have M slots, and let W > M microbatches each hold one from the start of their F to the end of
their B there. In the order in which the node works, at least j - M backwards precede the j-th forward, or
there would be no slot for it. Take an L with ``2 <= L <= ceil(W / M)``, and let ``i = (L - 2) * M + 1``. Then
there are L microbatches of which each begins after the one before it has ended:

* The last is the one whose F is the node's last. At least W - M backwards precede that F. Of their first i,
  take the microbatch that begins last: it is the one before. Its F is the node's i-th or a later one, so
  that, if ``i > M``, at least ``i - M`` backwards precede it; and so on, L - 1 times, until i is 1.
* Between the i-th B and the last F lie the backwards from there to the (W - M)-th, and as many forwards: the
  (i + M)-th and all after it cannot come before the i-th B. Each takes its time and the overhead.

With residences r from F to B, the overhead o, and ``step = F + B + 2 * o``, the last of the L ends no earlier
than

    (sum of the L residences) + (L - 1) * o + (W - M - i) * step.

With W = 2M, L = 2 and equal r that is ``2 * r + o + (M - 1) * step``: the first microbatches may begin close
one after the other, but the next ones only as far apart as the node takes to end one and begin another.

Without F, B and overhead a node could end one and begin another at once, in whatever order: then nothing is
said.
"""

from __future__ import annotations

from typing import Any, TypeVar

from numpy.typing import NDArray

#: Of one node, or of many.
_Figure = TypeVar("_Figure", int, NDArray[Any])


def successive(count: int, slots: int, residence: int, step: int, overhead: int) -> int:
    """How many microbatches in succession say the most, if all have the same residence: L above.

    Returns
    -------
    int
        The fewest or the most that there can be, since the sum changes evenly from one number to the next;
        0 if each microbatch has a slot of its own.
    """
    if count <= slots or step == 0:
        return 0
    return -(-count // slots) if residence + overhead >= slots * step else 2


def between(count: _Figure, slots: _Figure, length: _Figure, step: _Figure, overhead: int) -> _Figure:
    """Microseconds that a succession takes besides its residences.

    Parameters
    ----------
    count, slots, length, step, overhead
        W, M, L, F + B + 2 * o and o.
    """
    rest: _Figure = (length - 1) * overhead + (count - (length - 1) * slots - 1) * step
    return rest


def successive_within(time: int, slots: int, residence: int, step: int, overhead: int) -> int:
    """The most microbatches of which no succession takes longer than a time.

    Parameters
    ----------
    time
        At least the residence.
    residence
        Of each of them.
    step
        Positive.
    """
    longest = (time + overhead) // (residence + overhead)
    if longest < 2:
        return slots
    if residence + overhead >= slots * step:
        left = time - longest * residence - (longest - 1) * overhead
        return (longest - 1) * slots + min(slots, 1 + left // step)
    return slots + 1 + (time - 2 * residence - overhead) // step
