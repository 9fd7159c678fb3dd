"""Linear generalisation: whether a linear classifier taught on clusters finds them again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..cores import one_blas_thread
from ..errors import InputError
from ..estimator import positive_int
from ..kmeans.row_sources import Rows
from ..kmeans.row_totals import total
from ..kmeans.top import nearest_centroids
from .partitions import Partition
from .spaces import cluster_sums, sums_of_all

#: Share of the mean variance that is added to each dimension's: fixed, chosen by no data.
_RIDGE = 0.1


@dataclass(frozen=True, eq=False)
class FoldedSpace:
    """A space in which classifiers are taught without a fold and asked for it.

    Attributes:
        rows: all rows.
        parts: for each fold the (m_f,) ascending numbers of its rows.
        means: for each fold the (dim,) float64 mean of the other rows.
        whitening: for each fold a (dim, dim) float64 matrix, by which the other rows, centred, have
            about the identity for their covariance.
        asked: for each fold its (m_f, dim) float32 rows, centred and whitened.
    """

    rows: Rows
    parts: list[np.ndarray]
    means: list[np.ndarray]
    whitening: list[np.ndarray]
    asked: list[np.ndarray]

    @classmethod
    def of(cls, rows: Rows, numbers: np.ndarray, folds: int, random_state: int) -> FoldedSpace:
        """Folds drawn by a seed.

        Cost: dim^2 operations a row and 10 dim^3 a fold, once for all candidates. Memory: 8 dim^2
        bytes for each fold, and the rows in `numbers` once.

        Args:
            rows: all rows.
            numbers: (m,) ascending, those that are asked for: folds are of these, and the rest is
                taught always.
            folds: how many; fewer where there are fewer rows.
            random_state: seed of the draw.

        Raises:
            InputError: fewer than two folds.
        """
        if positive_int("folds", folds) < 2:
            raise InputError("folds=1 leaves nothing to teach; give 2 or more")
        order = np.random.default_rng(random_state).permutation(numbers)
        parts = [np.sort(part) for part in np.array_split(order, min(folds, len(order)))]
        moments = total(rows, _moments)
        means, whitening, asked = [], [], []
        for part in parts:
            own = rows.take(part).astype(np.float64)
            with one_blas_thread():  # so that threads change nothing
                left = (moments - _moments(own)) / max(rows.n - len(part), 1)
                mean = left[-1]
                means.append(mean)
                whitening.append(_whitened(left[:-1], mean))
                asked.append(((own - mean) @ whitening[-1]).astype(np.float32))
        return cls(rows, parts, means, whitening, asked)


def generalisation(space: FoldedSpace, found: Partition) -> float:
    """Accuracy on rows held out of a linear classifier taught on the clusters, balanced.

    TURTLE's rule (Gadetsky et al., ICML 2024): labels that a linear classifier cannot learn from
    some rows for the others are no classes. Its logistic regression is out of reach at ten thousand
    clusters; here a row goes to the nearest mean of the clusters' other rows, after the covariance
    of all of them has been made the identity, a tenth of the mean variance added to it (linear
    discriminant analysis with equal priors and the total covariance, which has a closed form).

    Accuracy is balanced over the clusters, so that large ones do not decide, and adjusted for
    chance, (accuracy - 1/k) / (1 - 1/k) of k used clusters. Still it rises as clusters are merged:
    compare at an equal number of used clusters, or as `choose` does. A row alone in its cluster is
    not found again. NaN where there is but one cluster.

    Cost: a pass over the rows, and for each fold the means whitened, 2 K dim^2 operations, and the
    distances of its rows to them, 2 K dim a row: those of all rows asked for are an assignment of
    k-means. Memory: 24 K dim bytes.
    """
    k = found.n_used
    if k < 2:
        return float("nan")
    sums, right, asked = sums_of_all(space.rows, found), np.zeros(k), np.zeros(k)
    for part, mean, whitening, rows in zip(
        space.parts, space.means, space.whitening, space.asked, strict=True
    ):
        own = found.labels[part]
        count = np.bincount(own, minlength=k)
        left = found.sizes - count
        known = np.flatnonzero(left)
        asked += count
        if not len(known):
            continue
        # The fold's rows are whitened already: their sums are taken off after whitening.
        with one_blas_thread():
            taught = (sums - found.sizes[:, None] * mean) @ whitening - cluster_sums(rows, own, k)
        means = (taught[known] / left[known, None]).astype(np.float32)
        said = known[nearest_centroids(rows, means, 1)[:, 0]]
        right += np.bincount(own[said == own], minlength=k)
    balanced = float((right[asked > 0] / asked[asked > 0]).mean())
    return (balanced - 1.0 / k) / (1.0 - 1.0 / k)


def _moments(rows: np.ndarray) -> np.ndarray:
    """Products of the dimensions of (m, dim) float64 rows, and sums: (dim + 1, dim)."""
    return np.vstack([rows.T @ rows, rows.sum(axis=0)])


def _whitened(moments: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """A matrix T with T T' the inverse of a covariance and its ridge.

    Args:
        moments: (dim, dim) mean products of the dimensions.
        mean: (dim,).
    """
    dim = len(mean)
    covariance = moments - np.outer(mean, mean)
    # Of rows that are all alike the covariance is the rounding of the products, of any sign.
    rounding = 64 * np.finfo(np.float64).eps * float(np.trace(moments))
    ridge = max(_RIDGE * float(np.trace(covariance)) / dim, rounding) or 1.0
    from scipy import linalg

    lower = np.linalg.cholesky(covariance + ridge * np.eye(dim))
    whitening: np.ndarray = linalg.solve_triangular(lower, np.eye(dim), lower=True).T
    return whitening
