"""Which classes share clusters: pairs of classes, from the sparse tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..kernels.contingency import Contingency
from ..metrics.counts import Counts

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_BLOCK_BYTES = 64 << 20  # of the products of some classes with all others


@dataclass(frozen=True)
class ConfusedPair:
    """Two classes, and how often an image of one shares its cluster with an image of the other.

    Attributes:
        first: the class of the lower number.
        second: the other one.
        share: chance that an image of the first and one of the second have one cluster, in [0, 1];
            mean over seeds.
        own: the same for two images of one class, mean of the two classes; None where neither has
            two images.
    """

    first: int
    second: int
    share: float
    own: float | None


def confused_pairs(tables: Sequence[Counts], n: int) -> list[ConfusedPair]:
    """The n pairs of classes that share clusters most, most confused first.

    Of equally confused pairs the one with more images comes first, then the lower numbers.

    For each seed, sum_c p(c | first) p(c | second) over the clusters c; unassigned samples share
    none. Time O(sum over clusters of (classes in it)^2) per seed; the products are made for some
    classes at a time, so that memory stays below 0.2 GB.

    Args:
        tables: the counts of each seed, of the same samples.
        n: at most so many pairs; those that never share a cluster are left out.
    """
    shares = [_row_shares(counts) for counts in tables]
    transposed = [share.T.tocsr() for share in shares]
    n_classes = shares[0].shape[0]
    step = max(1, _BLOCK_BYTES // (16 * n_classes))
    sizes = tables[0].table.row_sums
    best: list[tuple[float, int, int, int]] = []
    for start in range(0, n_classes, step):
        product = sum(
            share[start : start + step] @ other
            for share, other in zip(shares, transposed, strict=True)
        ).tocoo()
        rows, columns, values = product.row + start, product.col, product.data / len(tables)
        above = (columns > rows) & (values > 0)
        rows, columns, values = rows[above], columns[above], values[above]
        if len(values) > n:  # all that tie with the n-th stay for the sort
            kept = values >= np.partition(values, -n)[-n]
            rows, columns, values = rows[kept], columns[kept], values[kept]
        images = -(sizes[rows] + sizes[columns])
        order = np.lexsort((columns, rows, images, -values))[:n]
        best += [(-float(values[i]), int(images[i]), int(rows[i]), int(columns[i])) for i in order]
        best = sorted(best)[:n]
    own = _own(tables)
    return [ConfusedPair(a, b, -share, _mean(own[a], own[b])) for share, _, a, b in best]


def _row_shares(counts: Counts) -> csr_array:
    """(n_classes, n_clusters): how the scored samples of a class spread over clusters."""
    from scipy.sparse import csr_array

    table = counts.assigned
    sizes = np.maximum(counts.table.row_sums, 1)
    data = table.data / np.repeat(sizes, np.diff(table.indptr))
    shape = (len(table.row_sums), len(table.column_sums))
    return csr_array((data, table.indices, table.indptr), shape=shape)


def _own(tables: Sequence[Counts]) -> np.ndarray:
    """(n_classes,): chance that two images of a class share a cluster; NaN for fewer than two."""
    found = [_own_of(counts.table.row_sums, counts.assigned) for counts in tables]
    return np.asarray(np.mean(found, axis=0))


def _own_of(sizes: np.ndarray, table: Contingency) -> np.ndarray:
    pairs = table.data * (table.data - 1)
    rows = np.repeat(np.arange(len(sizes)), np.diff(table.indptr))
    together = np.bincount(rows, weights=pairs, minlength=len(sizes))
    shares = np.full(len(sizes), np.nan)
    np.divide(together, sizes * (sizes - 1), out=shares, where=sizes > 1)
    return shares


def _mean(a: float, b: float) -> float | None:
    known = [float(value) for value in (a, b) if not np.isnan(value)]
    return sum(known) / len(known) if known else None
