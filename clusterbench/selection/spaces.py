"""Feature spaces that criteria look at: rows at unit length, read in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import InputError
from ..feature_rows import as_features, unit_rows
from ..kmeans.row_sources import ArrayRows, Rows
from .partitions import Partition

#: Numbers of a block of rows: 32 MB of float64.
_NUMBERS = 1 << 22


class RowsAtUnitLength:
    """Rows at unit length, as neighbours and k-means compare them; zeros stay zeros.

    Args:
        rows: read when they are used.
    """

    def __init__(self, rows: Rows) -> None:
        self.n, self.dim, self.in_memory = rows.n, rows.dim, rows.in_memory
        self._rows = rows

    def block(self, start: int, stop: int) -> np.ndarray:
        """As `Rows.block`."""
        return unit_rows(self._rows.block(start, stop))

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """As `Rows.take`."""
        return unit_rows(self._rows.take(numbers))


def space(X: Any, n: int, name: str = "space 0") -> RowsAtUnitLength:
    """The rows of the candidates in one space.

    Args:
        X: (n, dim) array of numbers, or `Rows`, which are trusted to be finite.
        n: rows of the candidates.
        name: what it is called in errors.

    Raises:
        InputError: X is no usable 2-D array, or has another number of rows.
    """
    if hasattr(X, "block") and hasattr(X, "take"):
        rows: Rows = X
    else:
        try:
            rows = ArrayRows(as_features(X))
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
    if rows.n != n:
        raise InputError(
            f"{name} has {rows.n} rows and the candidates have {n}; give features of the same rows"
        )
    return RowsAtUnitLength(rows)


def blocks(rows: Rows) -> Iterator[tuple[int, np.ndarray]]:
    """Number of the first row, and rows, of blocks of at most 4 million numbers."""
    step = max(1, _NUMBERS // rows.dim)
    for start in range(0, rows.n, step):
        yield start, rows.block(start, min(start + step, rows.n))


def cluster_sums(rows: np.ndarray, labels: np.ndarray, n_used: int) -> np.ndarray:
    """Sums of some rows by cluster, added in float64 in the order of the rows: (n_used, dim).

    rows: (m, dim) float32. labels: (m,) int32.
    """
    from scipy.sparse import csr_matrix

    members = csr_matrix((np.ones(len(rows)), (labels, np.arange(len(rows)))), (n_used, len(rows)))
    sums: np.ndarray = np.asarray(members @ rows.astype(np.float64))
    return sums


def sums_of_all(rows: Rows, found: Partition) -> np.ndarray:
    """Sums of all rows by cluster: (n_used, dim) float64, in one pass over the rows."""
    sums = np.zeros((found.n_used, rows.dim))
    for start, block in blocks(rows):
        sums += cluster_sums(block, found.labels[start : start + len(block)], found.n_used)
    return sums


def sampled(n: int, max_rows: int | None, random_state: int) -> np.ndarray:
    """Ascending numbers of the rows looked at: all, or max_rows of them drawn by the seed."""
    if max_rows is None or n <= max_rows:
        return np.arange(n)
    return np.sort(np.random.default_rng(random_state).choice(n, max_rows, replace=False))
