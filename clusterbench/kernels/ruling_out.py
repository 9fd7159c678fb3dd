"""The nearest of points by lower bounds on their distances, the few that pass them looked at whole.

Both the bound and what comes after it, a product of all dimensions, are scores like those of
`nearest`: half a square, less a number of the row.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .compiled import compiled
from .nearest import CHUNK, least, squared_distance


# Its rounding is bounded for every order of the sum, with or without fused additions.
@partial(compiled, fastmath={"reassoc", "contract", "nsz"})
def _dot(x: np.ndarray, c: np.ndarray) -> Any:
    total = np.float32(0.0)
    for j in range(len(x)):
        total += x[j] * c[j]
    return total


@compiled
def _minima(scores: np.ndarray, half: np.ndarray, minima: np.ndarray) -> int:
    """Lowest score of each chunk into `minima`; the number of the lowest of all."""
    k, lowest = len(half), 0
    for chunk in range(len(minima)):
        start = chunk * CHUNK
        if start + CHUNK <= k:
            minima[chunk] = least(scores, half, start)
        else:
            found = np.float32(np.inf)
            for j in range(start, k):
                found = min(found, half[j] - scores[j])
            minima[chunk] = found
        if minima[chunk] < minima[lowest]:
            lowest = chunk
    return lowest


@compiled
def nearest_by_bounds(
    products: np.ndarray,
    half_bound: np.ndarray,
    base_bound: np.ndarray,
    off: np.ndarray,
    wide: float,
    points: np.ndarray,
    half: np.ndarray,
    base: np.ndarray,
    numbers: np.ndarray,
    rows: np.ndarray,
    at: np.ndarray,
    own: np.ndarray,
    squared: np.ndarray,
    nearest: np.ndarray,
    second: np.ndarray,
    low_bound: np.ndarray,
    low: np.ndarray,
) -> tuple[int, int]:
    """Take a tile of products into the nearest of each row.

    With d the distance to the nearest so far, a point is farther than d * wide if its bound's
    score is above ((d * wide + off)^2 + base_bound) / 2, and farther than d if its own score is
    above (d^2 + base) / 2. What passes the first is multiplied, what passes both is compared in
    float64. The point of the lowest bound goes first, so that limits are low when the rest come.

    Args:
        products: (n, k) float32, of what bounds.
        half_bound: (k,) float32; a bound's score is half_bound - product.
        base_bound: (n,) float64.
        off: (n,) float64.
        wide: a little above 1.
        points: (k, dim) float32.
        half: (k,) float32, |c|^2 / 2.
        base: (n,) float64.
        numbers: (k,) int32, the number of each point.
        rows: (n_rows, dim) float32.
        at: (n,) int64, where in them each row is.
        own: (n,) int32, a number passed over.
        squared: (n,) float64, squared distance to the nearest so far; infinity at first.
        nearest: (n,) int32, its number; of equally near ones the lowest.
        second: (n,) float64, lowest squared distance of those compared that are not the nearest.
        low_bound: (n,) float32, lowest bound's score of those that did not pass it.
        low: (n,) float32, lowest score of those that were multiplied, but not compared.

    Returns:
        Pairs multiplied and pairs compared.
    """
    multiplied = compared = 0
    n, k = products.shape
    minima = np.empty((k + CHUNK - 1) // CHUNK, dtype=np.float32)
    for i in range(n):
        scores, row, mine = products[i], rows[at[i]], own[i]
        lowest = _minima(scores, half_bound, minima)
        best, label, runner_up = squared[i], nearest[i], second[i]
        low_here, low_whole = low_bound[i], low[i]
        passes = 0.5 * ((np.sqrt(best) * wide + off[i]) ** 2 + base_bound[i])
        whole_passes = 0.5 * (best * (1.0 + 1e-7) + base[i])
        if best == np.inf:
            for j in range(lowest * CHUNK, min((lowest + 1) * CHUNK, k)):
                if half_bound[j] - scores[j] == minima[lowest]:
                    best = squared_distance(row, points[j])
                    label, mine = numbers[j], numbers[j]
                    compared += 1
                    break
            passes = 0.5 * ((np.sqrt(best) * wide + off[i]) ** 2 + base_bound[i])
            whole_passes = 0.5 * (best * (1.0 + 1e-7) + base[i])
        for step in range(-1, len(minima)):
            chunk = lowest if step < 0 else step
            if step == lowest:
                continue
            if minima[chunk] > passes:
                low_here = min(low_here, minima[chunk])
                continue
            for j in range(chunk * CHUNK, min((chunk + 1) * CHUNK, k)):
                score = half_bound[j] - scores[j]
                if score > passes:
                    low_here = min(low_here, score)
                    continue
                if numbers[j] == mine:
                    continue
                multiplied += 1
                whole = half[j] - _dot(row, points[j])
                if whole > whole_passes:
                    low_whole = min(low_whole, whole)
                    continue
                compared += 1
                distance = squared_distance(row, points[j])
                if distance < best or (distance == best and numbers[j] < label):
                    runner_up, best, label = min(runner_up, best), distance, numbers[j]
                    passes = 0.5 * ((np.sqrt(best) * wide + off[i]) ** 2 + base_bound[i])
                    whole_passes = 0.5 * (best * (1.0 + 1e-7) + base[i])
                else:
                    runner_up = min(runner_up, distance)
        squared[i], nearest[i], second[i] = best, label, runner_up
        low_bound[i], low[i] = low_here, low_whole
    return multiplied, compared
