"""Starts drawn from the rows, the same however the rows are cut into shards."""

from __future__ import annotations

import numpy as np

from ..kernels.seeding import accepted
from .lloyd import Group
from .shard import Shard, Units

#: Candidates drawn together at most, and as a share of the centroids that are there.
_MOST, _SHARE = 1024, 0.25


def random_rows(shard: Shard, group: Group, k: int, rng: np.random.Generator) -> np.ndarray:
    """k different rows, each as likely as any: (k, dim) float32."""
    n = group.extent(shard.extent).n
    return rows_by_number(shard, group, rng.choice(n, k, replace=False))


def plus_plus(
    shard: Shard, group: Group, units: Units, k: int, rng: np.random.Generator
) -> np.ndarray:
    """k-means++ (Arthur and Vassilvitskii 2007): rows drawn by their squared distance.

    Each is drawn with probability proportional to its squared distance to the nearest of all that
    were drawn before it, exactly. Yet distances are computed for many at a time by products of
    matrices: candidates are drawn together by the distances of before, and one stands only with
    the odds by which its own distance has shrunk since. The cost is that of one iteration.

    Returns:
        (k, dim) float32; the shard has them as its centroids, with all rows assigned. With fewer
        than k distinct rows the last ones repeat others.
    """
    n = group.extent(shard.extent).n
    shard.begin(units)
    centroids = rows_by_number(shard, group, rng.integers(0, n, size=1))
    shard.include(centroids)
    while len(centroids) < k:
        offsets = _offsets(shard, group)
        if offsets[-1] == 0:
            more = rows_by_number(shard, group, rng.integers(0, n, size=k - len(centroids)))
        else:
            room = min(max(8, int(_SHARE * len(centroids))), _MOST)
            more = _drawn(shard, group, units, room, k - len(centroids), offsets, rng)
        shard.include(more)
        centroids = np.concatenate([centroids, more])
    return centroids


def rows_by_number(shard: Shard, group: Group, numbers: np.ndarray) -> np.ndarray:
    """Rows by their number among all rows, in that order: (len(numbers), dim) float32."""
    order = np.argsort(numbers, kind="stable")
    mine = numbers[order] - shard.start
    mine = mine[(mine >= 0) & (mine < shard.n)]
    return _unsorted(group.gather(shard.take(mine)), order)


def _offsets(shard: Shard, group: Group) -> np.ndarray:
    """(processes + 1,) int64: where the masses of each process begin among those of all."""
    objectives = group.gather(np.array([shard.objective()], dtype=np.int64))
    return np.concatenate([[0], np.cumsum(objectives)])


def _drawn(
    shard: Shard,
    group: Group,
    units: Units,
    room: int,
    wanted: int,
    offsets: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Up to `room` rows drawn by mass, of which those are given back that stand."""
    positions = rng.integers(0, offsets[-1], size=room)
    chances = rng.random(room)
    order = np.argsort(positions, kind="stable")
    ordered = positions[order]
    low, high = offsets[group.rank], offsets[group.rank + 1]
    mine = shard.at(ordered[(ordered >= low) & (ordered < high)] - low)
    candidates = _unsorted(group.gather(shard.take(mine)), order)
    weights = _unsorted(group.gather(shard.weight_of(mine)), order)
    masses = _unsorted(group.gather(shard.masses(mine)), order)
    stand = accepted(candidates, weights, masses, chances, units.squared.factor, wanted)
    return candidates[stand]


def _unsorted(rows: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Rows that stand in the order of `order`, in the order before it."""
    result = np.empty_like(rows)
    result[order] = rows
    return result
