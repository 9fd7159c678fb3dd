"""What k-means and its relatives share: rows read in blocks, each to its nearest centroid."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..cores import torch_threads
from ..devices import resolve_device
from ..errors import InputError
from ..feature_rows import as_features
from ..kmeans.fit import predict
from ..kmeans.row_sources import ArrayRows, Rows
from ..kmeans.starting import starts
from ..kmeans.top import nearest_centroids
from ..progress import Progress, unseen
from .clusterer import Clusterer, check_enough
from .scaling import Scaler
from .streaming import streamed

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..kmeans.shard import RowShard

#: Bytes of features of which a scaled copy is kept; larger ones are scaled when they are read.
_COPIED = 2 << 30


class CentroidClusterer(Clusterer):
    """Clusters that are centroids: each row belongs to the one that is nearest in float64.

    A subclass finds the centroids in `_clusters`, by the shards of `clusterbench.kmeans`, and gets
    scaling, `FeatureStore`s and memory maps read in blocks, devices and prediction from here.

    Attributes:
        cluster_centers_: (n_clusters, width) float32, of scaled features; width is the number of
            dimensions that they have, dim unless they are whitened.
    """

    scaling: str
    cluster_centers_: np.ndarray

    def fit(self, X: Any, y: Any = None, *, progress: Progress | None = None) -> Self:
        """Find `n_clusters` clusters in X.

        Args:
            X: as `Clusterer.fit` takes it. A `FeatureStore` and a memory map are read block by
                block whenever they are needed, an array of float16 stays as it is.
            y: not looked at.
            progress: called as `progress(done, total)` while the fit goes on.

        Raises:
            InputError: as `Clusterer.fit`.
        """
        del y  # nothing that fits sees a label
        rows = streamed(X)
        if rows is None:
            return super().fit(X, progress=progress)
        self._begin_fit(rows.dim)
        check_enough(rows.n, self.n_clusters)
        self._scaler = Scaler(self.scaling).fit_rows(rows)
        scaled = streamed(X, self._scaler)
        assert scaled is not None
        self.labels_ = self._clusters(scaled, progress or unseen)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The cluster of each row: (n_samples,) int64; X as `fit` takes it."""
        rows = streamed(X)
        if rows is None:
            return super().predict(X)
        self._check_width(rows.dim)
        scaled = streamed(X, self._scaler)
        assert scaled is not None
        return self._nearest(scaled)

    def clusters_of(self, rows: Rows) -> np.ndarray:
        """Find the clusters of rows that are scaled already, as another method reads them.

        Returns:
            Labels, (rows.n,) int64.

        Raises:
            InputError: there are fewer rows than clusters.
        """
        self._begin_fit(rows.dim)
        check_enough(rows.n, self.n_clusters)
        self._scaler = Scaler("none")
        self.labels_ = self._clusters(rows, unseen)
        return self.labels_

    @abstractmethod
    def _clusters(self, rows: Rows, progress: Progress) -> np.ndarray:
        """Find the clusters of scaled rows: labels, (rows.n,) int64, as `_nearest` has them."""

    def _nearest(self, rows: Rows) -> np.ndarray:
        """Clusters of scaled rows: (rows.n,) int64."""
        return predict(self._shard(rows), self.cluster_centers_).astype(np.int64)

    def _fit(self, features: np.ndarray, progress: Progress) -> np.ndarray:
        self._scaler = Scaler(self.scaling).fit(features)
        return self._clusters(self._rows(features), progress)

    def _predict(self, features: np.ndarray) -> np.ndarray:
        return self._nearest(self._rows(features))

    def _predict_top(self, features: np.ndarray, n: int) -> np.ndarray:
        return nearest_centroids(self._scaler(features), self.cluster_centers_, n)

    def _rows(self, features: np.ndarray) -> Rows:
        """Scaled once where a second copy is no matter, else block by block."""
        if features.nbytes <= _COPIED:
            return ArrayRows(self._scaler(features))
        return ArrayRows(features, self._scaler, self._scaler.width(features.shape[1]))

    def _shard(self, rows: Rows, weights: np.ndarray | None = None, start: int = 0) -> RowShard:
        device = resolve_device(self.device)
        if device.type != "cpu":
            from ..kmeans.device.cuda import CudaShard

            return CudaShard(rows, weights, start, device=device)
        from ..kmeans.cpu import CpuShard

        return CpuShard(rows, weights, start, threads=torch_threads())


def checked_init(init: Any) -> Any:
    """A setting `init` as it was given.

    Raises:
        InputError: a text that names no start.
    """
    if isinstance(init, str) and init not in starts.NAMES:
        raise InputError(
            f"init={init!r} should be one of {', '.join(starts.NAMES)}, or an array of centroids"
        )
    return init


def start_of(init: Any, n_clusters: int, n: int, dim: int, in_memory: bool) -> starts.Start:
    """The start that a setting `init` means for n rows of dim dimensions.

    Raises:
        InputError: an array of another shape than (n_clusters, dim).
    """
    if not isinstance(init, str):
        try:
            centroids = as_features(init)
        except InputError as error:
            raise InputError(
                f"init={type(init).__name__} is neither one of {', '.join(starts.NAMES)} nor an "
                f"array of centroids: {error}"
            ) from error
        if centroids.shape != (n_clusters, dim):
            raise InputError(
                f"init has shape {centroids.shape}; expected (n_clusters, dim) = "
                f"{(n_clusters, dim)}"
            )
        return starts.Start("given", centroids)
    return starts.Start(starts.chosen(n, n_clusters, in_memory) if init == "auto" else init)
