"""Scores where a sample has several labels, any of which a cluster may stand for."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..errors import InputError
from ..kernels.top_ranks import first_repeat, set_hits
from .counts import count
from .top_n import check_top, standing
from .validate import CheckedLabels, as_array, check_count, check_labels, whole_numbers


@dataclass(frozen=True)
class LabelSetScores:
    """Scores against sets of labels; entry r - 1 of a tuple is for rank r."""

    n: int  # samples scored: those with a label
    n_labels: int
    n_clusters: int
    n_ranks: int
    n_unassigned: int  # of the samples scored, those without a cluster (prediction -1)
    n_unlabelled: int  # samples left out, since their set is empty
    labels_per_sample: float  # mean over the samples scored
    any_label_acc: float
    hits: tuple[float, ...]  # share of samples whose r-th cluster stands for one of their labels
    chance: tuple[float, ...]  # of `hits`, where the rankings are dealt out at random
    any_hit: tuple[float, ...]  # share of samples with a hit among their first r clusters
    coverage: tuple[float, ...]  # mean share of a sample's labels that its first r clusters hit

    def to_dict(self) -> dict[str, Any]:
        """Plain ints, floats and tuples of floats for JSON."""
        return asdict(self)


def score_label_sets(
    labels: Any,
    offsets: Any,
    predictions: Any,
    *,
    n_labels: int | None = None,
    n_clusters: int | None = None,
) -> LabelSetScores:
    """Compare predicted clusters with a set of labels per sample.

    For images with several right answers (ImageNet-ReaL: Beyer et al., "Are we done with
    ImageNet?", arXiv:2006.07159), and for a class with all its ancestors. A sample without labels
    is left out, as ReaL does.

    Labels and clusters are paired one-to-one so that most samples' first cluster stands for one of
    their labels: Hungarian, as for ACC, on the table that counts a sample once under each of its
    labels. A sample has one first cluster, and that stands for one label, so no pairing counts it
    twice and `any_label_acc` is the best over all pairings. With one label per sample it is ACC,
    and `any_hit` is top-n ACC. One label that most samples have raises it: compare it on the same
    sets only.

    `chance` is what `hits` is on average if the rankings are dealt out to the samples at random,
    the pairing kept: the sum over labels of (share of samples with the label) x (share of samples
    whose r-th cluster stands for it). The pairing is fitted to rank 1, which therefore exceeds its
    chance level even for predictions that know nothing; later ranks do not.

    Args:
        labels: (total,) labels from 0 of one sample after the other, none twice in a set.
        offsets: (n + 1,) whole numbers: sample i has `labels[offsets[i]:offsets[i + 1]]`.
        predictions: (n,) clusters, or (n, n_ranks) clusters best first, as for `score_top`.
        n_labels: how many labels there could be; they must then be below it. Left out, those that
            occur are counted.
        n_clusters: the same of clusters.

    Time grows with total + n x n_ranks; memory beyond the arguments is two int32 arrays of `total`,
    a few of n, and an int32 copy of `predictions` unless they are one.

    Raises:
        InputError: labels that are missing (-1), repeated in a set or unusable in `score`, offsets
            that do not cut `labels` into n sets, or predictions that `score_top` refuses.

    Examples:
        The sets {0}, {0, 1} and {1}; cluster 5 stands for label 0 and cluster 7 for label 1. The
        first clusters find one label of each sample, which is half of the second one's:

        >>> from clusterbench.metrics import score_label_sets
        >>> scores = score_label_sets([0, 0, 1, 1], [0, 1, 3, 4], [[5, 7], [5, 7], [7, 5]])
        >>> scores.any_label_acc, scores.any_hit
        (1.0, (1.0, 1.0))
        >>> [round(share, 4) for share in scores.hits]
        [1.0, 0.3333]
        >>> [round(share, 4) for share in scores.coverage]
        [0.8333, 1.0]
    """
    if n_labels is not None:
        n_labels = check_count(n_labels, "n_labels")
    if n_clusters is not None:
        n_clusters = check_count(n_clusters, "n_clusters")
    clusters = check_top(predictions, "predictions", limit=n_clusters)
    members = check_labels(labels, "labels", limit=n_labels, option="n_labels")
    if members.some_missing:
        raise InputError(
            f"labels has -1 at position {int(members.values.argmin())}; labels start at 0, and "
            "a sample without labels has an empty set"
        )
    starts = check_offsets(offsets, len(members.values), len(clusters.values))
    _check_distinct(labels, members, starts)

    set_sizes = np.diff(starts)
    scored = set_sizes > 0
    set_sizes, clusters = set_sizes[scored], clusters.of(scored)
    starts = np.concatenate([[0], np.cumsum(set_sizes)])
    n, first = len(set_sizes), clusters.first
    counts = count(members, replace(first, values=np.repeat(first.values, set_sizes)))
    columns = counts.pairing.columns
    label_of = np.full(clusters.highest + 1, -1, np.int32)
    paired = np.flatnonzero(columns >= 0)
    label_of[columns[paired]] = paired
    found = set_hits(members.values, starts, clusters.values, label_of, len(columns))
    sizes = clusters.cluster_sizes()
    chance = standing(sizes, columns) @ counts.table.row_sums
    lengths = np.maximum(np.arange(found.found.shape[1]), 1)
    return LabelSetScores(
        n=n,
        n_labels=n_labels or counts.n_groups[0],
        n_clusters=n_clusters or int(np.count_nonzero(sizes.any(axis=0))),
        n_ranks=len(sizes),
        n_unassigned=int(np.count_nonzero(first.values < 0)),
        n_unlabelled=len(scored) - n,
        labels_per_sample=counts.n / n,
        any_label_acc=counts.pairing.total / n,
        hits=tuple((found.hits / n).tolist()),
        chance=tuple((chance / n**2).tolist()),
        any_hit=tuple((found.any_hit / n).tolist()),
        coverage=tuple(((found.found / lengths).sum(axis=1) / n).tolist()),
    )


def check_offsets(offsets: Any, total: int, n: int) -> np.ndarray:
    """Offsets of n sets in `total` labels: (n + 1,) int64.

    Raises:
        InputError: they do not cut the labels into n sets, one after the other.
    """
    array = as_array(offsets, "offsets")
    if array.ndim != 1:
        raise InputError(f"offsets has shape {array.shape}; give a 1-D array of n + 1 positions")
    array = whole_numbers(array, "offsets").astype(np.int64)
    if len(array) != n + 1:
        raise InputError(
            f"offsets has {len(array)} entries but there are predictions for {n} samples; "
            f"give {n + 1}, where each set starts and where the last one ends"
        )
    if array[0] != 0:
        raise InputError(f"offsets starts at {array[0]}; the first set starts at 0")
    falls = np.flatnonzero(np.diff(array) < 0)
    if len(falls):
        before, after = array[falls[0] : falls[0] + 2].tolist()
        raise InputError(
            f"offsets falls from {before} to {after} at sample {int(falls[0])}; "
            "a set ends where it starts or later"
        )
    if array[-1] != total:
        raise InputError(
            f"offsets ends at {array[-1]} but labels has {total} entries; "
            "the last set ends with the last label"
        )
    return array


def _check_distinct(labels: Any, members: CheckedLabels, starts: np.ndarray) -> None:
    position = first_repeat(members.values, starts, members.highest + 1)
    if position >= 0:
        sample = int(np.searchsorted(starts, position, side="right")) - 1
        raise InputError(
            f"labels has label {np.asarray(labels)[position]} twice in the set of sample {sample}; "
            "give each label of a sample once"
        )
