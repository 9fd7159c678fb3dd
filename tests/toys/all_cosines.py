"""All cosines in float64, sorted: what every graph has to be."""

from __future__ import annotations

import numpy as np


def cosines(queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(n_queries, n_rows) float64; 0 where one of the two is all zeros."""
    a, b = queries.astype(np.float64), rows.astype(np.float64)
    lengths = np.outer(np.sqrt((a * a).sum(axis=1)), np.sqrt((b * b).sum(axis=1)))
    found: np.ndarray = np.divide(a @ b.T, lengths, where=lengths > 0, out=np.zeros_like(lengths))
    return found


def nearest(queries: np.ndarray, rows: np.ndarray, k: int, own: bool) -> np.ndarray:
    """(n_queries, k) row numbers, nearest first, ties by number; own: leave out the row itself."""
    found = cosines(queries, rows)
    if own:
        np.fill_diagonal(found, -np.inf)
    order: np.ndarray = np.argsort(-found, axis=1, kind="stable")[:, :k]
    return order
