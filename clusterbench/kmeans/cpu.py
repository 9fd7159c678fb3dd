"""Rows on the CPU: dense products of what may have changed, and nothing else.

Of each row two numbers are kept: the squared distance to its own centroid, exactly, and a lower
bound on the distance to any other. When centroids have moved, one that moved less than the gap
between the two cannot have become the nearest (Hamerly 2010 does this with the largest move of
all). So centroids are ordered by how far they moved and rows by their gap; each group of rows with
like gaps is multiplied with as many of the first centroids as its smallest gap asks for. A
centroid whose members did not change has not moved at all: its sum is of whole numbers. What is
left is multiplied in leading dimensions alone, where those rule out nearly all (see `leading`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from ..cores import one_blas_thread
from ..kernels import nearest as kernels
from . import certified, leading
from .certified import Points
from .filtering import WORTH, Filter
from .leading import Bounds
from .row_sources import ArrayRows, Rows
from .shard import Extent, RowShard, Sums, Units, Work

if TYPE_CHECKING:
    from .projection import Projection

#: Rows that a thread takes at a time, and the most of them that are multiplied together.
_BLOCK, _GROUP = 8192, 1024


class CpuShard(RowShard):
    """Rows in memory or on disk, several threads at once.

    Args:
        rows: the rows of this process.
        weights: (rows.n,) float64 >= 0; None weighs all alike.
        start: number of the first row among all rows.
        threads: that compute side by side.
        worth: of a filter by leading dimensions, as `filtering.Filter` takes it.
    """

    def __init__(
        self,
        rows: Rows,
        weights: np.ndarray | None = None,
        start: int = 0,
        threads: int = 1,
        worth: float = WORTH,
    ) -> None:
        self.n, self.dim, self.start = rows.n, rows.dim, start
        self.work = Work()
        self._rows, self.threads = rows, max(1, threads)
        self._weights, self.weighted = weights, weights is not None
        self._lengths = np.empty(self.n)
        self._lock = threading.Lock()
        largest = [0.0]

        def look(first: int, last: int) -> None:
            x = rows.block(first, last)
            self._lengths[first:last] = kernels.squared_lengths(x)
            found = max(float(x.max()), -float(x.min()))
            with self._lock:
                largest.append(found)

        self._each_block(look)
        weight = 1.0 if weights is None else float(weights.max(initial=0.0))
        self.extent = Extent(self.n, max(largest), float(self._lengths.max(initial=0.0)), weight)
        self._filter = Filter(rows, self.extent.longest, worth, self._each_block)

    def begin(self, units: Units) -> None:
        """As `RowShard.begin`."""
        self._units, self.unit = units, units.squared
        self._centroids = np.empty((0, self.dim), dtype=np.float32)
        self._labels = np.full(self.n, -1, dtype=np.int32)
        self._squared = np.full(self.n, np.inf)
        self._lower = np.full(self.n, np.inf, dtype=np.float32)
        self._summed: Sums | None = None

    def include(self, points: np.ndarray) -> None:
        """As `RowShard.include`."""
        if not len(points):
            return
        first = len(self._centroids)
        self._centroids = np.concatenate([self._centroids, points])
        self._summed = None
        new = Points.of(self._centroids, np.arange(first, len(self._centroids), dtype=np.int32))
        everywhere = len(points)
        added = np.arange(len(self._centroids)) >= first
        bounds = self._filter.bounds(new, self._centroids, added)

        def test(start: int, stop: int) -> None:
            for a in range(start, stop, _GROUP):
                here = slice(a, min(a + _GROUP, stop))
                x = self._rows.block(here.start, here.stop)
                self._search(x, None, here, new, bounds, everywhere)

        self._each_block(test)
        self.work.possible += self.n * len(points)

    def assign(self, centroids: np.ndarray) -> None:
        """As `RowShard.assign`."""
        if len(self._centroids) != len(centroids):
            self.begin(self._units)
            self.include(centroids)
            return
        before, self._centroids = self._centroids, centroids
        self._summing(len(centroids))
        step = centroids.astype(np.float64) - before
        drift = np.sqrt(np.einsum("ij,ij->i", step, step)) * (1.0 + 1e-7)
        order = np.argsort(-drift, kind="stable").astype(np.int32)
        points = Points.of(centroids, order)
        drift = drift[order]
        moved = (centroids != before).any(axis=1)
        self.work.possible += self.n * len(centroids)
        if moved.any():
            bounds = self._filter.bounds(points, centroids, moved)
            self._each_block(lambda a, b: self._reassign(a, b, points, bounds, drift, moved))

    def _reassign(
        self,
        start: int,
        stop: int,
        points: Points,
        bounds: Bounds | None,
        drift: np.ndarray,
        moved: np.ndarray,
    ) -> None:
        """New labels of a block of rows; drift: of `points`, descending."""
        labels, squared = self._labels[start:stop], self._squared[start:stop]
        lower = self._lower[start:stop]
        own = np.flatnonzero(moved[labels])
        block = self._rows.block(start, stop) if self._whole_block(len(own), stop - start) else None
        if len(own):
            # Not picked out first: so many rows anew in memory take longer than their distances.
            x = self._rows.take(start + own) if block is None else block
            which = np.arange(len(own)) if block is None else own
            squared[own] = kernels.distances_to(x, which, self._centroids, labels[own])
        gap = lower.astype(np.float64) - np.sqrt(squared) * (1.0 + 1e-7)
        # So many of the first points moved at least as far as the row's gap is wide.
        reach = np.searchsorted(-drift, -gap, side="right")
        # Of a row whose own centroid stood still, no other that did so is nearer than before.
        reach = np.where(moved[labels], reach, np.minimum(reach, int(moved.sum())))
        idle = reach == 0
        lower[idle] = _down(lower[idle] - drift[0])
        busy = np.flatnonzero(~idle)
        busy = busy[np.argsort(reach[busy], kind="stable")]
        for a in range(0, len(busy), _GROUP):
            group = busy[a : a + _GROUP]
            depth = int(reach[group[-1]])
            untested = lower[group] - (drift[depth] if depth < len(drift) else 0.0)
            lower[group] = np.inf if depth == len(drift) else _down(untested)
            if block is not None and bounds is not None:
                self._search(block, group, start + group, points, bounds, depth)
            else:
                x = self._some(block, start, group)
                self._search(x, None, start + group, points, None, depth)

    def _whole_block(self, wanted: int, n: int) -> bool:
        return bool(self._rows.in_memory or wanted > n // 8)

    def _some(self, block: np.ndarray | None, start: int, numbers: np.ndarray) -> np.ndarray:
        if block is None:
            return self._rows.take(start + numbers)
        some: np.ndarray = block[numbers]
        return some

    def _search(
        self,
        x: np.ndarray,
        at: np.ndarray | None,
        where: Any,
        points: Points,
        bounds: Bounds | None,
        depth: int,
    ) -> None:
        """Test the first `depth` points against rows; keep what was found, move what moved.

        x: (n_x, dim) float32; at: which of them, None for all. where: the same within the shard.
        """
        before, lengths = self._labels[where], self._lengths[where]
        rows, squared = self._filter.rows, self._squared[where]
        if bounds is None or rows is None:
            found = certified.search(x, lengths, before, squared, points, depth, self._centroids)
        else:
            here = np.arange(len(x)) if at is None else at
            found = leading.search(
                x, here, lengths, rows.some(where), before, squared, bounds, depth
            )
        self._labels[where] = found.labels
        self._squared[where] = found.squared
        self._lower[where] = np.minimum(self._lower[where], _down(found.others))
        changed = np.flatnonzero(found.labels != before)
        with self._lock:
            self.work.product += found.multiplied
            self.work.exact += found.pairs
            self.work.leading += 0 if bounds is None else len(before) * depth
            if self._summed is not None and len(changed):
                self._move(
                    self._summed, x[changed if at is None else at[changed]],
                    _at(where, changed), before[changed], found.labels[changed],
                )  # fmt: skip

    def _summing(self, k: int) -> None:
        if self._summed is None:
            self._summed = self.sums_of(self._labels, k)

    def sums_of(self, labels: np.ndarray, k: int) -> Sums:
        """As `RowShard.sums_of`."""
        sums = Sums(
            np.zeros((k, self.dim), dtype=np.int64),
            np.zeros(k, dtype=np.int64),
            np.zeros(k, dtype=np.int64),
        )

        def add(start: int, stop: int) -> None:
            x = self._rows.block(start, stop)
            numbers = np.arange(start, stop)
            with self._lock:
                self._move(
                    sums, x, numbers, np.full(stop - start, -1, dtype=np.int32),
                    labels[start:stop],
                )  # fmt: skip

        self._each_block(add)
        return sums

    def _move(
        self, sums: Sums, x: np.ndarray, numbers: np.ndarray, before: np.ndarray, after: np.ndarray
    ) -> None:
        weight = self.weight_of(numbers)
        kernels.move(
            sums.features, sums.weights, x, weight, self._units.weights.whole(weight), before,
            after, self._units.features.factor,
        )  # fmt: skip
        left = before[before >= 0]
        sums.counts -= np.bincount(left, minlength=len(sums.counts))
        sums.counts += np.bincount(after, minlength=len(sums.counts))

    def weight_of(self, numbers: np.ndarray) -> np.ndarray:
        """As `RowShard.weight_of`."""
        return np.ones(len(numbers)) if self._weights is None else self._weights[numbers]

    def sums(self) -> Sums:
        """As `RowShard.sums`."""
        self._summing(len(self._centroids))
        assert self._summed is not None
        return self._summed

    def largest_mass(self) -> float:
        """As `RowShard.largest_mass`."""
        squared = self._squared
        if self._weights is not None:
            squared = squared * self._weights
        return float(squared.max(initial=0.0))

    def objective(self) -> int:
        """As `RowShard.objective`."""
        total = 0
        for start in range(0, self.n, 1 << 20):
            total += int(self.masses(np.arange(start, min(start + (1 << 20), self.n))).sum())
        return total

    def labels(self) -> np.ndarray:
        """As `RowShard.labels`."""
        return self._labels

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """As `RowShard.take`."""
        return self._rows.take(numbers)

    def masses(self, numbers: np.ndarray) -> np.ndarray:
        """As `RowShard.masses`."""
        squared = self._squared[numbers]
        if self._weights is not None:
            squared = squared * self._weights[numbers]
        return self.unit.whole(squared)

    def at(self, positions: np.ndarray) -> np.ndarray:
        """As `RowShard.at`."""
        found = np.empty(len(positions), dtype=np.int64)
        passed, done = 0, 0
        for start in range(0, self.n, 1 << 20):
            ends = passed + np.cumsum(self.masses(np.arange(start, min(start + (1 << 20), self.n))))
            until = int(np.searchsorted(positions, ends[-1], side="left"))
            here = np.searchsorted(ends, positions[done:until], side="right")
            found[done:until] = start + here
            passed, done = int(ends[-1]), until
        return found

    def part(self, numbers: np.ndarray, start: int) -> CpuShard:
        """As `RowShard.part`."""
        weights = None if self._weights is None else self._weights[numbers]
        return CpuShard(ArrayRows(self.take(numbers)), weights, start, self.threads)

    def projected(self, projection: Projection) -> CpuShard:
        """As `RowShard.projected`."""
        result = np.empty((self.n, projection.basis.shape[1]), dtype=np.float32)

        def project(start: int, stop: int) -> None:
            for a in range(start, stop, _GROUP):
                b = min(a + _GROUP, stop)
                result[a:b] = projection(self._rows.block(a, b))

        self._each_block(project)
        return CpuShard(ArrayRows(result), self._weights, self.start, self.threads)

    def farthest(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """As `RowShard.farthest`."""
        squared = self._squared
        if self._weights is not None:
            squared = np.where(self._weights > 0, squared, -1.0)
        n = min(n, self.n)
        if n == 0:
            return np.empty(0, dtype=np.int64), np.empty(0)
        least = np.partition(squared, self.n - n)[self.n - n]
        numbers = np.flatnonzero(squared >= max(least, 0.0))
        numbers = numbers[np.argsort(-squared[numbers], kind="stable")][:n]
        return numbers, squared[numbers]

    def _each_block(self, action: Callable[[int, int], None]) -> None:
        """Call `action(start, stop)` for blocks of rows, on all threads."""
        size = min(_BLOCK, max(_GROUP, -(-self.n // (4 * self.threads))))
        blocks = [(a, min(a + size, self.n)) for a in range(0, self.n, size)]
        threads = min(self.threads, len(blocks))
        with one_blas_thread():
            if threads <= 1:  # none without rows
                for block in blocks:
                    action(*block)
                return
            with ThreadPoolExecutor(threads) as pool:
                for _ in pool.map(lambda block: action(*block), blocks):
                    pass


def _at(where: Any, chosen: np.ndarray) -> np.ndarray:
    if isinstance(where, slice):
        return np.asarray(where.start + chosen)
    return np.asarray(where[chosen])


def _down(bound: np.ndarray) -> np.ndarray:
    """Float64 lower bounds as float32 ones that are no higher."""
    lower: np.ndarray = np.nextafter(bound.astype(np.float32), np.float32(-np.inf))
    return lower
