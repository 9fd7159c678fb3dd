"""Rows and centroids of one shard in leading coordinates, where that saves work."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..cores import one_blas_thread
from .certified import Points
from .leading import Bounds, Leading, Led, choose
from .row_sources import Rows

#: A filter is used where it costs at most this share of a product of all dimensions.
WORTH = 0.7
#: Rows the directions are computed from.
_SAMPLE = 1024
#: Dimensions and centroids from which on a filter is tried at all, and pairs of a row and a
#: centroid, of which so few are multiplied sooner than tried.
_LEAST_DIM, _LEAST_K, _LEAST_PAIRS = 64, 64, 1 << 22
#: Lengths up to which no product of two leaves float32.
_LONGEST = 1e15


class Filter:
    """Decides whether a shard's centroids are bounded away in few dimensions, and keeps what for.

    A choice is made when there are enough centroids and again whenever their number has doubled,
    by `leading.choose`. Leading coordinates take n * (m + 1) * 4 bytes.

    Args:
        rows: of the shard; rows on disk are never filtered.
        longest: largest |x|^2 of them.
        worth: see `WORTH`; 0 never filters, infinity always does where there are enough centroids
            of enough dimensions.
        each_block: calls a function of (start, stop) for blocks of rows, on all threads.
    """

    def __init__(
        self,
        rows: Rows,
        longest: float,
        worth: float,
        each_block: Callable[[Callable[[int, int], None]], None],
    ) -> None:
        self._rows, self._worth, self._each_block = rows, worth, each_block
        self._able = rows.in_memory and rows.dim >= _LEAST_DIM and longest < _LONGEST**2
        self._looked = 0
        self._leading: Leading | None = None
        self._centroids = np.empty((0, 0), dtype=np.float32)
        self.rows: Led | None = None

    def bounds(self, points: Points, centroids: np.ndarray, moved: np.ndarray) -> Bounds | None:
        """What bounds these points; None where all dimensions are multiplied sooner.

        points: some of the centroids. centroids: (k, dim) float32, all. moved: (k,) bool, which of
        them are not where they were when this was called last.
        """
        self._look(centroids)
        if self._leading is None or points.longest > _LONGEST:
            return None
        known = np.empty((len(centroids), self._leading.basis.shape[1] + 1), dtype=np.float32)
        kept = min(len(known), len(self._centroids))
        if kept:
            known[:kept] = self._centroids[:kept]
        moved = moved | (np.arange(len(known)) >= kept)
        with one_blas_thread():
            known[moved] = self._leading(centroids[moved])
        self._centroids = known
        led = Led.of(known, self._leading.error)
        return Bounds.of(points, led) if led.sound else None

    def _look(self, centroids: np.ndarray) -> None:
        k = len(centroids)
        if not self._able or k < max(_LEAST_K, 2 * self._looked):
            return
        if self._rows.n * k * self._worth < _LEAST_PAIRS:
            return
        self._looked = k
        chosen = np.random.default_rng(0).permutation(self._rows.n)[:_SAMPLE]
        with one_blas_thread():  # several lose more by waiting for each other than they gain
            leading = choose(self._rows.take(chosen), centroids, self._worth)
        if leading is not None and leading.same(self._leading):
            return
        self._leading, self.rows = leading, None
        self._centroids = np.empty((0, 0), dtype=np.float32)
        if leading is not None:
            self.rows = self._led_rows(leading)

    def _led_rows(self, leading: Leading) -> Led:
        features = np.empty((self._rows.n, leading.basis.shape[1] + 1), dtype=np.float32)

        def lead(start: int, stop: int) -> None:
            for a in range(start, stop, 1024):
                b = min(a + 1024, stop)
                features[a:b] = leading(self._rows.block(a, b))

        self._each_block(lead)
        return Led.of(features, leading.error)
