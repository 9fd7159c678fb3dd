"""Do later clusters find coarser classes? What the r-th cluster shares of an image's chain."""

from __future__ import annotations

import math
import statistics

import numpy as np
from scipy.stats import t as student

from clusterbench.benchmarks.targets import Hierarchy
from clusterbench.metrics.counts import count
from clusterbench.metrics.validate import check_labels, check_targets

from .gaps import Gap, reach


def class_overlap(hierarchy: Hierarchy) -> np.ndarray:
    """(K, K) float64: share of the chain of class i that the chain of class j has in common."""
    n_classes, n_nodes = len(hierarchy.class_nodes), len(hierarchy.parents)
    labels, offsets = hierarchy.chains(np.arange(n_classes))
    on_chain = np.zeros((n_classes, n_nodes), dtype=np.float32)
    on_chain[np.repeat(np.arange(n_classes), np.diff(offsets)), labels] = 1
    shared = (on_chain @ on_chain.T).astype(np.float64)
    overlap: np.ndarray = shared / np.diff(offsets)[:, None]
    return overlap


def coarser_gain(
    targets: np.ndarray, ranked: list[np.ndarray], hierarchy: Hierarchy
) -> list[Gap | None]:
    """By rank: chain share found beyond chance where the r-th cluster is another class's.

    targets: (n,). ranked: one (n, n_ranks) array of clusters per seed. Clusters stand for the
    classes that they are paired with by the first rank, as for ACC. Only images whose r-th cluster
    stands for a class other than their own count, so this is not top-n ACC again. The chance of
    an image is the mean share of its chain in the classes of all those clusters. The interval over
    images takes their mean; that over seeds is Student's. None for a rank with no such image.
    """
    overlap = class_overlap(hierarchy)
    by_seed = [_gains(targets, clusters, overlap) for clusters in ranked]
    found: list[Gap | None] = []
    for values in zip(*by_seed, strict=True):
        if any(math.isnan(mean) for mean, _ in values):
            found.append(None)
            continue
        means = [mean for mean, _ in values]
        seeds = math.nan
        if len(means) > 1:
            spread = statistics.stdev(means) / math.sqrt(len(means))
            seeds = float(student.ppf(0.975, len(means) - 1)) * spread
        images = reach(0.95) * statistics.fmean(error for _, error in values)
        found.append(Gap(statistics.fmean(means), seeds, images))
    return found


def _gains(
    targets: np.ndarray, ranked: np.ndarray, overlap: np.ndarray
) -> list[tuple[float, float]]:
    """(mean gain, its standard error over images) by rank."""
    counts = count(check_targets(targets), check_labels(ranked[:, 0], "ranked"))
    columns = counts.pairing.columns
    class_of = np.full(int(ranked.max()) + 1, -1)
    paired = np.flatnonzero(columns >= 0)
    class_of[columns[paired]] = paired
    gains = []
    for rank in range(ranked.shape[1]):
        shown = class_of[ranked[:, rank]]
        other = (shown >= 0) & (shown != targets)
        if other.sum() < 2:
            gains.append((math.nan, math.nan))
            continue
        sizes = np.bincount(shown[shown >= 0], minlength=len(overlap)).astype(np.float64)
        own = sizes * np.diag(overlap)
        expected = (overlap @ sizes - own) / np.maximum(sizes.sum() - sizes, 1)
        gain = overlap[targets[other], shown[other]] - expected[targets[other]]
        gains.append((float(gain.mean()), float(gain.std(ddof=1) / math.sqrt(len(gain)))))
    return gains
