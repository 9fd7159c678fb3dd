"""Starts drawn from the rows, the same however the rows are cut into shards."""

from __future__ import annotations

import numpy as np

from ...kernels.rejection import accepted
from ..cpu import CpuShard
from ..lloyd import Alone, Group, settle_unit
from ..row_sources import ArrayRows
from ..shard import RowShard, Units

#: Candidates drawn together at most, and as a share of the centroids that are there.
_MOST, _SHARE = 1024, 0.25
#: Rows of a sample for each centroid that is to be found in it.
SAMPLE = 32
#: Times that k-means|| draws.
ROUNDS = 5


def random_rows(shard: RowShard, group: Group, k: int, rng: np.random.Generator) -> np.ndarray:
    """k different rows, each as likely as its weight says: (k, dim) float32.

    Rows without weight are taken only where there are fewer than k others.
    """
    odds = _odds(shard, group)
    if odds is None:
        numbers = rng.choice(group.extent(shard.extent).n, k, replace=False)
    else:
        # The k largest keys log(u) / w (Efraimidis and Spirakis 2006): without replacement.
        with np.errstate(divide="ignore"):
            keys = np.log(rng.random(len(odds))) / odds
        numbers = np.argsort(-keys, kind="stable")[:k]
    return rows_by_number(shard, group, numbers)


def _odds(shard: RowShard, group: Group) -> np.ndarray | None:
    """Weights of all rows of all processes; None where all are alike."""
    if not shard.weighted:
        return None
    return group.gather(shard.weight_of(np.arange(shard.n)))


def _one_row(shard: RowShard, group: Group, rng: np.random.Generator) -> np.ndarray:
    odds = _odds(shard, group)
    n = group.extent(shard.extent).n
    drawn = rng.integers(0, n) if odds is None else rng.choice(n, p=odds / odds.sum())
    return rows_by_number(shard, group, np.array([drawn]))


def plus_plus(
    shard: RowShard, group: Group, units: Units, k: int, rng: np.random.Generator
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
    centroids = _one_row(shard, group, rng)
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


def sampled_plus_plus(
    shard: RowShard, group: Group, units: Units, k: int, rng: np.random.Generator
) -> np.ndarray:
    """`plus_plus` on a random sample of rows, `SAMPLE` for each centroid."""
    n = group.extent(shard.extent).n
    if n <= SAMPLE * k:
        return plus_plus(shard, group, units, k, rng)
    numbers = np.sort(rng.choice(n, SAMPLE * k, replace=False))
    first, last = np.searchsorted(numbers, [shard.start, shard.start + shard.n])
    part = shard.part(numbers[first:last] - shard.start, int(first))
    return plus_plus(part, group, units, k, rng)


def parallel(
    shard: RowShard, group: Group, units: Units, k: int, rng: np.random.Generator
) -> np.ndarray:
    """k-means|| (Bahmani et al. 2012): half of k drawn at once, five times, then thinned to k.

    The candidates are weighed by the rows nearest to them, and k-means++ picks k among them.
    """
    shard.begin(units)
    candidates = _one_row(shard, group, rng)
    shard.include(candidates)
    for _ in range(ROUNDS):
        offsets = _offsets(shard, group)
        if offsets[-1] == 0:
            break
        more, *_ = _candidates(shard, group, max(k // 2, 1), offsets, rng)
        more = np.unique(more, axis=0)
        shard.include(more)
        candidates = np.concatenate([candidates, more])
    if len(candidates) <= k:
        return plus_plus(shard, group, units, k, rng)
    weights = units.weights.real(group.total(shard.sums().weights))
    few = CpuShard(ArrayRows(candidates), weights)
    alone = Alone()
    return plus_plus(few, alone, few.extent.units(), k, rng)


def rows_by_number(shard: RowShard, group: Group, numbers: np.ndarray) -> np.ndarray:
    """Rows by their number among all rows, in that order: (len(numbers), dim) float32."""
    order = np.argsort(numbers, kind="stable")
    mine = numbers[order] - shard.start
    mine = mine[(mine >= 0) & (mine < shard.n)]
    return _unsorted(group.gather(shard.take(mine)), order)


def _offsets(shard: RowShard, group: Group) -> np.ndarray:
    """(processes + 1,) int64: where the masses of each process begin among those of all."""
    settle_unit(shard, group)
    objectives = group.gather(np.array([shard.objective()], dtype=np.int64))
    return np.concatenate([[0], np.cumsum(objectives)])


def _drawn(
    shard: RowShard,
    group: Group,
    units: Units,
    room: int,
    wanted: int,
    offsets: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Up to `room` rows drawn by mass, of which those are given back that stand."""
    candidates, weights, masses = _candidates(shard, group, room, offsets, rng)
    chances = rng.random(room)
    stand = accepted(candidates, weights, masses, chances, shard.unit.factor, wanted)
    return np.ascontiguousarray(candidates[stand])


def _candidates(
    shard: RowShard, group: Group, n: int, offsets: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """n rows drawn by mass, with replacement: features, weights and masses, in order of drawing."""
    positions = rng.integers(0, offsets[-1], size=n)
    order = np.argsort(positions, kind="stable")
    ordered = positions[order]
    low, high = offsets[group.rank], offsets[group.rank + 1]
    mine = shard.at(ordered[(ordered >= low) & (ordered < high)] - low)
    features, weights, masses = (
        _unsorted(group.gather(of(mine)), order)
        for of in (shard.take, shard.weight_of, shard.masses)
    )
    return features, weights, masses


def _unsorted(rows: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Rows that stand in the order of `order`, in the order before it."""
    result = np.empty_like(rows)
    result[order] = rows
    return result
