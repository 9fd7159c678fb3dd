"""Scores that count pairs of samples."""

from __future__ import annotations

import math

from ..kernels.pair_counts import pairs_within
from .counts import Counts


def ari(counts: Counts) -> float:
    """Adjusted Rand index (Hubert & Arabie, Journal of Classification 2, 1985), in [-0.5, 1].

    1.0 for the same partition, about 0 for random predictions. All counts are exact integers; the
    one rounding is the final division. Dominated by the large classes and clusters.

    Examples:
        Of 6 pairs, 2 are in one class and 1 in one cluster, and that one in both. Chance would have
        2 x 1 / 6 in both, and the most is 3/2, the mean of the two: (1 - 1/3) / (3/2 - 1/3) = 4/7.

        >>> from clusterbench.metrics import score
        >>> round(score([0, 0, 1, 1], [0, 0, 1, 2]).ari, 4)
        0.5714
    """
    together, in_classes, in_clusters = _pairs(counts)
    if together == in_classes == in_clusters:
        return 1.0
    n = counts.n
    in_all = n * (n - 1) // 2
    expected = in_classes * in_clusters  # times in_all, like every term below
    highest = (in_classes + in_clusters) * in_all
    return 2 * (together * in_all - expected) / (highest - 2 * expected)


def fowlkes_mallows(counts: Counts) -> float:
    """Geometric mean of the precision and the recall of "same class" on pairs, in [0, 1].

    Fowlkes & Mallows, Journal of the American Statistical Association 78, 1983. Of all pairs in one
    cluster, the share in one class (precision); of all pairs in one class, the share in one cluster
    (recall). 0.0 where no pair is in both, as in scikit-learn. Not corrected for chance.

    Examples:
        The one pair in a cluster is in a class (precision 1); of two pairs in a class, one is in a
        cluster (recall 1/2):

        >>> from clusterbench.metrics import score
        >>> round(score([0, 0, 1, 1], [0, 0, 1, 2]).fowlkes_mallows, 4)
        0.7071
    """
    together, in_classes, in_clusters = _pairs(counts)
    if together == 0:
        return 0.0
    return min(1.0, together / math.sqrt(in_classes * in_clusters))


def _pairs(counts: Counts) -> tuple[int, int, int]:
    """Pairs of samples in one cell of the table, in one class, in one cluster."""
    table = counts.table
    return pairs_within(table.data), pairs_within(table.row_sums), pairs_within(table.column_sums)
