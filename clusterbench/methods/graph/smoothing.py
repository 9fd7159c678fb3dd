"""Rows averaged with their neighbours, level by level, of training rows and of new ones."""

from __future__ import annotations

import numpy as np

from .links import Links, Neighbourhood

#: Rows averaged at a time: their neighbours are gathered one after the other.
_BLOCK = 1 << 13


class Smoothing:
    """Training rows at every level, and the way of a new row through them.

    Level 0 are the rows. A row of level r is the mean of itself and of its neighbours, all at
    level r - 1, brought to unit length where the rows of level 0 are; the graph stays that of the
    rows as they were given. A new row goes the same way along its nearest *training* rows, which
    are those of level r - 1 at level r, so a training row comes to what it was in training.

    Args:
        rows: (n, dim) float32, level 0.
        neighbourhood: their graph.
        rounds: levels above 0.
        renormalise: bring each mean to unit length.

    Attributes:
        levels: `rounds` arrays, (n, dim) float32: 0 to rounds - 1, which new rows need.
        smoothed: (n, dim) float32, the last level; `drop` forgets it.
    """

    def __init__(
        self, rows: np.ndarray, neighbourhood: Neighbourhood, rounds: int, renormalise: bool
    ) -> None:
        self._neighbourhood, self._renormalise = neighbourhood, renormalise
        self.levels: list[np.ndarray] = []
        self.smoothed: np.ndarray | None = rows
        for _ in range(rounds):
            below = self.smoothed
            self.levels.append(below)
            self.smoothed = averaged(below, below, neighbourhood.links, renormalise)

    def drop(self) -> None:
        """Forget what no new row needs."""
        self.smoothed = None

    def of(self, rows: np.ndarray, unit: np.ndarray) -> np.ndarray:
        """New rows at the last level: (m, dim) float32. rows, unit: as of `Neighbourhood.of`."""
        if not self.levels:
            return rows
        links, _ = self._neighbourhood.of(rows, unit)
        for level in self.levels:
            rows = averaged(rows, level, links, self._renormalise)
        return rows


def averaged(own: np.ndarray, base: np.ndarray, links: Links, renormalise: bool) -> np.ndarray:
    """Means of rows and those of `base` that count for them: (m, dim) float32.

    own: (m, dim) float32. base: (n, dim) float32, which links.ids number. Sums are float64, so that
    equal rows with equal neighbours come to equal means, in whatever order these are numbered.
    """
    result = np.empty_like(own)
    for start in range(0, len(own), _BLOCK):
        block = slice(start, start + _BLOCK)
        total = own[block].astype(np.float64)
        for ids, counted in zip(links.ids[block].T, links.counted[block].T, strict=True):
            which = np.flatnonzero(counted)
            total[which] += base[ids[which]]
        if renormalise:
            divisor = np.linalg.norm(total, axis=1)
            divisor[divisor == 0.0] = 1.0
        else:
            divisor = 1.0 + links.counted[block].sum(axis=1)
        result[block] = total / divisor[:, None]
    return result
