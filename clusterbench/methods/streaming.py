"""Features that are read while they are used: stores, memory maps, arrays of half precision."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import InputError
from ..feature_rows import as_features
from ..kmeans.row_sources import ArrayRows, Rows, StoreRows
from .scaling import Scaler


def streamed(X: Any, scaler: Scaler | None = None) -> Rows | None:
    """Rows of what need not be held in memory as float32: None of anything else.

    X: a `FeatureStore`, an `np.memmap` or an array of float16, of two dimensions. Each block is
    checked when it is read, as `feature_rows.as_features` checks a whole array. scaler: fitted;
    rows are scaled by it, and `dim` is the width that they then have.
    """
    if hasattr(X, "read") and hasattr(X, "index") and hasattr(X, "identity"):
        return _Checked(StoreRows(X), scaler)
    if isinstance(X, np.ma.MaskedArray):
        return None  # which `as_features` looks at
    half = isinstance(X, np.ndarray) and X.dtype == np.float16
    mapped = isinstance(X, np.memmap) and X.dtype.kind == "f"
    if (half or mapped) and X.ndim == 2 and X.size:
        return _Checked(ArrayRows(X), scaler)
    return None


def in_blocks(rows: Rows, size: int, ask: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """What `ask` says of (m, dim) float32 rows, `size` at a time, one below the other."""
    starts = range(0, rows.n, size)
    return np.concatenate([ask(rows.block(a, min(a + size, rows.n))) for a in starts])


def _in_all(found: re.Match[str], numbers: np.ndarray) -> str:
    return f"first in row {numbers[int(found.group(1))]}"


class _Checked:
    """Rows whose blocks are checked as they come, then scaled."""

    def __init__(self, rows: Rows, scaler: Scaler | None) -> None:
        self.n, self.in_memory = rows.n, rows.in_memory
        self.dim = rows.dim if scaler is None else scaler.width(rows.dim)
        self._rows, self._scaler = rows, scaler

    def block(self, start: int, stop: int) -> np.ndarray:
        """As `Rows.block`."""
        return self._ready(lambda: self._rows.block(start, stop), np.arange(start, stop))

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """As `Rows.take`."""
        if not len(numbers):
            return np.empty((0, self.dim), dtype=np.float32)
        return self._ready(lambda: self._rows.take(numbers), numbers)

    def _ready(self, read: Callable[[], np.ndarray], numbers: np.ndarray) -> np.ndarray:
        try:
            features = as_features(read())
        except InputError as error:  # which counts the rows of what it was given, from its first
            of = f"of the {len(numbers)} rows that were read together,"
            said = re.sub(r"of \d+ rows,", of, str(error))
            said = re.sub(r"first in row (\d+)", lambda m: _in_all(m, numbers), said)
            raise InputError(said) from error
        return features if self._scaler is None else self._scaler(features)
