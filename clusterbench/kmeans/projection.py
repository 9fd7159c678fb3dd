"""Rows in their leading principal components: where a start is found at a fraction of the cost.

A start need not be exact, only good; in 128 of 1,280 dimensions it costs a tenth. It must be the
same however rows are cut into shards, though, so the products are made of whole numbers small
enough that float64 sums of them are exact, in any order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

#: Bits of a feature and of a number of the basis: with 2^16 dimensions a sum has 53.
ROW_BITS, BASIS_BITS = 20, 16


@dataclass(frozen=True)
class Projection:
    """A basis of few directions, in whole numbers.

    basis: (dim, n_components) float64, multiples of 1. exponent: rows are rounded to multiples of
    2**-exponent.
    """

    basis: np.ndarray
    exponent: int

    @property
    def factors(self) -> tuple[float, float]:
        """What rows are multiplied by before they are rounded, and their products after."""
        return math.ldexp(1.0, self.exponent), math.ldexp(1.0, -self.exponent - BASIS_BITS)

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """(n, dim) float32 rows in the basis: (n, n_components) float32, the same bits anywhere."""
        factor, back = self.factors
        products: np.ndarray = np.rint(rows.astype(np.float64) * factor) @ self.basis
        products *= back
        result: np.ndarray = products.astype(np.float32)
        return result
