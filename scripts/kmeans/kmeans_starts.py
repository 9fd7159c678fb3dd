"""k-means from several starts: objective, iterations and time, by rows per centroid.

    python scripts/kmeans/kmeans_starts.py                          # what ships with the package
    python scripts/kmeans/kmeans_starts.py --data icons-wordnet --per-centroid 4 10
    python scripts/kmeans/kmeans_starts.py --data tree --rows 50000 --dim 120 --per-centroid 5

Prints a table for Markdown, a line per fit as it ends. Every start is followed by Lloyd's
iterations to convergence; the objective is divided by that of Ward's start. "10 random" is the
best of ten, their times added up. CPU seconds are those of all threads together and depend less on
what else the machine does.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from clusterbench import FeatureStore
from clusterbench.cores import n_cores
from clusterbench.kmeans.cpu import CpuShard
from clusterbench.kmeans.lloyd import Alone, Iterations, iterate
from clusterbench.kmeans.row_sources import ArrayRows
from clusterbench.kmeans.starting import seeding, ward

_FEATURES = Path(__file__).parents[2] / "features"
_STORE = "efficientnet-lite0-pca128"
_ROW = "| {} | {:,} | {:,} | {:g} | {} | {:.1f} | {:.1f} | {} | {:.4f} | {:.1f} | {:.1f} |"
_HEAD = (
    "| data | N | K | N/K | start | start s | CPU s | iterations "
    "| objective / Ward's | all s | CPU s |"
)


@dataclass
class Fit:
    """One fit or the best of several: seconds and CPU seconds of the start, and of everything."""

    start: np.ndarray
    total: np.ndarray
    n_iter: int
    objective: float


def _clock() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


class Starts:
    """The starts that are compared, of one array and number of clusters."""

    def __init__(self, x: np.ndarray, k: int, threads: int, seed: int) -> None:
        self.x, self.k, self.threads, self.seed = x, k, threads, seed

    def all(self, n_random: int) -> Iterator[tuple[str, Callable[[int], np.ndarray], int]]:
        """Name, centroids by seed, and how many fits the best is taken of."""
        yield "Ward, exact", partial(self._ward, ward.exact), 1
        yield "Ward, approximate", partial(self._ward, ward.approximate), 1
        for factor in (3, 10):
            if factor * self.k < len(self.x):
                name = f"k-means++ to {factor} K, then Ward"
                yield name, partial(self._micro, factor * self.k), 1
        yield "k-means++", self._plus_plus, 1
        yield "3 k-means++", self._plus_plus, 3
        yield "random", self._random, 1
        if n_random > 1:
            yield f"{n_random} random", self._random, n_random

    def fit(self, start: Callable[[int], np.ndarray], times: int) -> Fit:
        """The best of several fits."""
        fits = [self._fit(start, self.seed + i) for i in range(times)]
        best = min(fits, key=lambda fit: fit.objective)
        begun = np.sum([fit.start for fit in fits], axis=0)
        total = np.sum([fit.total for fit in fits], axis=0)
        return Fit(begun, total, best.n_iter, best.objective)

    def _fit(self, start: Callable[[int], np.ndarray], seed: int) -> Fit:
        began = _clock()
        centroids = start(seed)
        begun = _clock()
        shard = self._shard()
        state = iterate(
            shard, Alone(), shard.extent.units(), Iterations(centroids), max_iter=1000
        )  # fmt: skip
        return Fit(begun - began, _clock() - began, state.n_iter, state.objectives[-1])

    def _shard(self) -> CpuShard:
        shard = CpuShard(ArrayRows(self.x), threads=self.threads)
        shard.begin(shard.extent.units())
        return shard

    def _ward(self, way: Callable[..., tuple[np.ndarray, np.ndarray]], seed: int) -> np.ndarray:
        return way(self.x, None, self.k, threads=self.threads)[1]

    def _micro(self, m: int, seed: int) -> np.ndarray:
        """Ward on the means of many small clusters, weighted by their rows."""
        shard = self._shard()
        units = shard.extent.units()
        seeding.plus_plus(shard, Alone(), units, m, np.random.default_rng(seed))
        sums = shard.sums()
        full = sums.weights > 0
        weights = units.weights.real(sums.weights[full])
        means = (units.features.real(sums.features[full]) / weights[:, None]).astype(np.float32)
        return ward.ward(means, weights, self.k, threads=self.threads)[1]

    def _plus_plus(self, seed: int) -> np.ndarray:
        shard = self._shard()
        rng = np.random.default_rng(seed)
        return seeding.plus_plus(shard, Alone(), shard.extent.units(), self.k, rng)

    def _random(self, seed: int) -> np.ndarray:
        return seeding.random_rows(self._shard(), Alone(), self.k, np.random.default_rng(seed))


def tree_rows(n: int, dim: int, n_leaves: int) -> np.ndarray:
    """Unit rows around the leaves of a random tree of five levels, four to sixteen a branch."""
    rng = np.random.default_rng(0)
    leaf = rng.integers(0, n_leaves, n)
    x = np.zeros((n, dim), dtype=np.float32)
    for level in range(6):
        branches = max(2, n_leaves >> (2 * (5 - level)))
        centres = rng.normal(size=(branches, dim)).astype(np.float32) * 0.75**level
        x += centres[leaf * branches // n_leaves]
    x += 0.5 * rng.normal(size=(n, dim)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x


def stored_rows(name: str, n: int | None) -> np.ndarray:
    """Unit rows of an .npy or of a data set that ships with the package, all or n drawn."""
    if name.endswith(".npy"):
        x = np.load(name).astype(np.float32)
    else:
        x = FeatureStore.open(_FEATURES / name / _STORE).read().astype(np.float32)
    if n is not None and n < len(x):
        x = x[np.sort(np.random.default_rng(0).choice(len(x), n, replace=False))]
    return np.ascontiguousarray(x / np.linalg.norm(x, axis=1, keepdims=True))


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", default=["icons-wordnet", "emoji"], metavar="NAME")
    parser.add_argument("--rows", type=int, help="of each data set (default: all; tree: 50,000)")
    parser.add_argument("--dim", type=int, default=120, help="of the tree")
    parser.add_argument("--per-centroid", type=float, nargs="+", default=[4, 10, 20, 50, 100])
    parser.add_argument("--n-random", type=int, default=10, help="random starts to choose from")
    parser.add_argument("--threads", type=int, default=n_cores())
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warm_up()
    print(_HEAD)
    print("|---" + "|--:" * 3 + "|---" + "|--:" * 6 + "|", flush=True)
    for name in arguments.data:
        for ratio in arguments.per_centroid:
            if name == "tree":
                n = arguments.rows or 50_000
                x = tree_rows(n, arguments.dim, round(n / ratio))
            else:
                x = stored_rows(name, arguments.rows)
            report(name, x, ratio, arguments)


def report(name: str, x: np.ndarray, ratio: float, arguments: argparse.Namespace) -> None:
    """A line for each start."""
    k = round(len(x) / ratio)
    starts = Starts(x, k, arguments.threads, arguments.seed)
    reference = 0.0
    for start, centroids, times in starts.all(arguments.n_random):
        fit = starts.fit(centroids, times)
        reference = reference or fit.objective
        share = fit.objective / reference
        print(
            _ROW.format(
                Path(name).stem, len(x), k, ratio, start, *fit.start, fit.n_iter, share, *fit.total
            ),
            flush=True,
        )


def warm_up() -> None:
    """Compile everything."""
    starts = Starts(tree_rows(1200, 8, 100), 100, 2, 0)
    for _, centroids, _ in starts.all(1):
        starts.fit(centroids, 1)


if __name__ == "__main__":
    main()
