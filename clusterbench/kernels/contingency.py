"""The sparse contingency table of two labellings: the one input of every score."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .compiled import compiled


class Contingency(NamedTuple):
    """How often class `i` meets cluster `j`, as compressed sparse rows.

    Row `i` holds `data[indptr[i]:indptr[i + 1]]` (all positive) at the ascending columns
    `indices[indptr[i]:indptr[i + 1]]`. Labels without samples are empty rows or columns.
    """

    indptr: np.ndarray  # (n_rows + 1,) int64
    indices: np.ndarray  # (n_nonzero,) int32
    data: np.ndarray  # (n_nonzero,) int64
    row_sums: np.ndarray  # (n_rows,) int64: class sizes
    column_sums: np.ndarray  # (n_columns,) int64: cluster sizes
    row_max: np.ndarray  # (n_rows,) int64: largest entry, 0 for an empty row
    column_max: np.ndarray  # (n_columns,) int64

    @property
    def n(self) -> int:
        """Number of samples."""
        return int(self.row_sums.sum())


def contingency(
    targets: np.ndarray, predictions: np.ndarray, n_rows: int, n_columns: int
) -> Contingency:
    """Count the pairs of two labellings of the same samples.

    Labels are trusted: one that is too large is undefined behaviour (`clusterbench.metrics`
    checks).

    Time O(n + n_rows + n_columns). Memory beyond the table itself: one int32 array of n samples,
    plus a copy of an input that is neither int32 nor int64, or not contiguous. Nothing of size
    n_rows x n_columns.

    Args:
        targets: (n,) integers below n_rows; a sample with a negative one is left out.
        predictions: (n,) integers below n_columns; negative ones are counted in the last column, so
            a caller that has some reserves it.
        n_rows: classes.
        n_columns: clusters.
    """
    targets, predictions = _labels(targets), _labels(predictions)
    row_sums, row_max, last = np.zeros((3, n_rows), np.int64)
    column_sums, column_max, cursor = np.zeros((3, n_columns), np.int64)
    rows = np.empty(len(targets), np.int32)
    indptr = np.zeros(n_rows + 1, np.int64)
    _group(targets, predictions, row_sums, column_sums, cursor, rows, last, indptr)
    indices = np.empty(indptr[-1], np.int32)
    data = np.empty(indptr[-1], np.int64)
    _fill(rows, column_sums, last, indptr, indices, data, row_max, column_max)
    return Contingency(indptr, indices, data, row_sums, column_sums, row_max, column_max)


def transposed(table: Contingency) -> Contingency:
    """The table with rows and columns exchanged. Time and memory O(n_nonzero)."""
    from scipy.sparse import csr_array

    shape = (len(table.row_sums), len(table.column_sums))
    columns = csr_array((table.data, table.indices, table.indptr), shape=shape).tocsc()
    return Contingency(
        columns.indptr.astype(np.int64),
        columns.indices.astype(np.int32),
        columns.data,
        table.column_sums,
        table.row_sums,
        table.column_max,
        table.row_max,
    )


def reweighted(table: Contingency, weights: np.ndarray) -> Contingency:
    """The table with `weights` in the place of its entries; an entry of weight 0 disappears.

    Rows and columns stay, also where they become empty. Time and memory O(n_nonzero + n_rows +
    n_columns).

    Args:
        table: the entries to replace.
        weights: (n_nonzero,) integers >= 0, in the order of `table.data`.
    """
    n_rows, n_columns, n_entries = len(table.row_sums), len(table.column_sums), len(table.data)
    indptr = np.zeros(n_rows + 1, np.int64)
    indices, data = np.empty(n_entries, np.int32), np.empty(n_entries, np.int64)
    row_sums, row_max = np.zeros((2, n_rows), np.int64)
    column_sums, column_max = np.zeros((2, n_columns), np.int64)
    weights = np.ascontiguousarray(weights, dtype=np.int64)
    _reweight(
        table.indptr,
        table.indices,
        weights,
        indptr,
        indices,
        data,
        row_sums,
        column_sums,
        row_max,
        column_max,
    )
    kept = int(indptr[-1])
    return Contingency(
        indptr, indices[:kept], data[:kept], row_sums, column_sums, row_max, column_max
    )


def _labels(labels: np.ndarray) -> np.ndarray:
    """A contiguous, read-only int32 or int64 view: the kernel is compiled for these alone."""
    narrow = labels.dtype.itemsize < 4 or labels.dtype == np.int32
    labels = np.ascontiguousarray(labels, dtype=np.int32 if narrow else np.int64).view()
    labels.flags.writeable = False
    return labels


@compiled
def _group(
    targets: np.ndarray,
    predictions: np.ndarray,
    row_sums: np.ndarray,
    column_sums: np.ndarray,
    cursor: np.ndarray,
    rows: np.ndarray,
    last: np.ndarray,
    indptr: np.ndarray,
) -> None:
    """Sizes; `rows`: the row of every sample, column after column; `indptr` of the table."""
    n_rows, n_columns = row_sums.size, column_sums.size
    for sample in range(targets.size):
        if targets[sample] >= 0:
            row_sums[targets[sample]] += 1
            column = predictions[sample]
            column_sums[column if column >= 0 else n_columns - 1] += 1
    for column in range(1, n_columns):
        cursor[column] = cursor[column - 1] + column_sums[column - 1]
    for sample in range(targets.size):
        if targets[sample] >= 0:
            column = predictions[sample]
            if column < 0:
                column = n_columns - 1
            rows[cursor[column]] = targets[sample]
            cursor[column] += 1

    start = 0
    for column in range(n_columns):
        for sample in range(start, start + column_sums[column]):
            row = rows[sample]
            if last[row] != column + 1:  # the column, from 1, that met this row most recently
                last[row] = column + 1
                indptr[row + 1] += 1
        start += column_sums[column]
    for row in range(n_rows):
        indptr[row + 1] += indptr[row]


@compiled
def _fill(
    rows: np.ndarray,
    column_sums: np.ndarray,
    entry: np.ndarray,
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    row_max: np.ndarray,
    column_max: np.ndarray,
) -> None:
    """Entries of the table; columns come in ascending order, so each row is written in order."""
    for row in range(row_max.size):
        entry[row] = indptr[row] - 1  # the entry of this row written most recently
    start = 0
    for column in range(column_sums.size):
        for sample in range(start, start + column_sums[column]):
            row = rows[sample]
            if entry[row] < indptr[row] or indices[entry[row]] != column:
                entry[row] += 1
                indices[entry[row]] = column
                data[entry[row]] = 0
            count = data[entry[row]] + 1
            data[entry[row]] = count
            if count > row_max[row]:
                row_max[row] = count
            if count > column_max[column]:
                column_max[column] = count
        start += column_sums[column]


@compiled
def _reweight(
    indptr: np.ndarray,
    indices: np.ndarray,
    weights: np.ndarray,
    new_indptr: np.ndarray,
    new_indices: np.ndarray,
    new_data: np.ndarray,
    row_sums: np.ndarray,
    column_sums: np.ndarray,
    row_max: np.ndarray,
    column_max: np.ndarray,
) -> None:
    kept = 0
    for row in range(row_sums.size):
        for entry in range(indptr[row], indptr[row + 1]):
            weight = weights[entry]
            if weight == 0:
                continue
            column = indices[entry]
            new_indices[kept], new_data[kept] = column, weight
            kept += 1
            row_sums[row] += weight
            column_sums[column] += weight
            row_max[row] = max(row_max[row], weight)
            column_max[column] = max(column_max[column], weight)
        new_indptr[row + 1] = kept
