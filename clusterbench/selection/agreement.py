"""Agreement: how much a candidate has in common with the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..metrics.counts import count
from ..metrics.information import ami
from .partitions import Partition


def agreement(found: Sequence[Partition]) -> np.ndarray:
    """Mean AMI of each partition to the others: (m,) float64, NaN of one with one cluster.

    What chance made of one candidate the others do not share, so that the one in the middle is
    the safest (as Strehl & Ghosh, JMLR 3, 2002, take the partition of most mutual information with
    an ensemble). It finds the common answer, not a better one that few give: copies of a candidate
    vote for each other, and so do settings of one kind. Partitions of one cluster are no votes; a
    candidate without others has 0.

    Cost: m (m - 1) / 2 sparse contingency tables, each O(n + K) in time and 12 bytes for each pair
    of clusters that meet; 50 heads make 1,225 of them. At millions of rows take a sample of some
    hundred thousand rows of all candidates, whose AMI is that of all rows to a hundredth.
    """
    usable = [i for i, one in enumerate(found) if one.n_used > 1]
    scores = np.full(len(found), np.nan)
    table = np.zeros((len(usable), len(usable)))
    for a, i in enumerate(usable):
        for b, j in enumerate(usable[:a]):
            table[a, b] = table[b, a] = ami(count(found[i].checked, found[j].checked))
    scores[usable] = table.sum(axis=1) / max(len(usable) - 1, 1)
    return scores
