"""Pairs of samples, counted in exact integers."""

from __future__ import annotations

import numpy as np

from .compiled import compiled

_LOW = 32  # bits of the low half of a split sum


def pairs_within(counts: np.ndarray) -> int:
    """Number of unordered pairs inside groups of these sizes: the sum of n (n - 1) / 2.

    The sum is kept in two 64-bit halves and joined as a Python int, so that it is exact for any
    number of samples.

    Args:
        counts: (n_groups,) int64, 0 <= counts < 2**32.
    """
    high, low = _pairs(np.ascontiguousarray(counts, dtype=np.int64))
    return (int(high) << _LOW) + int(low)


@compiled
def _pairs(counts: np.ndarray) -> tuple[int, int]:
    high, low = 0, 0
    for count in counts:
        pairs = (count >> 1) * ((count - 1) | 1)  # one factor is even: halve it before multiplying
        high += pairs >> _LOW
        low += pairs & ((1 << _LOW) - 1)
    return high, low
