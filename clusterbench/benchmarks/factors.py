"""What a task isolates, in numbers: measures of how unequal the class sizes are."""

from __future__ import annotations

import numpy as np

from ..errors import InputError


def class_counts(targets: np.ndarray, n_classes: int) -> np.ndarray:
    """(n_classes,) int64: samples per class, zeros kept."""
    return np.bincount(targets, minlength=n_classes).astype(np.int64)


def imbalance_ratio(counts: np.ndarray) -> float:
    """Largest class over smallest class, in [1, inf); 1 means balanced.

    Raises InputError when a class is empty: the ratio would be infinite.
    """
    counts = _checked(counts)
    if counts.min() == 0:
        raise InputError(
            f"class {int(np.argmin(counts))} of {len(counts)} has no sample, so the imbalance "
            "ratio is infinite; leave the class out"
        )
    return float(counts.max() / counts.min())


def gini(counts: np.ndarray) -> float:
    """Gini coefficient of the class sizes, in [0, 1 - 1/K]; 0 means balanced.

    Mean absolute difference between two classes over twice the mean size.
    """
    counts = np.sort(_checked(counts))
    n = len(counts)
    # In ascending order: sum_i (2 i - n + 1) x_i = half of sum_ij |x_i - x_j| (i from 0), exact.
    spread = int(np.dot(2 * np.arange(n, dtype=np.int64) - n + 1, counts))
    return spread / (n * int(counts.sum()))


def effective_classes(counts: np.ndarray) -> float:
    """exp(entropy) of the class distribution, in [1, K]; K means balanced."""
    counts = _checked(counts)
    share = counts[counts > 0] / counts.sum()
    return float(np.exp(-np.sum(share * np.log(share))))


def measure(
    train_targets: np.ndarray, eval_targets: np.ndarray, n_classes: int
) -> dict[str, float]:
    """The factors every task reports; class sizes are those of the training images."""
    train = class_counts(train_targets, n_classes)
    evaluation = class_counts(eval_targets, n_classes)
    return {
        "n_classes": float(n_classes),
        "n_train": float(train.sum()),
        "n_eval": float(evaluation.sum()),
        "images_per_class": float(train.mean()),
        "smallest_class": float(train.min()),
        "largest_class": float(train.max()),
        "imbalance_ratio": imbalance_ratio(train),
        "gini": gini(train),
        "effective_classes": effective_classes(train),
        "eval_images_per_class": float(evaluation.mean()),
        "eval_smallest_class": float(evaluation.min()),
        "eval_largest_class": float(evaluation.max()),
        "eval_gini": gini(evaluation),
    }


def _checked(counts: np.ndarray) -> np.ndarray:
    counts = np.asarray(counts, dtype=np.int64)
    if counts.ndim != 1 or not len(counts) or counts.min() < 0 or not counts.sum():
        raise InputError(
            f"class counts of shape {counts.shape} with sum {int(counts.sum())}; wanted one "
            "non-negative count per class, and at least one sample"
        )
    return counts
