"""Purity of the partition that the clusters make."""

from __future__ import annotations

from .counts import Counts


def purity(counts: Counts) -> float:
    """Share of samples that belong to the most frequent class of their cluster, in (0, 1].

    Manning, Raghavan & Schütze, "Introduction to Information Retrieval", 2008, section 16.3. The
    same number as many-to-one ACC unless samples are unassigned (-1): they are one more cluster
    here, and wrong there.
    """
    return int(counts.table.column_max.sum()) / counts.n
