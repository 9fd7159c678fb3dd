"""Indices of a partition by the means of its clusters, in one or in several feature spaces."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from ..errors import InputError
from ..kernels.nearest import distances_to
from ..kmeans.row_sources import Rows
from ..kmeans.top import nearest_centroids
from .partitions import Partition
from .spaces import blocks, cluster_sums, sums_of_all

#: How an index in several spaces becomes one.
Pooling = Literal["rank", "standardize"]
#: Rows whose two nearest means are sought at a time.
_BLOCK = 8192


def silhouette(rows: Rows, found: Partition, numbers: np.ndarray) -> float:
    """Simplified silhouette (Hruschka, de Castro & Campello 2004) of a partition, in [-1, 1].

    The mean over rows of `silhouettes`, with the means of the clusters for centroids. The full
    silhouette compares all pairs of rows. NaN where there is but one cluster.

    Cost: a pass over the rows, and the distances of the rows in `numbers` to all means, 2 K dim
    operations each: an assignment of k-means. Memory: 8 K dim bytes, and blocks.

    Args:
        rows: of all rows.
        found: their partition.
        numbers: (m,) ascending, the rows whose silhouettes are averaged.
    """
    if found.n_used < 2:
        return float("nan")
    means = (sums_of_all(rows, found) / found.sizes[:, None]).astype(np.float32)
    total = 0.0
    for start in range(0, len(numbers), _BLOCK):
        which = numbers[start : start + _BLOCK]
        block = rows.take(which)
        total += float(silhouettes(block, found.labels[which], means, found.sizes).sum())
    return total / len(numbers)


def silhouettes(
    rows: np.ndarray, own: np.ndarray, centroids: np.ndarray, sizes: np.ndarray
) -> np.ndarray:
    """(b - a) / max(a, b) of each row: (m,) float64.

    a is the distance to the row's own centroid without the row, which is that to the centroid
    times s / (s - 1) in a cluster of s rows, and b the distance to the nearest other centroid. A
    row alone in its cluster counts 0.

    Args:
        rows: (m, dim) float32.
        own: (m,) integers, the cluster of each row.
        centroids: (k, dim) float32, k >= 2.
        sizes: (k,) rows of each cluster.
    """
    near, every = nearest_centroids(rows, centroids, 2), np.arange(len(rows))
    other = np.where(near[:, 0] == own, near[:, 1], near[:, 0])
    a, b = (
        np.sqrt(distances_to(rows, every, centroids, which.astype(np.int32)))
        for which in (own, other)
    )
    n = sizes[own]
    a *= n / np.maximum(n - 1, 1)
    larger = np.maximum(a, b)
    counted = (n > 1) & (larger > 0)
    result = np.zeros(len(rows))
    result[counted] = (b - a)[counted] / larger[counted]
    return result


def calinski_harabasz(rows: Rows, found: Partition) -> float:
    """(B / (k - 1)) / (W / (n - k)) of k clusters (Caliński & Harabasz 1974), at least 0.

    W are the squared distances of rows to their clusters' means, B those of the means to the mean
    of all, by rows. NaN where there is but one cluster, or one of each row. It prefers few
    clusters of like sizes: compare candidates that use about as many.

    Cost: one pass over the rows, 2 dim operations each, whatever K. Memory: 8 K dim bytes.
    """
    k, n = found.n_used, found.n
    if k < 2 or k >= n:
        return float("nan")
    sums, squared = np.zeros((k, rows.dim)), 0.0
    for start, block in blocks(rows):
        squared += float(np.einsum("ij,ij->", block, block, dtype=np.float64))
        sums += cluster_sums(block, found.labels[start : start + len(block)], k)
    of_means = float((np.einsum("ij,ij->i", sums, sums) / found.sizes).sum())
    whole = sums.sum(axis=0)
    within = max(squared - of_means, 0.0)
    between = max(of_means - float(whole @ whole) / n, 0.0)
    # What is left of float32 rows that are all their clusters' means is rounding.
    if within <= 1e-12 * squared:
        return float("inf")
    return between / (k - 1) / (within / (n - k))


def pooled(values: np.ndarray, by: Pooling = "rank") -> np.ndarray:
    """One score of each candidate, of an index in several spaces: (m,) float64.

    A partition is never judged in its own space alone, where it looks best: each candidate is
    looked at in each space, and what the spaces say is averaged (ACE, arXiv 2403.14830, where
    pooling raised the correlation of Calinski-Harabasz with NMI from .02 to .77).

    Args:
        values: (n_spaces, m), more is better; NaN in all spaces for a candidate that is out.
        by: "rank" averages ranks among the candidates, equal ones sharing theirs; "standardize"
            averages values at mean 0 and deviation 1 over the candidates. Of one space the values
            are left as they are.

    Raises:
        InputError: another rule.
    """
    if by not in get_args(Pooling):
        raise InputError(f"pool={by!r} should be rank or standardize")
    scores = np.full(values.shape[1], np.nan)
    usable = ~np.isnan(values).any(axis=0)
    if len(values) == 1 or not usable.any():
        return values[0] if len(values) == 1 else scores
    if by == "rank":
        from scipy.stats import rankdata

        levels = np.array([rankdata(row[usable]) for row in values])
    else:
        levels = np.array([_standardized(row[usable]) for row in values])
    scores[usable] = levels.mean(axis=0)
    return scores


def _standardized(row: np.ndarray) -> np.ndarray:
    """At mean 0 and deviation 1; infinities count as the largest finite value."""
    finite = row[np.isfinite(row)]
    row = np.minimum(row, finite.max() if len(finite) else 0.0)
    deviation = row.std()
    result: np.ndarray = (row - row.mean()) / (deviation if deviation > 0 else 1.0)
    return result
