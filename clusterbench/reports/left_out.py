"""Subsets of the rows of a data set: the same images are left out whatever is scored on them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..metrics.information import ami
from ..metrics.uncertainty.intervals import LEFT_OUT
from ..progress import Progress, unseen
from .collected import counts_of

#: Subsets that the deviations of a score are known on, and the fewest for large predictions.
SUBSETS, FEWEST_SUBSETS = 200, 40
_ROWS_SCORED = 2_000_000_000  # in all subsets of all predictions of a report

#: From the spread over subsets of 0.9 n samples to the standard error of n samples.
SCALE = math.sqrt(LEFT_OUT - 1)

_GOLDEN, _FIRST, _SECOND = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
)


def kept_rows(rows: np.ndarray, subset: int) -> np.ndarray:
    """(n,) bool: whether a row of the data set is in a subset; nine rows of ten are.

    A function of the row and the number of the subset alone (SplitMix64 of both: Steele, Lea &
    Flood, OOPSLA 2014), so that two predictions of one task, or of two tasks of a data set, lose
    the same images and their differences are paired.

    Args:
        rows: (n,) int64, rows of a store.
        subset: its number, from 0.
    """
    with np.errstate(over="ignore"):
        mixed = _mix(np.asarray(rows, np.uint64) + _mix(np.uint64(subset + 1) * _GOLDEN))
    kept: np.ndarray = mixed >= np.uint64((1 << 64) // LEFT_OUT)
    return kept


def n_subsets(n_rows: int) -> int:
    """How many subsets are scored where all predictions together have so many rows."""
    return max(FEWEST_SUBSETS, min(SUBSETS, _ROWS_SCORED // max(1, n_rows)))


def ami_deviations(
    rows: np.ndarray,
    targets: np.ndarray,
    predictions: Sequence[np.ndarray],
    n: int,
    progress: Progress = unseen,
) -> np.ndarray:
    """AMI on each subset less the AMI on all rows, averaged over some predictions.

    `SCALE` times their standard deviation is the standard error of the mean AMI over samples
    (`metrics.uncertainty.intervals` says why subsets and not the bootstrap). A subset without a
    sample deviates by nothing.

    Args:
        rows: (n_rows,) int64, rows of the store.
        targets: (n_rows,) int32.
        predictions: of each seed, (n_rows,) int32.
        n: number of subsets.
        progress: called as `progress(done, total)` after each subset.

    Returns:
        (n,) float64.
    """
    whole = float(np.mean([ami(counts_of(targets, clusters)) for clusters in predictions]))
    found = np.zeros(n)
    for subset in range(n):
        kept = kept_rows(rows, subset)
        if kept.any():
            drawn = [ami(counts_of(targets[kept], clusters[kept])) for clusters in predictions]
            found[subset] = float(np.mean(drawn)) - whole
        progress(subset + 1, n)
    return found


def _mix(value: np.ndarray | np.uint64) -> np.ndarray:
    value = np.asarray(value, np.uint64)
    value = (value ^ (value >> np.uint64(30))) * _FIRST
    value = (value ^ (value >> np.uint64(27))) * _SECOND
    mixed: np.ndarray = value ^ (value >> np.uint64(31))
    return mixed
