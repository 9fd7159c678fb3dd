"""Ward's agglomerative clustering, cut at k clusters: a start for few rows a centroid.

Points are merged two by two, always those whose merging raises the summed squared distances least
(Ward 1963). Unlike starts that draw rows it has seen where all of them lie.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..blas import one_blas_thread
from ..errors import InputError
from ..kernels import agglomerate as kernels
from ..kernels import nearest

#: Points up to which costs are kept in float64.
_SMALL = 4096
#: Points multiplied at a time.
_TILE = 1024


def dense(
    points: np.ndarray, weights: np.ndarray | None, n_clusters: int, *, threads: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Exact Ward on a matrix of all costs: 4 n^2 bytes, 8 n^2 up to 4,096 points.

    The tree is that of `scipy.cluster.hierarchy.linkage(points, "ward")`; of equally cheap merges
    the one of the lower numbers. The same answer in any number of threads.

    Args:
        points: (n, dim) float32.
        weights: (n,) float64 > 0; None weighs all alike.
        n_clusters: from 1 to n.
        threads: that compute side by side.

    Returns:
        labels: (n,) int32 in [0, n_clusters), numbered by the clusters' first points.
        centroids: (n_clusters, dim) float32, weighted means.

    Raises:
        InputError: weights or a number of clusters that cannot be.
    """
    points, weights = _checked(points, weights, n_clusters)
    first, second, heights = tree(points, weights, threads=threads)
    lowest = np.argsort(heights, kind="stable")[: len(points) - n_clusters]
    return _clusters(points, weights, first[lowest], second[lowest], n_clusters)


def tree(
    points: np.ndarray, weights: np.ndarray, *, threads: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All n - 1 merges, each after those it is made of.

    Returns:
        first, second: (n - 1,) int32, a point of each of the two clusters.
        heights: (n - 1,) float64, costs; SciPy's height is the square root of twice that.
    """
    n = len(points)
    dtype = np.float64 if n <= _SMALL else np.float32
    costs = np.empty((n, n), dtype=dtype)
    np.fill_diagonal(costs, np.inf)
    # Distances do not change, and their rounding is that of the spread, not of the mean.
    centred = points - np.average(points, axis=0, weights=weights).astype(np.float32)
    squared = nearest.squared_lengths(centred)
    centred = centred.astype(dtype, copy=False)
    starts = range(0, n, _TILE)

    def fill(tile: tuple[int, int]) -> None:
        a, b = tile
        products = centred[a : a + _TILE] @ centred[b : b + _TILE].T
        kernels.put_costs(products, squared, weights, costs, a, b)

    with one_blas_thread(), ThreadPoolExecutor(max(1, threads)) as pool:
        for _ in pool.map(fill, [(a, b) for a in starts for b in starts if b >= a]):
            pass
    first, second = np.empty(n - 1, dtype=np.int32), np.empty(n - 1, dtype=np.int32)
    heights = np.empty(n - 1)
    kernels.chain(costs, weights.copy(), first, second, heights)
    return first, second, heights


def _clusters(
    points: np.ndarray, weights: np.ndarray, first: np.ndarray, second: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Labels and centroids after n - k merges."""
    labels = kernels.components(len(points), first, second)
    return labels, kernels.weighted_means(points, weights, labels, k)


def _checked(
    points: np.ndarray, weights: np.ndarray | None, n_clusters: int
) -> tuple[np.ndarray, np.ndarray]:
    n = len(points)
    if not 1 <= n_clusters <= n:
        raise InputError(f"n_clusters={n_clusters} should be from 1 to the {n} points")
    if weights is None:
        weights = np.ones(n)
    weights = np.ascontiguousarray(weights, dtype=np.float64)
    if weights.shape != (n,):
        raise InputError(f"weights of shape {weights.shape} should be one for each of {n} points")
    usable = np.isfinite(weights) & (weights > 0)
    if not usable.all():
        at = int(np.flatnonzero(~usable)[0])
        raise InputError(f"weight {weights[at]} of point {at} should be above 0; leave it out")
    return np.ascontiguousarray(points, dtype=np.float32), weights
