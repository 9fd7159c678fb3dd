"""A fit: starts, Lloyd's iterations, the best of them; first in few dimensions where that saves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .lloyd import Alone, Group, Iterations, iterate, means, objective, total
from .shard import RowShard, Work
from .starting.principal import principal
from .starting.seeding import rows_by_number
from .starting.starts import Start, start

#: Told after each iteration: how many are done, and of how many at most.
Listener = Callable[[int, int], None]
#: Gain of an iteration, as a share of the objective, at which a fit in few dimensions ends.
_ROUGH = 1e-3


@dataclass(frozen=True)
class Settings:
    """What changes the answer of a fit, beside the rows.

    n_clusters: K. start: how the first centroids are found. n_init: starts, of which the one with
    the lowest objective is kept; one where the start draws nothing. max_iter: times that centroids
    are moved at most. tol: a fit ends when an iteration lowers the objective by no more than this
    share; 0 ends it when no centroid moves. spherical: centroids of length 1. seed: of all draws.
    start_dim: rows of at least twice as many dimensions are clustered in so many principal
    components first, from all starts, and the best goes on in all dimensions; None never does.
    sample: centroids are those of so many random rows, where there are more; None takes all.
    """

    n_clusters: int
    start: Start
    n_init: int = 1
    max_iter: int = 100
    tol: float = 0.0
    spherical: bool = False
    seed: int = 0
    start_dim: int | None = None
    sample: int | None = None


@dataclass(frozen=True)
class Fitted:
    """Centroids, and what belongs to them.

    centroids: (k, dim) float32. labels: (n,) int32, of the rows of this process, the nearest
    centroid of each. counts: (k,) int64, rows of each cluster, of all processes. inertia: summed
    weighted squared distances of all rows to their centroids. objectives: the same of the start
    and after each iteration; the last one is `inertia`, unless they are of a sample. relocated:
    empty clusters that were given a row on the way. start_iter: iterations in few dimensions
    before. elsewhere: iterations of another engine, whose objectives are not known. work: of this
    process, in all dimensions.
    """

    centroids: np.ndarray
    labels: np.ndarray
    counts: np.ndarray
    inertia: float
    objectives: tuple[float, ...]
    converged: bool
    relocated: int
    start_iter: int
    work: Work
    elsewhere: int = 0

    @property
    def n_iter(self) -> int:
        """Times that the centroids were moved."""
        return len(self.objectives) - 1 + self.elsewhere


class Keeper:
    """Keeps nothing: a fit without checkpoints. `checkpoint.Checkpoint` is one that does."""

    def load(self, stage: int) -> Iterations | None:
        """Where a stage had come to: 0 and up a start, -1 the last iterations of all."""
        del stage
        return None

    def save(self, stage: int, state: Iterations, *, whole: bool) -> None:
        """After an iteration of a stage; whole: it has come to its end."""
        del stage, state, whole


def fit(
    shard: RowShard,
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
    work = _Fit(group or Alone(), keeper or Keeper(), settings, progress)
    n = work.group.extent(shard.extent).n
    if settings.sample is not None and n > settings.sample:
        return _of_sample(shard, settings, n, work, progress)
    reduced = settings.start_dim
    if reduced is None or shard.dim < 2 * reduced:
        best = work.best_start(shard, settings)
        start_iter = 0
    else:
        best = work.known(-1) or work.start_in_few_dimensions(shard, reduced)
        start_iter = work.done
        work.iterate(-1, shard, best, settings)
    progress(work.most, work.most)
    shard.assign(best.centroids)  # another start may have been the last; else nothing moves
    return Fitted(
        centroids=best.centroids,
        labels=shard.labels().copy(),
        counts=np.array(work.group.total(shard.sums().counts)),
        inertia=best.objectives[-1],
        objectives=tuple(best.objectives),
        converged=best.converged,
        relocated=best.relocated,
        start_iter=start_iter,
        work=shard.work,
    )


def _of_sample(
    shard: RowShard, settings: Settings, n: int, work: _Fit, progress: Listener
) -> Fitted:
    """Centroids of a random part of the rows, and what belongs to them of all rows."""
    assert settings.sample is not None
    rng = np.random.default_rng([settings.seed, settings.n_init + 1])
    numbers = np.sort(rng.choice(n, settings.sample, replace=False))
    first, last = np.searchsorted(numbers, [shard.start, shard.start + shard.n])
    part = shard.part(numbers[first:last] - shard.start, int(first))
    found = fit(
        part,
        replace(settings, sample=None),
        group=work.group,
        keeper=work.keeper,
        progress=progress,
    )
    units = work.group.extent(shard.extent).units()
    shard.begin(units)
    shard.assign(found.centroids)
    return replace(
        found,
        labels=shard.labels().copy(),
        counts=np.array(work.group.total(shard.sums().counts)),
        inertia=objective(shard, work.group),
        work=shard.work,
    )


def predict(shard: RowShard, centroids: np.ndarray) -> np.ndarray:
    """The nearest centroid of each row: (n,) int32."""
    shard.begin(shard.extent.units())
    shard.include(centroids)
    return shard.labels()


class _Fit:
    """The stages of one fit, and how many iterations they have done."""

    def __init__(
        self, group: Group, keeper: Keeper, settings: Settings, progress: Listener
    ) -> None:
        self.group, self.keeper, self.settings = group, keeper, settings
        self.done = 0
        self._progress = progress
        self._n_init = settings.n_init if settings.start.draws else 1
        self.most = (self._n_init + (settings.start_dim is not None)) * settings.max_iter

    def known(self, stage: int) -> Iterations | None:
        return self.keeper.load(stage)

    def best_start(self, shard: RowShard, settings: Settings) -> Iterations:
        """All starts to their ends; the shard is left with the last one's centroids."""
        best: Iterations | None = None
        for number in range(self._n_init):
            state = self.known(number)
            if state is None:
                state = Iterations(self._first(shard, number))
            self.iterate(number, shard, state, settings)
            if best is None or state.objectives[-1] < best.objectives[-1]:
                best = state
        assert best is not None
        return best

    def start_in_few_dimensions(self, shard: RowShard, n_components: int) -> Iterations:
        """Means, in all dimensions, of the best clusters that were found in few."""
        rng = np.random.default_rng([self.settings.seed, self._n_init])
        small = shard.projected(principal(shard, self.group, n_components, rng))
        rough = replace(self.settings, tol=max(self.settings.tol, _ROUGH), spherical=False)
        found = self.best_start(small, rough)
        small.assign(found.centroids)
        k, units = self.settings.n_clusters, self.group.extent(shard.extent).units()
        shard.begin(units)
        sums = total(shard.sums_of(small.labels(), k), self.group)
        # A cluster without rows begins at the first row, and is relocated like any other.
        first = rows_by_number(shard, self.group, np.zeros(1, dtype=np.int64))
        return Iterations(means(sums, units, np.repeat(first, k, axis=0), self.settings.spherical))

    def iterate(self, stage: int, shard: RowShard, state: Iterations, settings: Settings) -> None:
        """Lloyd's iterations from where the stage is."""
        before = self.done

        def after(state: Iterations) -> None:
            self.keeper.save(stage, state, whole=False)
            self.done = before + state.n_iter
            self._progress(self.done, self.most)

        iterate(
            shard,
            self.group,
            self.group.extent(shard.extent).units(),
            state,
            max_iter=settings.max_iter,
            tol=settings.tol,
            spherical=settings.spherical,
            after=after,
        )
        self.keeper.save(stage, state, whole=True)
        self.done = before + state.n_iter

    def _first(self, shard: RowShard, number: int) -> np.ndarray:
        settings = self.settings
        rng = np.random.default_rng([settings.seed, number])
        units = self.group.extent(shard.extent).units()
        shard.begin(units)
        given = settings.start.name == "given"
        centroids = start(settings.start, shard, self.group, units, settings.n_clusters, rng)
        if not settings.spherical or given:
            return centroids
        length = np.linalg.norm(centroids.astype(np.float64), axis=1, keepdims=True)
        unit = centroids / np.where(length > 0, length, 1.0)
        return np.ascontiguousarray(unit, dtype=np.float32)
