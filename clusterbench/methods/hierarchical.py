"""Hierarchical k-means with resampling: fine clusters first, then clusters of their centroids."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ..cores import torch_threads
from ..cost import Cost
from ..errors import InputError
from ..estimator import positive_int, whole_number
from ..kmeans.cpu import CpuShard
from ..kmeans.fit import Settings, fit, predict
from ..kmeans.row_sources import ArrayRows, Rows
from ..kmeans.shard import RowShard
from ..kmeans.starting import starts
from ..kmeans.starting.ward import ward
from ..kmeans.top import nearest_centroids
from ..progress import Progress
from .centroids import CentroidClusterer, start_of
from .scaling import Scaler

MERGES = ("ward", "kmeans")
#: Iterations in which most fits of fine clusters converge, and those after a resampling.
_CONVERGED, _RESAMPLED = 30, 10


class HierarchicalKMeans(CentroidClusterer):
    """Many fine clusters of the rows, whose centroids, each counted once, are clustered into K.

    k-means spends its clusters where rows are many: a class of a hundred times the rows is cut
    into pieces while rare classes share one. Centroids of fine clusters lie more evenly than rows,
    and once more so when they are found again from the few rows nearest to each (resampling);
    clusters of centroids therefore divide the space that rows fill, not the rows. After Vo et al.
    2024, "Automatic data curation for self-supervised learning: a clustering-based approach".

    1. k-means with min(n, `fine` x K) clusters on all rows.
    2. `n_resample` times: of each fine cluster the `resample_rows` rows nearest to its centroid;
       k-means on these rows alone from the present centroids; all rows assigned anew.
    3. The fine centroids (those that have rows, if they are at least K) are merged into K
       clusters, unweighted. A row belongs to the cluster of its nearest fine centroid.

    What differs from that publication: it draws a balanced sample of the rows from the hierarchy,
    here the clusters are the aim, and every row has one. It has as many levels as wanted, here
    there are two. It resamples at each level; here on the lower one, since the upper one is one of
    centroids that lie evenly already. It clusters centroids by k-means; here also by Ward's
    method. Its resampling is from random starts; here it goes on from the present centroids.

    Same seed, same labels in any number of threads.

    Args:
        n_clusters: K.
        random_state: seed of all draws.
        device: "auto", "cpu" or "cuda[:N]".
        fine: fine clusters for each cluster.
        init: the start of the fine clusters, by name, as `KMeans` takes it.
        resample_rows: rows of each fine cluster in a resampling; fine clusters times these rows
            are held in memory as float32.
        n_resample: resamplings; 0 merges the fine clusters of all rows.
        merge: "ward" (Ward 1963, at no more than a few minutes exact, else among near centroids)
            or "kmeans" (Lloyd's iterations from there).
        max_iter: times that centroids are moved at most, in each k-means.
        scaling: as of `KMeans`.

    Attributes:
        fine_centers_: (n_fine, width) float32, of scaled features.
        fine_clusters_: (n_fine,) int64, the cluster of each.
        cluster_centers_: (n_clusters, dim) float32, means of the fine centroids of each cluster,
            unweighted. A row belongs to the cluster of the nearest of `fine_centers_`, which need
            not be the nearest of these.
        labels_: (n_samples,) int64.
        counts_: (n_clusters,) int64, rows of each.

    Raises:
        InputError: a setting of another type or range.

    Examples:
        >>> from clusterbench.methods import HierarchicalKMeans
        >>> X = [[0.0], [0.1], [0.2], [0.3], [9.0]]
        >>> kmeans = HierarchicalKMeans(2, scaling="none", device="cpu").fit(X)
        >>> kmeans.counts_.tolist()
        [4, 1]
    """

    name: ClassVar[str] = "hierarchical-kmeans"
    label: ClassVar[str] = "hierarchical k-means"
    version: ClassVar[int] = 1

    def __init__(
        self,
        n_clusters: int = 8,
        random_state: int = 0,
        device: str = "auto",
        fine: int = 4,
        init: str = "auto",
        resample_rows: int = 16,
        n_resample: int = 3,
        merge: str = "ward",
        max_iter: int = 50,
        scaling: str = "l2",
    ) -> None:
        super().__init__(n_clusters, random_state, device)
        self.fine = positive_int("fine", fine)
        if not isinstance(init, str) or init not in starts.NAMES:
            raise InputError(f"init={init!r} should be one of {', '.join(starts.NAMES)}")
        self.init = init
        self.resample_rows = positive_int("resample_rows", resample_rows)
        self.n_resample = whole_number("n_resample", n_resample)
        if merge not in MERGES:
            raise InputError(f"merge={merge!r} should be one of {', '.join(MERGES)}")
        self.merge = merge
        self.max_iter = positive_int("max_iter", max_iter)
        self.scaling = Scaler(scaling).scaling

    def cost(self, n_train: int, n_eval: int, dim: int) -> Cost:
        """Distances to fine centroids, of all rows and of resampled ones; the merge is small."""
        scaler = Scaler(self.scaling)
        scaled, dim = scaler.cost(n_train, n_eval, dim), scaler.width(dim)
        k = min(n_train, self.fine * self.n_clusters)
        few = min(n_train, k * self.resample_rows)
        rows = 0.4 * n_train * min(self.max_iter, _CONVERGED) + n_train + n_eval
        again = 0.4 * few * min(self.max_iter, _RESAMPLED) + n_train
        distances = k * (rows + self.n_resample * again + k)
        return Cost(2.0 * distances * dim, 0.5 * distances) + scaled

    def _clusters(self, rows: Rows, progress: Progress) -> np.ndarray:
        shard = self._shard(rows)
        k, most = min(rows.n, self.fine * self.n_clusters), (1 + self.n_resample) * self.max_iter
        settings = Settings(
            k,
            start_of(self.init, k, rows.n, rows.dim, rows.in_memory),
            max_iter=self.max_iter,
            seed=self.random_state,
        )
        found = fit(shard, settings, progress=lambda done, _: progress(min(done, most - 1), most))
        centroids, inertia = found.centroids, [found.inertia]
        n_iter, n_rows = [found.n_iter], 0
        for number in range(self.n_resample):
            numbers = nearest_members(shard, k, self.resample_rows)
            few = shard.part(numbers, 0)
            again = fit(
                few,
                Settings(k, starts.Start("given", centroids), max_iter=self.max_iter),
            )
            centroids, n_rows = again.centroids, len(numbers)
            n_iter.append(again.n_iter)
            shard.assign(centroids)
            inertia.append(float(shard.unit.real(shard.objective())))
            progress((2 + number) * self.max_iter, most)
        fine = shard.labels().astype(np.int64)
        labels: np.ndarray = self._merged(centroids, np.bincount(fine, minlength=k))[fine]
        self.counts_ = np.bincount(labels, minlength=self.n_clusters)
        progress(most, most)
        self.diagnostics_ = {
            "n_fine": len(self.fine_centers_),
            "fine_inertia": inertia,
            "fine_iterations": n_iter,
            "resampled_rows": n_rows,
            "n_empty": int((self.counts_ == 0).sum()),
            "init": settings.start.name,
            "largest": int(self.counts_.max()),
        }
        return labels

    def _merged(self, centroids: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Cluster the fine centroids: the cluster of each, -1 for one that is left out."""
        kept = np.flatnonzero(counts > 0)
        if len(kept) < self.n_clusters:
            kept = np.arange(len(centroids))
        fine = np.ascontiguousarray(centroids[kept])
        clusters, centers = ward(
            fine, None, self.n_clusters, seed=self.random_state, threads=torch_threads()
        )
        if self.merge == "kmeans":
            found = fit(
                CpuShard(ArrayRows(fine), threads=torch_threads()),
                Settings(self.n_clusters, starts.Start("given", centers), max_iter=self.max_iter),
            )
            # Among equal centroids a cluster may stay without one: then Ward's are kept.
            if (found.counts > 0).all():
                clusters, centers = found.labels, found.centroids
        self.fine_centers_ = fine
        self.fine_clusters_: np.ndarray = clusters.astype(np.int64)
        self.cluster_centers_ = centers
        own = np.full(len(centroids), -1, dtype=np.int64)
        own[kept] = self.fine_clusters_
        return own

    def _nearest(self, rows: Rows) -> np.ndarray:
        nearest: np.ndarray = self.fine_clusters_[predict(self._shard(rows), self.fine_centers_)]
        return nearest

    def _predict_top(self, features: np.ndarray, n: int) -> np.ndarray:
        """Clusters in order of the nearest fine centroid of each."""
        scaled = self._scaler(features)
        result = np.empty((len(scaled), n), dtype=np.int64)
        left, wanted = np.arange(len(scaled)), min(2 * n, len(self.fine_centers_))
        while len(left):
            near = nearest_centroids(scaled[left], self.fine_centers_, wanted)
            whole, ranked = first_different(self.fine_clusters_[near], n)
            result[left[whole]] = ranked
            left, wanted = left[~whole], min(4 * wanted, len(self.fine_centers_))
        return result


def nearest_members(shard: RowShard, k: int, n: int) -> np.ndarray:
    """The n rows of each cluster that are nearest to its centroid, or all it has.

    Distances count in the shard's `unit`, of equal ones the lowest number first.
    Returns ascending numbers within the shard, int64.
    """
    labels = shard.labels()
    order = np.lexsort((shard.masses(np.arange(shard.n)), labels))
    first = np.concatenate([[0], np.cumsum(np.bincount(labels, minlength=k))])
    rank = np.arange(shard.n) - first[labels[order]]
    return np.sort(order[rank < n])


def first_different(clusters: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The first n different numbers of each row that has so many.

    clusters: (n_rows, m). Returns which rows have: (n_rows,) bool, and theirs: (n_having, n).
    """
    order = np.argsort(clusters, axis=1, kind="stable")
    ordered = np.take_along_axis(clusters, order, axis=1)
    again = np.zeros(clusters.shape, dtype=bool)
    again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    new = np.empty_like(again)
    np.put_along_axis(new, order, ~again, axis=1)
    whole = new.sum(axis=1) >= n
    new &= np.cumsum(new, axis=1) <= n
    return whole, clusters[whole][new[whole]].reshape(-1, n)
