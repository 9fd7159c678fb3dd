"""Sums that do not depend on their order: of whole numbers, in place of floats.

A float32 feature times a power of two, rounded, is a whole number; int64 sums of such numbers are
exact, so threads, processes and devices may add in any order, take back what they added, and come
to the same bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

#: Bits that a sum may take of the 63 of an int64.
_BITS = 61


@dataclass(frozen=True)
class FixedPoint:
    """Numbers as multiples of 2**-exponent."""

    exponent: int

    @classmethod
    def for_sums(cls, largest: float, n: float) -> FixedPoint:
        """The finest in which sums of n numbers of at most `largest` fit an int64.

        At ImageNet-21K's size and for unit rows a number keeps 37 bits behind the point; a
        float32 has 24.
        """
        room = math.frexp(max(largest, 5e-324) * max(n, 1.0))[1]
        return cls(min(_BITS - room, 1000))  # 2**exponent stays a float64

    @property
    def factor(self) -> float:
        """What a number is multiplied by."""
        return math.ldexp(1.0, self.exponent)

    def whole(self, numbers: np.ndarray) -> np.ndarray:
        """Float64 numbers as int64, rounded to even."""
        return np.rint(numbers * self.factor).astype(np.int64)

    def real(self, whole: np.ndarray | int) -> np.ndarray:
        """The float64 numbers nearest to int64 ones, scaled back."""
        return np.asarray(whole, dtype=np.float64) * math.ldexp(1.0, -self.exponent)
