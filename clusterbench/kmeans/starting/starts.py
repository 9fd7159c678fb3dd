"""The starts by name, and which one `auto` takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..lloyd import Group, means, total
from ..shard import RowShard, Units
from .seeding import ROUNDS, SAMPLE, parallel, plus_plus, random_rows, sampled_plus_plus
from .ward import ward

NAMES = ("auto", "random", "k-means++", "k-means++ sample", "k-means||", "ward", "micro-ward")
#: Starts that draw nothing: all seeds have the same.
FIXED = ("given", "ward")
#: Micro-clusters for each cluster, where they are merged by Ward's method.
MICRO = 10
#: Operations of an exact search for Ward's partners that take no more than a second or two.
_AT_ONCE = 1e11
#: What Ward's method among near rows takes for each row: 0.1 ms at 60 Gflop/s.
_NEAR = 6e6
#: Rows for each cluster up to which all rows are merged, and rows of which this is tried.
_MANY, _MOST_ROWS = 300, 1_000_000


@dataclass(frozen=True)
class Start:
    """How the first centroids are found.

    name: one of NAMES but "auto", or "given". given: (k, dim) float32 centroids, for "given".
    """

    name: str
    given: np.ndarray | None = None

    @property
    def draws(self) -> bool:
        """Whether another seed may give another start."""
        return self.name not in FIXED


def chosen(n: int, k: int, in_memory: bool) -> str:
    """The start that `auto` takes for n rows and k clusters.

    By the objective at the end, at like times (docs/kmeans.md): Ward's method on all rows where
    there are few for each cluster, since it alone has seen where all of them lie; on micro-clusters
    beyond, where any start ends within some tenths of a per cent; drawn from a sample where every
    pass reads from disk.
    """
    if not in_memory:
        return "k-means++ sample"
    return "ward" if n <= min(_MANY * k, _MOST_ROWS) else "micro-ward"


def cost(name: str, n: int, k: int, dim: int) -> float:
    """Floating-point operations of a start, roughly: products, and what takes as long."""
    if name == "ward":
        # Beside products each pair's cost is looked at in turn, which is most of it in memory.
        exact = 3.0 * n * n * dim + 600.0 * n * n
        return exact if 2.0 * n * n * dim <= _AT_ONCE else _NEAR * n
    if name == "micro-ward" and n > MICRO * k:
        return 2.0 * n * MICRO * k * dim + cost("ward", MICRO * k, k, dim)
    if name in ("random", "given"):
        return 0.0
    rows = min(n, SAMPLE * k) if name == "k-means++ sample" else n
    return 2.0 * rows * k * dim * (ROUNDS / 2 if name == "k-means||" else 1)


def start(
    how: Start, shard: RowShard, group: Group, units: Units, k: int, rng: np.random.Generator
) -> np.ndarray:
    """First centroids: (k, dim) float32; the shard may have them as its own already."""
    if how.name == "given":
        assert how.given is not None
        return how.given
    if how.name == "random":
        return random_rows(shard, group, k, rng)
    if how.name == "ward":
        return _ward_of_rows(shard, group, units, k, rng)
    draw = {
        "k-means++": plus_plus,
        "k-means++ sample": sampled_plus_plus,
        "k-means||": parallel,
        "micro-ward": _ward_of_micro_clusters,
    }[how.name]
    return draw(shard, group, units, k, rng)


def _ward_of_rows(
    shard: RowShard, group: Group, units: Units, k: int, rng: np.random.Generator
) -> np.ndarray:
    """Ward's method on all rows, in every process alike."""
    every = np.arange(shard.n)
    rows = group.gather(shard.take(every))
    if not shard.weighted:
        return _merged(rows, None, k, shard.threads)
    weights = group.gather(shard.weight_of(every))
    heavy = weights > 0
    if heavy.sum() < k:
        return plus_plus(shard, group, units, k, rng)
    return _merged(rows[heavy], weights[heavy], k, shard.threads)


def _ward_of_micro_clusters(
    shard: RowShard, group: Group, units: Units, k: int, rng: np.random.Generator
) -> np.ndarray:
    """Ward's method on the means of MICRO * k clusters that k-means++ begins."""
    n = group.extent(shard.extent).n
    if n <= MICRO * k:
        return _ward_of_rows(shard, group, units, k, rng)
    before = plus_plus(shard, group, units, MICRO * k, rng)
    sums = total(shard.sums(), group)
    full = sums.weights > 0
    if full.sum() < k:
        return plus_plus(shard, group, units, k, rng)
    micro = means(sums, units, before, spherical=False)[full]
    return _merged(micro, units.weights.real(sums.weights[full]), k, shard.threads)


def _merged(rows: np.ndarray, weights: np.ndarray | None, k: int, threads: int) -> np.ndarray:
    """Exact where that takes a moment, among near rows else."""
    return ward(rows, weights, k, multiplications=_AT_ONCE, threads=threads)[1]
