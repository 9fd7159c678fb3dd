"""k-means by faiss, with every setting that changes the answer explicit and recorded."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..devices import resolve_device
from ..errors import InputError
from ..estimator import TrainingError, positive_int, true_or_false
from ..progress import Progress
from .clusterer import Clusterer
from .scaling import Scaler
from .top_order import led_by


class KMeans(Clusterer):
    """Lloyd's k-means (faiss), on all points.

    faiss's own defaults are 25 iterations, one start and a silent subsample of 256 points per
    centroid; published k-means rows differ partly by such settings, so here they are parameters.

    Args:
        n_clusters: K.
        random_state: seed; faiss derives a seed for each start from it.
        device: "auto", "cpu" or "cuda[:N]".
        n_init: starts; the one with the lowest sum of squared distances is kept (no labels).
        max_iter: Lloyd iterations of each start.
        scaling: "l2" (each row to unit length), "standardize" (each dimension to mean 0 and
            standard deviation 1, from the training rows) or "none".
        spherical: renormalise the centroids to unit length after each iteration.
        max_points_per_centroid: above this many points per centroid faiss trains on a random
            subsample; None (the default) trains on all points.

    Attributes:
        cluster_centers_: (n_clusters, dim) float32, of scaled features.
        inertia_: summed squared distances of the scaled training rows to their centroids.

    Raises:
        InputError: a setting of another type or range.

    Examples:
        >>> from clusterbench import score
        >>> from clusterbench.methods import KMeans
        >>> kmeans = KMeans(n_clusters=2, device="cpu")
        >>> kmeans = kmeans.fit([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
        >>> score([0, 0, 1, 1], kmeans.labels_).acc
        1.0
        >>> score([0, 1], kmeans.predict([[3.0, 0.5], [0.5, 3.0]])).acc
        1.0
    """

    name: ClassVar[str] = "kmeans"
    label: ClassVar[str] = "k-means"
    version: ClassVar[int] = 1

    def __init__(
        self,
        n_clusters: int = 8,
        random_state: int = 0,
        device: str = "auto",
        n_init: int = 10,
        max_iter: int = 100,
        scaling: str = "l2",
        spherical: bool = False,
        max_points_per_centroid: int | None = None,
    ) -> None:
        super().__init__(n_clusters, random_state, device)
        self.n_init = positive_int("n_init", n_init)
        self.max_iter = positive_int("max_iter", max_iter)
        self.scaling = Scaler(scaling).scaling
        self.spherical = true_or_false("spherical", spherical)
        if max_points_per_centroid is not None:
            positive_int("max_points_per_centroid", max_points_per_centroid)
        self.max_points_per_centroid = max_points_per_centroid

    def _fit(self, features: np.ndarray, progress: Progress) -> np.ndarray:
        import faiss

        self._scaler = Scaler(self.scaling).fit(features)
        features = self._scaler(features)
        gpu = _faiss_gpus(self.device)
        engine = faiss.Kmeans(
            features.shape[1],
            self.n_clusters,
            niter=self.max_iter,
            nredo=self.n_init,
            seed=self.random_state,
            spherical=self.spherical,
            gpu=gpu,
            min_points_per_centroid=1,
            max_points_per_centroid=self.max_points_per_centroid or len(features),
        )
        progress(0, 1)
        engine.train(features)
        self.cluster_centers_: np.ndarray = np.asarray(engine.centroids)
        if not np.isfinite(self.cluster_centers_).all():
            raise TrainingError("k-means ended with centroids that are not finite")
        labels = self._predict_scaled(features)
        self.inertia_ = _inertia(features, self.cluster_centers_, labels)
        self.diagnostics_ = {
            "inertia": self.inertia_,
            "n_empty": int(self.n_clusters - len(np.unique(labels))),
        }
        progress(1, 1)
        return labels

    def _predict(self, features: np.ndarray) -> np.ndarray:
        return self._predict_scaled(self._scaler(features))

    def _predict_top(self, features: np.ndarray, n: int) -> np.ndarray:
        scaled = self._scaler(features)
        return led_by(self._predict_scaled(scaled), self._search(scaled, n))

    def _predict_scaled(self, features: np.ndarray) -> np.ndarray:
        return self._search(features, 1)[:, 0]

    def _search(self, features: np.ndarray, n: int) -> np.ndarray:
        import faiss

        index: Any = faiss.IndexFlatL2(features.shape[1])
        if gpu := _faiss_gpus(self.device):
            index = faiss.index_cpu_to_gpus_list(index, gpus=gpu)
        index.add(self.cluster_centers_)
        result: np.ndarray = index.search(features, n)[1]
        return result


def _inertia(features: np.ndarray, centers: np.ndarray, labels: np.ndarray) -> float:
    total = 0.0
    for start in range(0, len(features), 65536):
        block = slice(start, start + 65536)
        difference = features[block] - centers[labels[block]]
        total += float(np.einsum("ij,ij->", difference, difference, dtype=np.float64))
    return total


def _faiss_gpus(device: str) -> list[int]:
    """CUDA device numbers for faiss; an empty list means the CPU. Never "all" by accident."""
    import faiss

    resolved = resolve_device(device)
    if resolved.type != "cuda":
        return []
    if not hasattr(faiss, "StandardGpuResources"):
        if device == "auto":
            return []
        raise InputError(f"device {device!r}: this faiss has no GPU support; use --device cpu")
    return [resolved.index or 0]
