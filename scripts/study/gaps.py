"""Gaps between a method and k-means on a task, with intervals over seeds and images together."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from clusterbench.metrics import METRICS, Resampling
from clusterbench.metrics.counts import Counts
from clusterbench.metrics.uncertainty.cells import Cells
from clusterbench.metrics.uncertainty.intervals import standard_errors
from clusterbench.metrics.validate import check_labels, check_targets

METRIC = "ami"
_NORMAL = 1.959964
_RESAMPLING = Resampling(n_resamples=200, level=0.95, seed=0)


@dataclass(frozen=True)
class Gap:
    """A difference of means over seeds, and how far it may be off, in units of the metric.

    The two half widths are combined as independent.

    Attributes:
        value: the difference.
        seeds: half width of the 95% interval for other seeds (Welch's t).
        images: the same for other images, all predictions resampled together.
    """

    value: float
    seeds: float
    images: float

    @property
    def half_width(self) -> float:
        """Of the interval for other seeds and images."""
        return math.hypot(self.seeds, self.images)

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.value - self.half_width

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.value + self.half_width

    def __sub__(self, other: Gap) -> Gap:
        """The difference of two gaps, as if their errors had nothing in common."""
        return Gap(
            self.value - other.value,
            math.hypot(self.seeds, other.seeds),
            math.hypot(self.images, other.images),
        )


def gap(targets: np.ndarray, base: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> Gap:
    """Mean of `other` minus mean of `base`, one prediction per seed in each."""
    compute = METRICS[METRIC].compute
    cells = Cells.joint(
        check_targets(targets), [check_labels(p, "predictions") for p in (*base, *other)]
    )

    def difference(drawn: tuple[Counts, ...]) -> np.ndarray:
        scores = [compute(counts) for counts in drawn]
        mean = statistics.fmean(scores[len(base) :]) - statistics.fmean(scores[: len(base)])
        return np.array([mean])

    error = float(standard_errors(cells, difference, _RESAMPLING)[0])
    scores = [compute(counts) for counts in cells.predictions]
    value = statistics.fmean(scores[len(base) :]) - statistics.fmean(scores[: len(base)])
    return Gap(value, _welch(scores[: len(base)], scores[len(base) :]), _NORMAL * error)


def _welch(a: Sequence[float], b: Sequence[float]) -> float:
    """Half width of the 95% interval of a difference of means; 0 where a side never varies."""
    parts = [statistics.variance(v) / len(v) if len(v) > 1 else math.nan for v in (a, b)]
    if math.isnan(sum(parts)):
        return math.nan
    total = sum(parts)
    if total == 0:
        return 0.0
    freedom = total**2 / sum(p**2 / (len(v) - 1) for p, v in zip(parts, (a, b), strict=True))
    return float(student.ppf(0.975, freedom)) * math.sqrt(total)
