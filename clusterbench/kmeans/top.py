"""The several nearest centroids of each row, in order."""

from __future__ import annotations

import numpy as np

from ..kernels import nearest as kernels
from .certified import Points

#: Rows times centroids whose products are held at a time.
_PAIRS = 1 << 24


def nearest_centroids(rows: np.ndarray, centroids: np.ndarray, n: int) -> np.ndarray:
    """The n nearest of each row by float64 distance, the nearest first: (n_rows, n) int64.

    Of equally near ones the lowest number comes first, so the first column is what a fit assigns.
    rows: (n_rows, dim) float32. centroids: (k, dim) float32, 1 <= n <= k.
    """
    points = Points.of(centroids, np.arange(len(centroids), dtype=np.int32))
    result = np.empty((len(rows), n), dtype=np.int64)
    step = max(1, _PAIRS // len(centroids))
    for start in range(0, len(rows), step):
        x = np.ascontiguousarray(rows[start : start + step])
        scores = points.half - np.matmul(x, points.features.T)
        # Whatever is within the products' error of the n-th lowest score may be among the n.
        error = points.errors(kernels.squared_lengths(x))
        limit = np.partition(scores, n - 1, axis=1)[:, n - 1] + 2.0 * error
        result[start : start + step] = kernels.ranked(scores, limit, x, centroids, n)
    return result
