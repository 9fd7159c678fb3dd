"""What happened to each class: its ACC against its frequency in training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..metrics.counts import Counts
from ..metrics.per_class import class_acc, frequency_bands

BANDS = ("head", "middle", "tail")


@dataclass(frozen=True, eq=False)
class PerClass:
    """Classes of a task under the fits of one contender.

    Attributes:
        train_sizes: (n_classes,) int64, training rows of each class.
        sizes: (n_classes,) int64, scored rows.
        acc: (n_classes,) float64, mean over seeds; NaN for a class without scored rows.
        bands: mean over seeds of the classes' ACC in head, middle and tail; None for an empty one.
        band_classes: how many scored classes each band has.
    """

    train_sizes: np.ndarray
    sizes: np.ndarray
    acc: np.ndarray
    bands: dict[str, float | None]
    band_classes: dict[str, int]


def per_class(tables: Sequence[Counts], train_targets: np.ndarray, n_classes: int) -> PerClass:
    """Per-class figures of one or more seeds.

    Args:
        tables: the counts of each seed.
        train_targets: (n,) classes of the training rows, whose frequencies decide the bands.
        n_classes: of the task.
    """
    train_sizes = np.bincount(train_targets, minlength=n_classes)
    shares = [padded(class_acc(counts), n_classes, np.nan) for counts in tables]
    found = [frequency_bands(counts, train_sizes) for counts in tables]
    bands: dict[str, float | None] = {}
    for name in BANDS:
        values = [getattr(one, name).acc for one in found]
        known = [value for value in values if value is not None]
        bands[name] = float(np.mean(known)) if known else None
    return PerClass(
        train_sizes=train_sizes,
        sizes=padded(tables[0].table.row_sums, n_classes, 0),
        acc=np.mean(shares, axis=0),
        bands=bands,
        band_classes={name: getattr(found[0], name).n_classes for name in BANDS},
    )


def padded(values: np.ndarray, n: int, fill: float) -> np.ndarray:
    """`values` with `fill` up to length n: the last classes may have no scored row."""
    return np.pad(values, (0, n - len(values)), constant_values=fill)
