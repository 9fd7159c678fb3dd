"""k-means: well started, exact, and the same answer wherever it is computed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..cost import Cost
from ..devices import resolve_device
from ..errors import InputError
from ..estimator import TrainingError, number, positive_int, true_or_false
from ..kmeans.checkpoint import Checkpoint, fit_identity
from ..kmeans.fit import Fitted, Settings, fit
from ..kmeans.lloyd import Alone, Group
from ..kmeans.processes import first_row
from ..kmeans.row_sources import Rows
from ..kmeans.shard import Extent
from ..kmeans.starting import starts
from ..progress import Progress
from .centroids import CentroidClusterer, checked_init, start_of
from .fit_stages import checkpoint_path
from .fit_warnings import warn
from .scaling import Scaler

if TYPE_CHECKING:
    from typing_extensions import Self

ENGINES = ("auto", "ours", "faiss")
#: Iterations after which most starts have converged, and those that Ward's method made.
_CONVERGED, _AFTER_WARD = 30, 8


class KMeans(CentroidClusterer):
    """k-means, on all points, each assigned to the centroid that is nearest in float64.

    Same seed, same labels: in any number of threads or processes, on a CPU or a GPU. Of equally
    near centroids the one of the lowest number counts as the nearest. A cluster that becomes empty
    takes the row that is farthest from its centroid (several in order of their numbers; of equally
    far rows the first; never a row at its centroid, nor the last of its cluster), so clusters stay
    empty only where there are fewer distinct rows than clusters.

    Args:
        n_clusters: K.
        random_state: seed of all draws.
        device: "auto", "cpu" or "cuda[:N]".
        init: the start. "random": distinct rows; "k-means++": rows drawn by their exact squared
            distance (Arthur and Vassilvitskii 2007); "k-means++ sample": the same on 32 rows for
            each centroid; "k-means||" (Bahmani et al. 2012); "ward": all rows merged two by two,
            always where the objective rises least (Ward 1963), among near rows where they are
            many; "micro-ward": the same of ten micro-clusters for each cluster; an array
            (n_clusters, width) of centroids, in scaled features; "auto" chooses by numbers of rows
            and clusters (see `clusterbench.kmeans.starting.starts.chosen`).
        n_init: starts; the one with the lowest objective is kept (no labels). A start that draws
            nothing, as "ward", is done once.
        max_iter: times that the centroids are moved at most.
        tol: a start ends when an iteration lowers the objective by no more than this share of it;
            with 0 when no centroid moves.
        scaling: "l2" (each row to unit length), "standardize" (each dimension to mean 0 and
            standard deviation 1, from the training rows), "none", or "whiten(M, POWER)": the M
            leading principal components, divided by their deviations to a power, at unit length
            ("whiten" is "whiten(256, 0.5)"; see `whitening.Whitening`).
        spherical: renormalise the centroids to unit length after each iteration.
        max_points_per_centroid: above this many points per centroid the centroids are those of a
            random subsample; None (the default) takes all points.
        engine: "ours", or "faiss" for its iterations from the same start (float32 sums, no
            relocation, no `tol`); labels and objective are exact with both.
        start_dim: rows in memory of at least twice as many dimensions are clustered in so many
            principal components first, from each start to its end, and the best goes on in all
            dimensions; None never does.

    Attributes:
        cluster_centers_: (n_clusters, width) float32, of scaled features; width is dim unless
            they are whitened.
        labels_: (n_samples,) int64, the nearest of `cluster_centers_`.
        counts_: (n_clusters,) int64, rows of each.
        inertia_: summed squared distances of the scaled rows to their centroids, times weights.
        objectives_: the same at the start and after each iteration.
        n_iter_: times that the centroids were moved.

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
    version: ClassVar[int] = 2
    #: Of the fit that goes on, relative to the heaviest; None where all rows count alike.
    _weights: np.ndarray | None = None
    #: Of that fit, which is this process's alone.
    _checkpoint: Path | None = None

    inertia_: float
    objectives_: tuple[float, ...]

    def __init__(
        self,
        n_clusters: int = 8,
        random_state: int = 0,
        device: str = "auto",
        init: Any = "auto",
        n_init: int = 3,
        max_iter: int = 100,
        tol: float = 0.0,
        scaling: str = "l2",
        spherical: bool = False,
        max_points_per_centroid: int | None = None,
        engine: str = "auto",
        start_dim: int | None = 128,
    ) -> None:
        super().__init__(n_clusters, random_state, device)
        self.init = checked_init(init)
        self.n_init = positive_int("n_init", n_init)
        self.max_iter = positive_int("max_iter", max_iter)
        self.tol = number("tol", tol, at_least=0.0)
        self.scaling = Scaler(scaling).scaling
        self.spherical = true_or_false("spherical", spherical)
        if max_points_per_centroid is not None:
            positive_int("max_points_per_centroid", max_points_per_centroid)
        self.max_points_per_centroid = max_points_per_centroid
        if engine not in ENGINES:
            raise InputError(f"engine={engine!r} should be one of {', '.join(ENGINES)}")
        self.engine = engine
        if start_dim is not None:
            positive_int("start_dim", start_dim)
        self.start_dim = start_dim

    def cost(self, n_train: int, n_eval: int, dim: int) -> Cost:
        """The starts, and distances of all rows to all centroids where none can be avoided."""
        scaler = Scaler(self.scaling)
        scaled, dim = scaler.cost(n_train, n_eval, dim), scaler.width(dim)
        k = self.n_clusters
        rows = min(n_train, k * (self.max_points_per_centroid or n_train))
        start = start_of(self.init, k, rows, dim, in_memory=True)
        few = dim if self.start_dim is None or dim < 2 * self.start_dim else self.start_dim
        n_starts = self.n_init if start.draws else 1
        iterations = min(self.max_iter, _AFTER_WARD if "ward" in start.name else _CONVERGED)
        distances = 0.4 * rows * k * iterations
        begun = n_starts * starts.cost(start.name, rows, k, few)
        flops = 2.0 * distances * (n_starts * few + (dim if few < dim else 0))
        last = (rows + n_train + n_eval) * k
        moved = 0.5 * (distances * n_starts + last) + 2.0 * rows * dim * iterations
        return Cost(begun + flops + 2.0 * last * dim, moved) + scaled

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        progress: Progress | None = None,
        checkpoint: Path | str | None = None,
    ) -> Self:
        """Find `n_clusters` clusters in X.

        Args:
            X: as `Clusterer.fit` takes it. A `FeatureStore` and a memory map are read block by
                block in every iteration, an array of float16 stays as it is.
            y: not looked at.
            sample_weight: (n_samples,) numbers >= 0, not all 0; None weighs all rows alike.
            progress: called as `progress(done, total)` after each iteration.
            checkpoint: file for the state of the fit, written every half minute; a fit that was
                killed goes on from it to the same bits. It is left to the caller to remove it.
                None keeps none.

        Raises:
            InputError: as `Clusterer.fit`; weights that are none; a checkpoint of another fit, or
                one with engine="faiss", which keeps none.
        """
        del y  # nothing that fits sees a label
        if checkpoint is not None and not self.keeps_checkpoints:
            raise InputError(
                f"checkpoint={checkpoint}: engine='faiss' keeps none; use engine='ours'"
            )
        self._checkpoint = checkpoint_path(checkpoint)
        weights = None if sample_weight is None else _weights(sample_weight)
        # Only their proportions matter to the clusters; as they are they may leave any range.
        heaviest = 1.0 if weights is None else float(weights.max())
        self._weights = None if weights is None else weights / heaviest
        try:
            super().fit(X, progress=progress)
            self.inertia_ *= heaviest
            self.objectives_ = tuple(heaviest * objective for objective in self.objectives_)
            self.diagnostics_["inertia"] = self.inertia_
            return self
        finally:
            del self._weights, self._checkpoint

    @property
    def keeps_checkpoints(self) -> bool:
        """As `Clusterer.keeps_checkpoints`: a file."""
        return self.engine != "faiss"

    @property
    def shares_fit(self) -> bool:
        """As `Clusterer.shares_fit`: unless a setting takes all rows in one place."""
        takes_all = Scaler(self.scaling).learns or self.max_points_per_centroid is not None
        return self.engine != "faiss" and not takes_all

    def _fit_share(
        self, features: np.ndarray, group: Group, checkpoint: Path | None, progress: Progress
    ) -> np.ndarray:
        self._scaler = Scaler(self.scaling).fit(features)
        self._weights, self._checkpoint = None, checkpoint
        try:
            return self._clusters(self._rows(features), progress, group)
        finally:
            del self._weights, self._checkpoint

    def _clusters(
        self,
        rows: Rows,
        progress: Progress,
        group: Group | None = None,
    ) -> np.ndarray:
        if self._weights is not None and len(self._weights) != rows.n:
            raise InputError(
                f"sample_weight has {len(self._weights)} numbers for {rows.n} rows of X"
            )
        group = group or Alone()
        n = int(group.total(np.array([rows.n]))[0])
        start = start_of(self.init, self.n_clusters, n, rows.dim, rows.in_memory)
        most = self.max_points_per_centroid
        settings = Settings(
            n_clusters=self.n_clusters,
            start=start,
            n_init=self.n_init,
            max_iter=self.max_iter,
            tol=self.tol,
            spherical=self.spherical,
            seed=self.random_state,
            start_dim=self.start_dim if rows.in_memory and start.name != "given" else None,
            sample=most and most * self.n_clusters,
        )
        progress(0, self.n_init * self.max_iter)
        found = self._found(rows, settings, progress, group)
        if not np.isfinite(found.centroids).all():
            raise TrainingError("k-means ended with centroids that are not finite")
        self._keep(found, start.name, group)
        return found.labels.astype(np.int64)

    def _found(
        self,
        rows: Rows,
        settings: Settings,
        progress: Progress,
        group: Group,
    ) -> Fitted:
        shard = self._shard(rows, self._weights, first_row(group, rows.n))
        if self.engine != "faiss":
            keeper = None
            if self._checkpoint is not None:
                identity = fit_identity(settings, group.extent(shard.extent))
                keeper = Checkpoint(self._checkpoint, identity, group)
            found = fit(shard, settings, group=group, keeper=keeper, progress=progress)
            _warn_of_rounding(group.extent(shard.extent), found, rows.dim)
            return found
        if self._weights is not None:
            raise InputError("engine='faiss' takes no sample_weight here; use engine='ours'")
        from ..kmeans.with_faiss import fit_with_faiss

        features = rows.block(0, rows.n)
        return fit_with_faiss(shard, features, settings, resolve_device(self.device), progress)

    def _keep(self, found: Fitted, init: str, group: Group) -> None:
        self.cluster_centers_: np.ndarray = found.centroids
        self.inertia_ = found.inertia
        self.objectives_ = found.objectives
        self.counts_, self.n_iter_ = found.counts, found.n_iter
        work = found.work
        product, exact, possible = group.total(
            np.array([work.product, work.exact, work.possible], dtype=np.int64)
        ).tolist()
        self.diagnostics_ = {
            "inertia": found.inertia,
            "n_empty": int((found.counts == 0).sum()),
            "init": init,
            "n_iter": found.n_iter,
            "converged": found.converged,
            "relocated": found.relocated,
            "products_share": product / max(possible, 1),
            "exact_share": exact / max(possible, 1),
        }


def _warn_of_rounding(extent: Extent, found: Fitted, dim: int) -> None:
    """Say when means are coarser than a thousandth of how far rows lie from them."""
    rounding = 0.5 / extent.units().features.factor
    spread = (found.inertia / extent.n / dim) ** 0.5
    if rounding > 1e-3 * spread > 0.0:
        warn(
            f"X has numbers of up to {extent.largest:.3g}, beside which most rows lie "
            f"{spread:.3g} from their centroids in each dimension: means are rounded to "
            f"{2 * rounding:.3g}; leave out the rows that are so far away",
            stacklevel=5,
        )


def _weights(sample_weight: Any) -> np.ndarray:
    try:
        weights = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"sample_weight should be numbers; {error}") from error
    if weights.ndim != 1:
        raise InputError(f"sample_weight has shape {weights.shape}; expected (n_samples,)")
    wrong = np.flatnonzero(~np.isfinite(weights) | (weights < 0))
    if len(wrong):
        raise InputError(
            f"sample_weight[{wrong[0]}] = {weights[wrong[0]]:g} should be a finite number >= 0"
        )
    if not weights.any():
        raise InputError("sample_weight is zero everywhere; some rows should weigh something")
    return weights
