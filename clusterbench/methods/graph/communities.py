"""A wanted number of communities, found by their resolution; labels, links and numbers alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy import sparse


#: A partition at a resolution: (n,) int64, numbered from 0 without gaps.
Partition = Callable[[float], np.ndarray]
#: Resolutions lie between these; the number of partitions that are tried at most.
_LEAST, _MOST, TRIALS = 2.0**-20, 2.0**30, 24


def by_resolution(
    partition: Partition, n_clusters: int, progress: Callable[[int, int], None]
) -> tuple[np.ndarray, float]:
    """The partition with the fewest communities that are at least n_clusters, of those tried.

    From resolution 1 the resolution goes up or down by factors that double, until there are too
    few communities on one side and enough on the other; then the geometric mean of the two is
    tried, until exactly n_clusters are found or `TRIALS` were made. Communities need not become
    more with every step of the resolution, so what was tried decides, and nothing else.

    Args:
        partition: finds communities; more of them at a higher resolution, on the whole.
        n_clusters: K.
        progress: told after each trial.

    Returns:
        (n,) int64 communities and their resolution. They are fewer than n_clusters only where no
        resolution gave more; then they are the most that were found.
    """
    low, high = 0.0, np.inf  # too few at `low`, enough at `high`; not known yet
    resolution, factor = 1.0, 2.0
    best: tuple[np.ndarray, float] | None = None
    most: tuple[np.ndarray, float] | None = None
    for done in range(1, TRIALS + 1):
        found = partition(resolution)
        count = int(found.max()) + 1
        if count >= n_clusters:
            high = min(high, resolution)
            if best is None or count < int(best[0].max()) + 1:
                best = found, resolution
        else:
            low = max(low, resolution)
            if most is None or count > int(most[0].max()) + 1:
                most = found, resolution
        progress(done, TRIALS)
        if count == n_clusters or (low >= high and best is not None):
            break
        if low == 0.0:
            resolution = high / factor
        elif np.isinf(high):
            resolution = low * factor
        else:
            resolution = float(np.sqrt(low * high))
        factor *= 2.0 if low == 0.0 or np.isinf(high) else 1.0
        if not _LEAST <= resolution <= _MOST:
            break
    progress(TRIALS, TRIALS)
    chosen = best or most
    assert chosen is not None
    return chosen


def merged(graph: sparse.csr_array, labels: np.ndarray, unit: np.ndarray, k: int) -> np.ndarray:
    """Communities put together until k are left: (n,) int64, numbered from 0 by lowest row.

    The smallest (of equal ones the one of the lowest number) joins the one to which it has the most
    edge weight for each row of that one; without an edge the one whose mean direction is the most
    similar.

    Args:
        graph: (n, n) edge weights.
        labels: (n,) int64, communities from 0 without gaps.
        unit: (n, dim) float32, directions of the rows.
        k: wanted.
    """
    count = int(labels.max()) + 1
    from scipy import sparse

    member = sparse.csr_array((np.ones(len(labels)), (labels, np.arange(len(labels)))))
    between = sparse.coo_array(member @ graph @ member.T)
    edges: list[dict[int, float]] = [{} for _ in range(count)]
    for a, b, weight in zip(*between.coords, between.data.tolist(), strict=True):
        if a != b:
            edges[a][int(b)] = weight
    sizes = np.bincount(labels).astype(np.float64)
    sums = member @ unit.astype(np.float64)
    into = np.arange(count)
    for _ in range(count - k):
        small = int(np.where(sizes > 0, sizes, np.inf).argmin())
        if edges[small]:
            other = min(edges[small], key=lambda b: (-edges[small][b] / sizes[b], b))
        else:
            other = _most_similar(sums, sizes, small)
        into[into == small] = other
        for third, weight in edges[small].items():
            del edges[third][small]
            if third != other:
                edges[other][third] = edges[third][other] = edges[other].get(third, 0.0) + weight
        edges[small] = {}
        sizes[other] += sizes[small]
        sums[other] += sums[small]
        sizes[small] = 0.0
    return numbered(into[labels])


def _most_similar(sums: np.ndarray, sizes: np.ndarray, one: int) -> int:
    length = np.linalg.norm(sums, axis=1)
    cosine = sums @ sums[one] / np.where(length > 0, length, 1.0)
    cosine[(sizes == 0) | (np.arange(len(sums)) == one)] = -np.inf
    return int(cosine.argmax())


def numbered(labels: np.ndarray) -> np.ndarray:
    """The same groups numbered by their lowest row: (n,) int64."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    place = np.empty(len(first), dtype=np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    numbers: np.ndarray = place[inverse]
    return numbers
