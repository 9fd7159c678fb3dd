"""Drawing with changing odds: which of the candidates drawn together stand."""

from __future__ import annotations

import numpy as np

from .compiled import compiled
from .nearest import squared_distance


@compiled
def accepted(
    candidates: np.ndarray,
    weights: np.ndarray,
    masses: np.ndarray,
    chances: np.ndarray,
    factor: float,
    wanted: int,
) -> np.ndarray:
    """Rejection: candidates drawn by their masses of before, one after another.

    A candidate's mass has shrunk where one that was accepted before it is nearer than all earlier
    centroids; it stands with probability new mass / old mass. So each accepted one is drawn by
    the masses of its time.

    Args:
        candidates: (n, dim) float32, in the order drawn.
        weights: (n,) float64.
        masses: (n,) int64, weighted squared distances that they were drawn by, in fixed point.
        chances: (n,) float64 uniform in [0, 1).
        factor: of the fixed point.
        wanted: accept no more.

    Returns:
        (n,) bool.
    """
    n = len(candidates)
    result = np.zeros(n, dtype=np.bool_)
    chosen = np.empty(n, dtype=np.int64)
    count = 0
    for i in range(n):
        if count == wanted:
            break
        mass = masses[i]
        for a in range(count):
            distance = squared_distance(candidates[i], candidates[chosen[a]])
            mass = min(mass, np.int64(np.rint(distance * weights[i] * factor)))
            if chances[i] * masses[i] >= mass:
                break
        if chances[i] * masses[i] < mass:
            result[i] = True
            chosen[count] = i
            count += 1
    return result
