"""Graphs of neighbours by loops: dense, in float64, nothing clever."""

from __future__ import annotations

import numpy as np


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows at length 1, in float64; rows of zeros stay."""
    rows = rows.astype(np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)


def nearest(queries: np.ndarray, base: np.ndarray, k: int, same: bool) -> list[list[int]]:
    """The k most similar rows of `base` of each, without itself where they are the same rows."""
    a, b = unit(queries), unit(base)
    found = []
    for i in range(len(a)):
        cosines = [float(a[i] @ b[j]) for j in range(len(b))]
        others = [j for j in range(len(b)) if not (same and i == j)]
        found.append(sorted(others, key=lambda j: -cosines[j])[:k])
    return found


def smoothed(
    train: np.ndarray, new: np.ndarray, k: int, rounds: int, mutual: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Training rows and new rows averaged as `SmoothedKMeans` says, of unit rows."""
    of_train, of_new = nearest(train, train, k, True), nearest(new, train, k, False)
    below, mine = unit(train), unit(new)
    kth = [below[i] @ below[of_train[i][-1]] for i in range(len(train))]
    if mutual:
        of_new = [
            [j for j in near if mine[i] @ below[j] >= kth[j]] for i, near in enumerate(of_new)
        ]
        of_train = [[j for j in near if i in of_train[j]] for i, near in enumerate(of_train)]
    for _ in range(rounds):
        mine = unit(
            np.stack([mine[i] + sum(below[j] for j in near) for i, near in enumerate(of_new)])
        )
        below = unit(
            np.stack([below[i] + sum(below[j] for j in near) for i, near in enumerate(of_train)])
        )
    return below, mine


def adjacency(rows: np.ndarray, k: int) -> np.ndarray:
    """(A + A^T) / 2, dense."""
    one_way = np.zeros((len(rows), len(rows)))
    for i, near in enumerate(nearest(rows, rows, k, True)):
        one_way[i, near] = 1.0
    both: np.ndarray = (one_way + one_way.T) / 2
    return both


def blobs(n: int, clusters: int, dim: int = 6, spread: float = 0.6, seed: int = 0) -> np.ndarray:
    """Rows around directions."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(clusters, dim))[rng.integers(clusters, size=n)]
    made: np.ndarray = (rows + spread * rng.normal(size=rows.shape)).astype(np.float32)
    return made
