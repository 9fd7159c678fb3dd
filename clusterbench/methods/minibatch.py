"""k-means on batches that grow: few rows while centroids move far, more once noise holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..cost import Cost
from ..estimator import number, positive_float, positive_int, true_or_false
from ..kmeans.lloyd import Alone, Iterations, iterate
from ..kmeans.row_sources import Rows
from ..kmeans.shard import RowShard, Units
from ..kmeans.starting.starts import start
from ..progress import Progress
from .centroids import CentroidClusterer, checked_init, start_of
from .scaling import Scaler

#: Iterations on a batch, and on all rows from centroids that batches have found, mostly.
_ON_A_BATCH, _AT_THE_END = 8, 12


class MiniBatchKMeans(CentroidClusterer):
    """k-means on nested batches: for data of which a pass is expensive.

    A batch is a random sample of rows. Mini-batches that are drawn anew (Sculley 2010) count a row
    once for each time it is drawn, under whatever centroid was near at the time; here each batch
    holds the one before it and a row counts once, where it belongs now (Newling and Fleuret 2016,
    "Nested mini-batch k-means"). Within a batch the iterations are Lloyd's, exact. The batch
    doubles when it has no more to say: when at least half of the clusters have moved by no more
    than 1 / `patience` of their standard error, sqrt(SSE / (n (n - 1))) for a cluster of n rows
    with summed squared distances SSE. (A cluster of one row has none, and is counted with them.)
    That publication compares the same two numbers by another rule, and accelerates by bounds that
    it shares between batches; here a batch that has doubled is assigned anew once.

    Same seed, same labels in any number of threads; a row's cluster is exactly the nearest.

    Args:
        n_clusters: K.
        random_state: seed of all draws.
        device: "auto", "cpu" or "cuda[:N]".
        init: the start, on the first batch, as `KMeans` takes it.
        rows_per_cluster: rows of the first batch for each cluster.
        max_batch: rows of the largest batch, which are held in memory as float32; at least
            `n_clusters` are taken.
        patience: larger stays longer on a batch.
        refine: end with Lloyd's iterations on all rows; else all rows are only assigned to the
            centroids of the last batch.
        max_iter: times that the centroids are moved at most, on batches, and again on all rows.
        tol: as of `KMeans`, on all rows.
        scaling: as of `KMeans`.

    Attributes:
        cluster_centers_: (n_clusters, width) float32, of scaled features.
        labels_: (n_samples,) int64, the nearest of `cluster_centers_`.
        counts_: (n_clusters,) int64, rows of each.
        inertia_: summed squared distances of the scaled rows to their centroids.
        n_iter_: times that the centroids were moved.

    Raises:
        InputError: a setting of another type or range.

    Examples:
        >>> from clusterbench.methods import MiniBatchKMeans
        >>> X = [[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]]
        >>> kmeans = MiniBatchKMeans(2, rows_per_cluster=1, device="cpu").fit(X)
        >>> kmeans.labels_[0] == kmeans.labels_[1] != kmeans.labels_[2] == kmeans.labels_[3]
        np.True_
    """

    name: ClassVar[str] = "minibatch-kmeans"
    label: ClassVar[str] = "mini-batch k-means"
    version: ClassVar[int] = 1

    def __init__(
        self,
        n_clusters: int = 8,
        random_state: int = 0,
        device: str = "auto",
        init: Any = "auto",
        rows_per_cluster: int = 16,
        max_batch: int = 1 << 20,
        patience: float = 3.0,
        refine: bool = True,
        max_iter: int = 100,
        tol: float = 0.0,
        scaling: str = "l2",
    ) -> None:
        super().__init__(n_clusters, random_state, device)
        self.init = checked_init(init)
        self.rows_per_cluster = positive_int("rows_per_cluster", rows_per_cluster)
        self.max_batch = positive_int("max_batch", max_batch)
        self.patience = positive_float("patience", patience)
        self.refine = true_or_false("refine", refine)
        self.max_iter = positive_int("max_iter", max_iter)
        self.tol = number("tol", tol, at_least=0.0)
        self.scaling = Scaler(scaling).scaling

    def cost(self, n_train: int, n_eval: int, dim: int) -> Cost:
        """Distances on batches that add up to twice the largest, and on all rows at the end."""
        scaler = Scaler(self.scaling)
        scaled, dim = scaler.cost(n_train, n_eval, dim), scaler.width(dim)
        rows = 2.0 * min(n_train, self.max_batch) * min(self.max_iter, _ON_A_BATCH)
        rows += n_train * min(self.max_iter, _AT_THE_END) * self.refine
        distances = self.n_clusters * (0.4 * rows + n_train + n_eval)
        return Cost(2.0 * distances * dim, 0.5 * distances + 2.0 * rows * dim) + scaled

    def _clusters(self, rows: Rows, progress: Progress) -> np.ndarray:
        shard = self._shard(rows)
        most = 2 * self.max_iter
        found = self._on_batches(shard, rows, lambda done: progress(done, most))
        # On batches the objective is that of fewer rows: all rows begin a list of their own.
        last = Iterations(found.centroids)
        units = shard.extent.units()
        if found.sizes[-1] < rows.n:  # else the shard is the last batch, and begun
            shard.begin(units)
        iterate(
            shard,
            Alone(),
            units,
            last,
            max_iter=self.max_iter if self.refine else 0,
            tol=self.tol,
            after=lambda state: progress(self.max_iter + state.n_iter, most),
        )
        progress(most, most)
        self._keep(found, last, shard)
        return shard.labels().astype(np.int64)

    def _on_batches(self, shard: RowShard, rows: Rows, progress: Any) -> _Batches:
        rng = np.random.default_rng(self.random_state)
        order = rng.permutation(rows.n)
        most = min(rows.n, max(self.max_batch, self.n_clusters))
        size = min(most, self.rows_per_cluster * self.n_clusters)
        batch, units = _batch(shard, order, size)
        how = start_of(self.init, self.n_clusters, batch.n, batch.dim, in_memory=True)
        found = _Batches(
            start(how, batch, Alone(), units, self.n_clusters, rng), how.name, sizes=[size]
        )
        while found.n_iter < self.max_iter:
            state = Iterations(found.centroids)
            iterate(batch, Alone(), units, state, max_iter=1)
            still = state.converged
            done = still or settled(batch, units, found.centroids, state.centroids, self.patience)
            found.moved(state)
            progress(found.n_iter)
            if done and size == most:
                break
            if done:
                size = min(2 * size, most)
                batch, units = _batch(shard, order, size)
                found.sizes.append(size)
                found.iterations.append(0)
        return found

    def _keep(self, found: _Batches, last: Iterations, shard: RowShard) -> None:
        self.cluster_centers_ = last.centroids
        self.counts_ = shard.sums().counts.copy()
        self.inertia_, self.n_iter_ = last.objectives[-1], found.n_iter + last.n_iter
        read = sum(size * n for size, n in zip(found.sizes, found.iterations, strict=True))
        self.diagnostics_ = {
            "inertia": self.inertia_,
            "n_empty": int((self.counts_ == 0).sum()),
            "init": found.init,
            "n_iter": self.n_iter_,
            "converged": last.converged,
            "relocated": found.relocated + last.relocated,
            "batches": found.sizes,
            "batch_iterations": found.iterations,
            "passes": read / shard.n + last.n_iter + 1,
        }


@dataclass
class _Batches:
    """What batches have come to: sizes and times moved of each, one behind the other."""

    centroids: np.ndarray
    init: str
    sizes: list[int]
    iterations: list[int] = field(default_factory=lambda: [0])
    relocated: int = 0

    @property
    def n_iter(self) -> int:
        return sum(self.iterations)

    def moved(self, state: Iterations) -> None:
        self.centroids = state.centroids
        self.iterations[-1] += state.n_iter
        self.relocated += state.relocated


def settled(
    batch: RowShard, units: Units, before: np.ndarray, after: np.ndarray, patience: float
) -> bool:
    """Whether half of the clusters have moved by no more than their noise.

    Args:
        batch: the rows, each assigned to the nearest of `after`.
        units: of the batch.
        before: (k, dim) float32 centroids.
        after: (k, dim) float32, the same ones moved.
        patience: of a standard error 1 / patience counts.
    """
    k = len(after)
    labels = batch.labels()
    counts = np.bincount(labels, minlength=k).astype(np.float64)
    squared = batch.unit.real(batch.masses(np.arange(batch.n)))
    sse = np.bincount(labels, weights=squared, minlength=k)
    known = counts > 1
    noise = np.full(k, np.inf)
    noise[known] = sse[known] / (counts[known] * (counts[known] - 1.0))
    step = after.astype(np.float64) - before
    moved = np.einsum("ij,ij->i", step, step)
    return bool(2 * (moved * patience**2 <= noise).sum() >= k)


def _batch(shard: RowShard, order: np.ndarray, size: int) -> tuple[RowShard, Units]:
    """The first rows of the order, as they follow each other in the shard, begun."""
    batch = shard if size == shard.n else shard.part(np.sort(order[:size]), 0)
    units = batch.extent.units()
    batch.begin(units)
    return batch, units
