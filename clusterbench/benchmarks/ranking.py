"""How easy a class is to recognise in given features: leave-one-out kNN accuracy per class.

The arithmetic is exact, so that the ranking, and with it the rows of a task, is the same with
every BLAS, number of threads and instruction set: features are scaled to unit length and rounded
to integers of norm at most 4096; then every product and partial sum of an inner product is an
integer of at most 2^24 (Cauchy-Schwarz), which float32 holds without rounding in any order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError

NORM = 4000  # leaves room for the rounding: 4000 + sqrt(dim) / 2 <= 4096 up to dim 36,864
_MAX_DIM = 4 * 96**2
_BLOCK_CELLS = 1 << 23  # similarities held at a time, 32 MB


@dataclass(frozen=True, eq=False)
class ClassScores:
    """Per class, all (n_classes,) int64: images ranked, how many are recognised by their
    neighbours, and how many of their neighbours are of the class."""

    n_images: np.ndarray
    n_correct: np.ndarray
    n_same: np.ndarray

    @property
    def accuracy(self) -> np.ndarray:
        """(n_classes,) float64 in [0, 1]; NaN for a class without images."""
        with np.errstate(invalid="ignore"):
            share: np.ndarray = self.n_correct / self.n_images
        return share


def knn_class_scores(
    features: np.ndarray, labels: np.ndarray, n_classes: int, *, k: int = 20
) -> ClassScores:
    """Leave-one-out kNN classification of every sample among the others.

    features: (n, dim) float. labels: (n,) in [0, n_classes). The k nearest by cosine vote with
    weight 1 + cosine; samples as near as the k-th vote too, so the order of rows has no say. A
    sample counts as recognised when its class has strictly the most votes.

    Time O(n^2 dim); memory the rounded features and 32 MB of similarities at a time.
    Raises InputError for k outside 1..n-1, a zero or non-finite feature, or dim > 36,864.
    """
    n = len(features)
    if not 1 <= k < n:
        raise InputError(f"k={k} should be in 1..n_samples-1={n - 1}")
    integers = unit_integers(features)
    correct = np.zeros(n, dtype=bool)
    same = np.zeros(n, dtype=np.int64)
    step = max(1, _BLOCK_CELLS // n)
    for start in range(0, n, step):
        stop = min(start + step, n)
        cosine = integers[start:stop] @ integers.T
        cosine[np.arange(stop - start), np.arange(start, stop)] = -np.inf
        threshold = np.partition(cosine, n - k, axis=1)[:, n - k]
        query, neighbour = np.nonzero(cosine >= threshold[:, None])
        weight = cosine[query, neighbour].astype(np.int64) + 2**24
        own = labels[neighbour] == labels[start + query]
        correct[start:stop] = _recognised(query, labels[neighbour], own, weight, stop - start)
        same[start:stop] = np.bincount(query[own], minlength=stop - start)
    return ClassScores(
        n_images=np.bincount(labels, minlength=n_classes).astype(np.int64),
        n_correct=np.bincount(labels[correct], minlength=n_classes).astype(np.int64),
        n_same=_sum_by(labels, same, n_classes),
    )


def easiness_order(scores: ClassScores, classes: np.ndarray, tie_break: np.ndarray) -> np.ndarray:
    """The classes, easiest first.

    By recognised share, then by share of same-class neighbours, compared as exact fractions of
    equal denominators, so `classes` must have equally many ranked images; then by `tie_break`.
    """
    if len(np.unique(scores.n_images[classes])) > 1:
        raise InputError("classes with different numbers of ranked images cannot be ranked")
    order = np.lexsort((tie_break, -scores.n_same[classes], -scores.n_correct[classes]))
    return np.asarray(classes)[order]


def unit_integers(features: np.ndarray) -> np.ndarray:
    dim = features.shape[1]
    if dim > _MAX_DIM:
        raise InputError(f"dim={dim} should be <= {_MAX_DIM} for exact similarities")
    out = np.empty(features.shape, dtype=np.float32)
    for start in range(0, len(features), 4096):
        block = features[start : start + 4096].astype(np.float64)
        norm = np.sqrt(np.square(block).sum(axis=1))
        bad = ~np.isfinite(norm) | (norm == 0)
        if bad.any():
            raise InputError(
                f"the features of sample {start + int(np.argmax(bad))} are zero or not finite; "
                "a cosine needs a direction"
            )
        out[start : start + 4096] = np.rint(block * (NORM / norm)[:, None])
    return out


def _recognised(
    query: np.ndarray, label: np.ndarray, own: np.ndarray, weight: np.ndarray, n_queries: int
) -> np.ndarray:
    """(n_queries,) bool: the summed weight of the own class is above every other class's."""
    own_votes = _sum_by(query[own], weight[own], n_queries)
    best_other = np.zeros(n_queries, dtype=np.int64)
    query, label, weight = query[~own], label[~own], weight[~own]
    if len(query):
        order = np.lexsort((label, query))
        query, label, weight = query[order], label[order], weight[order]
        first = np.flatnonzero(np.r_[True, (query[1:] != query[:-1]) | (label[1:] != label[:-1])])
        np.maximum.at(best_other, query[first], np.add.reduceat(weight, first))
    return own_votes > best_other


def _sum_by(key: np.ndarray, value: np.ndarray, size: int) -> np.ndarray:
    out = np.zeros(size, dtype=np.int64)
    np.add.at(out, key, value)
    return out
