"""Partitions and features for tests of the choice among candidates."""

from __future__ import annotations

import numpy as np


def groups(k: int, each: int, spread: float, dim: int = 8, seed: int = 0) -> np.ndarray:
    """Rows of k groups of the same size, in the order of the groups: (k each, dim) float32."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(k, dim)).repeat(each, axis=0)
    return (rows + spread * rng.normal(size=rows.shape)).astype(np.float32)


def wrong(labels: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    """Labels of which a share is drawn anew."""
    rng = np.random.default_rng(seed)
    other = labels.copy()
    which = rng.random(len(labels)) < share
    other[which] = rng.integers(0, labels.max() + 1, which.sum())
    return other


def unit(rows: np.ndarray) -> np.ndarray:
    wide = rows.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return wide / np.where(lengths > 0, lengths, 1.0)


def nearest(queries: np.ndarray, rows: np.ndarray, k: int, itself: bool) -> np.ndarray:
    """Positions of the k rows of largest cosine, without the row itself where it is among them."""
    cosines = unit(queries) @ unit(rows).T
    if itself:
        np.fill_diagonal(cosines, -np.inf)
    return np.argsort(-cosines, axis=1, kind="stable")[:, :k].astype(np.int32)
