"""What is odd about features that can be imported: zeros, repeated rows, a label among them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .matrix import AnyOrderFile
from .samples import Samples

_MANY = 0.1  # repeated rows, as a part of all, that are worth a note
_HUGE = 1e18  # the squares of larger numbers overflow in float32
_PLACES = 2_000_000  # of the table of classes and dimensions in which a label is looked for


class Survey:
    """Notes on rows that are shown to `add` in any order; each is looked at once.

    Memory: 9 bytes for each row, and 16 MB at most.
    """

    def __init__(self, files: Sequence[AnyOrderFile], samples: Samples) -> None:
        self._files = files
        self._starts = np.cumsum([0, *(file.n for file in files)])
        n, dim = int(self._starts[-1]), files[0].dim
        self._dim, self._n_classes = dim, samples.index.n_classes
        self._left = n
        self._hashes = np.zeros(n, np.uint64)
        self._zero = np.zeros(n, bool)
        self._largest, self._largest_row = 0.0, 0
        weights = np.random.default_rng(0).integers(1, 2**32, dim, dtype=np.uint64)
        self._weights = (weights | np.uint64(1)).astype(np.uint32)
        # Dimensions that may be the label: whole numbers that are the same within each class.
        labelled = self._n_classes > 1 and n >= 2 * self._n_classes
        self._suspects = np.arange(dim if labelled else 0)
        self._values: np.ndarray | None = None

    def add(self, rows: np.ndarray, block: np.ndarray, labels: np.ndarray) -> None:
        """Rows (m,) int64 of all files together, their features (m, dim), their classes (m,)."""
        if self._left <= 0:  # the features are read twice
            return
        self._left -= len(rows)
        self._zero[rows] = ~block.any(axis=1)
        words = np.ascontiguousarray(block).view(np.uint16 if block.itemsize == 2 else np.uint32)
        mixed = words.astype(np.uint32, copy=False) * self._weights
        mixed ^= mixed >> np.uint32(15)
        self._hashes[rows] = mixed.sum(axis=1, dtype=np.uint64)
        largest = np.abs(block).max(axis=1)
        if (top := float(largest.max(initial=0))) > self._largest:
            self._largest, self._largest_row = top, int(rows[int(largest.argmax())])
        if len(self._suspects):
            self._look_for_label(block, labels)

    def notes(self) -> list[str]:
        """One line for each thing that is odd."""
        n = len(self._zero)
        found = []
        for file, start, end in zip(self._files, self._starts, self._starts[1:], strict=False):
            zero = self._zero[start:end]
            count = int(zero.sum())
            if not count:
                continue
            filled = np.flatnonzero(~zero)
            tail = len(zero) - (int(filled[-1]) + 1 if len(filled) else 0)
            line = f"{file.where}: {count:,} of {len(zero):,} rows are all zeros, "
            if tail > 1 and len(filled):
                line += (
                    f"the last {tail:,} among them: was the array made larger than it was filled?"
                )
            else:
                line += f"the first of them row {int(zero.argmax()):,}"
            found.append(line)
        distinct = len(np.unique(self._hashes))
        repeated = n - distinct
        if distinct == 1 and n > 1:
            found.append(f"all {n:,} rows are the same")
        elif repeated > _MANY * n:
            found.append(f"{repeated:,} of {n:,} rows repeat another row")
        if self._largest > _HUGE:
            found.append(
                f"row {self._largest_row:,} reaches {self._largest:.4g}: the squares of such "
                "numbers overflow; scale the features down"
            )
        for dimension in self._labels():
            found.append(
                f"dimension {dimension} is one whole number for all samples of a class, and "
                "another for each class: is it the label?"
            )
        return found

    def _look_for_label(self, block: np.ndarray, labels: np.ndarray) -> None:
        part = block[:, self._suspects]
        keep = (part == np.floor(part)).all(axis=0)
        if self._values is None:
            self._suspects, part = self._suspects[keep], part[:, keep]
            if self._n_classes * len(self._suspects) > _PLACES:  # pixels, say: too many to follow
                self._suspects = self._suspects[:0]
            self._values = np.full((self._n_classes, len(self._suspects)), np.nan, np.float32)
            keep = np.ones(len(self._suspects), bool)
        if not len(self._suspects):
            return
        classes, first = np.unique(labels, return_index=True)
        new = np.isnan(self._values[classes])
        self._values[classes] = np.where(new, part[first], self._values[classes])
        keep &= (part == self._values[labels]).all(axis=0)
        self._suspects, self._values = self._suspects[keep], self._values[:, keep]

    def _labels(self) -> list[int]:
        if self._values is None:
            return []
        return [
            int(dimension)
            for dimension, values in zip(self._suspects, self._values.T, strict=True)
            if len(np.unique(values[~np.isnan(values)])) == self._n_classes
        ][:3]
