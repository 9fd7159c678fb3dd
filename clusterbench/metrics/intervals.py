"""How far scores would move with other samples: resampling intervals from the counts alone."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ..errors import InputError
from .cells import Cells
from .counts import Counts
from .table import Metric
from .validate import check_count

#: Resamples leave out one sample in this many.
LEFT_OUT = 10
_SIDE_BY_SIDE = 20_000  # cells from which the kernels outweigh the Python around them


@dataclass(frozen=True)
class Interval:
    """A score (or a difference of scores) with the range that other samples would put it in."""

    low: float
    high: float
    standard_error: float


@dataclass(frozen=True)
class Resampling:
    """How intervals are made; the three settings that change them.

    n_resamples: 1000 know the standard error to 2%, 200 to 5%. level: the share of such intervals
    that should hold the expected score. Raises InputError for unusable values.
    """

    n_resamples: int = 1000
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        check_count(self.n_resamples, "n_resamples", least=2)
        check_count(self.seed, "seed", least=0)
        if not (isinstance(self.level, (int, float)) and 0 < self.level < 1):
            raise InputError(f"level={self.level!r}; give a number between 0 and 1, such as 0.95")


@dataclass(frozen=True)
class SampleIntervals:
    """Intervals over samples for the scores of one prediction, and how they were made."""

    n_resamples: int
    level: float
    seed: int
    metrics: dict[str, Interval]


def sample_intervals(
    counts: Counts, metrics: Mapping[str, Metric], resampling: Resampling
) -> SampleIntervals:
    """For each metric an interval for its expectation on as many other samples of the same kind.

    The score on n samples is itself an unbiased estimate of that expectation, so the interval is
    the score plus and minus a normal quantile of its standard error, cut to the metric's range.
    The clustering is taken as given: how far a fit with another seed would move is another
    question (`seeds`).

    The standard error comes from the m-out-of-n bootstrap without replacement (also called
    subsampling, or the delete-d jackknife: Shao & Wu, Annals of Statistics 17, 1989; Bickel, Götze
    & van Zwet, Statistica Sinica 7, 1997): the scores of subsets of m = 0.9 n samples, their
    standard deviation times sqrt(m / (n - m)) = 3. The ordinary bootstrap draws some samples twice
    and others never; with few samples per class and cluster that moves NMI and AMI so much that
    its intervals miss (docs/metrics.md shows by how much).

    Raises InputError for fewer than two samples.
    """
    scores = np.array([metric.compute(counts) for metric in metrics.values()])
    errors = standard_errors(
        Cells.of(counts),
        lambda drawn: np.array([metric.compute(drawn[0]) for metric in metrics.values()]),
        resampling,
    )
    return SampleIntervals(
        n_resamples=resampling.n_resamples,
        level=resampling.level,
        seed=resampling.seed,
        metrics={
            name: around(float(value), float(error), resampling.level, metric.low, metric.high)
            for (name, metric), value, error in zip(metrics.items(), scores, errors, strict=True)
        },
    )


def standard_errors(
    cells: Cells,
    statistic: Callable[[tuple[Counts, ...]], np.ndarray],
    resampling: Resampling,
) -> np.ndarray:
    """(n_values,) float64: standard errors of a statistic of the counts of each prediction.

    Resample i is drawn from a generator of its own, seeded with (seed, i), so the number of threads
    changes nothing.
    """
    if cells.n < 2:
        raise InputError("an interval needs at least 2 samples with a class; found 1")
    left_out = max(1, cells.n // LEFT_OUT)
    size = cells.n - left_out

    def replicate(number: int) -> np.ndarray:
        return statistic(cells.subsampled(size, np.random.default_rng((resampling.seed, number))))

    numbers = range(resampling.n_resamples)
    n_threads = (os.cpu_count() or 1) if len(cells.sizes) >= _SIDE_BY_SIDE else 1
    if n_threads == 1:
        replicates = np.array([replicate(number) for number in numbers])
    else:
        with ThreadPoolExecutor(n_threads) as pool:
            replicates = np.array(list(pool.map(replicate, numbers)))
    errors: np.ndarray = math.sqrt(size / left_out) * replicates.std(axis=0, ddof=1)
    return errors


def around(value: float, error: float, level: float, low: float, high: float) -> Interval:
    """The normal interval around a value, cut to [low, high]."""
    reach = NormalDist().inv_cdf((1 + level) / 2) * error
    return Interval(max(low, value - reach), min(high, value + reach), error)
