"""Clustering accuracy: the share of samples whose cluster stands for their class."""

from __future__ import annotations

from .counts import Counts


def acc(counts: Counts) -> float:
    """One-to-one accuracy (Hungarian), in [0, 1].

    Each cluster stands for at most one class and each class for at most one cluster, paired so
    that most samples are right (Kuhn 1955; exact, in integers). Where the numbers of clusters and
    classes differ, what stays unpaired counts as wrong: with K clusters for C classes, K > C, all
    samples of the K - C surplus clusters; with K < C, all samples of the C - K surplus classes.
    The denominator is always all samples with a class; unassigned ones (-1) count as wrong.

    Examples:
        Cluster 7 stands for class 0 and cluster 3 for class 1, which leaves one sample wrong:

        >>> from clusterbench.metrics import score
        >>> score([0, 0, 1, 1], [7, 7, 7, 3]).acc
        0.75

        A second cluster for one class stays unpaired:

        >>> score([0, 0, 0, 0], [0, 0, 1, 1]).acc
        0.5
    """
    return counts.pairing.total / counts.n


def acc_many_to_one(counts: Counts) -> float:
    """Many-to-one accuracy, in [0, 1]: each cluster stands for its most frequent class.

    Several clusters may stand for one class, and a class may have none. Ties between classes do
    not change the value. It rises with the number of clusters (one cluster per sample gives 1.0),
    so compare it at equal K only. Unassigned samples (-1) count as wrong.

    Examples:
        Two clusters of one class each may both stand for it:

        >>> from clusterbench.metrics import score
        >>> score([0, 0, 0, 0], [0, 0, 1, 1]).acc_many_to_one
        1.0
    """
    return int(counts.assigned.column_max.sum()) / counts.n
