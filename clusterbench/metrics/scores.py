"""All scores of one prediction, from one contingency table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..progress import Progress
from .clusters import ClusterStatistics, cluster_statistics
from .counts import count
from .per_class import FrequencyBands, frequency_bands
from .table import MetricValues, compute, metrics_with
from .uncertainty.intervals import Resampling, SampleIntervals, sample_intervals
from .validate import check_count, check_frequencies, check_labels, check_same_length, check_targets


@dataclass(frozen=True)
class _Counted:
    """What was scored: the first fields of `Scores`."""

    n: int  # samples scored: those with a class
    n_classes: int
    n_clusters: int
    n_unassigned: int  # of them, samples without a cluster (prediction -1)
    n_unlabelled: int  # samples left out, since they have no class (target -1)


@dataclass(frozen=True)
class Scores(MetricValues, _Counted):
    """Scores of a prediction; `METRICS` gives each one's range and direction.

    Fields come in the order of the bases from last to first: counts, metrics, then these.
    """

    average: str  # of the entropies, in NMI and AMI
    bands: FrequencyBands
    clusters: ClusterStatistics
    intervals: SampleIntervals | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain ints, floats and None for JSON; bands, clusters and intervals are dicts."""
        content = asdict(self)
        if self.intervals is None:
            del content["intervals"]
        return content


def score(
    targets: Any,
    predictions: Any,
    *,
    n_classes: int | None = None,
    n_clusters: int | None = None,
    average: str = "arithmetic",
    class_frequencies: Any = None,
    intervals: Resampling | int | None = None,
    progress: Progress | None = None,
) -> Scores:
    """Compare predicted clusters with target classes.

    Args:
        targets: (n,) labels, an array or list: whole numbers, or strings. Numbers need not be
            contiguous. -1 means "no class": the sample is left out and counted in `n_unlabelled`.
        predictions: (n,) labels likewise. -1 means "not assigned": wrong for every ACC, and one
            more group for NMI, AMI, ARI and the other scores of partitions.
        n_classes: how many classes there could be, so that empty ones are counted; targets must
            then be below it. Left out, those that occur are counted. It changes no score.
        n_clusters: the same of clusters; it changes `clusters`, but no score. It may differ from
            the number of classes: see `clusterbench.metrics.acc.acc` for what ACC then means.
        average: of the entropies, in NMI and AMI: arithmetic, geometric, min or max.
        class_frequencies: (n_classes,) how often each class occurs in the training rows, for the
            frequency bands; left out, the class sizes of `targets` are taken.
        intervals: with `Resampling(n_resamples, level, seed)`, or just n_resamples, the scores come
            with intervals over samples (see `clusterbench.metrics.uncertainty.intervals`).
        progress: called as `progress(done, total)` after each resample.

    Time and memory grow with n and the number of (class, cluster) pairs that occur, never with
    n_classes x n_clusters.

    Raises:
        InputError: labels of different lengths, empty, not 1-D, below -1, not whole, or at or above
            a given count, or unusable options.

    Examples:
        >>> from clusterbench.metrics import Resampling, score
        >>> scores = score(["cat", "cat", "dog", "dog"], [7, 7, 7, 3])
        >>> scores.acc, scores.n_classes, scores.clusters.largest
        (0.75, 2, 3)
        >>> scores = score([0, 1] * 50, [1, 0] * 50, intervals=Resampling(100))
        >>> scores.intervals.metrics["acc"]
        Interval(low=1.0, high=1.0, standard_error=0.0)
    """
    metrics, resampling = metrics_with(average), Resampling.of(intervals)
    if n_clusters is not None:
        n_clusters = check_count(n_clusters, "n_clusters")
    classes = check_targets(targets, n_classes)
    clusters = check_labels(predictions, "predictions", limit=n_clusters, option="n_clusters")
    check_same_length(classes.values, clusters.values)
    frequencies = check_frequencies(class_frequencies, classes)
    counts = count(classes, clusters)
    if n_classes is None:
        n_classes = counts.n_groups[0]
    if n_clusters is None:
        n_clusters = int(np.count_nonzero(counts.cluster_sizes))
    return Scores(
        n=counts.n,
        n_classes=n_classes,
        n_clusters=n_clusters,
        n_unassigned=counts.n_unassigned,
        n_unlabelled=len(classes.values) - counts.n,
        **compute(counts, metrics),
        average=average,
        bands=frequency_bands(counts, frequencies),
        clusters=cluster_statistics(counts.cluster_sizes, n_clusters),
        intervals=sample_intervals(counts, metrics, resampling, progress) if resampling else None,
    )
