"""Two predictions of the same samples: the differences of their scores, and whether they hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...progress import Progress
from ..counts import Counts
from ..table import compute, metrics_with
from ..validate import check_labels, check_same_length, check_targets
from .cells import Cells
from .intervals import Resampling, around, standard_errors


@dataclass(frozen=True)
class Difference:
    """Score of b minus score of a, with its interval over samples."""

    a: float
    b: float
    difference: float
    low: float
    high: float
    standard_error: float


@dataclass(frozen=True)
class ExactTest:
    """McNemar's exact test of two accuracies: of the samples that only one of two gets right.

    Attributes:
        only_a: samples that a gets right and b does not.
        only_b: samples that b gets right and a does not.
        p_value: two-sided; the chance that a fair coin splits them at least this unevenly.
    """

    only_a: int
    only_b: int
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """Prediction b against prediction a on the same samples."""

    n: int
    n_unlabelled: int
    average: str
    n_resamples: int
    level: float
    seed: int
    metrics: dict[str, Difference]
    tests: dict[str, ExactTest]  # of acc and acc_many_to_one, which are right or wrong per sample

    def to_dict(self) -> dict[str, Any]:
        """Plain ints and floats for JSON."""
        return asdict(self)


def compare(
    targets: Any,
    a: Any,
    b: Any,
    *,
    average: str = "arithmetic",
    resampling: Resampling | int | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare two predictions of the same samples, metric by metric.

    The differences' intervals are paired: each resample takes the same samples for both (see
    `intervals`). For the accuracies there is an exact test as well (McNemar,
    Psychometrika 12, 1947): under the hypothesis that a and b are equally accurate, each sample
    that exactly one of them gets right is as likely one's as the other's. Both tests take the
    pairing of clusters and classes as found on these samples.

    Args:
        targets: (n,) labels, as for `score`.
        a: (n,) labels, as the predictions of `score`.
        b: likewise; differences are b minus a.
        average: of the entropies, in NMI and AMI, as for `score`.
        resampling: `Resampling(n_resamples, level, seed)`, or just n_resamples; by default 1000.
        progress: called as `progress(done, total)` after each resample.

    Raises:
        InputError: as `score`.

    Examples:
        `b` puts all into one cluster, so it loses the ten samples of the other class; a fair coin
        falls ten times on the same side once in 512 tries:

        >>> from clusterbench.metrics import compare
        >>> targets = [0] * 10 + [1] * 10
        >>> found = compare(targets, a=targets, b=[0] * 20, resampling=20)
        >>> found.metrics["acc"].difference
        -0.5
        >>> test = found.tests["acc"]
        >>> test.only_a, test.only_b, round(test.p_value * 512, 6)
        (10, 0, 1.0)
    """
    resampling = Resampling.of(resampling) or Resampling()
    metrics = metrics_with(average)
    classes = check_targets(targets)
    pair = (check_labels(a, "a"), check_labels(b, "b"))
    for clusters, name in zip(pair, ("a", "b"), strict=True):
        check_same_length(classes.values, clusters.values, f"predictions in {name}")
    cells = Cells.joint(classes, pair)

    def differences(drawn: tuple[Counts, ...]) -> np.ndarray:
        first, second = (compute(counts, metrics) for counts in drawn)
        return np.array([second[name] - first[name] for name in metrics])

    errors = standard_errors(cells, differences, resampling, progress)
    first, second = (compute(counts, metrics) for counts in cells.predictions)
    found = {}
    for (name, metric), error in zip(metrics.items(), errors, strict=True):
        span, gap = metric.high - metric.low, second[name] - first[name]
        around_gap = around(gap, float(error), resampling.level, -span, span)
        found[name] = Difference(first[name], second[name], gap, **asdict(around_gap))
    return Comparison(
        n=cells.n,
        n_unlabelled=len(classes.values) - cells.n,
        average=average,
        n_resamples=resampling.n_resamples,
        level=resampling.level,
        seed=resampling.seed,
        metrics=found,
        tests={
            "acc": _mcnemar(cells, [_right_one_to_one(c) for c in cells.predictions]),
            "acc_many_to_one": _mcnemar(cells, [_right_many_to_one(c) for c in cells.predictions]),
        },
    )


def _right_one_to_one(counts: Counts) -> np.ndarray:
    """(n_entries,) bool: entries of the table whose cluster is paired with their class."""
    table = counts.table
    columns = np.repeat(counts.pairing.columns, np.diff(table.indptr))
    right: np.ndarray = columns == table.indices
    return right


def _right_many_to_one(counts: Counts) -> np.ndarray:
    """(n_entries,) bool: entries whose class is their cluster's most frequent one (first if tied).

    Unassigned samples are wrong.
    """
    table = counts.table
    largest = np.flatnonzero(table.data == table.column_max[table.indices])
    columns, first = np.unique(table.indices[largest], return_index=True)
    kept = largest[first]
    if counts.with_unassigned:
        kept = kept[columns < len(table.column_sums) - 1]
    right = np.zeros(len(table.data), bool)
    right[kept] = True
    return right


def _mcnemar(cells: Cells, right: list[np.ndarray]) -> ExactTest:
    from scipy.stats import binomtest

    a, b = (cells.of_entries(position, mask) for position, mask in enumerate(right))
    only_a, only_b = int(cells.sizes[a & ~b].sum()), int(cells.sizes[b & ~a].sum())
    unequal = only_a + only_b
    p_value = float(binomtest(only_a, unequal).pvalue) if unequal else 1.0
    return ExactTest(only_a, only_b, p_value)
