"""Who counts as a neighbour of whom, of training rows and of rows that come later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...devices import resolve_device
from ...feature_rows import unit_rows
from ...kernels.nearest import distances_to
from ...neighbours.graph import Graph
from ...neighbours.kept import Place, nearest_of, neighbours_of
from ..scaling import Scaler, warn_of_zeros


@dataclass(frozen=True, eq=False)
class Links:
    """Neighbours of some rows among the training rows.

    ids: (n, k) int32, ascending in each row, so that sums do not depend on who is nearer by a
    rounding. counted: (n, k) bool, those that count. similarities: (n, k) float16 or float32.
    """

    ids: np.ndarray
    counted: np.ndarray
    similarities: np.ndarray

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All three."""
        return self.ids, self.counted, self.similarities

    @classmethod
    def none(cls, m: int) -> Links:
        """Of m rows without a neighbour."""
        return cls(
            np.empty((m, 0), dtype=np.int32), np.empty((m, 0), dtype=bool), np.empty((m, 0), "f4")
        )

    @classmethod
    def of(cls, near: Graph, counted: np.ndarray) -> Links:
        """The same, put in order."""
        order = np.argsort(near.ids, axis=1)
        return cls(
            np.take_along_axis(near.ids, order, axis=1),
            np.take_along_axis(counted, order, axis=1),
            np.take_along_axis(near.similarities, order, axis=1),
        )


def search_bytes(n: int, dim: int, k: int) -> float:
    """Bytes that the search for the k nearest of n rows takes beside them, the graph included.

    As `neighbours.search.all_neighbours` states them, for as many neighbours as are kept.
    """
    return 20.0 * n * max(k, 50) + max(128e6, n * dim / 8.0)


def directions(scaler: Scaler, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scaled rows (n, width) float32, whose cosines make a graph, and the same at unit length.

    Of "l2" the rows as they are, since cosines are the same: one graph serves both.
    """
    rows = features if scaler.scaling == "l2" else scaler(features)
    return rows, unit_rows(rows)


def fitted_directions(scaler: Scaler, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`directions` of the training rows, to which the scaler is fitted; zeros get a warning."""
    rows, unit = directions(scaler.fit(features), features)
    if scaler.scaling != "l2":  # which has said so
        warn_of_zeros(rows)
    return rows, unit


def link_weights(links: Links) -> np.ndarray:
    """How much each neighbour says about its row: (m, k) float32, by similarity.

    Similarities below 0 count as 0; where all that count are, they count alike.
    """
    weights: np.ndarray = np.maximum(links.similarities.astype(np.float32), 0.0) * links.counted
    alike = ~weights.any(axis=1)
    weights[alike] = links.counted[alike]
    return weights


def held_together(links: Links, labels: np.ndarray) -> float:
    """Share of neighbours in a row's own cluster, less what clusters of these sizes have by chance.

    1 where all are, 0 where as many are as by chance, and where no row has neighbours.
    """
    if not links.counted.any():
        return 0.0
    same = float((labels[links.ids] == labels[:, None])[links.counted].mean())
    chance = float(((np.bincount(labels) / len(labels)) ** 2).sum())
    return (same - chance) / (1.0 - chance) if chance < 1.0 else 1.0


def row_hashes(rows: np.ndarray) -> np.ndarray:
    """A number of each row by its numbers: (n,) uint64, the same for equal rows of float32.

    A sum of bits times odd factors, modulo 2^64; rows that differ may rarely have the same.
    """
    factors = np.random.default_rng(0).integers(1 << 63, size=rows.shape[1], dtype=np.uint64)
    factors = 2 * factors + np.uint64(1)
    hashes = np.empty(len(rows), dtype=np.uint64)
    for start in range(0, len(rows), 8192):
        block = np.ascontiguousarray(rows[start : start + 8192], dtype=np.float32) + np.float32(0)
        bits = block.view(np.uint32).astype(np.uint64)  # with +0, which -0 is equal to
        bits ^= bits >> np.uint64(15)
        hashes[start : start + 8192] = (bits * factors).sum(axis=1, dtype=np.uint64)
    return hashes


class Neighbourhood:
    """The graph of the training rows, and a place in it for new ones.

    A row of zeros has no direction: it has no neighbours and is nobody's. *Mutual* neighbours are
    those that are near from both sides: j counts for i where i is no farther from j than the k-th
    neighbour of j is. Of training rows these are the rows that have each other among theirs; for a
    new row they are the training rows among whose k nearest it would be, if it were one.
    Distances that decide are of unit rows, in float64 and a fixed order.

    Args:
        features: (n, dim) float32, training rows of which the cosines are taken.
        rows: (n, dim) float32, what the method makes of them: a new row of the same numbers is
            that training row. Kept.
        unit: (n, dim) float32, the features at unit length; kept.
        k: neighbours of each row, 1 <= k; at most the n - 1 other rows are taken.
        mutual: count mutual neighbours alone.
        device: "auto", "cpu" or "cuda[:N]".
        place: as `neighbours_of` takes it.

    Attributes:
        links: of the training rows; k of each, none where there is one row alone.
    """

    def __init__(
        self,
        features: np.ndarray,
        rows: np.ndarray,
        unit: np.ndarray,
        k: int,
        mutual: bool,
        device: str,
        place: Place | None = None,
    ) -> None:
        n = len(unit)
        self.k = min(k, n - 1)
        self._rows, self._unit, self._device = rows, unit, device
        self._directed: np.ndarray = np.asarray(unit.any(axis=1))
        self._reach: np.ndarray | None = None
        hashes = row_hashes(rows)
        self._order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._order]
        if self.k == 0:
            self.links = Links.none(n)
            return
        near = neighbours_of(features, self.k, resolve_device(device), place=place)
        counted = self._directed[near.ids] & self._directed[:, None]
        if mutual:
            away = np.where(counted, self._distances(unit, near.ids), -1.0)
            self._reach = away.max(axis=1)
            counted &= away <= self._reach[near.ids]
        self.links = Links.of(near, counted)

    def of(self, rows: np.ndarray, unit: np.ndarray) -> tuple[Links, np.ndarray]:
        """Neighbours of new rows, and the training rows that they are.

        Args:
            rows: (m, dim) float32, as the method makes them of features.
            unit: (m, dim) float32, the features at unit length.

        Returns:
            Their links; and (m,) int64, the number of the training row of the same numbers, the
            lowest of those that were found, -1 for none. A row that is one has its links, too.
        """
        n_near = max(self.k, 1)
        near = nearest_of(unit, self._unit, n_near, resolve_device(self._device))
        directed: np.ndarray = np.asarray(unit.any(axis=1))
        seen = self._seen(rows, directed)
        if self.k == 0:
            return Links.none(len(rows)), seen
        counted = self._directed[near.ids] & directed[:, None]
        if self._reach is not None:
            counted &= self._distances(unit, near.ids) <= self._reach[near.ids]
        links = Links.of(near, counted)
        known = np.flatnonzero(seen >= 0)
        for mine, theirs in zip(links.arrays, self.links.arrays, strict=True):
            mine[known] = theirs[seen[known]]
        return links, seen

    def _seen(self, rows: np.ndarray, directed: np.ndarray) -> np.ndarray:
        """The training row that each row is, by its numbers; the lowest of equal ones."""
        seen = np.full(len(rows), -1, dtype=np.int64)
        hashes = row_hashes(rows)
        first = np.searchsorted(self._hashes, hashes)
        # Rows of one hash follow each other: mostly one, or equal ones, of which the first counts.
        open_ = np.flatnonzero(first < len(self._hashes))
        step = 0
        while len(open_):
            at = first[open_] + step
            same = (at < len(self._hashes)) & (
                self._hashes[np.minimum(at, len(self._hashes) - 1)] == hashes[open_]
            )
            open_, at = open_[same], at[same]
            numbers = self._order[at]
            equal = (rows[open_] == self._rows[numbers]).all(axis=1)
            seen[open_[equal]] = numbers[equal]
            open_ = open_[~equal]
            step += 1
        if not self._directed.all():  # a row of zeros is like all others
            seen[~directed] = int(np.argmin(self._directed))
        return seen

    def _distances(self, unit: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Squared distances of rows to training rows by number: (m, k) float64."""
        rows = np.arange(len(unit))
        return np.stack(
            [
                distances_to(unit, rows, self._unit, np.ascontiguousarray(column))
                for column in ids.T
            ],
            axis=1,
        )
