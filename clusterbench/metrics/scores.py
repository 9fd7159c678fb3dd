"""All scores of one prediction, from one contingency table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..kernels.contingency import contingency
from .clusters import ClusterStatistics, cluster_statistics
from .table import METRICS
from .validate import check_count, check_labels, check_same_length


@dataclass(frozen=True)
class Scores:
    """Scores of a prediction; `METRICS` gives each one's range and direction."""

    n: int  # samples
    n_classes: int
    n_clusters: int
    acc: float
    acc_many_to_one: float
    nmi: float
    ami: float
    ari: float
    clusters: ClusterStatistics

    def to_dict(self) -> dict[str, Any]:
        """Plain ints and floats for JSON; `clusters` is a dict of its own."""
        return asdict(self)


def score(
    targets: Any,
    predictions: Any,
    *,
    n_classes: int | None = None,
    n_clusters: int | None = None,
) -> Scores:
    """Compare predicted clusters with target classes.

    targets, predictions: (n,) whole numbers >= 0, arrays or lists; neither needs to be contiguous.
    n_classes, n_clusters: how many there could be, so that empty ones are counted; labels must
    then be below them. Left out, those that occur are counted. They change the counts and
    `clusters`, not the scores. The number of clusters may differ from that of classes: see
    `clusterbench.metrics.acc.acc` for what ACC then means.

    Time and memory grow with n and the number of (class, cluster) pairs that occur, never with
    n_classes x n_clusters.

    Raises InputError for labels of different lengths, empty, not 1-D, negative, not whole, or at
    or above a given count.
    """
    if n_classes is not None:
        n_classes = check_count(n_classes, "n_classes")
    if n_clusters is not None:
        n_clusters = check_count(n_clusters, "n_clusters")
    classes = check_labels(targets, "targets", limit=n_classes, option="n_classes")
    clusters = check_labels(predictions, "predictions", limit=n_clusters, option="n_clusters")
    check_same_length(classes, clusters)
    table = contingency(classes, clusters, int(classes.max()) + 1, int(clusters.max()) + 1)
    if n_classes is None:
        n_classes = int(np.count_nonzero(table.row_sums))
    if n_clusters is None:
        n_clusters = int(np.count_nonzero(table.column_sums))
    return Scores(
        n=len(classes),
        n_classes=n_classes,
        n_clusters=n_clusters,
        **{name: metric.compute(table) for name, metric in METRICS.items()},
        clusters=cluster_statistics(table.column_sums, n_clusters),
    )
