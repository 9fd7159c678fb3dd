"""Gaps between two methods on a task, with intervals over seeds and images together."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from clusterbench.metrics import METRICS, Resampling
from clusterbench.metrics.counts import Counts
from clusterbench.metrics.uncertainty.cells import Cells
from clusterbench.metrics.uncertainty.intervals import standard_errors
from clusterbench.metrics.validate import check_labels, check_targets

METRIC = "ami"
_LEVEL = 0.95
_RESAMPLING = Resampling(n_resamples=200, level=_LEVEL, seed=0)


@dataclass(frozen=True)
class Gap:
    """A difference of means over seeds, and how far it may be off, in units of the metric.

    Half widths are combined as independent.

    Attributes:
        value: the difference.
        seeds: half width of the 95% interval for other seeds (Welch's t).
        images: the same for other images, all predictions resampled together.
        wide: half width for both at the level that leaves 95% for all comparisons of a table
            together (Bonferroni); of one comparison that of the interval itself.
    """

    value: float
    seeds: float
    images: float
    wide: float | None = None

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

    @property
    def clear(self) -> bool:
        """Whether the interval that is corrected for all comparisons leaves out 0."""
        return abs(self.value) > (self.half_width if self.wide is None else self.wide)

    def __sub__(self, other: Gap) -> Gap:
        """The difference of two gaps, as if their errors had nothing in common."""
        wide = [gap.half_width if gap.wide is None else gap.wide for gap in (self, other)]
        return Gap(
            self.value - other.value,
            math.hypot(self.seeds, other.seeds),
            math.hypot(self.images, other.images),
            math.hypot(*wide),
        )


def corrected(comparisons: int) -> float:
    """Level of each of so many intervals at which all of them hold with 95% (Bonferroni)."""
    return 1.0 - (1.0 - _LEVEL) / max(comparisons, 1)


def reach(level: float, freedom: float = math.inf) -> float:
    """Standard errors to either side of a two-sided interval; Student's t below infinity."""
    tail = 1.0 - (1.0 - level) / 2.0
    return float(norm.ppf(tail) if math.isinf(freedom) else student.ppf(tail, freedom))


def gap(
    targets: np.ndarray,
    base: Sequence[np.ndarray],
    other: Sequence[np.ndarray],
    comparisons: int = 1,
) -> Gap:
    """Mean of `other` minus mean of `base`, one prediction per seed in each.

    comparisons: of the table that the gap is one of.
    """
    compute = METRICS[METRIC].compute
    cells = Cells.joint(
        check_targets(targets), [check_labels(p, "predictions") for p in (*base, *other)]
    )

    def difference(drawn: tuple[Counts, ...]) -> np.ndarray:
        scores = [compute(counts) for counts in drawn]
        mean = statistics.fmean(scores[len(base) :]) - statistics.fmean(scores[: len(base)])
        return np.array([mean])

    images = float(standard_errors(cells, difference, _RESAMPLING)[0])
    scores = [compute(counts) for counts in cells.predictions]
    value = statistics.fmean(scores[len(base) :]) - statistics.fmean(scores[: len(base)])
    seeds, freedom = _welch(scores[: len(base)], scores[len(base) :])
    half = [
        (reach(level, freedom) * seeds if seeds else seeds, reach(level) * images)
        for level in (_LEVEL, corrected(comparisons))
    ]
    return Gap(value, *half[0], math.hypot(*half[1]))


def _welch(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Standard error of a difference of means, and its degrees of freedom (Welch).

    0 where neither side varies: a start that draws nothing gives every seed the same.
    """
    parts = [statistics.variance(v) / len(v) if len(v) > 1 else math.nan for v in (a, b)]
    total = sum(parts)
    if math.isnan(total) or total == 0:
        return total, math.inf
    freedom = total**2 / sum(p**2 / (len(v) - 1) for p, v in zip(parts, (a, b), strict=True))
    return math.sqrt(total), freedom
