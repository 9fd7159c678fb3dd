"""Clustering accuracy: the share of samples whose cluster stands for their class."""

from __future__ import annotations

from ..kernels.assignment import assign
from ..kernels.contingency import Contingency


def acc(table: Contingency) -> float:
    """One-to-one accuracy (Hungarian), in [0, 1].

    Each cluster stands for at most one class and each class for at most one cluster, paired so
    that most samples are right (Kuhn 1955; exact, in integers). Where the numbers of clusters and
    classes differ, what stays unpaired counts as wrong: with more clusters than classes, all
    samples of the surplus clusters; with fewer, all samples of the surplus classes.
    """
    return assign(table).total / table.n


def acc_many_to_one(table: Contingency) -> float:
    """Many-to-one accuracy, in (0, 1]: each cluster stands for its most frequent class.

    Also called purity. Ties between classes do not change the value. It rises with the number of
    clusters (one cluster per sample gives 1.0), so compare it at equal K only.
    """
    return int(table.column_max.sum()) / table.n
