"""The nearest and second nearest of points, from tiles of products; distances in float64.

The products x.c come from a fast routine whose rounding nobody controls; what is decided from
them is decided only where a bound on that rounding leaves no doubt (see `kmeans.certified`).
Half a squared distance, less the row's own |x|^2 / 2, is |c|^2 / 2 - x.c: the score. Low is near.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .compiled import compiled

#: Scores looked at together: a chunk whose least is no news is passed over.
CHUNK = 32


# Only a minimum is taken, of numbers that are no NaN: it is the same in any order.
@partial(compiled, fastmath={"nnan", "nsz"})
def least(products: np.ndarray, half: np.ndarray, start: int) -> Any:
    """Lowest score of the chunk of a row of products that begins at `start`."""
    least = np.float32(np.inf)
    for j in range(start, start + CHUNK):
        score = half[j] - products[j]
        least = score if score < least else least
    return least


@compiled
def two_nearest(
    products: np.ndarray,
    half: np.ndarray,
    numbers: np.ndarray,
    own: np.ndarray,
    best: np.ndarray,
    second: np.ndarray,
    nearest: np.ndarray,
) -> None:
    """Take a tile of products into the two lowest scores of each row.

    Args:
        products: (n, k) float32, x.c.
        half: (k,) float32, |c|^2 / 2.
        numbers: (k,) int32, the number of each point.
        own: (n,) int32, a number passed over in its row; -1 for none.
        best: (n,) float32, lowest score so far; infinity at first.
        second: (n,) float32, second lowest so far.
        nearest: (n,) int32, number of the point of `best`.
    """
    n, k = products.shape
    whole = k - k % CHUNK
    for i in range(n):
        row = products[i]
        low, next_low, mine = best[i], second[i], own[i]
        for start in range(0, whole, CHUNK):
            if least(row, half, start) < next_low:
                for j in range(start, start + CHUNK):
                    score = half[j] - row[j]
                    if score < next_low and numbers[j] != mine:
                        if score < low:
                            next_low, low, nearest[i] = low, score, numbers[j]
                        else:
                            next_low = score
        for j in range(whole, k):
            score = half[j] - row[j]
            if score < next_low and numbers[j] != mine:
                if score < low:
                    next_low, low, nearest[i] = low, score, numbers[j]
                else:
                    next_low = score
        best[i], second[i] = low, next_low


@compiled
def squared_distance(x: np.ndarray, c: np.ndarray) -> float:
    """|x - c|^2 of two (dim,) float32 in float64: the one that decides.

    Eight sums side by side, added in a fixed order: the same bits wherever it is computed.
    """
    dim = len(x)
    a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = 0.0
    whole = dim - dim % 8
    for j in range(0, whole, 8):
        d0 = np.float64(x[j]) - np.float64(c[j])
        d1 = np.float64(x[j + 1]) - np.float64(c[j + 1])
        d2 = np.float64(x[j + 2]) - np.float64(c[j + 2])
        d3 = np.float64(x[j + 3]) - np.float64(c[j + 3])
        d4 = np.float64(x[j + 4]) - np.float64(c[j + 4])
        d5 = np.float64(x[j + 5]) - np.float64(c[j + 5])
        d6 = np.float64(x[j + 6]) - np.float64(c[j + 6])
        d7 = np.float64(x[j + 7]) - np.float64(c[j + 7])
        a0 += d0 * d0
        a1 += d1 * d1
        a2 += d2 * d2
        a3 += d3 * d3
        a4 += d4 * d4
        a5 += d5 * d5
        a6 += d6 * d6
        a7 += d7 * d7
    for j in range(whole, dim):
        d0 = np.float64(x[j]) - np.float64(c[j])
        a0 += d0 * d0
    return ((a0 + a1) + (a2 + a3)) + ((a4 + a5) + (a6 + a7))


@compiled
def distances_to(
    rows: np.ndarray, which: np.ndarray, points: np.ndarray, number: np.ndarray
) -> np.ndarray:
    """Squared distance of some rows to the point of its number each: (m,) float64.

    rows: (n, dim) float32. which: (m,) int64, numbers of rows. points: (k, dim) float32. number:
    (m,) int32.
    """
    result = np.empty(len(which))
    for i in range(len(which)):
        result[i] = squared_distance(rows[which[i]], points[number[i]])
    return result


@compiled
def squared_lengths(rows: np.ndarray) -> np.ndarray:
    """|x|^2 of (n, dim) float32 rows: (n,) float64."""
    result = np.empty(len(rows))
    zero = np.zeros(rows.shape[1], dtype=np.float32)
    for i in range(len(rows)):
        result[i] = squared_distance(rows[i], zero)
    return result


@compiled
def settle(
    products: np.ndarray,
    half: np.ndarray,
    numbers: np.ndarray,
    own: np.ndarray,
    limit: np.ndarray,
    rows: np.ndarray,
    points: np.ndarray,
    squared: np.ndarray,
    nearest: np.ndarray,
) -> int:
    """Compare in float64 all points of a tile that may be the nearest of a row.

    Args:
        products: (n, k) float32, x.c.
        half: (k,) float32, |c|^2 / 2.
        numbers: (k,) int32, number of each point in `points`.
        own: (n,) int32, a number passed over.
        limit: (n,) float64: a point whose score is above it cannot be the nearest.
        rows: (n, dim) float32.
        points: (n_points, dim) float32.
        squared: (n,) float64, squared distance to the nearest so far; infinity at first.
        nearest: (n,) int32, its number; of equally near ones the lowest.

    Returns:
        Pairs compared.
    """
    pairs = 0
    n, k = products.shape
    for i in range(n):
        for j in range(k):
            if half[j] - products[i, j] <= limit[i] and numbers[j] != own[i]:
                distance = squared_distance(rows[i], points[numbers[j]])
                pairs += 1
                nearer = distance < squared[i]
                if nearer or (distance == squared[i] and numbers[j] < nearest[i]):
                    squared[i], nearest[i] = distance, numbers[j]
    return pairs


@compiled
def move(
    sums: np.ndarray,
    weights: np.ndarray,
    rows: np.ndarray,
    row_weight: np.ndarray,
    whole_weight: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    factor: float,
) -> None:
    """Take rows out of the sums of one cluster and add them to those of another.

    Args:
        sums: (k, dim) int64, weighted sums in fixed point; written to.
        weights: (k,) int64, summed weights in fixed point; written to.
        rows: (n, dim) float32.
        row_weight: (n,) float64.
        whole_weight: (n,) int64, the same in fixed point.
        before: (n,) int32, cluster of each row until now; -1 for none.
        after: (n,) int32, its cluster from now on.
        factor: of the sums' fixed point.
    """
    dim = rows.shape[1]
    for i in range(len(rows)):
        old, new = before[i], after[i]
        if old == new:
            continue
        weight = row_weight[i] * factor
        if old >= 0:
            weights[old] -= whole_weight[i]
        weights[new] += whole_weight[i]
        for j in range(dim):
            whole = np.int64(np.rint(np.float64(rows[i, j]) * weight))
            if old >= 0:
                sums[old, j] -= whole
            sums[new, j] += whole


@compiled
def ranked(
    scores: np.ndarray, limit: np.ndarray, rows: np.ndarray, points: np.ndarray, n: int
) -> np.ndarray:
    """The n nearest points of each row in float64 among those whose score is within its limit.

    Args:
        scores: (n_rows, k) float32.
        limit: (n_rows,) float64; at least n scores of a row are within it.
        rows: (n_rows, dim) float32.
        points: (k, dim) float32.
        n: wanted.

    Returns:
        (n_rows, n) int64, nearest first; of equally near ones the lowest number first.
    """
    n_rows, k = scores.shape
    result = np.empty((n_rows, n), dtype=np.int64)
    distances = np.empty(n)
    for i in range(n_rows):
        count = 0
        for j in range(k):
            if scores[i, j] > limit[i]:
                continue
            distance = squared_distance(rows[i], points[j])
            if count == n and distance >= distances[n - 1]:
                continue
            at = min(count, n - 1)
            while at > 0 and distances[at - 1] > distance:
                distances[at] = distances[at - 1]
                result[i, at] = result[i, at - 1]
                at -= 1
            distances[at] = distance
            result[i, at] = j
            count = min(count + 1, n)
    return result
