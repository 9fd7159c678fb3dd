"""Spectral clustering of the graph of nearest neighbours."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ...cores import torch_threads
from ...cost import Cost, check_memory
from ...estimator import number, positive_int
from ...feature_rows import unit_rows
from ...kmeans.starting.ward import ward
from ...neighbours.kept import search_cost
from ...progress import Progress
from ..centroids import checked_init
from ..clusterer import Clusterer
from ..kmeans import KMeans
from ..scaling import Scaler
from .adjacency import adjacency, components
from .eigenvectors import leading, work_bytes
from .links import Links, Neighbourhood, directions, fitted_directions, link_weights, search_bytes

#: Times that Lanczos' vectors are made orthogonal anew, mostly.
_RESTARTS = 8
#: Parts of 1 that numbers of the embedding are whole multiples of.
_FINEST = np.float32(1 << 24)
#: New rows placed at a time.
_BLOCK = 4096


class SpectralClustering(Clusterer):
    """k-means on the leading eigenvectors of the graph of nearest neighbours.

    After Ng, Jordan and Weiss 2001, "On spectral clustering: analysis and an algorithm":

    1. The `n_neighbors` nearest other rows of each row by the cosine of the scaled features. W
       weighs 1 where two rows have each other among theirs, 1/2 where one has the other.
    2. The K eigenvectors of D^-1/2 W D^-1/2 with the largest eigenvalues, D being the degrees;
       those of the connected components are known, the others are found by Lanczos' method.
    3. Each row of the (n, K) matrix to unit length, and `KMeans` of these rows.

    Where the graph has more connected components than there are clusters the eigenvectors say no
    more than which component a row is in. Then whole components are put together: by Ward's method
    on the mean directions of their rows, weighted by their numbers. Rows of zeros have no
    direction, no neighbours and no component; they lie at the origin of the embedding.

    A new row lies where the mean of its `n_neighbors` nearest training rows lies, weighted by
    their similarities (those below 0 count as 0; where all do, all weigh the same), brought to
    unit length, as in Nyström's extension of eigenvectors; it belongs to the nearest centroid. A
    row whose direction was trained on lies where it lay in training.

    Memory: about 8 n (4 K + 10) bytes, for 2 K Lanczos vectors and two copies of K (of few rows,
    or where K is above n / 4, 8 n (3 n + K)), and the graph; refused before anything is computed
    where that is not there. (n, K) float32 and the rows stay with the method.

    Args:
        n_clusters: K.
        random_state: seed of Lanczos' first vector and of k-means.
        device: "auto", "cpu" or "cuda[:N]", of neighbours and k-means.
        n_neighbors: k, of which n - 1 are taken at most.
        scaling: of the rows whose cosines are taken, as of `KMeans`; "none" and "l2" give those of
            the features as they are.
        init: as of `KMeans`, in the space of eigenvectors; so are those that follow.
        n_init: starts.
        max_iter: times that the centroids are moved at most.
        tol: gain of an iteration at which a start ends.

    Attributes:
        embedding_: (n_samples, n_clusters) float32, unit rows.
        eigenvalues_: (n_clusters,) float64, descending; 1 for each component.
        labels_: (n_samples,) int64.

    Raises:
        InputError: a setting of another type or range, or too little memory.

    Examples:
        >>> from clusterbench.methods import SpectralClustering
        >>> X = [[1.0, 0.0], [1.0, 0.1], [1.0, 0.2], [0.0, 1.0], [0.1, 1.0], [0.2, 1.0]]
        >>> spectral = SpectralClustering(2, n_neighbors=2, device="cpu").fit(X)
        >>> spectral.labels_.tolist(), spectral.predict([[0.9, 0.3]]).tolist()
        ([0, 0, 0, 1, 1, 1], [0])
    """

    name: ClassVar[str] = "spectral"
    label: ClassVar[str] = "spectral clustering"
    version: ClassVar[int] = 1

    def __init__(
        self,
        n_clusters: int = 8,
        random_state: int = 0,
        device: str = "auto",
        n_neighbors: int = 5,
        scaling: str = "none",
        init: Any = "auto",
        n_init: int = 3,
        max_iter: int = 100,
        tol: float = 0.0,
    ) -> None:
        super().__init__(n_clusters, random_state, device)
        self.n_neighbors = positive_int("n_neighbors", n_neighbors)
        self.scaling = Scaler(scaling).scaling
        self.init = checked_init(init)
        self.n_init = positive_int("n_init", n_init)
        self.max_iter = positive_int("max_iter", max_iter)
        self.tol = number("tol", tol, at_least=0.0)

    def _kmeans(self) -> KMeans:
        return KMeans(
            self.n_clusters,
            random_state=self.random_state,
            device=self.device,
            init=self.init,
            n_init=self.n_init,
            max_iter=self.max_iter,
            tol=self.tol,
            scaling="none",
            start_dim=None,
        )

    def cost(self, n_train: int, n_eval: int, dim: int) -> Cost:
        """Similarities of all rows, Lanczos' vectors made orthogonal, and k-means of K numbers."""
        k = self.n_clusters
        kmeans = self._kmeans().cost(n_train, n_eval, k)
        vectors = 8.0 * _RESTARTS * n_train * k**2
        scaler = Scaler(self.scaling)
        search = search_cost(n_train, n_eval, scaler.width(dim))
        return kmeans + search + Cost(vectors, vectors) + scaler.cost(n_train, n_eval, dim)

    def _fit(self, features: np.ndarray, progress: Progress) -> np.ndarray:
        n, dim = features.shape
        k = min(self.n_neighbors, n)
        scaler = Scaler(self.scaling)
        copies = 4.0 * (1 + scaler.learns) * n * dim
        needed = work_bytes(n, self.n_clusters) + copies + 40.0 * n * k
        check_memory(
            needed + search_bytes(n, dim, k),
            f"{self.name} of {n:,} rows in {self.n_clusters:,} clusters",
            "take fewer rows or clusters, or smoothed-kmeans, which needs no eigenvectors",
        )
        self._scaler = scaler
        rows, unit = fitted_directions(scaler, features)
        self._neighbourhood = Neighbourhood(rows, unit, unit, self.n_neighbors, False, self.device)
        n_parts = self._embed(unit, self._neighbourhood.links)
        self._fitted_kmeans = self._kmeans().fit(self.embedding_, progress=progress)
        self.diagnostics_ = {
            **self._fitted_kmeans.diagnostics_,
            "n_neighbors_used": self._neighbourhood.k,
            "n_components": n_parts,
        }
        return self._fitted_kmeans.labels_

    def _embed(self, unit: np.ndarray, links: Links) -> int:
        """Set `embedding_` and `eigenvalues_`; how many components there are."""
        n, k = len(unit), self.n_clusters
        graph = adjacency(links, n)
        joined = np.flatnonzero(graph.sum(axis=1) > 0)
        self.embedding_ = np.zeros((n, k), dtype=np.float32)
        self.eigenvalues_ = np.zeros(k)
        if not len(joined):
            return 0
        graph = graph[joined][:, joined]
        n_parts, parts = components(graph)
        n_vectors = min(k, len(joined))
        if n_parts >= k:
            merged = parts if n_parts == k else _merged(unit[joined], parts, k)[parts]
            self.embedding_[joined, merged] = 1.0
            self.eigenvalues_[:] = 1.0
            return n_parts
        values, vectors = leading(graph, parts, n_vectors, self.random_state)
        place = unit_rows(vectors.astype(np.float32))
        # What is nearer to 0 than float32 tells of numbers near 1 is rounding.
        self.embedding_[joined, :n_vectors] = np.rint(place * _FINEST) / _FINEST
        self.eigenvalues_[:n_vectors] = values
        return n_parts

    def _placed(self, features: np.ndarray) -> np.ndarray:
        """New rows in the space of eigenvectors: (m, n_clusters) float32."""
        _, unit = directions(self._scaler, features)
        links, seen = self._neighbourhood.of(unit, unit)
        weights = link_weights(links)
        result = np.zeros((len(features), self.n_clusters), dtype=np.float32)
        for start in range(0, len(features), _BLOCK):
            block = slice(start, start + _BLOCK)
            for weight, ids in zip(weights[block].T, links.ids[block].T, strict=True):
                result[block] += weight[:, None] * self.embedding_[ids]
        result = unit_rows(result)
        result[seen >= 0] = self.embedding_[seen[seen >= 0]]
        return result

    def _predict(self, features: np.ndarray) -> np.ndarray:
        return self._fitted_kmeans.predict(self._placed(features))

    def _predict_top(self, features: np.ndarray, n: int) -> np.ndarray:
        return self._fitted_kmeans.predict_top(self._placed(features), n)


def _merged(unit: np.ndarray, parts: np.ndarray, k: int) -> np.ndarray:
    """The cluster of each component, by Ward's method on their means: (n_parts,) int64."""
    sizes = np.bincount(parts).astype(np.float64)
    means = np.zeros((len(sizes), unit.shape[1]))
    np.add.at(means, parts, unit)
    means /= sizes[:, None]
    clusters, _ = ward(means.astype(np.float32), sizes, k, threads=torch_threads())
    return clusters.astype(np.int64)
