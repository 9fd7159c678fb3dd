"""Ward's agglomerative clustering, cut at k clusters: a start for few rows a centroid.

Points are merged two by two, always those whose merging raises the summed squared distances least
(Ward 1963). Unlike starts that draw rows, it has seen where all of them lie. Three ways lead there:
`dense` and `exact` to the same tree, `approximate` to one like it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np

from ...cores import one_blas_thread
from ...errors import InputError
from ...kernels import agglomerate as kernels
from ...kernels import nearest
from ...kernels.compiled import with_this_clock
from .near_cells import near_partners
from .ward_lists import Agglomeration

#: Partners that a search keeps, and cells near to a point that are searched.
_NEIGHBORS, _PROBES = 12, 32
#: Points up to which a matrix of their costs is the faster way.
_FEW = 2000
#: Points up to which costs are kept in float64.
_SMALL = 4096
#: Points multiplied at a time.
_TILE = 1024


def ward(
    points: np.ndarray,
    weights: np.ndarray | None,
    n_clusters: int,
    *,
    memory: float = 8e9,
    multiplications: float = 4e12,
    seed: int = 0,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Ward by the way that `plan` says, with the answer and errors of `dense`.

    Args:
        points: as there.
        weights: as there.
        n_clusters: as there.
        memory: as of `plan`.
        multiplications: as of `plan`.
        seed: as of `approximate`; the other ways draw nothing.
        threads: as there.
    """
    n, dim = points.shape
    way = plan(n, dim, memory=memory, multiplications=multiplications)
    if way == "dense":
        return dense(points, weights, n_clusters, threads=threads)
    if way == "exact":
        return exact(points, weights, n_clusters, threads=threads)
    return approximate(points, weights, n_clusters, seed=seed, threads=threads)


def plan(
    n: int, dim: int, *, memory: float = 8e9, multiplications: float = 4e12
) -> Literal["dense", "exact", "approximate"]:
    """Which way to Ward's clusters suits n points.

    Args:
        n: points.
        dim: their dimensions.
        memory: bytes to be taken beside the points at most.
        multiplications: that an exact answer may cost; by default some two minutes on two cores.

    Raises:
        InputError: no way keeps within the memory.
    """
    if n <= _FEW and 8 * n * n + 4 * n * dim <= memory:
        return "dense"
    # Centroids, a copy of the living ones while they are searched, lists and a few numbers.
    needed = n * (8 * dim + 24 * _NEIGHBORS + 200)
    if needed > memory:
        raise InputError(
            f"Ward's method takes {needed / 1e9:.1f} GB for {n} points of {dim} dimensions, more "
            f"than the {memory / 1e9:.1f} GB allowed; allow more, or start from fewer points"
        )
    return "exact" if 2.0 * n * n * dim <= multiplications else "approximate"


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


def exact(
    points: np.ndarray, weights: np.ndarray | None, n_clusters: int, *, threads: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Exact Ward without a matrix, by lists of partners (`ward_lists`).

    Each point, and about each cluster that is merged, is compared with all others once, by
    products: some 2 n^2 dim multiplications, and memory for the points and 400 bytes each.
    Products are in float32: of merges whose costs differ by less than their rounding either may
    come first. Of equally cheap ones it is as `kernels.neighbour_lists` says. Arguments, answer
    and errors as of `dense`.
    """
    return _by_lists(points, weights, n_clusters, None, threads)


def approximate(
    points: np.ndarray,
    weights: np.ndarray | None,
    n_clusters: int,
    *,
    seed: int = 0,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Ward among neighbours: as `exact`, but partners are sought in near cells, once.

    Two clusters are merged only if a point of the one has one of the other on its list; a cluster
    that has none left takes those of the nearest centroids. For points too many to be compared
    with all others. Arguments, answer and errors as of `dense`.

    Args:
        points: as there.
        weights: as there.
        n_clusters: as there.
        seed: of the cells (`near_cells`).
        threads: as there.
    """
    return _by_lists(points, weights, n_clusters, seed, threads)


def _by_lists(
    points: np.ndarray,
    weights: np.ndarray | None,
    n_clusters: int,
    seed: int | None,
    threads: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Exact without a seed."""
    points, weights = _checked(points, weights, n_clusters)
    if n_clusters == len(points):
        none = np.empty(0, dtype=np.int32)
        return _clusters(points, weights, none, none, n_clusters)
    with (
        one_blas_thread(),
        _workers(threads) as pool,
    ):
        run = Agglomeration(
            points, weights, n_neighbors=_NEIGHBORS, exact=seed is None, pool=pool
        )  # fmt: skip
        if seed is not None:
            run.begin(
                near_partners(
                    run.points, weights, run.n_neighbors, n_probes=_PROBES, seed=seed, pool=pool
                )
            )
        first, second = run.merges(n_clusters)
    return _clusters(points, weights, first, second, n_clusters)


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

    with (
        one_blas_thread(),
        _workers(threads) as pool,
    ):
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
    points = np.ascontiguousarray(points, dtype=np.float32)
    largest = float(nearest.squared_lengths(points).max()) * float(weights.max())
    if not 8.0 * largest <= float(np.finfo(np.float32).max):
        raise InputError(
            "the points hold NaN, infinity, or rows too long for their squared distances to be "
            "finite in float32; scale them"
        )
    return points, weights


def _workers(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, threads), initializer=with_this_clock())
