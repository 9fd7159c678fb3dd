"""Balanced k-means: clusters have prices, so that sizes even out, and rows take the cheapest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from ..cost import Cost
from ..estimator import positive_float, positive_int
from ..kmeans.fit import Settings, fit, predict
from ..kmeans.lloyd import means
from ..kmeans.row_sources import Rows
from ..kmeans.shard import RowShard, Sums, Units
from ..kmeans.top import nearest_centroids
from ..progress import Progress
from .centroids import CentroidClusterer, checked_init, start_of
from .scaling import Scaler

#: First step of a price, as a share of the mean squared distance; how a step grows and shrinks.
_STEP, _GROW, _SHRINK = 0.2, 1.2, 0.5
#: Gain of a pass, as a share of the objective, below which sizes alone decide about the end.
_GAIN = 1e-4


class BalancedKMeans(CentroidClusterer):
    """k-means with a soft penalty on unequal cluster sizes.

    With n rows, m = n / K, n_k rows in cluster k, and s the mean squared distance of k-means
    without a penalty, it seeks the lowest

        mean_i |x_i - c_k(i)|^2 + strength * s / 2 * mean_k (n_k / m - 1)^2

    By Lagrange's rule each row is then where |x - c_k|^2 + p_k is least, at prices

        p_k = strength * s * (n_k / m - 1)

    So `fit` begins with k-means, and each pass assigns all rows at the present prices, moves the
    centroids to their means, and moves each price towards that of its cluster's size: by what is
    missing, at most 1, times a step of its own, which grows while it goes one way and halves when
    it turns. The pass with the lowest objective counts, k-means without prices being the first.
    Nothing is drawn after the start.

    Clusters keep their prices, so `predict` gives training rows their labels again: the assignment
    is not to the nearest centroid. Prices are computed as one more dimension, 0 in rows and the
    root of the price in centroids, so a row's cluster is exactly the one of the least sum in
    float64, in any number of threads.

    Args:
        n_clusters: K.
        random_state: seed of the start.
        device: "auto", "cpu" or "cuda[:N]".
        strength: of the penalty; near 0 the clusters are those of k-means, at 100 nearly equal.
        init: the start of k-means, as `KMeans` takes it.
        max_iter: passes at most, and as many in k-means before.
        tol: passes end when no price is off that of its cluster's size by more than this share of
            strength * s (or by one row), and the objective gains nothing more.
        scaling: as of `KMeans`.

    Attributes:
        cluster_centers_: (n_clusters, width) float32, of scaled features.
        prices_: (n_clusters,) float64 >= 0, of which only differences matter; the least is 0.
        labels_: (n_samples,) int64.
        counts_: (n_clusters,) int64, rows of each.
        inertia_: summed squared distances of the scaled rows to their centroids, without prices.
        objectives_: the objective above before the first pass and after each.
        n_iter_: passes.

    Raises:
        InputError: a setting of another type or range.

    Examples:
        >>> from clusterbench.methods import BalancedKMeans
        >>> X = [[0.0], [1.0], [2.0], [3.0], [4.0], [10.0]]
        >>> BalancedKMeans(2, strength=0.01, scaling="none", device="cpu").fit(X).counts_.tolist()
        [5, 1]
        >>> kmeans = BalancedKMeans(2, strength=100.0, scaling="none", device="cpu").fit(X)
        >>> kmeans.counts_.tolist(), (kmeans.predict(X) == kmeans.labels_).all()
        ([3, 3], np.True_)
    """

    name: ClassVar[str] = "balanced-kmeans"
    label: ClassVar[str] = "balanced k-means"
    version: ClassVar[int] = 1

    def __init__(
        self,
        n_clusters: int = 8,
        random_state: int = 0,
        device: str = "auto",
        strength: float = 1.0,
        init: Any = "auto",
        max_iter: int = 100,
        tol: float = 0.05,
        scaling: str = "l2",
    ) -> None:
        super().__init__(n_clusters, random_state, device)
        self.strength = positive_float("strength", strength)
        self.init = checked_init(init)
        self.max_iter = positive_int("max_iter", max_iter)
        self.tol = positive_float("tol", tol, zero=True)
        self.scaling = Scaler(scaling).scaling

    def cost(self, n_train: int, n_eval: int, dim: int) -> Cost:
        """Distances of all rows, in passes that change every centroid's price."""
        scaler = Scaler(self.scaling)
        scaled, dim = scaler.cost(n_train, n_eval, dim), scaler.width(dim)
        distances = self.n_clusters * (0.7 * n_train * self.max_iter + n_train + n_eval)
        moved = 0.5 * distances + 2.0 * n_train * dim * self.max_iter
        return Cost(2.0 * distances * dim, moved) + scaled

    def _clusters(self, rows: Rows, progress: Progress) -> np.ndarray:
        most = 2 * self.max_iter
        before = fit(
            self._shard(rows),
            Settings(
                self.n_clusters,
                start_of(self.init, self.n_clusters, rows.n, rows.dim, rows.in_memory),
                max_iter=self.max_iter,
                seed=self.random_state,
            ),
            progress=lambda done, _: progress(done, most),
        )
        shard = self._shard(_Lifted(rows))
        balance = _Balance(shard, self.strength, before.inertia / rows.n, self.n_clusters)
        state = balance.pass_at(before.centroids, np.zeros(self.n_clusters))
        best, objectives, converged = state, [state.objective], balance.scale == 0.0
        while not converged and len(objectives) <= self.max_iter:
            state = balance.pass_at(balance.moved(state), balance.next_prices(state))
            objectives.append(state.objective)
            gained = objectives[-2] - objectives[-1]
            off = max(self.tol, self.n_clusters / rows.n)
            converged = bool(
                abs(gained) <= _GAIN * objectives[-1] and np.abs(balance.unmet(state)).max() <= off
            )
            if state.objective < best.objective:
                best = state
            progress(self.max_iter + len(objectives) - 1, most)
        shard.assign(best.lifted)
        progress(most, most)
        self._keep(best, objectives, before.counts)
        unmet = float(np.abs(balance.unmet(best)).max())
        self.diagnostics_ |= {"converged": converged, "unmet": unmet}
        return shard.labels().astype(np.int64)

    def _keep(self, best: _Pass, objectives: list[float], before: np.ndarray) -> None:
        self.cluster_centers_ = np.ascontiguousarray(best.lifted[:, :-1])
        self.prices_: np.ndarray = best.lifted[:, -1].astype(np.float64) ** 2
        self.counts_, self.inertia_ = best.sums.counts, best.inertia
        self.objectives_, self.n_iter_ = tuple(objectives), len(objectives) - 1
        self.diagnostics_ = {
            "inertia": best.inertia,
            "objective": best.objective,
            "n_iter": self.n_iter_,
            "n_empty": int((self.counts_ == 0).sum()),
            "largest": int(self.counts_.max()),
            "smallest": int(self.counts_.min()),
            "largest_of_kmeans": int(before.max()),
            "smallest_of_kmeans": int(before.min()),
        }

    def _nearest(self, rows: Rows) -> np.ndarray:
        return predict(self._shard(_Lifted(rows)), self._lifted()).astype(np.int64)

    def _predict_top(self, features: np.ndarray, n: int) -> np.ndarray:
        return nearest_centroids(lift(self._scaler(features)), self._lifted(), n)

    def _lifted(self) -> np.ndarray:
        """The root of a squared float32 is that float32 again, in float64."""
        return lift(self.cluster_centers_, self.prices_)


@dataclass(frozen=True)
class _Pass:
    """Rows at prices: the centroids with them as the shard has them, and what followed.

    prices: as they are moved, before the least is taken from all of them.
    """

    lifted: np.ndarray
    prices: np.ndarray
    sums: Sums
    inertia: float
    objective: float


class _Balance:
    """The passes over a shard of lifted rows; scale: strength * s."""

    def __init__(self, shard: RowShard, strength: float, mean: float, k: int) -> None:
        self.scale = strength * mean
        self._shard, self._size = shard, shard.n / k
        # At a price above the largest squared distance a cluster has no rows: none is higher.
        self._highest = 4.0 * shard.extent.longest
        self._units: Units = replace(shard.extent, longest=2.0 * shard.extent.longest).units()
        self._steps = np.full(k, _STEP * min(1.0, strength) * mean)
        self._ways = np.zeros(k)
        shard.begin(self._units)

    def pass_at(self, centroids: np.ndarray, prices: np.ndarray) -> _Pass:
        """Assign all rows."""
        lifted = lift(centroids, np.minimum(prices - prices.min(), self._highest))
        self._shard.assign(lifted)
        now = self._shard.sums()
        sums = Sums(now.features.copy(), now.weights.copy(), now.counts.copy())
        paid = float(sums.counts @ (lifted[:, -1].astype(np.float64) ** 2))
        whole = float(self._shard.unit.real(self._shard.objective()))
        uneven = float(np.mean((sums.counts / self._size - 1.0) ** 2))
        mean = (whole - paid) / self._shard.n
        objective = mean + 0.5 * self.scale * uneven
        return _Pass(lifted, prices, sums, whole - paid, objective)

    def moved(self, state: _Pass) -> np.ndarray:
        """Means of the clusters: (k, dim) float32."""
        centroids: np.ndarray = means(state.sums, self._units, state.lifted, False)[:, :-1]
        return centroids

    def unmet(self, state: _Pass) -> np.ndarray:
        """How much larger each cluster is than its price says, in shares of n / K: (k,)."""
        wanted = state.prices / self.scale if self.scale > 0.0 else 0.0
        unmet: np.ndarray = state.sums.counts / self._size - 1.0 - wanted
        return unmet

    def next_prices(self, state: _Pass) -> np.ndarray:
        """Each price a step towards that of its cluster's size: (k,)."""
        unmet = self.unmet(state)
        turned = np.sign(unmet) * self._ways
        self._steps *= np.where(turned > 0, _GROW, np.where(turned < 0, _SHRINK, 1.0))
        self._ways = np.sign(unmet)
        prices: np.ndarray = state.prices + self._steps * np.clip(unmet, -1.0, 1.0)
        return prices


class _Lifted:
    """Rows with one more dimension, of zeros."""

    def __init__(self, rows: Rows) -> None:
        self.n, self.dim, self.in_memory = rows.n, rows.dim + 1, rows.in_memory
        self._rows = rows

    def block(self, start: int, stop: int) -> np.ndarray:
        """As `Rows.block`."""
        return lift(self._rows.block(start, stop))

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """As `Rows.take`."""
        return lift(self._rows.take(numbers))


def lift(points: np.ndarray, prices: np.ndarray | None = None) -> np.ndarray:
    """(n, dim) float32 points with the roots of (n,) prices, or zeros, as one more dimension."""
    lifted = np.zeros((len(points), points.shape[1] + 1), dtype=np.float32)
    lifted[:, :-1] = points
    if prices is not None:
        lifted[:, -1] = np.sqrt(prices)
    return lifted
