"""Purity of the partition that the clusters make."""

from __future__ import annotations

from .counts import Counts


def purity(counts: Counts) -> float:
    """Share of samples that belong to the most frequent class of their cluster, in (0, 1].

    Manning, Raghavan & Schütze, "Introduction to Information Retrieval", 2008, section 16.3. The
    same number as many-to-one ACC unless samples are unassigned (-1): they are one more cluster
    here, and wrong there.

    Examples:
        Of cluster 0 two samples of three are of one class, of cluster 1 its only one:

        >>> from clusterbench.metrics import score
        >>> score([0, 0, 1, 1], [0, 0, 0, 1]).purity
        0.75
        >>> scores = score([0, 0, 1, 1], [0, 0, -1, -1])
        >>> scores.purity, scores.acc_many_to_one
        (1.0, 0.5)
    """
    return int(counts.table.column_max.sum()) / counts.n
