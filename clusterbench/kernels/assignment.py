"""Exact maximum-weight one-to-one assignment on a sparse table of counts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .compiled import compiled
from .contingency import Contingency, transposed


class Pairing(NamedTuple):
    """An optimal one-to-one assignment, with the prices that prove it.

    All prices are >= 0, `row_prices[i] + column_prices[j] >= data[i, j]` on every entry, and the
    prices of rows and columns together sum to `total`: no assignment can be heavier.
    """

    total: int  # summed weight of the assigned entries
    columns: np.ndarray  # (n_rows,) int64: the column of each row, -1 for an unassigned row
    row_prices: np.ndarray  # (n_rows,) int64
    column_prices: np.ndarray  # (n_columns,) int64


def assign(table: Contingency) -> Pairing:
    """Pair rows with columns, each at most once, so that the summed entries are largest.

    The table may be rectangular; a row without a column of positive weight stays unassigned.
    Integers throughout, so the total is exact; the same table gives the same assignment.

    Successive shortest augmenting paths with prices (Jonker & Volgenant, "A shortest augmenting
    path algorithm for dense and sparse linear assignment problems", Computing 38, 1987), where
    each row also owns a private column of weight 0. Memory O(n_rows + n_columns) beyond the table;
    the table is transposed first where that side's starting prices are far nearer the optimum
    (a few huge clusters that every class falls into).

    Args:
        table: the weights, all positive where there is an entry.
    """
    if 2 * int(table.column_max.sum()) < int(table.row_max.sum()):
        by_column = assign(transposed(table))
        columns = np.full(len(table.row_sums), -1, np.int64)
        assigned = np.flatnonzero(by_column.columns >= 0)
        columns[by_column.columns[assigned]] = assigned
        return Pairing(by_column.total, columns, by_column.column_prices, by_column.row_prices)
    n_rows, n_columns = len(table.row_sums), len(table.column_sums)
    order = np.argsort(-table.row_max, kind="stable")
    row_price, column_price = table.row_max.copy(), np.zeros(n_columns, np.int64)
    column_of, row_of = np.full(n_rows, -1, np.int64), np.full(n_columns, -1, np.int64)
    _augment(
        table.indptr,
        table.indices,
        table.data,
        order,
        row_price,
        column_price,
        column_of,
        row_of,
        *np.empty((3, n_columns), np.int64),
        *np.full((3, n_columns), -1, np.int64),
    )
    total = int(row_price.sum() + column_price.sum())
    return Pairing(total, column_of, row_price, column_price)


def paired_counts(table: Contingency, columns: np.ndarray) -> np.ndarray:
    """The entry of each row in its own column: (n_rows,) int64, 0 where the row has none.

    Args:
        table: the entries.
        columns: (n_rows,) integers, as of `Pairing.columns`: -1 for a row without a column.
    """
    counts = np.zeros(len(table.row_sums), np.int64)
    columns = np.ascontiguousarray(columns, dtype=np.int64)
    _look_up(table.indptr, table.indices, table.data, columns, counts)
    return counts


@compiled
def _look_up(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    columns: np.ndarray,
    counts: np.ndarray,
) -> None:
    for row in range(columns.size):
        if columns[row] < 0:
            continue
        low, high = indptr[row], indptr[row + 1]
        while low < high:
            middle = (low + high) >> 1
            if indices[middle] < columns[row]:
                low = middle + 1
            else:
                high = middle
        if low < indptr[row + 1] and indices[low] == columns[row]:
            counts[row] = data[low]


@compiled
def _augment(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    order: np.ndarray,
    row_price: np.ndarray,
    column_price: np.ndarray,
    column_of: np.ndarray,
    row_of: np.ndarray,
    distance: np.ndarray,
    queue: np.ndarray,
    heap: np.ndarray,
    place: np.ndarray,
    parent: np.ndarray,
    reached: np.ndarray,
) -> None:
    """One Dijkstra search per row, over reduced costs `row_price + column_price - weight` >= 0.

    A search settles columns by distance: those at the current distance wait in `queue`, those
    farther away in `heap`. It ends where the nearest unused column is: a free column, or the
    private column of a row on the way, which then becomes unassigned. As weights are integers,
    rows settled nearer than the end lower their price by at least 1, and prices never rise again:
    that bounds the repeated work, however many ties there are.

    Work space, one entry per column: `distance` from the source, `parent` (the row it was reached
    from) and `reached` (by which search, -1 none); `queue` holds columns to visit, then visited;
    `heap` is ordered by distance and `place` says where in it a column is, -1 if it never was.
    """
    for search in range(order.size):
        source = order[search]
        row, current = source, 0
        end, end_row, end_column = row_price[source], source, -1
        head, tail, heap_size = 0, 0, 0
        while current < end:
            reach = current + row_price[row]
            for entry in range(indptr[row], indptr[row + 1]):
                column = indices[entry]
                through = reach + column_price[column] - data[entry]
                if through >= end or (reached[column] == search and through >= distance[column]):
                    continue
                parent[column] = row
                if row_of[column] < 0:
                    end, end_column = through, column
                    if end == current:
                        break
                    continue
                distance[column] = through
                if reached[column] != search:
                    reached[column] = search
                    place[column] = -1
                if place[column] < 0:
                    if through == current:
                        queue[tail] = column
                        tail += 1
                        continue
                    place[column] = heap_size
                    heap_size += 1
                _lift(heap, place, distance, column)
            if end == current:
                break
            if head == tail:
                if heap_size == 0:
                    break
                queue[tail] = heap[0]
                tail += 1
                current = distance[heap[0]]
                if current >= end:
                    break
                heap_size -= 1
                if heap_size > 0:
                    _sink(heap, place, distance, heap[heap_size], heap_size)
            row = row_of[queue[head]]
            head += 1
            if current + row_price[row] < end:
                end, end_row, end_column = current + row_price[row], row, -1

        row_price[source] -= end
        for position in range(tail):
            column = queue[position]
            if distance[column] < end:
                column_price[column] += end - distance[column]
                row_price[row_of[column]] -= end - distance[column]

        # Hand columns over along the path, from its end back to the source.
        column = end_column
        if end_column < 0:
            column = column_of[end_row]
            column_of[end_row] = -1
        while column >= 0:
            row = parent[column]
            row_of[column] = row
            column, column_of[row] = column_of[row], column


@compiled
def _lift(heap: np.ndarray, place: np.ndarray, distance: np.ndarray, column: int) -> None:
    """Move `column` towards the top of the binary heap, from `place[column]`."""
    position = place[column]
    while position > 0:
        above = heap[(position - 1) >> 1]
        if distance[above] <= distance[column]:
            break
        heap[position] = above
        place[above] = position
        position = (position - 1) >> 1
    heap[position] = column
    place[column] = position


@compiled
def _sink(
    heap: np.ndarray, place: np.ndarray, distance: np.ndarray, column: int, size: int
) -> None:
    """Put `column` on the top of a binary heap of `size` columns and move it down."""
    position = 0
    while 2 * position + 1 < size:
        child = 2 * position + 1
        if child + 1 < size and distance[heap[child + 1]] < distance[heap[child]]:
            child += 1
        below = heap[child]
        if distance[below] >= distance[column]:
            break
        heap[position] = below
        place[below] = position
        position = child
    heap[position] = column
    place[column] = position
