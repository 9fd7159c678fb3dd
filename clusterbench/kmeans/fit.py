"""A fit: the start, Lloyd's iterations, the best of several starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .lloyd import Alone, Group, Iterations, iterate
from .shard import Shard, Units, Work
from .starts import Start, start

#: Told after each iteration: of all starts, how many iterations are done, and of how many.
Listener = Callable[[int, int], None]


@dataclass(frozen=True)
class Settings:
    """What changes the answer of a fit, beside the rows.

    n_clusters: K. start: how the first centroids are found. n_init: starts, of which the one with
    the lowest objective is kept; one where the start draws nothing. max_iter: times that centroids
    are moved at most. tol: a fit ends when an iteration lowers the objective by no more than this
    share; 0 ends it when no centroid moves. spherical: centroids of length 1. seed: of all draws.
    """

    n_clusters: int
    start: Start
    n_init: int = 1
    max_iter: int = 100
    tol: float = 0.0
    spherical: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Fitted:
    """Centroids, and what belongs to them.

    centroids: (k, dim) float32. labels: (n,) int32, of the rows of this process, the nearest
    centroid of each. counts: (k,) int64, rows of each cluster, of all processes. inertia: summed
    weighted squared distances of all rows to their centroids. objectives: the same of the start
    and after each iteration; the last one is `inertia`. relocated: empty clusters that were given
    a row on the way. work: of this process.
    """

    centroids: np.ndarray
    labels: np.ndarray
    counts: np.ndarray
    inertia: float
    objectives: tuple[float, ...]
    converged: bool
    relocated: int
    work: Work

    @property
    def n_iter(self) -> int:
        """Times that the centroids were moved."""
        return len(self.objectives) - 1


class Keeper:
    """Keeps nothing: a fit without checkpoints. `checkpoint.Checkpoint` is one that does."""

    def load(self, number: int) -> Iterations | None:
        """Where start `number` had come to; None if it is not known."""
        del number
        return None

    def save(self, number: int, state: Iterations, *, whole: bool) -> None:
        """After an iteration of start `number`; whole: it has come to its end."""
        del number, state, whole


def fit(
    shard: Shard,
    settings: Settings,
    *,
    group: Group | None = None,
    keeper: Keeper | None = None,
    progress: Listener = lambda done, total: None,
) -> Fitted:
    """Cluster the rows of all shards; every process of the group calls it with its own.

    Args:
        shard: the rows of this process.
        settings: the same in every process.
        group: the processes; None is this one alone.
        keeper: of checkpoints.
        progress: told after each iteration.

    Returns:
        The same centroids in every process, whatever their number: see `fixed_point`.
    """
    group, keeper = group or Alone(), keeper or Keeper()
    extent = group.extent(shard.extent)
    units = extent.units()
    best: Iterations | None = None
    n_init = settings.n_init if settings.start.draws else 1
    total = n_init * settings.max_iter
    for number in range(n_init):

        def after(state: Iterations, number: int = number) -> None:
            keeper.save(number, state, whole=False)
            progress(number * settings.max_iter + state.n_iter, total)

        state = keeper.load(number)
        if state is None:
            state = Iterations(_first(shard, group, units, settings, number))
        _iterated(shard, group, units, state, settings, after)
        keeper.save(number, state, whole=True)
        if best is None or state.objectives[-1] < best.objectives[-1]:
            best = state
    assert best is not None
    progress(total, total)
    return _fitted(shard, group, best)


def predict(shard: Shard, centroids: np.ndarray) -> np.ndarray:
    """The nearest centroid of each row: (n,) int32."""
    shard.begin(shard.extent.units())
    shard.include(centroids)
    return shard.labels()


def _first(shard: Shard, group: Group, units: Units, settings: Settings, number: int) -> np.ndarray:
    rng = np.random.default_rng([settings.seed, number])
    shard.begin(units)
    centroids = start(settings.start, shard, group, units, settings.n_clusters, rng)
    if settings.spherical:
        length = np.linalg.norm(centroids.astype(np.float64), axis=1, keepdims=True)
        unit = centroids / np.where(length > 0, length, 1.0)
        centroids = np.ascontiguousarray(unit, dtype=np.float32)
    return centroids


def _iterated(
    shard: Shard,
    group: Group,
    units: Units,
    state: Iterations,
    settings: Settings,
    after: Callable[[Iterations], None],
) -> None:
    iterate(
        shard,
        group,
        units,
        state,
        max_iter=settings.max_iter,
        tol=settings.tol,
        spherical=settings.spherical,
        after=after,
    )


def _fitted(shard: Shard, group: Group, state: Iterations) -> Fitted:
    shard.assign(state.centroids)  # of the start that was kept; nothing moves if it was the last
    counts = group.total(shard.sums().counts)
    return Fitted(
        centroids=state.centroids,
        labels=shard.labels().copy(),
        counts=np.array(counts),
        inertia=state.objectives[-1],
        objectives=tuple(state.objectives),
        converged=state.converged,
        relocated=state.relocated,
        work=shard.work,
    )
