"""What is clustered: rows of features, read in blocks or by number, scaled on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np


class Rows(Protocol):
    """Rows of features in memory or on disk; several threads read at a time.

    n: how many. dim: dimensions. in_memory: whether reading any row costs nothing much.
    """

    n: int
    dim: int
    in_memory: bool

    def block(self, start: int, stop: int) -> np.ndarray:
        """Rows start..stop-1: (stop - start, dim) float32, C-contiguous; not to be written to."""
        ...

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """Rows by number, in that order: (len(numbers), dim) float32, C-contiguous."""
        ...


class ArrayRows:
    """Rows of an array, in memory or mapped.

    Args:
        array: (n, dim) numbers of any float dtype; float32 ones are not copied.
        scale: what turns a float32 block into what is clustered, row by row; None changes nothing.
    """

    def __init__(
        self, array: np.ndarray, scale: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> None:
        self.n, self.dim = array.shape
        self.in_memory = not isinstance(array, np.memmap)
        self._array = array
        self._scale = scale

    def block(self, start: int, stop: int) -> np.ndarray:
        """As `Rows.block`."""
        return self._ready(self._array[start:stop])

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """As `Rows.take`."""
        return self._ready(self._array[numbers])

    def _ready(self, rows: Any) -> np.ndarray:
        features = np.ascontiguousarray(rows, dtype=np.float32).view(np.ndarray)
        if self._scale is not None:
            features = np.ascontiguousarray(self._scale(features), dtype=np.float32)
        return features
