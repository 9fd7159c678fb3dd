"""Leiden communities of the graph of nearest neighbours, as many as clusters are wanted."""

from __future__ import annotations

import importlib.util
from typing import ClassVar

import numpy as np
from scipy import sparse

from ...cost import Cost, check_memory
from ...errors import InputError
from ...estimator import positive_float, positive_int
from ...feature_rows import unit_rows
from ...neighbours.kept import search_cost
from ...progress import Progress
from ..clusterer import Clusterer
from ..scaling import Scaler
from .adjacency import adjacency
from .communities import TRIALS, by_resolution, merged, numbered
from .links import Neighbourhood, directions, fitted_directions, link_weights, search_bytes

_PACKAGE = "graspologic_native"
#: Numbers that a cycle of Leiden moves for each edge, roughly.
_MOVED = 300.0
#: New rows ranked at a time.
_BLOCK = 4096


class Leiden(Clusterer):
    """Communities of the graph of nearest neighbours, by Leiden's algorithm.

    1. The `n_neighbors` nearest other rows of each row by the cosine of the scaled features. An
       edge weighs 1 where two rows have each other among theirs, 1/2 where one has the other.
    2. Communities of high modularity at a resolution (Traag, Waltman and van Eck 2019, "From
       Louvain to Leiden: guaranteeing well-connected communities"; Reichardt and Bornholdt 2006),
       by the package graspologic-native. The resolution is sought by bisection over 24 trials at
       most: of the partitions with at least K communities the one with the fewest is taken. K is
       all that is known of the classes.
    3. If there are still more, the smallest joins the one to which it has the most edge weight for
       each row of that one, until K are left. A row without edges is a community of its own; rows
       of zeros, which have no direction, are one together.

    A new row is given to the cluster for which most of its `n_neighbors` nearest training rows
    vote, each with its similarity (those below 0 count as 0; where all do, all count the same);
    clusters of equal votes, and those without any, in the order of the cosines of their mean
    directions. A row whose direction was trained on has the cluster it had in training.

    Memory: about 120 n k + 20 n max(k, 50) + 4 n dim bytes and a tenth of a GB, refused before
    anything is computed where that is not there.

    Args:
        n_clusters: K.
        random_state: seed of the algorithm.
        device: "auto", "cpu" or "cuda[:N]", of neighbours; communities are found on the CPU.
        n_neighbors: k, of which n - 1 are taken at most.
        scaling: of the rows whose cosines are taken, as of `KMeans`; "none" and "l2" give those of
            the features as they are.
        iterations: cycles of the algorithm in each trial, each from where the last one ended.
        randomness: how freely refined communities are chosen (theta of the publication).

    Attributes:
        labels_: (n_samples,) int64.
        cluster_centers_: (n_clusters, width) float32, mean directions of scaled rows, for ranks.
        resolution_: of the communities taken.

    Raises:
        InputError: a setting of another type or range, too little memory, or the package is not
            installed: it comes with `pip install 'clusterbench[graph]'`.

    Examples:
        >>> from clusterbench.methods import Leiden
        >>> X = [[1.0, 0.0], [1.0, 0.1], [1.0, 0.2], [0.0, 1.0], [0.1, 1.0], [0.2, 1.0]]
        >>> leiden = Leiden(2, n_neighbors=2, device="cpu").fit(X)
        >>> leiden.labels_.tolist(), leiden.predict([[0.9, 0.3]]).tolist()
        ([0, 0, 0, 1, 1, 1], [0])
    """

    name: ClassVar[str] = "leiden"
    label: ClassVar[str] = "Leiden"
    version: ClassVar[int] = 1

    def __init__(
        self,
        n_clusters: int = 8,
        random_state: int = 0,
        device: str = "auto",
        n_neighbors: int = 10,
        scaling: str = "none",
        iterations: int = 2,
        randomness: float = 0.001,
    ) -> None:
        if importlib.util.find_spec(_PACKAGE) is None:
            raise InputError(
                "Leiden communities need the package graspologic-native; "
                "pip install 'clusterbench[graph]'"
            )
        super().__init__(n_clusters, random_state, device)
        self.n_neighbors = positive_int("n_neighbors", n_neighbors)
        self.scaling = Scaler(scaling).scaling
        self.iterations = positive_int("iterations", iterations)
        self.randomness = positive_float("randomness", randomness)

    def cost(self, n_train: int, n_eval: int, dim: int) -> Cost:
        """Similarities of all rows, and the trials; both of one thread."""
        edges = float(n_train) * self.n_neighbors
        trials = TRIALS / 2 * self.iterations * _MOVED * edges
        scaler = Scaler(self.scaling)
        search = search_cost(n_train, n_eval, scaler.width(dim))
        return search + Cost(0.0, trials) + scaler.cost(n_train, n_eval, dim)

    def _fit(self, features: np.ndarray, progress: Progress) -> np.ndarray:
        n, dim = features.shape
        scaler = Scaler(self.scaling)
        check_memory(
            120.0 * n * min(self.n_neighbors, n)
            + 4.0 * (1 + scaler.learns) * n * dim
            + search_bytes(n, dim, self.n_neighbors),
            f"{self.name} of {n:,} rows with {self.n_neighbors:,} neighbours",
            "take fewer rows or neighbours",
        )
        self._scaler = scaler
        rows, unit = fitted_directions(scaler, features)
        self._neighbourhood = Neighbourhood(rows, unit, unit, self.n_neighbors, False, self.device)
        graph = adjacency(self._neighbourhood.links, n)
        zeros = np.flatnonzero(~unit.any(axis=1))

        def partition(resolution: float) -> np.ndarray:
            found = self._communities(graph, resolution)
            found[zeros] = found[zeros[:1]]
            return numbered(found)

        found, resolution = by_resolution(partition, self.n_clusters, progress)
        n_found = int(found.max()) + 1
        labels = merged(graph, found, unit, min(self.n_clusters, n_found))
        self.resolution_ = resolution
        sums = np.zeros((self.n_clusters, unit.shape[1]))
        np.add.at(sums, labels, unit)
        self.cluster_centers_ = unit_rows(sums.astype(np.float32))
        sizes = np.bincount(labels, minlength=self.n_clusters)
        self.diagnostics_ = {
            "n_neighbors_used": self._neighbourhood.k,
            "resolution": resolution,
            "n_communities": n_found,
            "n_empty": int((sizes == 0).sum()),
            "largest": int(sizes.max()),
        }
        return labels

    def _communities(self, graph: sparse.csr_array, resolution: float) -> np.ndarray:
        """Leiden's communities: (n,) int64, in any numbers; rows without an edge are alone."""
        from graspologic_native import leiden_csr

        n = graph.shape[0]
        result = np.arange(n, 2 * n)
        if graph.nnz == 0:
            return result
        _, found = leiden_csr(
            graph.indptr.astype(np.int64),
            graph.indices.astype(np.int32),
            graph.data,
            n,
            resolution=resolution,
            randomness=self.randomness,
            iterations=self.iterations,
            use_modularity=True,
            seed=self.random_state,
        )
        joined = np.flatnonzero(np.diff(graph.indptr))
        result[joined] = [found[row] for row in joined.tolist()]
        return result

    def _ranked(self, features: np.ndarray, n: int) -> np.ndarray:
        _, unit = directions(self._scaler, features)
        links, seen = self._neighbourhood.of(unit, unit)
        weights = link_weights(links)
        result = np.empty((len(unit), n), dtype=np.int64)
        for start in range(0, len(unit), _BLOCK):
            block = slice(start, start + _BLOCK)
            rows, known = np.arange(len(unit[block])), np.flatnonzero(seen[block] >= 0)
            votes = np.zeros((len(rows), self.n_clusters))
            for weight, ids in zip(weights[block].T, links.ids[block].T, strict=True):
                votes[rows, self.labels_[ids]] += weight
            votes[known, self.labels_[seen[block][known]]] = np.inf
            # Of equal cosines (of empty clusters, say) the lowest number comes first.
            cosines = unit[block] @ self.cluster_centers_.T
            result[block] = np.lexsort((-cosines, -votes), axis=1)[:, :n]
        return result

    def _predict(self, features: np.ndarray) -> np.ndarray:
        return self._ranked(features, 1)[:, 0]

    def _predict_top(self, features: np.ndarray, n: int) -> np.ndarray:
        return self._ranked(features, n)
