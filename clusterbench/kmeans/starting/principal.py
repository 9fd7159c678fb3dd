"""The directions in which rows differ most."""

from __future__ import annotations

import math

import numpy as np

from ...cores import one_blas_thread
from ..lloyd import Group
from ..projection import BASIS_BITS, ROW_BITS, Projection
from ..shard import RowShard
from .seeding import rows_by_number

#: Rows that the components are computed from, at most.
_SAMPLE = 10_000


def principal(
    shard: RowShard, group: Group, n_components: int, rng: np.random.Generator
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
        basis = np.rint(leading * 2.0**BASIS_BITS)[None]
    basis = group.gather(np.ascontiguousarray(basis))[0]
    exponent = ROW_BITS - math.frexp(max(extent.largest, 5e-324))[1]
    return Projection(basis, min(exponent, 1000))
