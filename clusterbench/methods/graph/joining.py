"""Clusters put together from parts: more clusters than are wanted, joined along the graph."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .communities import merged, numbered

if TYPE_CHECKING:
    from scipy import sparse

    from .smoothed import SmoothedKMeans

#: Between 1, where the mean weight of all pairs of two parts counts and large ones are never
#: joined, and 1 / 2, as of a normalised cut, where they swallow the others.
_POWER = 0.75
#: Rows that are ranked at a time.
_BLOCK = 4096


def joined(graph: sparse.csr_array, parts: np.ndarray, k: int) -> np.ndarray:
    """Join parts until k are left, two at a time.

    Always those two are next for which e / (v w)^0.75 is the largest: e is the weight of the edges
    between them, v and w that of all ends of edges in the one and in the other. Of equal ones the
    part of the lowest number comes first. It ends early where no edges lead from part to part.

    To cut a graph of neighbours into too many parts and join those that hang together most is
    Chameleon's way (Karypis, Han and Kumar, IEEE Computer 32, 1999); average linkage along the
    edges would have the power 1. Parts of k-means are of one size, what is joined of them is not.

    Args:
        graph: (n, n) symmetric edge weights, without loops.
        parts: (n,) int64, from 0; some numbers may be of no row.
        k: wanted, at least 1.

    Returns:
        (n,) int64, clusters numbered by their lowest row; no more than there are parts with rows.
    """
    from scipy import sparse

    parts = numbered(parts)
    count = int(parts.max()) + 1
    member = sparse.csr_array((np.ones(len(parts)), (parts, np.arange(len(parts)))))
    between = sparse.coo_array(member @ graph @ member.T)
    ends = np.bincount(parts, np.asarray(graph.sum(axis=1)).ravel(), count).tolist()
    edges: list[dict[int, float]] = [{} for _ in range(count)]
    for a, b, weight in zip(*(c.tolist() for c in between.coords), between.data.tolist(),
                            strict=True):  # fmt: skip
        if a != b:
            edges[a][b] = weight
    since = [0] * count  # when a part was last joined to: what was said of it before is void

    def pair(a: int, b: int) -> tuple[float, int, int, int, int]:
        a, b = min(a, b), max(a, b)
        return -edges[a][b] / (ends[a] * ends[b]) ** _POWER, a, b, since[a], since[b]

    heap = [pair(a, b) for a in range(count) for b in edges[a] if a < b]
    heapq.heapify(heap)
    into = list(range(count))
    left = count
    while left > k and heap:
        _, a, b, of_a, of_b = heapq.heappop(heap)
        if (since[a], since[b]) != (of_a, of_b):
            continue
        into[b] = a
        since[b] = -1
        since[a] += 1
        ends[a] += ends[b]
        left -= 1
        del edges[a][b], edges[b][a]
        for third, weight in edges[b].items():
            del edges[third][b]
            edges[a][third] = edges[third][a] = edges[a].get(third, 0.0) + weight
        edges[b] = {}
        for third in edges[a]:
            heapq.heappush(heap, pair(a, third))
    for part in range(count):  # what a part went into has a lower number, and is settled
        into[part] = into[into[part]]
    return numbered(np.array(into)[parts])


def joined_to(graph: sparse.csr_array, parts: np.ndarray, unit: np.ndarray, k: int) -> np.ndarray:
    """Join parts to k clusters; those that no edge leads from go to the nearest (`merged`).

    graph, parts: as of `joined`. unit: (n, dim) float32, directions of the rows. Returns as
    `joined` does, at most k clusters.
    """
    labels = joined(graph, parts, k)
    return merged(graph, labels, unit, k) if labels.max() >= k else labels


@dataclass(frozen=True, eq=False)
class JoinedParts:
    """Clusters that are several parts of a k-means each.

    parts: the k-means. cluster_of: (parts,) int64. labels_: (n,) int64, clusters of the training
    rows. n_clusters: K.
    """

    parts: SmoothedKMeans
    cluster_of: np.ndarray
    labels_: np.ndarray
    n_clusters: int

    @classmethod
    def of(cls, parts: SmoothedKMeans, labels: np.ndarray, k: int) -> JoinedParts:
        """The fitted parts of the training rows, joined to k clusters.

        Args:
            parts: fitted to them.
            labels: (n,) int64, clusters that `joined_to` made of the parts.
            k: K, no more than the parts.
        """
        n_parts = parts.n_clusters
        cluster_of = np.full(n_parts, -1)
        cluster_of[parts.labels_] = labels
        there, gone = np.flatnonzero(cluster_of >= 0), np.flatnonzero(cluster_of < 0)
        centres = parts.cluster_centers_.astype(np.float64)
        for part in gone:  # of no row, but perhaps the nearest to a new one
            away = ((centres[there] - centres[part]) ** 2).sum(axis=1)
            cluster_of[part] = cluster_of[there[away.argmin()]]
        return cls(parts, cluster_of, labels, k)

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """(m,) int64, the clusters of the nearest parts."""
        found: np.ndarray = self.cluster_of[self.parts.predict(rows)]
        return found

    def predict_top(self, rows: np.ndarray, n: int) -> np.ndarray:
        """(m, n) int64, different clusters in the order of their nearest parts."""
        spare = len(self.cluster_of) - len(np.unique(self.cluster_of))
        n_asked = min(n + spare, len(self.cluster_of))  # so many parts are of n clusters or more
        found = np.empty((len(rows), n), dtype=np.int64)
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            ranked = self.cluster_of[self.parts.predict_top(block, n_asked)]
            found[start : start + len(block)] = _first_of_each(ranked, n, self.n_clusters)
        return found


def _first_of_each(ranked: np.ndarray, n: int, k: int) -> np.ndarray:
    """The first n different numbers of each row; then those of [0, k) that do not stand there."""
    order = np.argsort(ranked, axis=1, kind="stable")
    among = np.take_along_axis(ranked, order, axis=1)
    new = np.ones(ranked.shape, dtype=bool)
    new[:, 1:] = among[:, 1:] != among[:, :-1]
    first = np.empty_like(new)
    np.put_along_axis(first, order, new, axis=1)
    places = np.argsort(~first, axis=1, kind="stable")[:, :n]
    found: np.ndarray = np.take_along_axis(ranked, places, axis=1)
    short = np.flatnonzero(first.sum(axis=1) < n)
    for row in short:  # a cluster without parts is the last choice of all
        there = ranked[row][places[row][first[row][places[row]]]]
        found[row] = np.concatenate([there, np.setdiff1d(np.arange(k), there)])[:n]
    return found
