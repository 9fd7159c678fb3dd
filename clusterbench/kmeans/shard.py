"""The rows of one process on one device: what a start and an iteration ask of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .fixed_point import FixedPoint

if TYPE_CHECKING:
    from .projection import Projection


@dataclass
class Sums:
    """What the mean of each cluster is made of.

    features: (k, dim) int64, weighted sums of features. weights: (k,) int64, summed weights.
    counts: (k,) int64, rows.
    """

    features: np.ndarray
    weights: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True)
class Units:
    """The fixed points of one fit, the same in every process.

    features: of weighted features. weights: of weights. squared: of weighted squared distances.
    """

    features: FixedPoint
    weights: FixedPoint
    squared: FixedPoint


@dataclass(frozen=True)
class Extent:
    """What the units of a fit follow from.

    n: rows. largest: largest absolute number in them. longest: largest |x|^2. weight: largest
    weight of a row.
    """

    n: int
    largest: float
    longest: float
    weight: float

    def units(self) -> Units:
        """The finest units in which no sum of this many rows leaves an int64."""
        return Units(
            FixedPoint.for_sums(self.largest * self.weight, self.n),
            FixedPoint.for_sums(self.weight, self.n),
            # Two rows, and a row and a mean of rows, are at most twice the longest apart.
            FixedPoint.for_sums(4.0 * self.longest * self.weight, self.n),
        )


@dataclass
class Work:
    """Pairs of a row and a centroid, as a product computed them or as they were avoided.

    product: multiplied by the fast routine, in all dimensions. exact: compared in float64.
    possible: rows times centroids of all assignments. leading: multiplied in leading dimensions.
    """

    product: int = 0
    exact: int = 0
    possible: int = 0
    leading: int = 0


class RowShard(ABC):
    """Rows start..start + n - 1 of all rows, with the nearest centroid of each.

    The nearest is that of float64 arithmetic (`kernels.nearest.squared_distance`), of equally near
    ones the one of the lowest number, so it does not depend on how rows are cut into shards.

    Attributes:
        n, dim: rows here and their dimensions.
        weighted: whether rows have weights, which all processes agree on.
        start: number of the first of them among all rows.
        threads: of the CPU, for what starts compute there.
        extent: of the rows here.
        unit: of masses; `begin` sets that of the extent, `lloyd.settle_unit` a finer one.
        work: counted since the beginning.
    """

    n: int
    dim: int
    weighted: bool
    start: int
    threads: int
    extent: Extent
    unit: FixedPoint
    work: Work

    @abstractmethod
    def begin(self, units: Units) -> None:
        """Forget all centroids; sums are in these units from now on."""

    @abstractmethod
    def include(self, points: np.ndarray) -> None:
        """More centroids beside those that are there: (k, dim) float32, numbered on."""

    @abstractmethod
    def assign(self, centroids: np.ndarray) -> None:
        """Centroids in place of those that are there: (k, dim) float32.

        Where there are as many as before, they are the same ones moved, and work is saved on
        those that have not.
        """

    @abstractmethod
    def sums(self) -> Sums:
        """Sums of the clusters as they are assigned now, of the rows here."""

    @abstractmethod
    def largest_mass(self) -> float:
        """The largest weighted squared distance of a row to its centroid."""

    @abstractmethod
    def objective(self) -> int:
        """Weighted squared distances to the nearest centroid, summed, in `unit`."""

    @abstractmethod
    def labels(self) -> np.ndarray:
        """Number of the nearest centroid: (n,) int32."""

    @abstractmethod
    def take(self, numbers: np.ndarray) -> np.ndarray:
        """Rows by number within the shard: (len(numbers), dim) float32."""

    @abstractmethod
    def weight_of(self, numbers: np.ndarray) -> np.ndarray:
        """Weights of rows by number within the shard: (len(numbers),) float64."""

    @abstractmethod
    def masses(self, numbers: np.ndarray) -> np.ndarray:
        """Weighted squared distances of rows in `unit`: (len(numbers),) int64."""

    @abstractmethod
    def at(self, positions: np.ndarray) -> np.ndarray:
        """Rows on which positions of [0, objective()) fall, each row as wide as its mass.

        positions: (m,) int64, ascending. Returns (m,) int64 numbers within the shard.
        """

    @abstractmethod
    def part(self, numbers: np.ndarray, start: int) -> RowShard:
        """Some of the rows, by ascending number within the shard, on the same device.

        start: number of the first of them among those of all processes' parts.
        """

    @abstractmethod
    def projected(self, projection: Projection) -> RowShard:
        """The same rows in few dimensions, on the same device."""

    @abstractmethod
    def sums_of(self, labels: np.ndarray, k: int) -> Sums:
        """Sums of the clusters that (n,) int32 labels in [0, k) make of the rows here."""

    @abstractmethod
    def farthest(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The n rows of positive weight farthest from their centroid, or all.

        Returns numbers within the shard and squared distances (float64), the farthest first, of
        equally far ones the lowest number first.
        """
