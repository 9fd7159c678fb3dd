"""How the samples spread over the clusters: collapse and imbalance, without any target."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..kernels.mutual_information import entropy


@dataclass(frozen=True)
class ClusterStatistics:
    """Sizes of the clusters of one prediction."""

    n_nonempty: int
    n_empty: int  # clusters the method could have used and did not
    singletons: int  # clusters of one sample
    largest: int  # samples; 0 if every sample is unassigned, like all below
    smallest: int  # samples of the smallest cluster that is not empty
    gini: float  # of the sizes, empty clusters included: 0 all equal, towards 1 one takes all
    effective: float  # exp(entropy of the sizes): how many equal clusters are as spread out


def cluster_statistics(sizes: np.ndarray, n_clusters: int) -> ClusterStatistics:
    """Statistics of cluster sizes.

    Args:
        sizes: (n,) int64, >= 0, unassigned samples left out.
        n_clusters: the number of clusters there could be, at least the number of positive sizes.
    """
    used = sizes[sizes > 0]
    if not len(used):
        return ClusterStatistics(0, n_clusters, 0, 0, 0, 0.0, 0.0)
    return ClusterStatistics(
        n_nonempty=len(used),
        n_empty=n_clusters - len(used),
        singletons=int(np.count_nonzero(used == 1)),
        largest=int(used.max()),
        smallest=int(used.min()),
        gini=gini(used, n_clusters),
        effective=math.exp(entropy(used)),
    )


def gini(sizes: np.ndarray, n_groups: int | None = None) -> float:
    """Gini coefficient of group sizes, in [0, 1 - 1 / n_groups].

    Half the mean absolute difference of two groups' sizes, over the mean size.

    Args:
        sizes: (n,) integers >= 0, not all 0.
        n_groups: more than n adds empty groups.
    """
    groups = len(sizes) if n_groups is None else n_groups
    ordered = np.sort(sizes).astype(np.float64)
    ranks = np.arange(groups - len(sizes) + 1, groups + 1)
    return max(0.0, float((2 * ranks - groups - 1) @ ordered / (groups * ordered.sum())))
