"""How far fits on two halves of the rows agree: a criterion for settings, without a label.

A setting under which the same method, shown other rows of the same kind, finds the same clusters,
finds what is in the data and not in the sample (Lange, Roth, Braun & Buhmann, Neural Computation
16, 2004). AMI takes off what two partitions of that many clusters share by chance.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..metrics import METRICS
from ..metrics.counts import count
from ..metrics.validate import check_labels, check_targets

#: (rows to fit on, rows to predict) -> clusters of the ones and of the others.
Fitted = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def two_halves(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of n rows in two random halves, each ascending; the first has one less of odd n."""
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])


def halves_agreement(halves: tuple[np.ndarray, np.ndarray], fitted: Fitted) -> float:
    """AMI of what a fit to one half predicts of the other with that one's own clusters.

    Args:
        halves: numbers of rows; no row is in both.
        fitted: fits on the rows of its first argument, and predicts those of its second.

    Returns:
        The mean over both directions, in [-1, 1]; near 0 for fits that have nothing in common.
    """
    first, second = halves
    own_first, told_second = fitted(first, second)
    own_second, told_first = fitted(second, first)
    return (ami(own_first, told_first) + ami(own_second, told_second)) / 2.0


def ami(a: np.ndarray, b: np.ndarray) -> float:
    """Adjusted mutual information of two partitions of the same rows, (n,) integers each."""
    counts = count(check_targets(a), check_labels(b, "clusters"))
    return float(METRICS["ami"].compute(counts))
