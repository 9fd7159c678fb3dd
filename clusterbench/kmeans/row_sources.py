"""What is clustered: rows of features, read in blocks or by number, scaled on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ..feature_rows import as_features


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


class StoreRows:
    """Rows of a feature store, read from disk whenever they are asked for.

    Args:
        store: with `n`, `dim` and `read(rows)`, as `features.FeatureStore` has them.
        numbers: (n,) ascending numbers of the rows taken; None for all.
        scale: as `ArrayRows` takes it.
    """

    def __init__(
        self,
        store: Any,
        numbers: np.ndarray | None = None,
        scale: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self.n = int(store.n) if numbers is None else len(numbers)
        self.dim = int(store.dim)
        self.in_memory = False
        self._store, self._numbers, self._scale = store, numbers, scale

    def block(self, start: int, stop: int) -> np.ndarray:
        """As `Rows.block`."""
        if self._numbers is None:
            return _ready(self._store.read(slice(start, stop)), self._scale)
        return _ready(self._store.read(self._numbers[start:stop]), self._scale)

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """As `Rows.take`."""
        if self._numbers is not None:
            numbers = self._numbers[numbers]
        return _ready(self._store.read(numbers), self._scale)


class ArrayRows:
    """Rows of an array, in memory or mapped.

    Args:
        array: (n, dim) numbers of any float dtype; float32 ones are not copied.
        scale: what turns a float32 block into what is clustered, row by row; None changes nothing.
        dim: dimensions of what `scale` makes; None where they are those of the array.
    """

    def __init__(
        self,
        array: np.ndarray,
        scale: Callable[[np.ndarray], np.ndarray] | None = None,
        dim: int | None = None,
    ) -> None:
        self.n = len(array)
        self.dim = array.shape[1] if dim is None else dim
        self.in_memory = not isinstance(array, np.memmap)
        self._array = array
        self._scale = scale

    def block(self, start: int, stop: int) -> np.ndarray:
        """As `Rows.block`."""
        return _ready(self._array[start:stop], self._scale)

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """As `Rows.take`."""
        return _ready(self._array[numbers], self._scale)


def _ready(rows: Any, scale: Callable[[np.ndarray], np.ndarray] | None) -> np.ndarray:
    if rows.dtype.itemsize > 4:
        rows = as_features(rows)  # which says what leaves float32, and where
    features = np.ascontiguousarray(rows, dtype=np.float32).view(np.ndarray)
    if scale is not None:
        features = np.ascontiguousarray(scale(features), dtype=np.float32)
    return features
