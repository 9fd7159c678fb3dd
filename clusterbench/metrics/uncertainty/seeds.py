"""One method with several seeds: how far its scores move with the seed and with the samples."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...errors import InputError
from ...progress import Progress
from ..counts import Counts
from ..table import compute, metrics_with
from ..validate import check_labels, check_same_length, check_targets
from .cells import Cells
from .intervals import Interval, Resampling, around, standard_errors


@dataclass(frozen=True)
class SeedFigure:
    """A metric over seeds; neither of the two intervals contains the other.

    Attributes:
        mean: over the seeds.
        std: sample standard deviation over the seeds.
        values: of each seed, in the order given.
        seeds: Student interval for the mean over all seeds there could be, on these samples.
        samples: interval for the mean of these seeds over other samples (resampled together); None
            if none was asked for.
    """

    mean: float
    std: float
    values: tuple[float, ...]
    seeds: Interval
    samples: Interval | None


@dataclass(frozen=True)
class SeedScores:
    """Scores of several predictions of the same samples by one method."""

    n: int
    n_unlabelled: int
    n_seeds: int
    average: str
    level: float
    n_resamples: int
    seed: int
    metrics: dict[str, SeedFigure]

    def to_dict(self) -> dict[str, Any]:
        """Plain ints, floats and None for JSON."""
        return asdict(self)


def score_seeds(
    targets: Any,
    predictions: Sequence[Any],
    *,
    average: str = "arithmetic",
    level: float = 0.95,
    intervals: Resampling | int | None = None,
    progress: Progress | None = None,
) -> SeedScores:
    """Score the predictions of two or more seeds together.

    Args:
        targets: (n,) labels, as for `score`.
        predictions: of each seed, (n,) labels, as for `score`.
        average: of the entropies, in NMI and AMI, as for `score`.
        level: of the interval over seeds, unless `intervals` brings its own.
        intervals: asks for intervals over samples too: `Resampling(n_resamples, level, seed)`, or
            just n_resamples.
        progress: called as `progress(done, total)` after each resample.

    Raises:
        InputError: as `score`, and for fewer than two predictions.

    Examples:
        >>> from clusterbench.metrics import score_seeds
        >>> found = score_seeds([0, 0, 1, 1], [[0, 0, 1, 1], [0, 0, 0, 1]])
        >>> acc = found.metrics["acc"]
        >>> acc.values, acc.mean, round(acc.std, 4)
        ((1.0, 0.75), 0.875, 0.1768)
    """
    predictions = list(predictions)
    if len(predictions) < 2:
        raise InputError(f"{len(predictions)} prediction; an interval over seeds needs at least 2")
    resampling = Resampling.of(intervals) or Resampling(level=level)
    metrics = metrics_with(average)
    classes = check_targets(targets)
    runs = []
    for position, given in enumerate(predictions):
        name = f"predictions[{position}]"
        runs.append(check_labels(given, name))
        check_same_length(classes.values, runs[-1].values, f"predictions in {name}")
    cells = Cells.joint(classes, runs)
    scored = [compute(counts, metrics) for counts in cells.predictions]

    def means(drawn: tuple[Counts, ...]) -> np.ndarray:
        each = [compute(counts, metrics) for counts in drawn]
        return np.array([statistics.fmean(one[name] for one in each) for name in metrics])

    errors = standard_errors(cells, means, resampling, progress) if intervals else None
    figures = {}
    for position, (name, metric) in enumerate(metrics.items()):
        values = tuple(one[name] for one in scored)
        mean, std = statistics.fmean(values), statistics.stdev(values)
        samples = None
        if errors is not None:
            error = float(errors[position])
            samples = around(mean, error, resampling.level, metric.low, metric.high)
        over_seeds = student(values, resampling.level, metric.low, metric.high)
        figures[name] = SeedFigure(mean, std, values, over_seeds, samples)
    return SeedScores(
        n=cells.n,
        n_unlabelled=len(classes.values) - cells.n,
        n_seeds=len(runs),
        average=average,
        level=resampling.level,
        n_resamples=resampling.n_resamples if intervals else 0,
        seed=resampling.seed,
        metrics=figures,
    )


def student(values: Sequence[float], level: float, low: float, high: float) -> Interval:
    """Student's t interval for the mean behind two or more values, cut to [low, high]."""
    from scipy.stats import t

    mean = statistics.fmean(values)
    error = statistics.stdev(values) / math.sqrt(len(values))
    reach = float(t.ppf((1 + level) / 2, len(values) - 1)) * error
    return Interval(max(low, mean - reach), min(high, mean + reach), error)
