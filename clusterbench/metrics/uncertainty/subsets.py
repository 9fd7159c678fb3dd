"""A score on fixed subsets of the samples: stored once, it makes all later comparisons paired."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np

from ...errors import InputError
from ...kernels.contingency import reweighted
from ...kernels.left_out import hashed, without_left_out
from ..counts import Counts, count
from ..table import METRICS
from ..validate import (
    as_array,
    check_count,
    check_labels,
    check_same_length,
    check_targets,
    whole_numbers,
)
from .intervals import LEFT_OUT, in_order, threads_for

#: Subsets whose scores are stored: they know a standard error to 5%.
N_SUBSETS = 200

#: What the standard deviation over subsets times this is: the standard error over samples.
#: sqrt(kept / left out), see `intervals.sample_intervals`.
SPREAD = math.sqrt(LEFT_OUT - 1)


def subset_deviations(
    targets: Any,
    predictions: Any,
    samples: Any,
    source: str,
    *,
    metric: str = "ami",
    n_subsets: int = N_SUBSETS,
) -> np.ndarray:
    """A score on subsets of the samples, less the score on all of them.

    In subset b a sample is left out if a hash of (source, sample, b) falls below 1 / LEFT_OUT: the
    same samples whatever the predictions, the targets, or the other samples that are scored. So of
    two predictions of samples of one source, `SPREAD` times the standard deviation of the
    difference of their deviations is the paired standard error of the difference of their scores,
    as `paired.compare` gives it from predictions; likewise for means over predictions and over
    tasks with samples in common. The samples of two sources are left out independently.

    The size of a subset is binomial here, where `intervals` fixes it.

    Args:
        targets: (n,) labels, as for `score`.
        predictions: (n,) labels, as the predictions of `score`.
        samples: (n,) whole numbers >= 0: what the hash knows a sample by, such as its row in a
            feature store.
        source: what the samples are of, such as the hash of a data set's index.
        metric: a name of `METRICS`.
        n_subsets: how many.

    Returns:
        (n_subsets,) float64. A subset without any sample with a class has deviation 0.

    Raises:
        InputError: as `score`, and for unusable samples.

    Examples:
        >>> from clusterbench.metrics.uncertainty.subsets import subset_deviations
        >>> targets, predictions = [0] * 50 + [1] * 50, [0] * 60 + [1] * 40
        >>> found = subset_deviations(targets, predictions, range(100), "a", metric="acc")
        >>> found.shape, bool(abs(found).max() < 0.1)
        ((200,), True)
        >>> bool((subset_deviations(targets, targets, range(100), "a") == 0).all())
        True
    """
    check_count(n_subsets, "n_subsets")
    chosen = METRICS[metric].compute
    classes = check_targets(targets)
    clusters = check_labels(predictions, "predictions")
    check_same_length(classes.values, clusters.values)
    numbers = _numbers(samples, len(classes.values))

    counts = count(classes, clusters)
    has_class = classes.values >= 0
    n_columns = len(counts.table.column_sums)
    cell = classes.values[has_class].astype(np.int64) * n_columns
    cell += clusters.values[has_class] % n_columns  # -1 is the last column
    # Every entry of the table holds a sample, and they are in ascending order of (row, column).
    cell = np.unique(cell, return_inverse=True)[1].astype(np.int64)
    hashes = hashed(numbers[has_class], _key(source))
    score = chosen(counts)
    below = 2**64 // LEFT_OUT

    def deviation(number: int) -> float:
        kept = without_left_out(counts.table.data, cell, hashes, number, below)
        if not kept.any():
            return 0.0
        return chosen(Counts(reweighted(counts.table, kept), counts.with_unassigned)) - score

    return np.array(list(in_order(deviation, n_subsets, threads_for(len(cell), 1))))


def _key(source: str) -> int:
    return int.from_bytes(hashlib.sha256(source.encode()).digest()[:8], "little")


def _numbers(samples: Any, n: int) -> np.ndarray:
    numbers = whole_numbers(as_array(samples, "samples"), "samples")
    if numbers.shape != (n,):
        raise InputError(f"samples has shape {numbers.shape}; wanted ({n},), one for each target")
    if int(numbers.min()) < 0:
        raise InputError(f"samples has {int(numbers.min())}; wanted whole numbers from 0")
    return numbers
