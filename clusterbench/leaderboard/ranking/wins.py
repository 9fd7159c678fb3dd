"""Task by task: ranks, and who has the higher score."""

from __future__ import annotations

import numpy as np

from .differences import EQUAL


def mean_ranks(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n,) weighted mean over tasks of each entrant's rank, 1 for the highest score.

    Scores within 1e-9 are equal, and equal ones have the mean of their ranks.

    Args:
        scores: (n, n_tasks).
        weights: (n_tasks,), their sum is 1.
    """
    from scipy.stats import rankdata

    ranks = rankdata(-np.round(scores / EQUAL), axis=0)
    means: np.ndarray = ranks @ weights
    return means


def win_rates(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n, n): share of the tasks, by weight, in which the row is above the column.

    Equal scores (within 1e-9) count half, so that [i, j] and [j, i] sum to 1.

    Args:
        scores: (n, n_tasks).
        weights: (n_tasks,), their sum is 1.
    """
    rates = np.zeros((len(scores), len(scores)))
    for of_task, weight in zip(scores.T, weights, strict=True):
        gap = of_task[:, None] - of_task[None, :]
        rates += weight * ((gap > EQUAL) + 0.5 * (np.abs(gap) <= EQUAL))
    return rates
