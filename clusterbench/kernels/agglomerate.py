"""Ward's method on a stored matrix: the chain of nearest neighbours, and the cut of its tree.

The cost of merging clusters a and b of weights w and centroids c is
w_a w_b / (w_a + w_b) |c_a - c_b|^2, by which the summed squared distances to centroids rise (Ward
1963). It is reducible: a merged cluster is no cheaper for a third one than the cheaper of its two
parts was. So two clusters, each the other's cheapest, may be merged at any time (Murtagh 1983),
and the tree is the same.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .compiled import compiled

#: Costs looked at together: a chunk whose least is no news is passed over.
_CHUNK = 64


@compiled
def put_costs(
    products: np.ndarray,
    squared: np.ndarray,
    weights: np.ndarray,
    costs: np.ndarray,
    rows: int,
    columns: int,
) -> None:
    """Costs of merging two points from a tile of products, put on both sides of the diagonal.

    Args:
        products: (p, q) floats, x.y of points `rows`... and `columns`...
        squared: (n,) float64, |x|^2.
        weights: (n,) float64.
        costs: (n, n) floats; written to above the diagonal and mirrored.
        rows: number of the first point of the tile's rows.
        columns: of its columns.
    """
    p, q = products.shape
    for i0 in range(0, p, 32):
        for j0 in range(0, q, 32):
            for i in range(i0, min(i0 + 32, p)):
                a = rows + i
                for j in range(max(j0, a + 1 - columns), min(j0 + 32, q)):
                    b = columns + j
                    distance = max(squared[a] + squared[b] - 2.0 * products[i, j], 0.0)
                    cost = weights[a] * weights[b] / (weights[a] + weights[b]) * distance
                    costs[a, b] = cost
                    costs[b, a] = costs[a, b]


# Only a minimum is taken, of numbers that are no NaN: it is the same in any order.
@partial(compiled, fastmath={"nnan", "nsz"})
def _least(costs: np.ndarray, gone: np.ndarray, start: int, stop: int) -> Any:
    least = gone[start] + costs[start]
    for j in range(start + 1, stop):
        cost = gone[j] + costs[j]
        least = cost if cost < least else least
    return least


@compiled
def _cheapest(costs: np.ndarray, gone: np.ndarray) -> int:
    """Lowest number of the least cost of a row, of those that are not gone."""
    n = len(costs)
    best, chunk = np.inf, 0
    for start in range(0, n, _CHUNK):
        least = _least(costs, gone, start, min(start + _CHUNK, n))
        if least < best:
            best, chunk = least, start
    for j in range(chunk, min(chunk + _CHUNK, n)):
        if costs[j] + gone[j] == best:
            return j
    return -1


@compiled
def _merged_row(
    first: np.ndarray, second: np.ndarray, weights: np.ndarray, a: float, b: float, cost: float
) -> None:
    """Costs of the merged cluster to all others (Lance and Williams 1967), written to `first`."""
    for i in range(len(first)):
        w = weights[i]
        first[i] = max(
            ((a + w) * first[i] + (b + w) * second[i] - w * cost) / (a + b + w), 0.0
        )  # fmt: skip


@compiled
def chain(
    costs: np.ndarray,
    weights: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    heights: np.ndarray,
) -> None:
    """All merges of Ward's tree, each after those it is made of.

    Of equally cheap partners the one the chain came from, else the lowest number.

    Args:
        costs: (n, n) floats, symmetric, the diagonal infinite; destroyed.
        weights: (n,) float64; destroyed.
        first: (n - 1,) int32, a point of the one cluster; written to.
        second: (n - 1,) int32, a point of the other; written to.
        heights: (n - 1,) float64, costs, none below those of its parts; written to.
    """
    n = len(weights)
    gone = np.zeros(n, dtype=costs.dtype)
    height = np.zeros(n)
    path = np.empty(n, dtype=np.int32)
    length, lowest = 0, 0
    for merge in range(n - 1):
        if length == 0:
            while gone[lowest] != 0:
                lowest += 1
            path[0], length = lowest, 1
        while True:
            a = path[length - 1]
            b = _cheapest(costs[a], gone)
            if length > 1 and costs[a, path[length - 2]] <= costs[a, b]:
                b = path[length - 2]
                break
            path[length] = b
            length += 1
        length -= 2
        if a > b:
            a, b = b, a
        cost = costs[a, b]
        first[merge], second[merge] = a, b
        heights[merge] = max(cost, height[a], height[b])
        height[a] = heights[merge]
        _merged_row(costs[a], costs[b], weights, weights[a], weights[b], np.float64(cost))
        costs[a, a] = np.inf
        gone[b] = np.inf
        weights[a] += weights[b]
        for i in range(n):
            if gone[i] == 0:
                costs[i, a] = costs[a, i]


@compiled
def components(n: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Which points pairs of points connect: (n,) int32, numbered by their lowest points."""
    parent = np.arange(n, dtype=np.int32)
    for i in range(len(first)):
        a, b = _root(parent, first[i]), _root(parent, second[i])
        parent[max(a, b)] = min(a, b)
    labels = np.empty(n, dtype=np.int32)
    count = 0
    for i in range(n):
        root = _root(parent, i)
        if root == i:
            labels[i] = count
            count += 1
        else:
            labels[i] = labels[root]
    return labels


@compiled
def _root(parent: np.ndarray, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@compiled
def weighted_means(
    points: np.ndarray, weights: np.ndarray, labels: np.ndarray, k: int
) -> np.ndarray:
    """Weighted mean of each cluster, added up in float64 by number: (k, dim) float32.

    points: (n, dim) float32. weights: (n,) float64. labels: (n,) int32 in [0, k), none missing.
    """
    dim = points.shape[1]
    sums, total = np.zeros((k, dim)), np.zeros(k)
    for i in range(len(points)):
        label = labels[i]
        total[label] += weights[i]
        for j in range(dim):
            sums[label, j] += weights[i] * points[i, j]
    result = np.empty((k, dim), dtype=np.float32)
    for c in range(k):
        for j in range(dim):
            result[c, j] = sums[c, j] / total[c]
    return result
