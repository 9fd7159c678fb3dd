"""Ranked clusters and label sets, sample by sample."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .compiled import compiled


class SetHits(NamedTuple):
    """What the first r clusters of every sample find of its labels; entry r - 1 is for rank r."""

    hits: np.ndarray  # (n_ranks,) int64: samples with a hit at this rank
    any_hit: np.ndarray  # (n_ranks,) int64: samples with a hit at this rank or before
    found: np.ndarray  # (n_ranks, largest set + 1) int64: labels found so far, by set size


def first_misplaced(ranked: np.ndarray, n_clusters: int) -> tuple[int, int]:
    """Row and column of the first cluster that stands in its row already or behind a -1.

    Memory: n_clusters int64.

    Args:
        ranked: (n, n_ranks) int32 in [-1, n_clusters), C-contiguous.
        n_clusters: above every cluster.

    Returns:
        (-1, -1) if there is none.
    """
    row, column = _misplaced(read_only(ranked), np.full(n_clusters, -1, np.int64))
    return int(row), int(column)


def first_repeat(labels: np.ndarray, offsets: np.ndarray, n_labels: int) -> int:
    """Position in `labels` of the first label that stands in its set already, or -1.

    Memory: n_labels int64.

    Args:
        labels: (total,) int32 or int64 in [0, n_labels).
        offsets: (n + 1,) int64, set i is `labels[offsets[i]:offsets[i + 1]]`.
        n_labels: above every label.
    """
    return int(_repeat(read_only(labels), read_only(offsets), np.full(n_labels, -1, np.int64)))


def set_hits(
    labels: np.ndarray, offsets: np.ndarray, ranked: np.ndarray, label_of: np.ndarray, n_labels: int
) -> SetHits:
    """Compare each sample's ranked clusters with its set of labels.

    Args:
        labels: of the sets, as for `first_repeat`, without repeats.
        offsets: of the sets, as for `first_repeat`.
        ranked: (n, n_ranks) int32, clusters below len(label_of) or -1, without repeats in a row.
        label_of: (n_clusters,) int32, the label that a cluster stands for, -1 for none; no two
            clusters share one.
        n_labels: above every label.
    """
    n_ranks = ranked.shape[1]
    hits, any_hit = np.zeros((2, n_ranks), np.int64)
    found = np.zeros((n_ranks, int(np.diff(offsets).max(initial=0)) + 1), np.int64)
    last = np.full(n_labels, -1, np.int64)
    arrays = (read_only(labels), read_only(offsets), read_only(ranked), read_only(label_of))
    _hit(*arrays, last, hits, any_hit, found)
    return SetHits(hits, any_hit, found)


def read_only(array: np.ndarray) -> np.ndarray:
    """A read-only view: kernels are then compiled once, whatever the caller's flags."""
    view: np.ndarray = array.view()
    view.flags.writeable = False
    return view


@compiled
def _misplaced(ranked: np.ndarray, last: np.ndarray) -> tuple[int, int]:
    for row in range(ranked.shape[0]):
        for column in range(ranked.shape[1]):
            cluster = ranked[row, column]
            if cluster < 0:
                continue
            if last[cluster] == row or (column > 0 and ranked[row, column - 1] < 0):
                return row, column
            last[cluster] = row
    return -1, -1


@compiled
def _repeat(labels: np.ndarray, offsets: np.ndarray, last: np.ndarray) -> int:
    for sample in range(offsets.size - 1):
        for position in range(offsets[sample], offsets[sample + 1]):
            if last[labels[position]] == sample:
                return position
            last[labels[position]] = sample
    return -1


@compiled
def _hit(
    labels: np.ndarray,
    offsets: np.ndarray,
    ranked: np.ndarray,
    label_of: np.ndarray,
    last: np.ndarray,
    hits: np.ndarray,
    any_hit: np.ndarray,
    found: np.ndarray,
) -> None:
    """`last`: the sample that a label was seen at most recently, so that sets need no lookup."""
    for sample in range(ranked.shape[0]):
        for position in range(offsets[sample], offsets[sample + 1]):
            last[labels[position]] = sample
        size = offsets[sample + 1] - offsets[sample]
        so_far = 0
        for rank in range(ranked.shape[1]):
            cluster = ranked[sample, rank]
            label = label_of[cluster] if cluster >= 0 else -1
            if label >= 0 and last[label] == sample:
                hits[rank] += 1
                so_far += 1
            if so_far > 0:
                any_hit[rank] += 1
            found[rank, size] += so_far
