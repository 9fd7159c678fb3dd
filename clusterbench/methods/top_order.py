"""One order of clusters for `predict` and `predict_top`, also where clusters are equally near."""

from __future__ import annotations

import numpy as np


def led_by(first: np.ndarray, ranked: np.ndarray) -> np.ndarray:
    """`ranked` with `first` at the head of each row.

    The search for one cluster and the search for several are different routines (in faiss, and
    `argmax` and `topk` in torch), which round or break ties differently: two clusters that are
    equally near may change places. What `predict` says then comes first, the others move back.

    Args:
        first: (n,) clusters.
        ranked: (n, n_ranks) clusters, different in each row.

    Returns:
        (n, n_ranks) of the dtype of `ranked`.
    """
    ranked = np.array(ranked)
    for row in np.flatnonzero(ranked[:, 0] != first).tolist():
        others = ranked[row][ranked[row] != first[row]]
        ranked[row, 0], ranked[row, 1:] = first[row], others[: ranked.shape[1] - 1]
    return ranked
