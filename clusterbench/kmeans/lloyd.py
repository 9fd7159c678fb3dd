"""Lloyd's iterations over the shards of one or several processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..errors import CheckpointError
from .fixed_point import FixedPoint
from .shard import Extent, RowShard, Sums, Units

if TYPE_CHECKING:
    from torch import Tensor


class Group(Protocol):
    """The processes that share a fit: each has its shard, all have the same centroids.

    Shards are in order of rank: the rows of a process follow those of the one before it.

    rank: number of this process. size: how many there are.
    """

    rank: int
    size: int

    def extent(self, extent: Extent) -> Extent:
        """Of the rows of all processes."""
        ...

    def total(self, whole: np.ndarray) -> np.ndarray:
        """Sum of an int64 array over all processes."""
        ...

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """The (m, ...) arrays of all processes, of their own m each, in order of rank."""
        ...

    def added_up(self, own: Tensor) -> Tensor:
        """Sum of a float tensor over all processes: the same bits in each of them."""
        ...


class Alone:
    """One process with all rows."""

    rank, size = 0, 1

    def extent(self, extent: Extent) -> Extent:
        """As `Group.extent`."""
        return extent

    def total(self, whole: np.ndarray) -> np.ndarray:
        """As `Group.total`."""
        return whole

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """As `Group.gather`."""
        return rows

    def added_up(self, own: Tensor) -> Tensor:
        """As `Group.added_up`."""
        return own


@dataclass
class Iterations:
    """Where Lloyd's iterations have come to.

    centroids: (k, dim) float32, the whole state: everything else follows from them and the rows.
    objectives: of the start and after each iteration, summed weighted squared distances to the
    nearest centroid. converged: no centroid moved any more, or less was gained than `tol`.
    relocated: empty clusters that were given a row.
    """

    centroids: np.ndarray
    objectives: list[float] = field(default_factory=list)
    converged: bool = False
    relocated: int = 0

    @property
    def n_iter(self) -> int:
        """Times that the centroids were moved."""
        return len(self.objectives) - 1


def iterate(
    shard: RowShard,
    group: Group,
    units: Units,
    state: Iterations,
    *,
    max_iter: int,
    tol: float = 0.0,
    spherical: bool = False,
    after: Callable[[Iterations], None] = lambda state: None,
) -> Iterations:
    """Move each centroid to the mean of its cluster, until none moves.

    Args:
        shard: the rows of this process; for a start, `begin` was called of it.
        group: all processes.
        units: of the sums.
        state: to go on from; changed in place. With no objectives yet it is a start.
        max_iter: times in all.
        tol: end when the objective fell by no more than this share of itself.
        spherical: bring the means back to length 1.
        after: called after each iteration.

    Returns:
        The state; the shard's labels, and its objective, belong to its centroids.

    Raises:
        CheckpointError: the state to go on from is not one of these rows.
    """
    if state.objectives:
        if state.centroids.shape[1] != shard.dim:
            raise CheckpointError(
                f"a state has centroids of {state.centroids.shape[1]} dimensions, these rows have "
                f"{shard.dim}; go on with the rows that it was reached on, or begin anew"
            )
        shard.begin(units)
    shard.assign(state.centroids)
    reached = objective(shard, group)
    if not state.objectives:
        state.objectives.append(reached)
    elif state.objectives[-1] != reached:  # exact in any number of processes
        raise CheckpointError(
            f"a state whose objective is {state.objectives[-1]!r} has {reached!r} on these rows; "
            "go on with the rows that it was reached on, or begin anew"
        )
    while not state.converged and state.n_iter < max_iter:
        sums = total(shard.sums(), group)
        state.relocated += _relocate(sums, shard, group, units)
        moved = means(sums, units, state.centroids, spherical)
        if (moved == state.centroids).all():
            state.converged = True
            break
        state.centroids = moved
        shard.assign(moved)
        state.objectives.append(objective(shard, group))
        before, now = state.objectives[-2:]
        state.converged = tol > 0.0 and before - now <= tol * before
        after(state)
    return state


def objective(shard: RowShard, group: Group) -> float:
    """Summed weighted squared distances of all rows to their nearest centroid."""
    unit = settle_unit(shard, group)
    whole = group.total(np.array([shard.objective()], dtype=np.int64))
    return float(unit.real(whole)[0])


def settle_unit(shard: RowShard, group: Group) -> FixedPoint:
    """Give all shards the finest unit in which the masses of now can be summed, and return it.

    One row that lies far away would make the unit of the extent too coarse for all others, though
    it may have a centroid of its own by now.
    """
    largest = float(group.gather(np.array([shard.largest_mass()])).max())
    shard.unit = FixedPoint.for_sums(largest, group.extent(shard.extent).n)
    return shard.unit


def total(own: Sums, group: Group) -> Sums:
    """Sums over all processes, to be written to."""
    parts = (own.features, own.weights, own.counts)
    return Sums(*(np.array(group.total(part)) for part in parts))


def means(sums: Sums, units: Units, before: np.ndarray, spherical: bool) -> np.ndarray:
    """Means of the clusters as float32; of a cluster without weight, what it was before."""
    full = sums.weights > 0
    means: np.ndarray = before.copy()
    mean = units.features.real(sums.features[full])
    mean /= units.weights.real(sums.weights[full])[:, None]
    if spherical:
        length = np.linalg.norm(mean, axis=1, keepdims=True)
        mean = np.where(length > 0, mean / np.where(length > 0, length, 1.0), before[full])
    means[full] = mean
    return means


def _relocate(sums: Sums, shard: RowShard, group: Group, units: Units) -> int:
    """Give each empty cluster the row that is farthest from its centroid; returns how many.

    Clusters in order of their number take rows in order of distance, of equally far ones the
    lowest number first. A row at its centroid is not taken, nor the last of its cluster: with
    fewer distinct rows than clusters some clusters stay empty.
    """
    empty = np.flatnonzero(sums.weights == 0)
    if not len(empty):
        return 0
    wanted = 4 * len(empty) + 16
    numbers, squared = shard.farthest(min(wanted, shard.n))
    offers = np.empty(len(numbers), dtype=[("squared", "f8"), ("row", "i8"), ("label", "i8")])
    offers["squared"], offers["row"] = squared, shard.start + numbers
    offers["label"] = shard.labels()[numbers]
    mine = numbers
    features = group.gather(shard.take(mine))
    masses = group.gather(shard.weight_of(mine))
    offers = group.gather(offers)
    # Of those of all processes as many as one process would offer.
    order = np.lexsort((offers["row"], -offers["squared"]))[:wanted]
    given = 0
    for at in order.tolist():
        if given == len(empty):
            break
        label = offers["label"][at]
        if offers["squared"][at] <= 0.0 or sums.counts[label] < 2:
            continue
        weight = units.weights.whole(masses[at : at + 1])[0]
        if weight <= 0 or weight >= sums.weights[label]:
            continue
        whole = units.features.whole(features[at].astype(np.float64) * masses[at])
        for cluster, sign in ((label, -1), (empty[given], 1)):
            sums.features[cluster] += sign * whole
            sums.weights[cluster] += sign * weight
            sums.counts[cluster] += sign
        given += 1
    return given
