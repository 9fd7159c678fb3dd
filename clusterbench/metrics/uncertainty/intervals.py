"""How far scores would move with other samples: resampling intervals from the counts alone."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeVar

import numpy as np

from ...cores import n_cores
from ...errors import InputError
from ...progress import Progress
from ..counts import Counts
from ..table import Metric, compute
from ..validate import check_count
from .cells import Cells

#: Resamples leave out one sample in this many.
LEFT_OUT = 10
_SIDE_BY_SIDE = 20_000  # cells from which the kernels outweigh the Python around them
_MEMORY = 1 << 30  # bytes that replicates side by side may take together
_CELL_BYTES = 40  # of one replicate, for each cell and prediction


_Value = TypeVar("_Value")


#: Called after each resample as (done, of how many).
@dataclass(frozen=True)
class Interval:
    """A score (or a difference of scores) with the range that other samples would put it in."""

    low: float
    high: float
    standard_error: float


@dataclass(frozen=True)
class Resampling:
    """How intervals are made; the three settings that change them.

    Attributes:
        n_resamples: 1000 know the standard error to 2%, 200 to 5%.
        level: the share of such intervals that should hold the expected score.
        seed: of the resamples.

    Raises:
        InputError: fewer than two resamples, a level outside (0, 1), or an unusable seed.

    Examples:
        >>> from clusterbench.metrics import Resampling
        >>> Resampling(200)
        Resampling(n_resamples=200, level=0.95, seed=0)
        >>> Resampling.of(200) == Resampling(200)
        True
    """

    n_resamples: int = 1000
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        check_count(self.n_resamples, "n_resamples", least=2)
        check_count(self.seed, "seed", least=0)
        if not (isinstance(self.level, (int, float, np.floating)) and 0 < self.level < 1 - 1e-9):
            raise InputError(f"level={self.level!r}; give a number between 0 and 1, such as 0.95")
        object.__setattr__(self, "level", float(self.level))

    @classmethod
    def of(cls, given: Resampling | int | None) -> Resampling | None:
        """The settings that were given: a number of resamples stands for `Resampling(number)`.

        Raises:
            InputError: neither a `Resampling`, nor a usable number, nor None.
        """
        if given is None or isinstance(given, cls):
            return given
        return cls(check_count(given, "n_resamples", least=2))


@dataclass(frozen=True)
class SampleIntervals:
    """Intervals over samples for the scores of one prediction, and how they were made."""

    n_resamples: int
    level: float
    seed: int
    metrics: dict[str, Interval]


def sample_intervals(
    counts: Counts,
    metrics: Mapping[str, Metric],
    resampling: Resampling,
    progress: Progress | None = None,
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

    Args:
        counts: the contingency table.
        metrics: by name.
        resampling: how many resamples, the level and the seed.
        progress: called as `progress(done, total)` after each resample.

    Raises:
        InputError: fewer than two samples have a class.
    """
    scores = compute(counts, metrics)
    errors = standard_errors(
        Cells.of(counts),
        lambda drawn: np.array(list(compute(drawn[0], metrics).values())),
        resampling,
        progress,
    )
    return SampleIntervals(
        n_resamples=resampling.n_resamples,
        level=resampling.level,
        seed=resampling.seed,
        metrics={
            name: around(scores[name], float(error), resampling.level, metric.low, metric.high)
            for (name, metric), error in zip(metrics.items(), errors, strict=True)
        },
    )


def standard_errors(
    cells: Cells,
    statistic: Callable[[tuple[Counts, ...]], np.ndarray],
    resampling: Resampling,
    progress: Progress | None = None,
) -> np.ndarray:
    """Standard errors of a statistic of the counts of each prediction.

    Resample i is drawn from a generator of its own, seeded with (seed, i), so the number of threads
    changes nothing.

    Args:
        cells: the samples.
        statistic: (n_values,) numbers from the counts of every prediction; called from several
            threads.
        resampling: how many resamples and the seed; the level is not used.
        progress: called as `progress(done, total)` after each resample.

    Returns:
        (n_values,) float64.

    Raises:
        InputError: fewer than two samples have a class.
    """
    if cells.n < 2:
        raise InputError("an interval needs at least 2 samples with a class; found 1")
    left_out = max(1, cells.n // LEFT_OUT)
    size = cells.n - left_out

    def replicate(number: int) -> np.ndarray:
        return statistic(cells.subsampled(size, np.random.default_rng((resampling.seed, number))))

    total, found = resampling.n_resamples, []
    for values in in_order(replicate, total, threads_for(len(cells.sizes), len(cells.predictions))):
        found.append(values)
        if progress is not None:
            progress(len(found), total)
    errors: np.ndarray = math.sqrt(size / left_out) * np.array(found).std(axis=0, ddof=1)
    return errors


def in_order(replicate: Callable[[int], _Value], total: int, n_threads: int) -> Iterator[_Value]:
    """Yield replicate(0), replicate(1) ..., computed on `n_threads` threads.

    Few are handed out at a time, so that Ctrl-C waits for those under way and no others.
    """
    if n_threads == 1:
        yield from map(replicate, range(total))
        return
    pool = ThreadPoolExecutor(n_threads)
    waiting: deque[Future[_Value]] = deque()
    try:
        for number in range(total):
            waiting.append(pool.submit(replicate, number))
            if len(waiting) > 2 * n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def threads_for(n_cells: int, n_predictions: int) -> int:
    """Threads for resamples of so many cells and predictions, within the memory for all of them."""
    if n_cells < _SIDE_BY_SIDE:
        return 1
    return max(1, min(n_cores(), _MEMORY // (_CELL_BYTES * n_cells * n_predictions)))


def around(value: float, error: float, level: float, low: float, high: float) -> Interval:
    """The normal interval around a value, cut to [low, high]."""
    reach = NormalDist().inv_cdf((1 + level) / 2) * error
    return Interval(max(low, value - reach), min(high, value + reach), error)
