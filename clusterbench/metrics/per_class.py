"""Accuracy class by class, and its mean over frequent, middling and rare classes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .counts import Counts, count
from .validate import MISSING, check_labels, check_same_length, check_targets


@dataclass(frozen=True)
class Band:
    """The classes of one frequency band. `acc` is None for a band without scored classes."""

    n_classes: int  # with at least one scored sample
    n: int  # samples
    acc: float | None  # mean of the classes' ACC, each class counting once


@dataclass(frozen=True)
class FrequencyBands:
    """Mean per-class ACC of the most frequent third of the classes, the middle and the rarest.

    A class belongs to the band of its mid-rank: the classes that are more frequent, plus half of
    those as frequent (itself included), as a share of all. Below 1/3 is the head, from 2/3 on the
    tail. So equally frequent classes share a band, and with equal frequencies all are the middle.
    """

    head: Band
    middle: Band
    tail: Band

    def to_dict(self) -> dict[str, Any]:
        """Plain ints, floats and None for JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class ClassScores:
    """One row per class that has samples, in ascending order of the labels."""

    classes: np.ndarray  # (n_rows,) the labels given
    sizes: np.ndarray  # (n_rows,) int64: samples
    acc: np.ndarray  # (n_rows,) float64: share of them in the paired cluster
    clusters: np.ndarray  # (n_rows,) str: the label of that cluster; "-1" for a class without one


def score_classes(targets: Any, predictions: Any) -> ClassScores:
    """ACC class by class.

    Args:
        targets: (n,) labels, as for `clusterbench.metrics.score`.
        predictions: (n,) labels, as for `clusterbench.metrics.score`.

    Raises:
        InputError: as `clusterbench.metrics.score`.

    Examples:
        >>> from clusterbench.metrics import score_classes
        >>> rows = score_classes(["cat", "cat", "dog"], [4, 4, 4])
        >>> rows.classes.tolist(), rows.acc.tolist(), rows.clusters.tolist()
        (['cat', 'dog'], [1.0, 0.0], ['4', '-1'])
    """
    classes, clusters = check_targets(targets), check_labels(predictions, "predictions")
    check_same_length(classes.values, clusters.values)
    counts = count(classes, clusters)
    rows = np.flatnonzero(counts.table.row_sums)
    names = np.append(clusters.given.astype(np.str_), str(MISSING))  # the last is that of column -1
    return ClassScores(
        classes=classes.given[rows],
        sizes=counts.table.row_sums[rows],
        acc=class_acc(counts)[rows],
        clusters=names[counts.pairing.columns[rows]],
    )


def class_acc(counts: Counts) -> np.ndarray:
    """(n_classes,) float64: the share of each class that is in its paired cluster.

    The pairing is the one of ACC. A class without a cluster has 0.0, a class without samples NaN.
    """
    sizes = counts.table.row_sums
    shares = np.full(len(sizes), np.nan)
    np.divide(counts.right, sizes, out=shares, where=sizes > 0)
    return shares


def balanced_acc(counts: Counts) -> float:
    """Mean of the classes' ACC, each class counting once whatever its size, in [0, 1].

    Over the classes that have samples. The pairing is the one of ACC, which counts samples; where
    several pairings are equally good for ACC, the order of the labels decides among them.

    Examples:
        The frequent class is right, the rare one wrong:

        >>> from clusterbench.metrics import score
        >>> scores = score([0, 0, 0, 1], [0, 0, 0, 0])
        >>> scores.balanced_acc, scores.acc
        (0.5, 0.75)
    """
    return float(np.nanmean(class_acc(counts)))


def frequency_bands(counts: Counts, frequencies: np.ndarray | None = None) -> FrequencyBands:
    """`balanced_acc` within the three frequency bands.

    Args:
        counts: the contingency table.
        frequencies: (n_classes or more,) integers, how often each class occurs where the method was
            fitted (usually in the training rows); by default the class sizes of the scored samples.
            Classes without scored samples count in the ranks; those of frequency 0 without samples
            do not.
    """
    shares, sizes = class_acc(counts), counts.table.row_sums
    known = sizes if frequencies is None else np.asarray(frequencies)
    unseen = len(known) - len(sizes)
    shares = np.pad(shares, (0, unseen), constant_values=np.nan)
    sizes = np.pad(sizes, (0, unseen))
    takes_part = np.flatnonzero((known > 0) | (sizes > 0))
    shares, sizes, known = shares[takes_part], sizes[takes_part], known[takes_part]
    rank = _mid_rank(known)
    return FrequencyBands(
        head=_band(shares, sizes, rank < 1 / 3),
        middle=_band(shares, sizes, (rank >= 1 / 3) & (rank < 2 / 3)),
        tail=_band(shares, sizes, rank >= 2 / 3),
    )


def _mid_rank(frequencies: np.ndarray) -> np.ndarray:
    """(n,) float64 in (0, 1): share of the classes that are more frequent, ties counting half."""
    _, position, repeats = np.unique(-frequencies, return_inverse=True, return_counts=True)
    before = np.cumsum(repeats) - repeats
    middle = (before + repeats / 2) / len(frequencies)
    return middle[position]


def _band(shares: np.ndarray, sizes: np.ndarray, members: np.ndarray) -> Band:
    scored = members & (sizes > 0)
    n_classes = int(np.count_nonzero(scored))
    return Band(
        n_classes=n_classes,
        n=int(sizes[scored].sum()),
        acc=float(shares[scored].mean()) if n_classes else None,
    )
