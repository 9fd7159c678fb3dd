"""Samples counted by class and by their cluster in several predictions at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...kernels.contingency import reweighted
from ...kernels.resampling import regrouped, subsampled
from ..counts import Counts, count
from ..validate import CheckedLabels


@dataclass(frozen=True, eq=False)
class Cells:
    """Samples that share a class and a cluster in each prediction, counted together.

    Attributes:
        sizes: (n_cells,) int64, all positive.
        predictions: the counts of each prediction.
        entries: for each prediction, (n_cells,) int64: the entry of its table that holds the cell;
            None where cells are entries.
    """

    sizes: np.ndarray
    predictions: tuple[Counts, ...]
    entries: tuple[np.ndarray | None, ...]

    @classmethod
    def of(cls, counts: Counts) -> Cells:
        """The cells of a single prediction: the entries of its table."""
        return cls(counts.table.data, (counts,), (None,))

    @classmethod
    def joint(cls, classes: CheckedLabels, predictions: Sequence[CheckedLabels]) -> Cells:
        """The cells of several predictions of the same samples; those without a class are left out.

        Time O(n log n) in the number of samples, memory a few int64 arrays of n.
        """
        has_class = classes.values >= 0
        cell = classes.values[has_class].astype(np.int64)
        first = np.arange(len(cell))
        for clusters in predictions:
            cell *= clusters.highest + 2
            cell += clusters.values[has_class]
            cell += 1
            _, first, cell = np.unique(cell, return_index=True, return_inverse=True)
        members = np.flatnonzero(has_class)[first]
        tables = tuple(count(classes, clusters) for clusters in predictions)
        rows = classes.values[members].astype(np.int64)
        entries = []
        for counts, clusters in zip(tables, predictions, strict=True):
            n_columns = len(counts.table.column_sums)
            columns = clusters.values[members] % n_columns  # -1 is the last column
            # Every entry holds a cell, and entries are in ascending order of (row, column).
            entries.append(np.unique(rows * n_columns + columns, return_inverse=True)[1])
        return cls(np.bincount(cell), tables, tuple(entries))

    @property
    def n(self) -> int:
        """Samples."""
        return self.predictions[0].n

    def subsampled(self, size: int, generator: np.random.Generator) -> tuple[Counts, ...]:
        """The counts of `size` samples drawn without replacement, the same ones for each."""
        sizes = subsampled(self.sizes, size, generator)
        drawn = []
        for counts, entries in zip(self.predictions, self.entries, strict=True):
            weights = sizes
            if entries is not None:
                weights = regrouped(sizes, entries, len(counts.table.data))
            drawn.append(Counts(reweighted(counts.table, weights), counts.with_unassigned))
        return tuple(drawn)

    def of_entries(self, prediction: int, values: np.ndarray) -> np.ndarray:
        """(n_cells,): values of the entries of one prediction's table, for each cell."""
        entries = self.entries[prediction]
        return values if entries is None else values[entries]
