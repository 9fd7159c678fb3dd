"""What the clusters of one fit hold: the largest, the smallest, the empty, the mixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..kernels.contingency import transposed
from ..metrics.counts import Counts
from .class_facts import padded

#: Classes named of a cluster; the others are counted.
NAMED_CLASSES = 4


@dataclass(frozen=True)
class ClusterContent:
    """One cluster: its number, its size and its most frequent classes as (class, samples).

    n_classes: how many classes it holds. paired: the class that ACC pairs it with, None for none.
    """

    cluster: int
    size: int
    classes: tuple[tuple[int, int], ...]
    n_classes: int
    paired: int | None


@dataclass(frozen=True, eq=False)
class ClusterSizes:
    """Sizes of all clusters and classes of one fit, and the clusters at both ends.

    Attributes:
        clusters: (k,) int64, sizes in descending order, empty clusters included.
        classes: (n_classes,) int64, scored samples of the classes in descending order.
        largest: the largest clusters, largest first; ties by number.
        mixed: of the others that hold several classes, the ones whose most frequent class has the
            smallest share; mixed most first.
        smallest: the smallest clusters that hold something and are among neither, smallest first.
        n_empty: clusters without a scored sample.
        n_single: clusters with one.
    """

    clusters: np.ndarray
    classes: np.ndarray
    largest: tuple[ClusterContent, ...]
    smallest: tuple[ClusterContent, ...]
    mixed: tuple[ClusterContent, ...]
    n_empty: int
    n_single: int


def cluster_sizes(counts: Counts, k: int, n_classes: int, n: int) -> ClusterSizes:
    """Sizes and contents of the clusters of one fit; n clusters of each kind are described."""
    sizes = padded(counts.cluster_sizes, k, 0)
    order = np.lexsort((np.arange(k), -sizes))
    used = order[sizes[order] > 0]
    largest = used[:n]
    purity = padded(counts.table.column_max, k + 1, 0)[:k] / np.maximum(sizes, 1)
    others = used[n:]
    several = others[purity[others] < 1]
    mixed = several[np.lexsort((several, -sizes[several], purity[several]))][:n]
    smallest = others[~np.isin(others, mixed)][::-1][:n]
    return ClusterSizes(
        clusters=sizes[order],
        classes=np.sort(padded(counts.table.row_sums, n_classes, 0))[::-1],
        largest=contents(counts, largest),
        smallest=contents(counts, smallest),
        mixed=contents(counts, mixed),
        n_empty=int(np.count_nonzero(sizes == 0)),
        n_single=int(np.count_nonzero(sizes == 1)),
    )


def contents(counts: Counts, clusters: Sequence[int] | np.ndarray) -> tuple[ClusterContent, ...]:
    """What some clusters hold, in the order given; classes that tie come by number."""
    table = transposed(counts.table)
    class_of = {int(c): row for row, c in enumerate(counts.pairing.columns) if c >= 0}
    found = []
    for cluster in (int(c) for c in clusters):
        part = slice(int(table.indptr[cluster]), int(table.indptr[cluster + 1]))
        classes, samples = table.indices[part], table.data[part]
        order = np.lexsort((classes, -samples))[:NAMED_CLASSES]
        found.append(
            ClusterContent(
                cluster=cluster,
                size=int(samples.sum()),
                classes=tuple((int(classes[i]), int(samples[i])) for i in order),
                n_classes=len(classes),
                paired=class_of.get(cluster),
            )
        )
    return tuple(found)
