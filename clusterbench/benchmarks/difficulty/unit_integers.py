"""Features as integer directions: what makes products exact, whatever the order of their sums.

A feature becomes a vector of integers of norm 4000. Products and partial sums of such vectors are
integers too; where they stay below 2^24 (float32) or 2^53 (float64), a matrix product rounds
nothing, so BLAS, threads, instruction sets and devices have no say in its result. The rounding
itself adds no order either: the squared norm it divides by is a sum of integers.
"""

from __future__ import annotations

import math

import numpy as np

from ...errors import InputError

NORM = 4000
"""Norm of the integers before they are rounded."""
MAX_NORM = 4096
"""Norm of the integers after: 4000 + sqrt(dim) / 2 <= 4096 up to dim 36,864."""
_MAX_DIM = 4 * (MAX_NORM - NORM) ** 2
_BITS = 22  # of the largest number of a row, before its norm is taken
_BLOCK_NUMBERS = 1 << 20
_LEAST_DEVIATION = 1e-3  # of the largest; dimensions that hardly move are not blown up


def unit_integers(features: np.ndarray, *, allow_zero: bool = False) -> np.ndarray:
    """(n, dim) float32 of integers: the rows of `features`, scaled to norm 4000 and rounded.

    features: (n, dim) real numbers. allow_zero: leave a row of zeros as it is.
    Raises InputError for a feature that is not finite, a zero one unless allowed, and
    dim > 36,864.
    """
    n, dim = features.shape
    if dim > _MAX_DIM:
        raise InputError(f"dim={dim} should be <= {_MAX_DIM} for exact similarities")
    out = np.zeros(features.shape, dtype=np.float32)
    step = max(1, _BLOCK_NUMBERS // max(dim, 1))
    for start in range(0, n, step):
        block = features[start : start + step].astype(np.float64)
        largest = np.abs(block).max(axis=1, initial=0)
        bad = ~np.isfinite(largest) | ((largest == 0) & (not allow_zero))
        if bad.any():
            raise InputError(
                f"the features of sample {start + int(np.argmax(bad))} are zero or not finite; "
                "a cosine needs a direction"
            )
        _, exponent = np.frexp(largest)
        # Powers of two: exact. Two steps, since one factor could be beyond the largest float.
        block = np.ldexp(np.ldexp(block, -exponent[:, None]), _BITS)
        integers = np.rint(block).astype(np.int64)
        squared = np.square(integers).sum(axis=1)
        norm = np.sqrt(np.maximum(squared, 1).astype(np.float64))
        out[start : start + step] = np.rint(integers * (NORM / norm)[:, None])
    return out


def scaled_unit_integers(
    integers: np.ndarray, fitted: np.ndarray, wanted: np.ndarray | None = None
) -> np.ndarray:
    """(m, dim) float32 of integers: `unit_integers` of the wanted rows, centred and scaled.

    integers: (n, dim) as `unit_integers` gives. fitted: (n,) bool, at least one true. wanted: (n,)
    bool, m of them true; None for all. From each dimension the mean of the fitted rows is taken
    off, and the rest is divided by the square root of their standard deviation: half-way to
    dimensions of equal spread, which a descent needs fewer steps for. A row that is the mean
    itself stays zero.
    """
    n_fitted = int(fitted.sum())
    dim = integers.shape[1]
    total, squared = np.zeros(dim, dtype=np.int64), np.zeros(dim, dtype=np.int64)
    step = max(1, _BLOCK_NUMBERS // max(dim, 1))
    for start in range(0, len(integers), step):
        block = integers[start : start + step][fitted[start : start + step]].astype(np.int64)
        total += block.sum(axis=0)
        squared += np.square(block).sum(axis=0)
    scale = _square_root_of_deviation(n_fitted, total.tolist(), squared.tolist())
    rows = np.arange(len(integers)) if wanted is None else np.flatnonzero(wanted)
    out = np.empty((len(rows), dim), dtype=np.float32)
    for start in range(0, len(rows), step):
        block = integers[rows[start : start + step]].astype(np.int64) * n_fitted - total
        out[start : start + step] = unit_integers(block / scale, allow_zero=True)
    return out


def _square_root_of_deviation(n: int, total: list[int], squared: list[int]) -> np.ndarray:
    """(dim,) float64 > 0: square roots of n times the standard deviations, small ones raised.

    In Python's integers, since n^2 times a variance may exceed 64 bits.
    """
    deviation = np.array([math.sqrt(n * s - t * t) for s, t in zip(squared, total, strict=True)])
    largest = deviation.max(initial=0)
    return np.sqrt(np.maximum(deviation, largest * _LEAST_DEVIATION)) if largest else deviation + 1
