"""Cheap partners of each point, approximately: sought in the nearest of coarse cells.

Pivots are rows drawn at random and moved to the means of their cells once; a point is compared
with the points of the cells whose pivots are nearest to its own (the inverted file of Sivic and
Zisserman 2003). Work and memory grow as n to the power of 1.5.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ...kernels.agglomerate import weighted_means
from ...kernels.nearest import squared_lengths
from .ward_lists import cheapest_of

#: Points multiplied with all pivots at a time, and points of a cell at a time.
_GROUP = 1024


def near_partners(
    points: np.ndarray,
    weights: np.ndarray,
    k: int,
    *,
    n_probes: int,
    seed: int,
    pool: ThreadPoolExecutor,
) -> np.ndarray:
    """Partners of low cost of each point (see `kernels.agglomerate`), not always the lowest.

    Args:
        points: (n, dim) float32, around 0 for precision.
        weights: (n,) float64 > 0.
        k: how many, below n.
        n_probes: cells that a point's partners are sought in.
        seed: of the pivots.
        pool: threads; the answer does not depend on them.

    Returns:
        (n, k) int32, cheapest first; -1 where the cells hold fewer.
    """
    n = len(points)
    n_cells = min(n, 1 + int(2.0 * np.sqrt(n)))
    rng = np.random.Generator(np.random.PCG64(seed))
    pivots = points[np.sort(rng.choice(n, n_cells, replace=False))]
    for _ in range(2):
        cells = _nearest(points, pivots, 1, pool)[:, 0]
        used = np.flatnonzero(np.bincount(cells, minlength=len(pivots)))
        cells = np.searchsorted(used, cells).astype(np.int32)
        pivots = weighted_means(points, weights, cells, len(used))
    order = np.argsort(cells, kind="stable").astype(np.int32)
    ends = np.cumsum(np.bincount(cells, minlength=len(pivots)))
    members = np.split(order, ends[:-1])
    near = _nearest(pivots, pivots, min(n_probes, len(pivots)), pool)
    squared = squared_lengths(points).astype(np.float32)
    light = weights.astype(np.float32)
    found = np.empty((n, k), dtype=np.int32)

    def look(cell: int) -> None:
        others = np.sort(np.concatenate([members[c] for c in near[cell]]))
        features = points[others]
        for a in range(0, len(members[cell]), _GROUP):
            rows = members[cell][a : a + _GROUP]
            found[rows], _ = cheapest_of(
                points[rows], squared[rows], light[rows], rows, features, squared[others],
                light[others], others, k,
            )  # fmt: skip

    for _ in pool.map(look, range(len(members))):
        pass
    return found


def _nearest(x: np.ndarray, pivots: np.ndarray, k: int, pool: ThreadPoolExecutor) -> np.ndarray:
    """Numbers of the k nearest pivots of each row, in no order: (n, k) int32."""
    half = (squared_lengths(pivots) / 2.0).astype(np.float32)
    result = np.empty((len(x), k), dtype=np.int32)

    def look(start: int) -> None:
        scores = half - x[start : start + _GROUP] @ pivots.T
        if k == 1:
            result[start : start + _GROUP, 0] = scores.argmin(axis=1)
        else:
            result[start : start + _GROUP] = np.argpartition(scores, k - 1, axis=1)[:, :k]

    for _ in pool.map(look, range(0, len(x), _GROUP)):
        pass
    return result
