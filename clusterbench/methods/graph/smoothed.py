"""k-means on rows that are averaged with their nearest neighbours: the control for deep heads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...cost import Cost, check_memory
from ...errors import InputError
from ...estimator import number, positive_int, true_or_false, whole_number
from ...feature_rows import unit_rows
from ...files import check_checkpoint_folder
from ...neighbours.kept import Place, search_cost
from ...progress import Progress
from ..centroids import checked_init
from ..clusterer import Clusterer
from ..fit_stages import checkpoint_path
from ..kmeans import KMeans
from ..scaling import Scaler
from .links import Neighbourhood, search_bytes
from .smoothing import Smoothing

if TYPE_CHECKING:
    from typing_extensions import Self

#: What "auto" stands for: see docs/graph-baselines.md for what was tried and what it gave.
N_NEIGHBORS, ROUNDS = 7, 2


class SmoothedKMeans(Clusterer):
    """k-means on rows that are first averaged with their nearest neighbours.

    It uses the neighbours that TEMI and SCAN draw their pairs from, and trains nothing: what a deep
    head adds beyond them is what it is ahead of this.

    1. Each row is scaled (to unit length by default), and its `n_neighbors` nearest other rows are
       found by the cosine of the features as they were given.
    2. `rounds` times, along the same graph: each row becomes the mean of itself and its neighbours,
       brought to unit length again where scaling brings rows to it ("l2", "whiten"). With `mutual`
       only those neighbours count that have the row among theirs.
    3. `KMeans` of the rows that came of it, with its own start.

    A new row goes the same way: at level r it is averaged with its nearest *training* rows as they
    were smoothed r - 1 times, then it belongs to the nearest centroid. With `mutual` a training
    row counts if the new row is no farther from it than its own k-th neighbour is, so that the new
    row would be among its neighbours. A row that was trained on is recognised by its numbers, is
    not its own neighbour, and so gets its label again. Rows of zeros have no direction and no
    neighbours.

    Memory: rows at `rounds` + 1 levels, the graph, and copies that the search and k-means make; in
    all about 4 (rounds + 3) n dim + 24 n k + 20 n max(k, 50) bytes and a tenth of a GB, refused
    before anything is computed where that is not there. `rounds` levels stay with the method: new
    rows need them.

    Args:
        n_clusters: K.
        random_state: seed of all draws, which are those of k-means.
        device: "auto", "cpu" or "cuda[:N]".
        n_neighbors: k, of which n - 1 are taken at most; "auto" is 7.
        rounds: times that rows are averaged; 0 is k-means. "auto" is 2, and 0 where there are fewer
            than k rows for each cluster, since most neighbours are then of other clusters.
        mutual: whether neighbours count that have the row among theirs, and no others.
        scaling: as of `KMeans`.
        init: as of `KMeans`, for smoothed rows; so are those that follow.
        n_init: starts.
        max_iter: times that the centroids are moved at most.
        tol: gain of an iteration at which a start ends.

    Attributes:
        cluster_centers_: (n_clusters, dim) float32, of smoothed rows.
        labels_: (n_samples,) int64.
        counts_: (n_clusters,) int64, rows of each.
        inertia_: summed squared distances of the smoothed rows to their centroids.

    Raises:
        InputError: a setting of another type or range, or too little memory.

    Examples:
        >>> from clusterbench.methods import SmoothedKMeans
        >>> X = [[1.0, 0.0], [1.0, 0.1], [1.0, 0.2], [0.0, 1.0], [0.1, 1.0], [0.2, 1.0]]
        >>> kmeans = SmoothedKMeans(2, n_neighbors=2, device="cpu").fit(X)
        >>> kmeans.counts_.tolist(), (kmeans.predict(X) == kmeans.labels_).all()
        ([3, 3], np.True_)
    """

    cluster_centers_: np.ndarray
    #: Of the checkpoint of the fit that goes on.
    _folder: Path | None = None
    #: Where the graph is kept, if not with the checkpoint.
    _graphs: Place | None = None

    name: ClassVar[str] = "smoothed-kmeans"
    label: ClassVar[str] = "smoothed k-means"
    version: ClassVar[int] = 1

    def __init__(
        self,
        n_clusters: int = 8,
        random_state: int = 0,
        device: str = "auto",
        n_neighbors: Any = "auto",
        rounds: Any = "auto",
        mutual: bool = True,
        scaling: str = "l2",
        init: Any = "auto",
        n_init: int = 3,
        max_iter: int = 100,
        tol: float = 0.0,
    ) -> None:
        super().__init__(n_clusters, random_state, device)
        self.n_neighbors = _or_auto("n_neighbors", n_neighbors, positive_int)
        self.rounds = _or_auto("rounds", rounds, whole_number)
        self.mutual = true_or_false("mutual", mutual)
        self.scaling = Scaler(scaling).scaling
        self.init = checked_init(init)
        self.n_init = positive_int("n_init", n_init)
        self.max_iter = positive_int("max_iter", max_iter)
        self.tol = number("tol", tol, at_least=0.0)

    @property
    def keeps_checkpoints(self) -> bool:
        """As `Clusterer.keeps_checkpoints`: a folder."""
        return True

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        progress: Progress | None = None,
        checkpoint: Path | str | None = None,
    ) -> Self:
        """As `Clusterer.fit`.

        Args:
            X: as `Clusterer.fit` takes it.
            y: not looked at.
            progress: called as `progress(done, total)` after each iteration of k-means.
            checkpoint: folder for the state of k-means, written every half minute, and for the
                neighbours; a fit that was killed goes on from it to the same bits. It is left to
                the caller to remove it. None keeps none.

        Raises:
            InputError: as `Clusterer.fit`; a checkpoint of another fit; too little memory.
        """
        del y  # nothing that fits sees a label
        self._folder = checkpoint_path(checkpoint)
        try:
            return super().fit(X, progress=progress)
        finally:
            del self._folder

    @property
    def _k(self) -> int:
        return N_NEIGHBORS if self.n_neighbors == "auto" else int(self.n_neighbors)

    def _rounds(self, n: int) -> int:
        """Rounds for n training rows."""
        if self.rounds != "auto":
            return int(self.rounds)
        return ROUNDS if n >= self._k * self.n_clusters else 0

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
        )

    def cost(self, n_train: int, n_eval: int, dim: int) -> Cost:
        """Similarities of all rows to the training rows, means of neighbours, and k-means."""
        scaler = Scaler(self.scaling)
        width = scaler.width(dim)
        kmeans = self._kmeans().cost(n_train, n_eval, width) + scaler.cost(n_train, n_eval, dim)
        rows = n_train + n_eval
        rounds = self._rounds(n_train)
        if not rounds:
            return kmeans
        means = 3.0 * rows * self._k * (rounds * width + self.mutual * dim)
        return kmeans + search_cost(n_train, n_eval, dim) + Cost(0.0, means)

    def _fit(self, features: np.ndarray, progress: Progress) -> np.ndarray:
        n, dim = features.shape
        rounds = self._rounds(n)
        k = min(self._k, n - 1) if rounds else 0
        check_memory(
            4.0 * (rounds + 3) * n * dim + 24.0 * n * k + search_bytes(n, dim, k),
            f"{self.name} of {n:,} rows of {dim:,} dimensions in {rounds} rounds",
            "take fewer rounds, or k-means, which needs no copy of its rows",
        )
        self._scaler = Scaler(self.scaling).fit(features)
        rows = self._scaler(features)
        unit = rows if self.scaling == "l2" else unit_rows(features)
        state = place = None
        if self._folder is not None:
            check_checkpoint_folder(self._folder)
            state = self._folder / "kmeans"
            place = self._graphs or Place(self._folder / "neighbours")
        neighbourhood = Neighbourhood(features, rows, unit, k, self.mutual, self.device, place)
        self._smoothing = Smoothing(rows, neighbourhood, rounds, self._scaler.unit_length)
        self._fitted_kmeans = self._kmeans().fit(
            self._smoothing.smoothed, progress=progress, checkpoint=state
        )
        self._smoothing.drop()
        for name in ("cluster_centers_", "counts_", "inertia_"):
            setattr(self, name, getattr(self._fitted_kmeans, name))
        self.diagnostics_ = {
            **self._fitted_kmeans.diagnostics_,
            "rounds": rounds,
            "n_neighbors_used": k,
            "neighbors_counted": float(neighbourhood.links.counted.sum(axis=1).mean()),
        }
        return self._fitted_kmeans.labels_

    def _smoothed(self, features: np.ndarray) -> np.ndarray:
        rows = self._scaler(features)
        unit = rows if self.scaling == "l2" else unit_rows(features)
        return self._smoothing.of(rows, unit)

    def _predict(self, features: np.ndarray) -> np.ndarray:
        return self._fitted_kmeans.predict(self._smoothed(features))

    def _predict_top(self, features: np.ndarray, n: int) -> np.ndarray:
        return self._fitted_kmeans.predict_top(self._smoothed(features), n)


def _or_auto(name: str, value: Any, checked: Any) -> Any:
    if isinstance(value, str):
        if value != "auto":
            raise InputError(f"{name}={value!r} should be a whole number or 'auto'")
        return value
    return checked(name, value)
