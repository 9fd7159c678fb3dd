"""Chance levels with a formula: the mean score over all predictions of the given cluster sizes.

The model is the permutation one: class and cluster sizes stay, and every way to deal the samples
out is equally likely. AMI and ARI are 0 under it by construction.
"""

from __future__ import annotations

import math

from ..kernels.pair_counts import pairs_within
from .counts import Counts
from .information import Average, mean_entropy


def nmi_by_chance(counts: Counts, average: Average = "arithmetic") -> float:
    """E[NMI] = E[MI] / average(H(classes), H(clusters)); NMI and V-measure share it."""
    if max(counts.n_groups) == 1:
        return 1.0
    return _ratio(counts.expected_mutual_information, mean_entropy(counts, average))


def homogeneity_by_chance(counts: Counts) -> float:
    """E[MI] / H(classes); 1.0 for a single class."""
    if counts.n_groups[0] == 1:
        return 1.0
    return _ratio(counts.expected_mutual_information, counts.class_entropy)


def completeness_by_chance(counts: Counts) -> float:
    """E[MI] / H(clusters); 1.0 for a single cluster."""
    if counts.n_groups[1] == 1:
        return 1.0
    return _ratio(counts.expected_mutual_information, counts.cluster_entropy)


def fowlkes_mallows_by_chance(counts: Counts) -> float:
    """sqrt(P Q) / (n choose 2), P and Q the pairs in one class and in one cluster."""
    n = counts.n
    pairs = n * (n - 1) // 2
    if pairs == 0:
        return 0.0
    together = pairs_within(counts.table.row_sums) * pairs_within(counts.table.column_sums)
    return math.sqrt(together) / pairs


def _ratio(expected: float, whole: float) -> float:
    return min(1.0, expected / whole) if whole > 0 else 0.0
