"""The nearest centroid by a fast product, where a bound on its rounding leaves no doubt.

The score of a centroid is |c|^2 / 2 - x.c, half its squared distance less |x|^2 / 2. A dot product
of n float32 numbers, summed in whatever order, with or without fused additions, is off by at most
gamma_n |x| |c| with gamma_n = n u / (1 - n u), u = 2^-24 (Higham, Accuracy and Stability of
Numerical Algorithms, 2nd ed., eq. 3.5; the sum of |x_i c_i| is at most |x| |c|). So a centroid
whose score is lowest by more than twice that is the nearest in exact arithmetic, too. Rows of
which this cannot be said, a few in a hundred, compare the centroids in question in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..kernels import nearest as kernels

#: Unit roundoff of float32, and its smallest positive number.
_U, _TINY = 2.0**-24, 2.0**-149
#: Centroids multiplied at a time: with a group of rows 4 MB of products, which caches hold.
_TILE = 1024


@dataclass(frozen=True)
class Points:
    """Centroids in an order, ready to be multiplied.

    features: (k, dim) float32. numbers: (k,) int32, of each among all centroids. half: (k,)
    float32, |c|^2 / 2. longest: largest |c|.
    """

    features: np.ndarray
    numbers: np.ndarray
    half: np.ndarray
    longest: float

    @classmethod
    def of(cls, centroids: np.ndarray, numbers: np.ndarray) -> Points:
        """Those of these numbers among (n, dim) float32 centroids."""
        features = np.ascontiguousarray(centroids[numbers])
        squared = kernels.squared_lengths(features)
        half = (squared / 2.0).astype(np.float32)
        return cls(features, numbers, half, float(np.sqrt(squared.max(initial=0.0))))

    def errors(self, lengths: np.ndarray) -> np.ndarray:
        """How far the scores of rows may be off: (n,) float64.

        lengths: (n,) float64, |x|^2.
        """
        n = self.features.shape[1] + 2
        gamma = n * _U / (1.0 - n * _U)
        product = (gamma + 2.0 * _U) * np.sqrt(lengths) * self.longest
        # |c|^2 / 2 is rounded when it is stored and when the product is taken from it; numbers
        # too small for float32 lose at most its smallest one each.
        errors: np.ndarray = product + 3.0 * _U * self.longest**2 / 2.0
        errors *= 1.001
        # Float64 rounds, too: the distance that decides is off by so much itself, where a row and
        # a centroid are of very different lengths.
        errors += (n + 6) * 2.0**-51 * (np.sqrt(lengths) + self.longest) ** 2
        errors += 2.0 * n * _TINY
        return errors


@dataclass(frozen=True)
class Certified:
    """Of each row: its nearest centroid's number, the squared distance, a bound on all others.

    labels: (n,) int32. squared: (n,) float64, as `kernels.nearest.squared_distance` has it.
    others: (n,) float64, no more than the distance to any other centroid that was looked at.
    pairs: compared in float64. multiplied: by the fast routine, in all dimensions.
    """

    labels: np.ndarray
    squared: np.ndarray
    others: np.ndarray
    pairs: int
    multiplied: int


def search(
    x: np.ndarray,
    lengths: np.ndarray,
    own: np.ndarray,
    own_squared: np.ndarray,
    points: Points,
    depth: int,
    centroids: np.ndarray,
) -> Certified:
    """The nearest of each row's own centroid and the first `depth` points.

    Args:
        x: (n, dim) float32 rows, at most a few thousand.
        lengths: (n,) float64, |x|^2.
        own: (n,) int32, number of each row's centroid; -1 for none.
        own_squared: (n,) float64, squared distance to it; infinity for none.
        points: to look at.
        depth: how many of them.
        centroids: (k, dim) float32, all, by number.
    """
    best, second, nearest = _two_nearest(x, own, points, depth)
    error = points.errors(lengths)
    mine = (own_squared - lengths) / 2.0
    stays = best - error > mine
    clear = second > best + 2.0 * error
    moves = ~stays & clear & (best + error < mine)
    unsure = np.flatnonzero(~stays & ~moves)
    moves = np.flatnonzero(moves)
    labels, squared = own.copy(), own_squared.copy()
    labels[moves] = nearest[moves]
    squared[moves] = kernels.distances_to(x, moves, centroids, labels[moves])
    pairs = len(moves)
    if len(unsure):
        limit = np.minimum(best[unsure], mine[unsure]) + 2.0 * error[unsure]
        pairs += _settle(x, own, points, depth, centroids, unsure, limit, labels, squared)
    # Of a row that moved, the others are the one it left and those it did not move to.
    left = labels != own
    runner_up = np.where(left & (labels == nearest), second, best)
    others = at_least(runner_up, error, lengths)
    others[left] = np.minimum(others[left], np.sqrt(own_squared[left]) * (1.0 - 1e-7))
    return Certified(labels, squared, others, pairs, len(x) * depth)


def _two_nearest(
    x: np.ndarray, own: np.ndarray, points: Points, depth: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lowest and second lowest score among the first points, the row's own left out: float64."""
    n = len(x)
    best = np.full(n, np.inf, dtype=np.float32)
    second = np.full(n, np.inf, dtype=np.float32)
    nearest = np.full(n, -1, dtype=np.int32)
    products = np.empty(n * min(_TILE, depth), dtype=np.float32)
    for tile in tiles(depth):
        scores = products[: n * (tile.stop - tile.start)].reshape(n, -1)
        np.matmul(x, points.features[tile].T, out=scores)
        kernels.two_nearest(
            scores, points.half[tile], points.numbers[tile], own, best, second, nearest
        )
    return best.astype(np.float64), second.astype(np.float64), nearest


def _settle(
    x: np.ndarray,
    own: np.ndarray,
    points: Points,
    depth: int,
    centroids: np.ndarray,
    rows: np.ndarray,
    limit: np.ndarray,
    labels: np.ndarray,
    squared: np.ndarray,
) -> int:
    """Decide rows in float64; writes their labels and squared distances, returns the pairs."""
    x, own, decided, distance = x[rows], own[rows], labels[rows], squared[rows]
    pairs = 0
    for tile in tiles(depth):
        scores = np.matmul(x, points.features[tile].T)
        pairs += kernels.settle(
            scores, points.half[tile], points.numbers[tile], own, limit, x, centroids,
            distance, decided,
        )  # fmt: skip
    labels[rows], squared[rows] = decided, distance
    return pairs


def tiles(depth: int) -> list[slice]:
    """Of the first `depth` points, those multiplied at a time."""
    return [slice(a, min(a + _TILE, depth)) for a in range(0, depth, _TILE)]


def at_least(score: np.ndarray, error: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Distances that scores stand for, at least."""
    squared = np.maximum(lengths + 2.0 * (score - error), 0.0)
    distances: np.ndarray = np.sqrt(squared) * (1.0 - 1e-7)
    return distances
