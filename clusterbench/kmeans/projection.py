"""Rows in their leading principal components: where a start is found at a fraction of the cost.

A start need not be exact, only good; in 128 of 1,280 dimensions it costs a tenth. It must be the
same however rows are cut into shards, though, so the products are made of whole numbers small
enough that float64 sums of them are exact, in any order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..blas import one_blas_thread
from .lloyd import Group
from .seeding import rows_by_number
from .shard import Shard

#: Rows that the components are computed from, at most.
_SAMPLE = 10_000
#: Bits of a feature and of a number of the basis: with 2^16 dimensions a sum has 53.
_ROW_BITS, _BASIS_BITS = 20, 16


@dataclass(frozen=True)
class Projection:
    """A basis of few directions, in whole numbers.

    basis: (dim, n_components) float64, multiples of 1. exponent: rows are rounded to multiples of
    2**-exponent.
    """

    basis: np.ndarray
    exponent: int

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """(n, dim) float32 rows in the basis: (n, n_components) float32, the same bits anywhere."""
        whole = np.rint(rows.astype(np.float64) * math.ldexp(1.0, self.exponent))
        products: np.ndarray = whole @ self.basis
        products *= math.ldexp(1.0, -self.exponent - _BASIS_BITS)
        result: np.ndarray = products.astype(np.float32)
        return result


def principal(
    shard: Shard, group: Group, n_components: int, rng: np.random.Generator
) -> Projection:
    """The leading principal components of a sample of the rows, by eigenvectors."""
    extent = group.extent(shard.extent)
    numbers = np.sort(rng.choice(extent.n, min(extent.n, _SAMPLE), replace=False))
    sample = rows_by_number(shard, group, numbers)
    basis = np.empty((0, shard.dim, n_components))
    if group.rank == 0:  # another machine's eigenvectors might differ in their last bits
        with one_blas_thread():
            centred = sample - sample.mean(axis=0, dtype=np.float64).astype(np.float32)
            vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64))[1]
        leading = vectors[:, ::-1][:, :n_components]
        basis = np.rint(leading * 2.0**_BASIS_BITS)[None]
    basis = group.gather(np.ascontiguousarray(basis))[0]
    exponent = _ROW_BITS - math.frexp(max(extent.largest, 5e-324))[1]
    return Projection(basis, min(exponent, 1000))
