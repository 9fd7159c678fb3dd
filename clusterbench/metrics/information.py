"""Scores from information theory: how many nats the clusters tell about the classes."""

from __future__ import annotations

import numpy as np

from ..kernels.contingency import Contingency
from ..kernels.mutual_information import entropy, expected_mutual_information, mutual_information


def nmi(table: Contingency) -> float:
    """Normalised mutual information, MI / mean(H(classes), H(clusters)), in [0, 1].

    The arithmetic mean, as in scikit-learn. It rises with the number of clusters even for random
    predictions: read it beside `random_floor`, or use `ami`.
    One class in one cluster: 1.0. No shared information: 0.0.
    """
    if _is_match(table):
        return 1.0
    mutual = mutual_information(table.row_sums, table.column_sums, table.data)
    return mutual / _mean_entropy(table) if mutual > 0 else 0.0


def ami(table: Contingency) -> float:
    """Adjusted mutual information, (MI - E[MI]) / (mean(H(classes), H(clusters)) - E[MI]).

    Vinh, Epps & Bailey, JMLR 11, 2010, with the arithmetic mean, as in scikit-learn. 1.0 for the
    same partition, about 0 for random predictions, possibly negative. 0.0 where class and cluster
    sizes alone decide the mutual information: a single class or cluster, or one sample in each.
    """
    if _is_match(table):
        return 1.0
    n_classes = np.count_nonzero(table.row_sums)
    n_clusters = np.count_nonzero(table.column_sums)
    if min(n_classes, n_clusters) == 1 or max(n_classes, n_clusters) == table.n:
        return 0.0
    mutual = mutual_information(table.row_sums, table.column_sums, table.data)
    expected = expected_mutual_information(table.row_sums, table.column_sums)
    return (mutual - expected) / (_mean_entropy(table) - expected)


def _mean_entropy(table: Contingency) -> float:
    return (entropy(table.row_sums) + entropy(table.column_sums)) / 2


def _is_match(table: Contingency) -> bool:
    """Whether classes and clusters are the same partition."""
    groups = len(table.data)
    return bool(groups == np.count_nonzero(table.row_sums) == np.count_nonzero(table.column_sums))
