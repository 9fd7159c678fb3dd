"""Scores of ranked predictions: is a sample's class among its first n clusters?"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..errors import InputError
from ..kernels.top_ranks import first_misplaced, read_only
from .counts import count
from .validate import (
    MISSING,
    CheckedLabels,
    as_array,
    check_count,
    check_same_length,
    check_targets,
    whole_numbers,
)


@dataclass(frozen=True)
class TopScores:
    """Top-n ACC of ranked predictions; entry n - 1 of a tuple is for the first n clusters."""

    n: int  # samples scored: those with a class
    n_classes: int
    n_clusters: int
    n_ranks: int
    n_unassigned: int  # of them, samples without any cluster (first prediction -1)
    n_unlabelled: int  # samples left out, since they have no class (target -1)
    top_n_acc: tuple[float, ...]
    top_n_chance: tuple[float, ...]  # the same, where whole rankings are dealt out at random

    def to_dict(self) -> dict[str, Any]:
        """Plain ints, floats and tuples of floats for JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class TopClusters:
    """Checked ranked predictions.

    Attributes:
        values: (n, n_ranks) int32, C-contiguous, read-only: clusters, best first, different in each
            row; -1 from where a sample has no further one.
        highest: the largest value, -1 if all are; at most about n.
    """

    values: np.ndarray
    highest: int

    @property
    def first(self) -> CheckedLabels:
        """The primary clusters, as labels below `highest` + 1."""
        values = np.ascontiguousarray(self.values[:, 0])
        return CheckedLabels(values, self.highest, bool(values.min() < 0))

    def of(self, samples: np.ndarray) -> TopClusters:
        """The rows of some samples, (n,) bool; without a copy if these are all."""
        return self if samples.all() else replace(self, values=self.values[samples])

    def cluster_sizes(self) -> np.ndarray:
        """(n_ranks, highest + 1) int64: how often each cluster stands at each rank."""
        n_bins = self.highest + 2
        return np.array([np.bincount(c + 1, minlength=n_bins)[1:] for c in self.values.T])


def score_top(targets: Any, ranked: Any, *, n_clusters: int | None = None) -> TopScores:
    """Top-n accuracy of clusters ranked per sample, for n = 1 to the number of ranks.

    Clusters and classes are paired one-to-one as for ACC, from the first clusters alone: later
    ranks add to what a sample may hit, never to what a cluster stands for. Top-n ACC is the share
    of samples whose class is paired with one of their first n clusters; top-1 is ACC. Where several
    pairings are best for ACC, the later ranks are those of the one that `kernels.assign` finds.

    `top_n_chance` is what the same rankings reach on average if they are dealt out to the samples
    at random, whole rows at a time, the pairing kept. A row's clusters are different and stand for
    different classes, so it hits at one rank at most, and the chance of top-n is the sum over its
    ranks r of sum_c (share of class c) x (share of samples whose r-th cluster is paired with c).
    As the pairing is kept, the chance of top-1 is at most that of ACC, which is paired anew.

    Args:
        targets: (n,) labels as for `score`; -1 means no class, and the sample is left out.
        ranked: (n, n_ranks) whole numbers, clusters best first; -1 means no further prediction,
            and only -1 may follow. (n,) is taken as one rank.
        n_clusters: how many clusters there could be; they must then be below it. Left out, those
            that occur at any rank are counted.

    Memory beyond the arguments: an int32 copy of `ranked` unless it is one, and a few arrays of n.

    Raises:
        InputError: targets that `score` refuses, or rankings of another length or shape, not whole,
            below -1 or at or above `n_clusters`, with a cluster twice in one row or after a -1.

    Examples:
        Cluster 0 stands for class 0 and cluster 1 for class 1. The last sample is found by its
        second cluster only:

        >>> from clusterbench.metrics import score_top
        >>> scores = score_top([0, 0, 1, 1], [[0, 1], [0, 1], [1, 0], [0, 1]])
        >>> scores.top_n_acc, scores.top_n_chance
        ((0.75, 1.0), (0.5, 1.0))
    """
    if n_clusters is not None:
        n_clusters = check_count(n_clusters, "n_clusters")
    classes = check_targets(targets)
    clusters = check_top(ranked, "ranked", limit=n_clusters)
    check_same_length(classes.values, clusters.values, "rows of ranked clusters")
    counts = count(classes, clusters.first)
    scored = classes.values >= 0
    clusters = clusters.of(scored)
    columns = counts.pairing.columns
    own = np.where(columns < 0, -2, columns).astype(np.int32)  # -2: no cluster, not even -1
    own = own[classes.values if scored.all() else classes.values[scored]]
    hits = np.cumsum([np.count_nonzero(column == own) for column in clusters.values.T])
    sizes = clusters.cluster_sizes()
    chance = np.cumsum(standing(sizes, columns) @ counts.table.row_sums)
    return TopScores(
        n=counts.n,
        n_classes=counts.n_groups[0],
        n_clusters=n_clusters or int(np.count_nonzero(sizes.any(axis=0))),
        n_ranks=len(hits),
        n_unassigned=counts.n_unassigned,
        n_unlabelled=len(classes.values) - counts.n,
        top_n_acc=tuple((hits / counts.n).tolist()),
        top_n_chance=tuple((chance / counts.n**2).tolist()),
    )


def standing(cluster_sizes: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Samples whose cluster at a rank is paired with the class, by rank and class.

    Args:
        cluster_sizes: (n_ranks, n_clusters) int64.
        columns: (n_classes,) int64, the cluster of a class or -1.

    Returns:
        (n_ranks, n_classes) int64.
    """
    samples = np.zeros((len(cluster_sizes), len(columns)), np.int64)
    paired = columns >= 0
    samples[:, paired] = cluster_sizes[:, columns[paired]]
    return samples


def check_top(values: Any, name: str, *, limit: int | None = None) -> TopClusters:
    """Ranked predictions that are fit to be counted.

    Clusters need not be contiguous: where the largest is far above n they are renumbered in order.

    Args:
        values: (n, n_ranks) or (n,) whole numbers, clusters best first.
        name: what the predictions are called in errors.
        limit: `n_clusters`, if that was given.

    Raises:
        InputError: anything else; the message names the value found and where.
    """
    array = as_array(values, name)
    if array.ndim not in (1, 2):
        raise InputError(
            f"{name} has shape {array.shape}; give (n, n_ranks): a row of clusters per sample, "
            "best first"
        )
    if array.dtype.kind not in "iuf":
        raise InputError(f"{name} has dtype {array.dtype}; give whole numbers")
    array = whole_numbers(array.reshape(len(array), -1), name)
    lowest, highest = int(array.min()), int(array.max())
    if lowest < MISSING:
        raise InputError(
            f"{name} has cluster {lowest} at {_place(array, array.argmin())}; "
            "clusters start at 0, and -1 means no further prediction"
        )
    if limit is not None and highest >= limit:
        raise InputError(
            f"{name} has cluster {highest} at {_place(array, array.argmax())} but "
            f"n_clusters={limit}; clusters must be 0 to {limit - 1}"
        )
    given = array
    if highest > min(len(array) + 1024, 2**31 - 2):
        found, array = np.unique(array, return_inverse=True)
        array = array.reshape(given.shape) - int(found[0] == MISSING)
        highest = int(array.max())
    ranked = TopClusters(read_only(np.ascontiguousarray(array, dtype=np.int32)), highest)
    row, column = first_misplaced(ranked.values, highest + 1)
    if row >= 0:
        what = f"{name} has cluster {given[row, column]} at row {row}, rank {column + 1}"
        if given[row, column - 1] == MISSING:
            raise InputError(f"{what} after -1, no further prediction; put -1 at the end")
        earlier = int(np.flatnonzero(given[row] == given[row, column])[0]) + 1
        raise InputError(f"{what} and at rank {earlier}; a sample's clusters must be different")
    return ranked


def _place(array: np.ndarray, position: Any) -> str:
    row, column = divmod(int(position), array.shape[1])
    return f"row {row}, rank {column + 1}"
