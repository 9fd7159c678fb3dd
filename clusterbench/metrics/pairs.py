"""Scores that count pairs of samples."""

from __future__ import annotations

from ..kernels.contingency import Contingency
from ..kernels.pairs import pairs_within


def ari(table: Contingency) -> float:
    """Adjusted Rand index (Hubert & Arabie, Journal of Classification 2, 1985), in [-0.5, 1].

    1.0 for the same partition, about 0 for random predictions. All counts are exact integers; the
    one rounding is the final division. Dominated by the large classes and clusters.
    """
    together = pairs_within(table.data)
    in_classes = pairs_within(table.row_sums)
    in_clusters = pairs_within(table.column_sums)
    if together == in_classes == in_clusters:
        return 1.0
    n = table.n
    in_all = n * (n - 1) // 2
    expected = in_classes * in_clusters  # times in_all, like every term below
    highest = (in_classes + in_clusters) * in_all
    return 2 * (together * in_all - expected) / (highest - 2 * expected)
