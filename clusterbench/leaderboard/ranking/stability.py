"""How often each entrant keeps its place when images and seeds are drawn again."""

from __future__ import annotations

import math

import numpy as np

from ...metrics.uncertainty.subsets import SPREAD
from .differences import EQUAL, Estimates
from .model import Stability

#: Draws of images and seeds together; a share is then known to 1.6%.
N_DRAWS = 1000

_DIGITS = round(-math.log10(EQUAL))


def stability(estimates: Estimates, groups: list[tuple[int, int]]) -> list[Stability]:
    """Stability of each entrant of an order.

    Draw r takes subset r (modulo their number) of the images, the same one for all, and moves each
    score by its deviation there, times the factor that makes the spread over subsets that over new
    images (`SPREAD`); and seeds with replacement, the same ones for all with as many seeds, spread
    by sqrt(n / (n - 1)) so that the variance is that of a mean of n new seeds. Equal scores share
    their places.

    Args:
        estimates: in descending order of the means.
        groups: of the order, as `ties.groups` gives them.
    """
    n = len(estimates.means)
    n_subsets = estimates.deviations.shape[1]
    scores = np.tile(estimates.means, (N_DRAWS, 1))
    scores += SPREAD * estimates.centred.T[np.arange(N_DRAWS) % n_subsets]
    generator = np.random.default_rng(0)
    for n_seeds, positions in estimates.by_number_of_seeds().items():
        if n_seeds > 1:
            drawn = generator.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), N_DRAWS)
            moved = drawn / n_seeds @ estimates.seed_residuals(positions).T
            scores[:, positions] += math.sqrt(n_seeds / (n_seeds - 1)) * moved
    best, worst = _places(np.round(scores, _DIGITS))
    first = (best == 1) / (best == 1).sum(axis=1, keepdims=True)
    low, high = np.empty((2, n), int)
    for start, stop in groups:
        low[start:stop], high[start:stop] = start + 1, stop
    kept = (best <= high) & (worst >= low)
    return [
        Stability(float(f), float(k), N_DRAWS)
        for f, k in zip(first.mean(axis=0), kept.mean(axis=0), strict=True)
    ]


def _places(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n_draws, n) int: the first and the last place of each, which equal scores share."""
    from scipy.stats import rankdata

    best = rankdata(-scores, method="min", axis=1).astype(int)
    worst = rankdata(-scores, method="max", axis=1).astype(int)
    return best, worst
